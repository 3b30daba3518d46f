import { parseCron } from '../schedule/cron.ts';
import type { CalendarLine } from '../schedule/schedule.ts';
import { segmentAt } from '../schedule/zone.ts';

/** A rhythm as rhythm has it: beats on a grid, or cron lines in a time zone. Lengths are ms. */
export type Rhythm =
  | { readonly kind: 'interval'; readonly every: number; readonly offset: number }
  | { readonly kind: 'calendar'; readonly lines: readonly string[]; readonly timezone: string };

/** The plainest form of a rhythm, and what of it two jobs have to share to belong together. Pure. */

const minute = 60_000;
const day = 86_400_000;
const minutesOfDay = 1_440;

/** The days of a cron line, as its last three fields. */
export interface Days {
  readonly date: string;
  readonly month: string;
  readonly weekday: string;
}

export const everyDay: Days = { date: '*', month: '*', weekday: '*' };

/**
 * The rhythm of cron lines. What comes at equal distances all day long becomes an interval, where its grid in UTC gives
 * the same instants: in a zone whose offsets all leave the same rest, and not for fixed times in a zone with daylight
 * saving.
 */
export function rhythmOf(
  lines: readonly string[],
  timezone: string,
  now: number,
): Rhythm | { readonly problem: string } {
  const read: CalendarLine[] = [];
  for (const text of lines) {
    const line = parseCron(text);
    if ('problem' in line) return line;
    read.push(line);
  }
  if (read.every(isEveryDay)) {
    const times = [...new Set(read.flatMap(timesOf))].sort((a, b) => a - b);
    const every = spacingOf(times);
    const rests = offsetsOf(timezone, now).map((offset) => modulo(offset, (every ?? 1) * minute));
    const isFixed = read.some(({ fixedTime }) => fixedTime) && offsetsOf(timezone, now).length > 1;
    if (every !== null && new Set(rests).size === 1 && !isFixed) {
      return gridOf(every * minute, (times[0] ?? 0) * minute - (rests[0] ?? 0));
    }
  }
  return { kind: 'calendar', lines: [...new Set(lines)], timezone };
}

/** The grid of beats `every` ms apart that holds the instant. */
export function gridOf(every: number, instant: number): Rhythm {
  return { kind: 'interval', every, offset: modulo(instant, every) };
}

/** Cron lines for times of day (minutes since midnight) on certain days: as few as can be. */
export function linesOf(times: readonly number[], { date, month, weekday }: Days): string[] {
  const days = `${date} ${month} ${weekday}`;
  const every = spacingOf(times);
  const first = times[0] ?? 0;
  if (every !== null && every <= 60 && 60 % every === 0 && times.length * every === minutesOfDay) {
    return [`${first === 0 ? (every === 1 ? '*' : `*/${every}`) : minutesFrom(first, every)} * ${days}`];
  }
  const hoursOf = new Map<number, number[]>();
  for (const time of times) hoursOf.set(time % 60, [...(hoursOf.get(time % 60) ?? []), Math.floor(time / 60)]);
  const minutesAt = new Map<string, number[]>();
  for (const [at, hours] of hoursOf) {
    const field = writeList(hours, 24);
    minutesAt.set(field, [...(minutesAt.get(field) ?? []), at]);
  }
  return [...minutesAt].map(([hours, minutes]) => `${writeList(minutes, 60)} ${hours} ${days}`);
}

function minutesFrom(first: number, every: number): string {
  return every === 60 ? `${first}` : `${first}-59/${every}`;
}

/** Numbers as a cron field: all of them, ranges, steps, or a list. */
export function writeList(numbers: readonly number[], size = Number.POSITIVE_INFINITY): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  if (sorted.length === size) return '*';
  const [first = 0, second = first] = sorted;
  const last = sorted.at(-1) ?? first;
  const step = second - first;
  if (sorted.length > 2 && sorted.every((number, index) => number === first + index * step)) {
    if (step === 1) return `${first}-${last}`;
    // With few numbers a list is plainer than a step.
    if (sorted.length > 3) return `${first}-${last}/${step}`;
  }
  const parts: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end += 1;
    if (end - at >= 2) parts.push(`${sorted[at]}-${sorted[end]}`);
    else parts.push(...sorted.slice(at, end + 1).map(String));
    at = end + 1;
  }
  return parts.join(',');
}

/**
 * Rhythms of one job as few as can be: calendars of one zone are joined; a grid joins them as a cron line where it has
 * one. What is left stands for jobs of their own.
 */
