/** Bytes for people: `1.5 GB`, in powers of 1024. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

/** A length of time in ms for people: `0.4 ms`, `850 ms`, `2.5 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return pair(seconds, 60, 'min', 's');
  if (seconds < 86_400) return pair(Math.round(seconds / 60), 60, 'h', 'min');
  return pair(Math.round(seconds / 3600), 24, 'd', 'h');
}

function pair(amount: number, size: number, unit: string, smaller: string): string {
  const rest = amount % size;
  return `${Math.floor(amount / size)} ${unit}${rest === 0 ? '' : ` ${rest} ${smaller}`}`;
}

/** A share between 0 and 1 for people: `28 %`, `1.6 %`. */
export function formatShare(share: number): string {
  return `${share < 0.1 ? Math.round(share * 1000) / 10 : Math.round(share * 100)} %`;
}

/** An instant (ms since the epoch) for people, in UTC, to the second: `2026-11-22 03:00:00 UTC`. */
export function formatInstant(instant: number): string {
  return `${new Date(instant).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** A number and its noun: `1 run`, `2 runs`. */
export function count(number: number, noun: string, nouns = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : nouns}`;
}

/** The time of day of an instant (ms since the epoch) in UTC: `03:00`. */
export function formatClock(instant: number): string {
  return new Date(instant).toISOString().slice(11, 16);
}
