import type { CronExpressionParser } from 'cron-parser';
import { requireLater } from '../require.ts';
import type { CalendarLine, DayRule } from './schedule.ts';
import { canMatch } from './wall.ts';

/** Why a line was refused: one sentence that says what is wrong with which part of it, and what to write instead. */
export interface CronProblem {
  readonly problem: string;
}

let loaded: typeof CronExpressionParser | undefined;

/** Loaded when a line is parsed, which few commands do: that takes 20 ms. */
function parser(): typeof CronExpressionParser {
  loaded ??= (requireLater('cron-parser') as typeof import('cron-parser')).CronExpressionParser;
  return loaded;
}

const fieldNames = ['minute', 'hour', 'day-of-month', 'month', 'day-of-week'] as const;
type FieldName = (typeof fieldNames)[number];

const fields = {
  minute: { key: 'minute', allowed: '0-59' },
  hour: { key: 'hour', allowed: '0-23' },
  'day-of-month': { key: 'dayOfMonth', allowed: '1-31 or L' },
  month: { key: 'month', allowed: '1-12 or JAN-DEC' },
  'day-of-week': { key: 'dayOfWeek', allowed: '0-7 or SUN-SAT (0 and 7 are Sunday), 5L or 5#3' },
} as const;

/** Those of cronie's crontab(5) that name a time. */
export const shorthands: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
]);

const refusedShorthands = new Map([
  [
    '@reboot',
    'a start of the machine is no time of day, so write the times instead, or `manual: true` to run it only when asked',
  ],
  ['@secondly', 'cron lines count whole minutes, so write `every` instead, as in every: "30s"'],
  ['@minutely', 'write "* * * * *" or `every` instead, as in every: "1m"'],
  ['@every', 'write `every` instead, as in every: "10m"'],
]);

/** The meaning of one item of a field's list. */
interface Item {
  readonly values: readonly number[];
  readonly last: boolean;
  readonly lastWeekdays: readonly number[];
  readonly nthWeekdays: DayRule['nthWeekdays'];
}

/**
 * Reads a cron line of five fields, or one of `@yearly @annually @monthly @weekly @daily @midnight @hourly`. Beyond
 * crontab(5) it knows `?` (the same as `*`), `5/15` (from 5 on), `L` (last day of the month), `5L` (last Friday), `5#3`
 * (third Friday) and weekday ranges that end on Sunday by name (`FRI-SUN`). A line that no date of the Gregorian
 * calendar ever satisfies is a problem; one that waits forty years for its date is not.
 */
export function parseCron(text: string): CalendarLine | CronProblem {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const line = words.join(' ');
  if (line.startsWith('@')) return parseShorthand(line);
  if (words.length !== fieldNames.length) return { problem: complainAboutCount(line, words.length) };

  const items = new Map<FieldName, readonly Item[]>();
  for (const [index, field] of fieldNames.entries()) {
    const found: Item[] = [];
    for (const word of (words[index] ?? '').split(',')) {
      const item = parseItem(field, word);
      if ('problem' in item) return { problem: `"${line}": ${item.problem}` };
      found.push(item);
    }
    items.set(field, found);
  }

  const of = (field: FieldName) => items.get(field) ?? [];
  const beginsWithStar = (field: FieldName) => /^[*?]/.test(words[fieldNames.indexOf(field)] ?? '');
  const days: DayRule = {
    daysOfMonth: collect(of('day-of-month')),
    lastDayOfMonth: of('day-of-month').some(({ last }) => last),
    weekdays: collect(of('day-of-week')),
    nthWeekdays: of('day-of-week').flatMap(({ nthWeekdays }) => nthWeekdays),
    lastWeekdays: of('day-of-week').flatMap(({ lastWeekdays }) => lastWeekdays),
    either: !beginsWithStar('day-of-month') && !beginsWithStar('day-of-week'),
  };
  const months = collect(of('month'));
  if (!canMatch(months, days)) {
    return { problem: `"${line}" can never match, for no month that it names has such a day: name one that exists` };
  }
  return {
    text: line,
    minutes: collect(of('minute')),
    hours: collect(of('hour')),
    months,
    days,
    fixedTime: !beginsWithStar('minute') && !beginsWithStar('hour'),
  };
}

const upTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);
const eachDay: DayRule = {
  daysOfMonth: upTo(1, 31),
  lastDayOfMonth: false,
  weekdays: upTo(0, 6),
  nthWeekdays: [],
  lastWeekdays: [],
  either: false,
};

/**
 * Reads a time of day, `03:00` or `3:00`, 24 hours: the same beats as the cron line `0 3 * * *`, without loading the
 * library for those.
 */
export function parseDaily(text: string): CalendarLine | CronProblem {
  const [, hour, minute] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text.trim()) ?? [];
  if (hour === undefined || minute === undefined) {
    return { problem: `"${text}" is not a time of day: write HH:MM, from 00:00 to 23:59` };
  }
  return {
    text: `${hour.padStart(2, '0')}:${minute}`,
    minutes: [Number(minute)],
    hours: [Number(hour)],
    months: upTo(1, 12),
    days: eachDay,
    fixedTime: true,
  };
}

