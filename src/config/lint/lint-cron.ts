import type { CalendarLine } from '../../schedule/schedule.ts';
import { joinWords } from '../problems.ts';
import { type DaylightChange, findDaylightChanges } from './daylight-saving.ts';
import type { LintCode } from './lint-codes.ts';

const year = 365 * 86_400_000;

/** Where a field starts, how many values it counts through before it starts again, and what it is called. */
const cycles = [
  { name: 'minute', first: 0, length: 60, unit: 'minutes', restart: 'hour' },
  { name: 'hour', first: 0, length: 24, unit: 'hours', restart: 'day' },
  { name: 'day-of-month', first: 1, length: 31, unit: 'days', restart: 'month' },
  { name: 'month', first: 1, length: 12, unit: 'months', restart: 'year' },
  { name: 'day-of-week', first: 0, length: 7, unit: 'days', restart: 'week' },
] as const;
const dayOfMonth = 2;

type Add<Result> = (code: LintCode, message: string) => Result;

/**
 * What is odd about one line of a calendar: steps that start again before their time, days that months lack, and what
 * daylight saving does to its beats in the twelve months after `now` (ms).
 */
export function lintLine<Result>(line: CalendarLine, timezone: string, now: number, add: Add<Result>): Result[] {
  return [
    ...lintSteps(line, add),
    ...lintDays(line, add),
    ...lintDaylight(timezone, findDaylightChanges(line, timezone, now, now + year), add),
  ];
}

/** The fields of a line; empty for a time of day and for `@daily` and its like, which have no step and no 31st. */
function fieldsOf({ text }: CalendarLine): readonly string[] {
  const fields = text.split(' ');
  return fields.length === cycles.length ? fields : [];
}

function lintSteps<Result>(line: CalendarLine, add: Add<Result>): Result[] {
  return fieldsOf(line).flatMap((field, index) => {
    const cycle = cycles[index];
    if (cycle === undefined) return [];
    return field.split(',').flatMap((item) => {
      const step = readFullStep(item, cycle.first, cycle.length);
      if (step === null) return [];
      // No length of a month suits a step: the next month starts again at its own first day.
      const isEven = index === dayOfMonth ? step === 1 : cycle.length % step === 0;
      return isEven ? [] : [add('uneven-step', describeStep(item, step, cycle))];
    });
  });
}

/** The step of an item that counts through a whole cycle (a star, `5` or `0-59`, before `/35`); null for any other. */
function readFullStep(item: string, first: number, length: number): number | null {
  const [, from, to, step] = /^(?:[*?]|(\d+)(?:-(\d+))?)\/(\d+)$/.exec(item) ?? [];
  if (step === undefined) return null;
  // A range that the user chose ends where it ends; one over the whole cycle is the same as a star.
  if (to !== undefined && (Number(from) > first || Number(to) < first + length - 1)) return null;
  return Number(step);
}

function describeStep(item: string, step: number, cycle: (typeof cycles)[number]): string {
  const { name, first, length, unit, restart } = cycle;
  const start = /^\d/.test(item) ? Number.parseInt(item, 10) : first;
  const values: number[] = [];
  for (let value = start; value < first + length; value += step) values.push(value);
  const last = values.at(-1) ?? start;
  const shown =
    values.length > 6 ? [...values.slice(0, 3), '…', last].join(', ') : joinWords(values.map(String), 'and');
  if (values.length === 1) {
    return `${item} in the ${name} field matches ${last} alone, for it starts again with each ${restart}; write ${last}, or every for longer distances`;
  }
  const rest = name === 'day-of-month' ? 'fewer' : `${length - last + start}`;
  const divisors = Array.from({ length: length - 1 }, (_, index) => index + 1).filter((value) => length % value === 0);
  const near = [divisors.findLast((value) => value < step), divisors.find((value) => value > step)];
  const fix =
    name === 'day-of-month'
      ? 'name the days, or write every for an even distance'
      : `take a step that divides ${length} (${near.filter((value) => value !== undefined).join(' or ')}), or write every for an even distance`;
  return `${item} in the ${name} field means ${shown} and starts again with each ${restart}, so ${step} ${unit} are followed by ${rest}; ${fix}`;
}

const monthLengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const monthNames = 'January February March April May June July August September October November December'.split(' ');

function lintDays<Result>(line: CalendarLine, add: Add<Result>): Result[] {
  const field = fieldsOf(line)[dayOfMonth] ?? '*';
  // A range up to the 31st means the rest of the month, and steps are another matter; `L` beside it covers every month.
  const days = field
    .split(',')
    .filter((item) => /^\d+$/.test(item))
    .map(Number);
  const latest = Math.max(0, ...days);
  if (latest < 29 || line.days.lastDayOfMonth) return [];
  const lacking = line.months.filter((month) => (monthLengths[month - 1] ?? 31) < latest);
  const inLeapYears = latest === 29 && line.months.includes(2);
  if (lacking.length === 0 && !inLeapYears) return [];
  const names = lacking.map((month) => monthNames[month - 1] ?? '');
  const which = inLeapYears
    ? 'February has only in leap years'
    : `${joinWords(names, 'and')} ${names.length === 1 ? 'lacks' : 'lack'}`;
  const message = `the day-of-month field asks for the ${latest}${latest === 31 ? 'st' : 'th'}, which ${which}: there is no beat then; write L for the last day of the month, or a day up to 28`;
  return [add('month-lacks-day', message)];
}

/** What becomes of the beats, before and after they are named, and what to do. */
const effects = {
  moves: { code: 'dst-moves-beat', verb: 'moves', end: '; choose a time of day outside the change if that matters' },
  drops: {
    code: 'dst-drops-beat',
    verb: 'leaves out',
    end: ', since the line begins with a star in its minute or hour field and so follows real time; name minutes and hours to have them run when the change is over',
  },
  doubles: {
    code: 'dst-doubles-beat',
    verb: 'has twice',
    end: ', since the line begins with a star in its minute or hour field and so follows real time; name minutes and hours to have them once',
  },
} as const;

function lintDaylight<Result>(timezone: string, changes: readonly DaylightChange[], add: Add<Result>): Result[] {
  const kinds = ['moves', 'drops', 'doubles'] as const;
  const found = kinds.map((kind) => ({
    kind,
    times: changes.filter(({ effect }) => effect === kind).map(describeChange),
  }));
  return found
    .filter(({ times }) => times.length > 0)
    .map(({ kind, times }) => {
      const { code, verb, end } = effects[kind];
      return add(code, `daylight saving in ${timezone} ${verb} ${joinWords(times, 'and')}${end}`);
    });
}

function describeChange({ effect, first, last, count, set, joins }: DaylightChange): string {
  const date = new Date(first).toISOString().slice(0, 10);
  const times = count === 1 ? clock(first) : `${count} beats from ${clock(first)} to ${clock(last)}`;
  if (effect !== 'moves') return `${times} on ${date}`;
  const joined = joins
    ? ', where they become one with the beat of that time'
    : count > 1
      ? ', where they become one'
      : '';
  return `${times} on ${date} to ${clock(set)}${joined}`;
}

function clock(wall: number): string {
  return new Date(wall).toISOString().slice(11, 16);
}
