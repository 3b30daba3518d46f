import { isTimeZone } from '../../schedule/zone.ts';
import { type Days, linesOf, writeList } from '../rhythm.ts';

/**
 * systemd's calendar events, by systemd.time(7), "Calendar Events", and its parser (src/shared/calendarspec.c): what a
 * text means, and as which cron lines.
 */

/** One item of a component: a start, perhaps an end, perhaps a step. */
export interface Part {
  readonly from: number;
  readonly to: number | null;
  readonly step: number | null;
}

/** Null stands for anything. Weekdays are 1 (Monday) to 7. Seconds are whole: fractions were cut off. */
export interface CalendarSpec {
  readonly weekdays: readonly number[] | null;
  readonly years: readonly Part[] | null;
  readonly months: readonly Part[] | null;
  readonly days: readonly Part[] | null;
  /** Days are counted from the end of the month. */
  readonly fromEnd: boolean;
  readonly hours: readonly Part[] | null;
  readonly minutes: readonly Part[] | null;
  readonly seconds: readonly Part[] | null;
  /** The zone that the text names; null where it names none. */
  readonly timezone: string | null;
}

const shorthands = new Map([
  ['minutely', '*-*-* *:*:00'],
  ['hourly', '*-*-* *:00:00'],
  ['daily', '*-*-* 00:00:00'],
  ['weekly', 'Mon *-*-* 00:00:00'],
  ['monthly', '*-*-01 00:00:00'],
  ['quarterly', '*-01,04,07,10-01 00:00:00'],
  ['semiannually', '*-01,07-01 00:00:00'],
  ['semi-annually', '*-01,07-01 00:00:00'],
  ['biannually', '*-01,07-01 00:00:00'],
  ['bi-annually', '*-01,07-01 00:00:00'],
  ['yearly', '*-01-01 00:00:00'],
  ['annually', '*-01-01 00:00:00'],
  ['anually', '*-01-01 00:00:00'],
]);

const weekdayNames = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** Reads a calendar event; null where systemd would refuse it. */
export function parseCalendar(text: string): CalendarSpec | null {
  const words = text.trim().split(/\s+/);
  let timezone: string | null = null;
  const last = words.at(-1) ?? '';
  if (words.length > 1 && (/^utc$/i.test(last) || (/^[A-Za-z][\w+/-]*$/.test(last) && isTimeZone(last)))) {
    timezone = /^utc$/i.test(last) ? 'UTC' : last;
    words.pop();
  }
  const meaning = words.length === 1 ? shorthands.get((words[0] ?? '').toLowerCase()) : undefined;
  if (meaning !== undefined) words.splice(0, 1, ...meaning.split(' '));

  let weekdays: readonly number[] | null = null;
  if (/^[a-z]/i.test(words[0] ?? '')) {
    weekdays = parseWeekdays((words.shift() ?? '').replace(/,$/, ''));
    if (weekdays === null) return null;
    if (weekdays.length === 7) weekdays = null;
  }
  const [first = '', second, ...rest] = words;
  if (rest.length > 0 || (first === '' && weekdays === null)) return null;
  let date = '*-*-*';
  let time = '00:00:00';
  if (second !== undefined) [date, time] = [first, second];
  else if (first.includes(':')) time = first;
  else if (first !== '') date = first;

  const dates = parseDate(date);
  const times = parseTime(time);
  return dates === null || times === null ? null : { weekdays, ...dates, ...times, timezone };
}

function parseWeekdays(text: string): number[] | null {
  const found = new Set<number>();
  for (const item of text.split(',')) {
    const ends = item.split(/\.\.|-/).map(findWeekday);
    const [from, to = from] = ends;
    if (from == null || to == null || ends.length > 2) return null;
    for (let step = 0; step <= (to - from + 7) % 7; step += 1) found.add(((from - 1 + step) % 7) + 1);
  }
  return [...found].sort((a, b) => a - b);
}

function findWeekday(name: string): number | null {
  const folded = name.toLowerCase();
  const index = weekdayNames.findIndex((known) => folded === known || folded === known.slice(0, 3));
  return index === -1 ? null : index + 1;
}

function parseDate(text: string): Pick<CalendarSpec, 'years' | 'months' | 'days' | 'fromEnd'> | null {
  const [, year, month = '', separator, day = ''] = /^(?:([\d*,./]+)-)?([\d*,./]+)([-~])([\d*,./]+)$/.exec(text) ?? [];
  if (separator === undefined) return null;
  const years = parseComponent(year ?? '*', 1970, 2199);
  const months = parseComponent(month, 1, 12);
  const days = parseComponent(day, 1, 31);
  return years === undefined || months === undefined || days === undefined
    ? null
    : { years, months, days, fromEnd: separator === '~' };
}

function parseTime(text: string): Pick<CalendarSpec, 'hours' | 'minutes' | 'seconds'> | null {
  const parts = text.split(':');
  if (parts.length < 2 || parts.length > 3) return null;
  const hours = parseComponent(parts[0] ?? '', 0, 23);
  const minutes = parseComponent(parts[1] ?? '', 0, 59);
  const seconds = parseComponent(parts[2] ?? '0', 0, 59);
  return hours === undefined || minutes === undefined || seconds === undefined ? null : { hours, minutes, seconds };
}

