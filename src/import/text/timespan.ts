const units: readonly (readonly [ms: number, ...names: string[]])[] = [
  [0.001, 'usec', 'us', 'μs', 'µs'],
  [1, 'msec', 'ms'],
  [1_000, 'seconds', 'second', 'sec', 's', ''],
  [60_000, 'minutes', 'minute', 'min', 'm'],
  [3_600_000, 'hours', 'hour', 'hr', 'h'],
  [86_400_000, 'days', 'day', 'd'],
  [604_800_000, 'weeks', 'week', 'w'],
  [2_629_800_000, 'months', 'month', 'M'],
  [31_557_600_000, 'years', 'year', 'y'],
];

/**
 * A time span of systemd, in ms, by systemd.time(7): `90`, `1h 30min`, `infinity`. Null where it is none.
 */
export function parseTimespan(text: string): number | null {
  const source = text.trim();
  if (source === 'infinity') return Number.POSITIVE_INFINITY;
  let total = 0;
  let rest = source;
  while (rest !== '') {
    const [whole = '', amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([A-Za-zμµ]*)\s*/.exec(rest) ?? [];
    const length = units.find(([, ...names]) => names.includes(unit))?.[0];
    if (amount === undefined || length === undefined) return null;
    total += Number(amount) * length;
    rest = rest.slice(whole.length);
  }
  return source === '' ? null : total;
}

/** A duration of XML Schema, in ms: `PT5M`, `P1DT12H`; months count as 30 days, years as 365. Null where it is none. */
export function parseXmlDuration(text: string): number | null {
  const found = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?$/.exec(
    text.trim(),
  );
  if (found === null || /^P$|T$/.test(text.trim())) return null;
  const lengths = [365 * 86_400, 30 * 86_400, 604_800, 86_400, 3_600, 60, 1];
  return lengths.reduce((total, length, index) => total + Number(found[index + 1] ?? 0) * length * 1_000, 0);
}

/** A length of time for the configuration: whole seconds, at least one; not longer than a timer can wait. */
export function writeLength(ms: number): string {
  const limit = 24 * 86_400;
  let rest = Math.min(limit, Math.max(1, Math.round(ms / 1_000)));
  let text = '';
  for (const [letter, length] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const amount = Math.floor(rest / length);
    if (amount > 0) text += `${amount}${letter}`;
    rest -= amount * length;
  }
  return text;
}
