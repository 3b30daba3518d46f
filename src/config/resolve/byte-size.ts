const factors = { '': 1, K: 1_024, M: 1_024 ** 2, G: 1_024 ** 3 } as const;

/**
 * Reads a size such as `5MB` and returns it in bytes, rounded down; null if the text is not a size of at
 * least one byte. Units are powers of 1024, as logrotate and journald count them; `5M`, `5MB` and `5MiB` are the same.
 */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?(?:([KMG])(?:i?B)?|B)$/i.exec(text.trim());
  if (!match) return null;
  const unit = (match[2] ?? '').toUpperCase() as keyof typeof factors;
  const bytes = Math.floor(Number(match[1]) * factors[unit]);
  return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : null;
}

/** Writes a number of bytes for people: `0 B`, `812 B`, `34.2 MB`; units in powers of 1024, as `parseSize` reads them. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, '')} ${units[unit]}`;
}