export function joinRhythms(rhythms: readonly Rhythm[], now: number): Rhythm[] {
  const calendars = new Map<string, string[]>();
  const grids: Extract<Rhythm, { kind: 'interval' }>[] = [];
  for (const rhythm of rhythms) {
    if (rhythm.kind === 'calendar') {
      calendars.set(rhythm.timezone, [...(calendars.get(rhythm.timezone) ?? []), ...rhythm.lines]);
    } else if (!grids.some(({ every, offset }) => every === rhythm.every && offset === rhythm.offset)) {
      grids.push(rhythm);
    }
  }
  const [timezone] = calendars.keys();
  const left = grids.filter((grid) => {
    const lines = timezone === undefined ? null : linesOfGrid(grid, timezone, now);
    if (timezone === undefined || lines === null) return true;
    calendars.get(timezone)?.push(...lines);
    return false;
  });
  const joined = [...calendars].map(([zone, lines]): Rhythm => {
    const rhythm = rhythmOf(lines, zone, now);
    return 'problem' in rhythm ? { kind: 'calendar', lines, timezone: zone } : rhythm;
  });
  return [...joined, ...left];
}

function linesOfGrid(
  { every, offset }: Extract<Rhythm, { kind: 'interval' }>,
  timezone: string,
  now: number,
): string[] | null {
  const offsets = offsetsOf(timezone, now);
  if (every % minute !== 0 || offset % minute !== 0 || 60 % (every / minute) !== 0) return null;
  const rests = new Set(offsets.map((zone) => modulo(offset + zone, every)));
  const [first] = rests;
  if (rests.size !== 1 || first === undefined) return null;
  const times = Array.from({ length: day / every }, (_, index) => (first + index * every) / minute);
  return linesOf(times, everyDay);
}

/** What jobs must have in common to run one after another as one group, and when they start within that. */
export interface Phase {
  /** The same for rhythms that differ only in when they start. */
  readonly key: string;
  /** When it first starts, and what that is counted around: the interval, or the day. ms. */
  readonly start: number;
  readonly cycle: number;
  /** The times between beats, for telling how often: the shortest of them. ms. */
  readonly period: number;
}

export function phaseOf(rhythm: Rhythm): Phase {
  if (rhythm.kind === 'interval') {
    const { every, offset } = rhythm;
    return { key: `every ${every}`, start: offset, cycle: every, period: every };
  }
  const lines = rhythm.lines
    .map((text) => parseCron(text))
    .filter((line): line is CalendarLine => !('problem' in line));
  const starts = [...new Set(lines.flatMap(timesOf))].sort((a, b) => a - b);
  const start = starts[0] ?? 0;
  // Each line's times are told from its own first one, and the lines' days from each other.
  const shapes = lines.map(
    (line) =>
      `${JSON.stringify([line.months, line.days, line.fixedTime])} ${timesOf(line).map((time) => time - start)}`,
  );
  const gaps = starts.slice(1).map((time, index) => time - (starts[index] ?? 0));
  return {
    key: `calendar ${rhythm.timezone} ${shapes.sort().join(' ')}`,
    start: start * minute,
    cycle: day,
    period: gaps.length > 0 ? Math.min(...gaps) * minute : daysBetween(lines) * day,
  };
}

/** How many days lie between the days of a calendar, about: 1, 7, 28 or 365. */
function daysBetween(lines: readonly CalendarLine[]): number {
  const [line] = lines;
  if (line === undefined || lines.length > 1 || isEveryDay(line)) return 1;
  const { daysOfMonth, weekdays, nthWeekdays, lastWeekdays, lastDayOfMonth } = line.days;
  const special = nthWeekdays.length + lastWeekdays.length;
  const dates = daysOfMonth.length + (lastDayOfMonth ? 1 : 0);
  if (special === 0 && weekdays.length < 7) return weekdays.length > 1 || line.days.either ? 1 : 7;
  if (line.months.length === 1) return 365;
  if (dates > 1 && dates < 31) return 2;
  return dates === 1 || special > 0 ? 28 : 1;
}

/** Each offset that the zone has within about two years, in ms. */
export function offsetsOf(timezone: string, now: number): readonly number[] {
  const key = `${timezone} ${Math.floor(now / (30 * day))}`;
  let offsets = knownOffsets.get(key);
  if (offsets === undefined) {
    const found = new Set<number>();
    for (let at = 0; at <= 800; at += 10) found.add(segmentAt(timezone, now + at * day).offset);
    offsets = [...found];
    knownOffsets.set(key, offsets);
  }
  return offsets;
}

const knownOffsets = new Map<string, readonly number[]>();

function isEveryDay({ months, days }: CalendarLine): boolean {
  const { daysOfMonth, weekdays, either } = days;
  if (months.length < 12) return false;
  return either
    ? daysOfMonth.length === 31 || weekdays.length === 7
    : daysOfMonth.length === 31 && weekdays.length === 7;
}

function timesOf({ hours, minutes }: CalendarLine): number[] {
  return hours.flatMap((hour) => minutes.map((at) => hour * 60 + at));
}

/** The distance of times that are spread evenly over the day, in minutes; null for others, and for one a day. */
function spacingOf(times: readonly number[]): number | null {
  const every = minutesOfDay / times.length;
  if (times.length < 2 || !Number.isInteger(every)) return null;
  const first = times[0] ?? 0;
  return times.every((time, index) => time === first + index * every) ? every : null;
}

export function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