function parseShorthand(line: string): CalendarLine | CronProblem {
  const name = line.toLowerCase();
  const meaning = shorthands.get(name);
  if (meaning === undefined) {
    const known = [...shorthands.keys()].join(' ');
    const advice = refusedShorthands.get(name.split(' ')[0] ?? name) ?? `write five fields or one of ${known}`;
    return { problem: `"${line}" is not a cron line that rhythm can follow: ${advice}` };
  }
  const read = parseCron(meaning);
  return 'problem' in read ? read : { ...read, text: line };
}

function complainAboutCount(line: string, count: number): string {
  const wanted = `five fields (${fieldNames.join(' ')})`;
  if (count === 0) return `the cron line is empty: write ${wanted}, such as "0 3 * * 1-5"`;
  const counted = count === 1 ? '1 field' : `${count} fields`;
  const without = count > fieldNames.length ? ', without seconds, year or command' : ', such as "0 3 * * 1-5"';
  return `"${line}" has ${counted}: write ${wanted}${without}`;
}

function parseItem(field: FieldName, word: string): Item | CronProblem {
  const problem = findProblem(field, word);
  return problem === null ? readItem(field, word) : { problem };
}

const plainItem = /^(?:[*?]|(?:\d+|[a-z]{3})(?:-(?:\d+|[a-z]{3}))?)(?:\/\d+)?$/i;
const specialItems: Partial<Record<FieldName, RegExp>> = {
  'day-of-month': /^L$/i,
  'day-of-week': /^(?:\d|[a-z]{3})(?:L|#[1-5])$/i,
};

/**
 * What is wrong with the form of an item, or null. The library is laxer than it looks (`SUN5` is Friday to it, `*#2` and
 * `1#1.5` mean something), takes `H` for a random number, and its messages name the insides of its parser.
 */
function findProblem(field: FieldName, word: string): string | null {
  if (word === '') return `the ${field} field has an empty item: write a value between the commas`;
  if (/^H(?:[(/]|$)/i.test(word) || word.includes('~')) {
    return `"${word}" in the ${field} field asks for a random value: write the number itself`;
  }
  if (field === 'day-of-month' && /W$/i.test(word)) {
    return `"${word}" in the ${field} field (the nearest working day) is not supported: name the days, or let the script check the date`;
  }
  if (field === 'day-of-month' && /^L-/i.test(word)) {
    return `"${word}" in the ${field} field is not supported: L alone is the last day of the month, any other is a number`;
  }
  if (field === 'day-of-week' && /^L$/i.test(word)) {
    return `"${word}" in the ${field} field names no day: write 5L for the last Friday of the month`;
  }
  if (plainItem.test(word) || specialItems[field]?.test(word)) return null;
  return complainAboutItem(field, word);
}

function complainAboutItem(field: FieldName, word: string): string {
  const { allowed } = fields[field];
  return `"${word}" is not understood in the ${field} field: write ${allowed}, a range from low to high (a-b), a step (*/n) or a list of these`;
}

/** Lets the library read one item, alone on a line of stars, so that items may overlap (`0,7`, `1-5,3`) as in cron. */
function readItem(field: FieldName, word: string): Item | CronProblem {
  const line = fieldNames.map((name) => (name === field ? endSundayLast(field, word).toUpperCase() : '*')).join(' ');
  let found: { readonly values: readonly (number | string)[]; readonly nthDay?: number };
  try {
    // A fixed date, or the library asks the clock and the system's time zone for one that nobody needs.
    found = parser().parse(line, { currentDate: 0, tz: 'UTC' }).fields[fields[field].key];
  } catch {
    return { problem: complainAboutItem(field, word) };
  }

  const wrapWeek = (value: number) => (field === 'day-of-week' ? value % 7 : value);
  const numbers = found.values.filter((value) => typeof value === 'number').map(wrapWeek);
  const last = found.values.filter((value) => typeof value === 'string');
  const nth = found.nthDay ?? 0;
  return {
    values: nth > 0 ? [] : numbers,
    last: last.includes('L'),
    lastWeekdays: last.filter((value) => value !== 'L').map((value) => wrapWeek(Number.parseInt(value, 10))),
    nthWeekdays: nth > 0 ? numbers.map((weekday) => ({ weekday, nth })) : [],
  };
}

/** `FRI-SUN`: by name Sunday is 0 to the library, and the range would run backwards. */
function endSundayLast(field: FieldName, word: string): string {
  return field === 'day-of-week' ? word.replace(/^((?!sun|0)\w+)-sun\b/i, '$1-7') : word;
}

function collect(items: readonly Item[]): readonly number[] {
  return [...new Set(items.flatMap(({ values }) => values))].sort((a, b) => a - b);
}