/** Undefined where it is none; null for `*`. */
function parseComponent(text: string, least: number, most: number): readonly Part[] | null | undefined {
  if (text === '*') return null;
  const parts: Part[] = [];
  for (const item of text.split(',')) {
    const [, star, from = '', to, step] =
      /^(?:(\*)|(\d+)(?:\.\d*)?(?:\.\.(\d+)(?:\.\d*)?)?)(?:\/(\d+)(?:\.\d+)?)?$/.exec(item) ?? [];
    if (star === undefined && from === '') return undefined;
    const part = {
      from: star === undefined ? Number(from) : least,
      to: to === undefined ? null : Number(to),
      step: step === undefined ? null : Number(step),
    };
    const outside = (value: number) => value < least || value > most;
    if (outside(part.from) || (part.to !== null && (outside(part.to) || part.to < part.from))) return undefined;
    if (part.step === 0) return undefined;
    parts.push(part);
  }
  return parts;
}

/**
 * Whether a component has a value. A step without an end goes on as far as it can; counted from the end of a month, it
 * goes towards that end (`~07/1` is the last seven days).
 */
export function matchesPart(parts: readonly Part[] | null, value: number, fromEnd = false): boolean {
  if (parts === null) return true;
  return parts.some(({ from, to, step }) => {
    if (step === null) return to === null ? value === from : value >= from && value <= to;
    if (!fromEnd) return value >= from && (to === null || value <= to) && (value - from) % step === 0;
    const start = to ?? from;
    return value <= start && (to === null || value >= from) && (start - value) % step === 0;
  });
}

function valuesOf(parts: readonly Part[] | null, least: number, most: number, fromEnd = false): number[] {
  const all = Array.from({ length: most - least + 1 }, (_, index) => least + index);
  return all.filter((value) => matchesPart(parts, value, fromEnd));
}

/** What a calendar event comes to here: cron lines, or a grid of seconds, with what it loses; or why it has no form. */
export type CalendarForm =
  | { readonly lines: readonly string[]; readonly second: number; readonly approximation: string | null }
  | { readonly seconds: number; readonly second: number }
  | { readonly problem: string };

/** Finds the form of a calendar event. */
export function formOf(spec: CalendarSpec): CalendarForm {
  if (spec.years !== null) return { problem: 'it names years, and rhythm’s calendars have none' };
  const seconds = valuesOf(spec.seconds, 0, 59);
  const [second = 0, next = 60] = seconds;
  if (seconds.length > 1) {
    const every = next - second;
    const even = 60 % every === 0 && seconds.length === 60 / every;
    const always = [spec.months, spec.days, spec.hours, spec.minutes, spec.weekdays].every((part) => part === null);
    if (even && always && !spec.fromEnd) return { seconds: every, second };
  }
  const days = daysOf(spec);
  if ('problem' in days) return days;
  const hours = valuesOf(spec.hours, 0, 23);
  const minutes = valuesOf(spec.minutes, 0, 59);
  if (hours.length === 0 || minutes.length === 0) return { problem: 'no time of day matches it' };
  const approximation =
    seconds.length > 1
      ? `it starts ${seconds.length} times within a minute and runs once a minute here`
      : second > 0
        ? `its ${second} seconds past the minute are left out`
        : null;
  const times = hours.flatMap((hour) => minutes.map((minute) => hour * 60 + minute));
  return { lines: linesOf(times, days), second: seconds.length > 1 ? 0 : second, approximation };
}

/** Weekday and date must both match here; in cron either may, so the pairs that mean a week of the month become one. */
function daysOf(spec: CalendarSpec): Days | { readonly problem: string } {
  const month = writeList(valuesOf(spec.months, 1, 12), 12);
  const weekdays = spec.weekdays?.map((weekday) => weekday % 7) ?? null;
  const weekday = weekdays === null ? '*' : writeWeekdays(weekdays);
  if (spec.days === null) return { date: '*', month, weekday };
  const dates = valuesOf(spec.days, 1, 31, spec.fromEnd);
  if (dates.length === 31) return { date: '*', month, weekday };
  if (dates.length === 0) return { problem: 'no day matches it' };
  if (weekdays === null) {
    if (!spec.fromEnd) return { date: writeList(dates), month, weekday };
    if (dates.length === 1 && dates[0] === 1) return { date: 'L', month, weekday };
    return { problem: 'it counts several days from the end of the month, and rhythm knows only the last (L)' };
  }
  const first = dates[0] ?? 0;
  const isWeek = dates.length === 7 && dates.every((date, index) => date === first + index);
  if (isWeek && spec.fromEnd && first === 1) {
    return { date: '*', month, weekday: weekdays.map((one) => `${one}L`).join(',') };
  }
  if (isWeek && !spec.fromEnd && first % 7 === 1) {
    return { date: '*', month, weekday: weekdays.map((one) => `${one}#${(first + 6) / 7}`).join(',') };
  }
  return {
    problem:
      'it asks for a weekday and a date at once, and a cron line that names both runs on either; keep one, and let the script check the other',
  };
}

/** Monday first, as people write weeks. */
export function writeWeekdays(weekdays: readonly number[]): string {
  const mondayFirst = weekdays.map((weekday) => (weekday === 0 ? 7 : weekday)).sort((a, b) => a - b);
  return writeList(mondayFirst.includes(7) && mondayFirst.length === 1 ? [0] : mondayFirst, 7);
}
