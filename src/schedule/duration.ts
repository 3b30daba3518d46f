const units = [
  { letter: 'w', length: 604_800_000 },
  { letter: 'd', length: 86_400_000 },
  { letter: 'h', length: 3_600_000 },
  { letter: 'm', length: 60_000 },
  { letter: 's', length: 1_000 },
] as const;

const grammar = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/;

/**
 * Reads a length of time such as `10m` or `1h30m` and returns it in ms: whole numbers with the units `w d h m s`, each
 * at most once and the longest first. Zero is written `0s` and in no other way, so that `0m` in a configuration does not
 * pass for a length. Null where the text is none of this, or where the length is not a safe integer.
 */
export function parseDuration(text: string): number | null {
  const amounts = grammar.exec(text);
  if (amounts === null) return null;
  const total = units.reduce((sum, { length }, index) => sum + Number(amounts[index + 1] ?? 0) * length, 0);
  if (total === 0) return text === '0s' ? 0 : null;
  return Number.isSafeInteger(total) ? total : null;
}

/**
 * Writes a length of time, given in ms, for people. Whole seconds come out in the units that {@link parseDuration} reads
 * back to the same number (`1h30m`; weeks only where nothing is left over, for `90d` says more than `12w6d`). Less than a
 * second is `850ms`, less than a minute has one decimal (`2.3s`), and anything longer is rounded to whole seconds.
 */
export function formatDuration(length: number): string {
  if (length < 0) return `-${formatDuration(-length)}`;
  const ms = Math.round(length);
  if (ms > 0 && ms < 1_000) return `${ms}ms`;
  const tenths = Math.round(ms / 100);
  if (ms % 1_000 !== 0 && tenths < 600 && tenths % 10 !== 0) return `${tenths / 10}s`;

  let rest = Math.round(ms / 1_000) * 1_000;
  let text = '';
  for (const { letter, length: unit } of units) {
    const amount = Math.floor(rest / unit);
    if (amount === 0 || (letter === 'w' && rest % unit !== 0)) continue;
    text += `${amount}${letter}`;
    rest -= amount * unit;
  }
  return text || '0s';
}
