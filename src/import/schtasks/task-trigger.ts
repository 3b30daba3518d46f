import { findInstantReaching } from '../../schedule/zone.ts';
import {
  type Days,
  everyDay,
  gridOf,
  joinRhythms,
  linesOf,
  modulo,
  type Rhythm,
  rhythmOf,
  writeList,
} from '../rhythm.ts';
import { writeWeekdays } from '../systemd/calendar-event.ts';
import { parseXmlDuration } from '../text/timespan.ts';
import { childOf, type Element, textOf } from '../text/xml.ts';

/** Task Scheduler's triggers that have to do with time: [MS-TSCH] 2.5.3, and the schema of version 1.2. */

export interface TaskTrigger {
  /** Null for a TimeTrigger: its start, and what repeats from there. */
  readonly days: TriggerDays | null;
  /** What the clock shows at the start, as the instant at which UTC shows it. */
  readonly start: number;
  /** Ahead of UTC, ms, where the boundary says so; null where it means local time. */
  readonly offset: number | null;
  /** ms; a duration of null goes on for ever. */
  readonly repetition: { readonly every: number; readonly duration: number | null } | null;
}

/** Weekdays from 0 (Sunday), months from 1, weeks of the month from 1 with 5 for the last. */
export type TriggerDays =
  | { readonly kind: 'day'; readonly interval: number }
  | { readonly kind: 'week'; readonly interval: number; readonly weekdays: readonly number[] }
  | {
      readonly kind: 'month';
      readonly dates: readonly number[];
      readonly last: boolean;
      readonly months: readonly number[];
    }
  | {
      readonly kind: 'weekday-of-month';
      readonly weeks: readonly number[];
      readonly weekdays: readonly number[];
      readonly months: readonly number[];
    };

const minute = 60_000;
const day = 86_400_000;
const weekdayNames = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const monthNames = 'January February March April May June July August September October November December'.split(' ');

/** Reads a TimeTrigger or a CalendarTrigger. */
export function readTrigger(element: Element): TaskTrigger | { readonly problem: string } {
  const boundary = readBoundary(textOf(element, 'StartBoundary') ?? '');
  if (boundary === null) return { problem: 'its StartBoundary can’t be read, and without one it never starts' };
  const repetition = readRepetition(childOf(element, 'Repetition'));
  if (repetition !== null && 'problem' in repetition) return repetition;
  const days = element.name === 'TimeTrigger' ? null : readDays(element);
  if (days !== null && 'problem' in days) return days;
  return { days, ...boundary, repetition };
}

/** A boundary's wall-clock time, and its offset if it has one. */
export function readBoundary(text: string): { readonly start: number; readonly offset: number | null } | null {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?$/.exec(text.trim());
  if (found === null) return null;
  const start = Date.parse(`${found[1]}T${found[2]}Z`);
  if (Number.isNaN(start)) return null;
  const zone = found[3];
  if (zone === undefined) return { start, offset: null };
  const [hours = 0, minutes = 0] = zone === 'Z' ? [] : zone.slice(1).split(':').map(Number);
  return { start, offset: (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * minute };
}

/** The instant of a boundary. */
export function instantOf(wall: number, offset: number | null, timezone: string): number {
  return offset === null ? findInstantReaching(timezone, wall) : wall - offset;
}

function readRepetition(element: Element | null): TaskTrigger['repetition'] | { readonly problem: string } {
  const text = element === null ? null : textOf(element, 'Interval');
  if (element === null || text === null) return null;
  const every = parseXmlDuration(text);
  const long = textOf(element, 'Duration');
  const duration = long === null || long === '' ? null : parseXmlDuration(long);
  if (every === null || every < minute || every % minute !== 0 || (long !== null && long !== '' && duration === null)) {
    return { problem: `its repetition (${text}${long === null ? '' : ` for ${long}`}) can’t be read` };
  }
  return { every, duration: duration === 0 ? null : duration };
}

function readDays(element: Element): TriggerDays | { readonly problem: string } {
  const form = element.children.find(({ name }) => name.startsWith('ScheduleBy'));
  if (form === undefined) return { problem: 'it names no days' };
  const count = (name: string): number => Number(textOf(form, name) ?? 1);
  const within = (name: string, known: readonly string[]): number[] =>
    (childOf(form, name)?.children ?? []).map((child) => known.indexOf(child.name)).filter((index) => index >= 0);
  const months = within('Months', monthNames).map((index) => index + 1);
  const allMonths = months.length === 0 ? Array.from({ length: 12 }, (_, index) => index + 1) : months;
  const weekdays = within('DaysOfWeek', weekdayNames);
  const isCount = (number: number) => Number.isInteger(number) && number >= 1 && number <= 365;
  switch (form.name) {
    case 'ScheduleByDay':
      return isCount(count('DaysInterval'))
        ? { kind: 'day', interval: count('DaysInterval') }
        : { problem: 'its DaysInterval is no count of days' };
    case 'ScheduleByWeek':
      if (!isCount(count('WeeksInterval'))) return { problem: 'its WeeksInterval is no count of weeks' };
      if (weekdays.length === 0) return { problem: 'it names no day of the week' };
      return { kind: 'week', interval: count('WeeksInterval'), weekdays };
    case 'ScheduleByMonth': {
      const texts = (childOf(form, 'DaysOfMonth')?.children ?? []).map(({ text }) => text);
      const dates = texts.map(Number).filter((date) => Number.isInteger(date) && date >= 1 && date <= 31);
      const last = texts.some((text) => /^last$/i.test(text));
      if (dates.length === 0 && !last) return { problem: 'it names no day of the month' };
      return { kind: 'month', dates, last, months: allMonths };
    }
    case 'ScheduleByMonthDayOfWeek': {
      const texts = (childOf(form, 'Weeks')?.children ?? []).map(({ text }) => text);
      const weeks = texts
        .map((text) => (/^last$/i.test(text) ? 5 : Number(text)))
        .filter((week) => week >= 1 && week <= 5);
      if (weeks.length === 0 || weekdays.length === 0) return { problem: 'it names no week, or no day of it' };
      return { kind: 'weekday-of-month', weeks, weekdays, months: allMonths };
    }
    default:
      return { problem: `${form.name} is not known` };
  }
}

/** What a trigger comes to here. */
export type TriggerForm =
  | { readonly rhythm: Rhythm; readonly approximation: string | null }
  | { readonly problem: string };

/** The rhythm of a trigger, in the time zone of its machine. */
export function formOfTrigger(trigger: TaskTrigger, timezone: string, now: number): TriggerForm {
  const { days, repetition, offset } = trigger;
  const begins = instantOf(trigger.start, offset, timezone);
  if (days === null) return formOfTime(trigger, begins, now);
  // With an offset the schedule stands still in UTC, whatever the clock on the wall does.
  const zone = offset === null ? timezone : 'UTC';
  const wall = offset === null ? trigger.start : trigger.start - offset;
  const dayShift = Math.floor(wall / day) - Math.floor(trigger.start / day);
  const seconds = modulo(wall, minute);
  const approximation = seconds === 0 ? null : `its ${seconds / 1_000} seconds past the minute are left out`;
  const first = Math.floor(modulo(wall, day) / minute);

  if (repetition !== null && (repetition.duration === null || isAlways(days, repetition.duration))) {
    if (day % repetition.every !== 0 && days.kind === 'day') {
      return { rhythm: gridOf(repetition.every, begins), approximation: 'its repetition begins anew each day' };
    }
    return { rhythm: gridOf(repetition.every, begins - seconds), approximation };
  }
  if ((days.kind === 'day' || days.kind === 'week') && days.interval > 1) {
    return formOfSkipping(days, trigger, begins, repetition !== null);
  }

  const times = repetition === null ? [first] : repeat(first, repetition.every, repetition.duration ?? 0);
  const byShift = new Map<number, number[]>();
  for (const time of times) {
    const shift = Math.floor(time / 1_440) + dayShift;
    byShift.set(shift, [...(byShift.get(shift) ?? []), modulo(time, 1_440)]);
  }
  const lines: string[] = [];
  if (days.kind === 'day') {
    lines.push(
      ...linesOf(
        [...new Set(times.map((time) => modulo(time, 1_440)))].sort((a, b) => a - b),
        everyDay,
      ),
    );
  } else {
    for (const [shift, some] of byShift) {
      const on = shiftDays(days, shift);
      if (on === null) return { problem: 'its repetition goes on past midnight, into days that a calendar can’t name' };
      for (const one of on) lines.push(...linesOf(some, one));
    }
  }
  const rhythm = rhythmOf(lines, zone, now);
  return 'problem' in rhythm ? rhythm : { rhythm: joinRhythms([rhythm], now)[0] ?? rhythm, approximation };
}

/** Repeated for so long that the next start comes before it ends. */
function isAlways(days: TriggerDays, duration: number): boolean {
  const apart =
    days.kind === 'day' ? days.interval : days.kind === 'week' && days.weekdays.length === 7 ? days.interval : 7;
  return (days.kind === 'day' || days.kind === 'week') && duration >= apart * day && apart * day >= day;
}

function formOfTime({ repetition }: TaskTrigger, begins: number, now: number): TriggerForm {
  if (repetition === null) {
    const when = new Date(begins).toISOString();
    return {
      problem:
        begins < now
          ? `it ran once, at ${when}, which has passed`
          : `it runs once, at ${when}: start it by hand then, with rhythm run, or leave it where it is`,
    };
  }
  const { every, duration } = repetition;
  if (duration !== null && begins + duration <= now) {
    return { problem: `its repetition ended at ${new Date(begins + duration).toISOString()}` };
  }
  const end = duration === null ? null : new Date(begins + duration).toISOString();
  return {
    rhythm: gridOf(every, begins),
    approximation: end === null ? null : `it would have ended at ${end}, and a group has no end`,
  };
}

/** Every second day, every third week: a grid, which daylight saving does not move. */
function formOfSkipping(
  days: Extract<TriggerDays, { kind: 'day' | 'week' }>,
  trigger: TaskTrigger,
  begins: number,
  repeats: boolean,
): TriggerForm {
  const unit = days.kind === 'day' ? 'days' : 'weeks';
  if (repeats) return { problem: `it repeats within a day, and only every ${days.interval} ${unit}` };
  if (days.kind === 'day') {
    return {
      rhythm: gridOf(days.interval * day, begins),
      approximation: `every ${days.interval} days on a grid in UTC, which daylight saving does not move`,
    };
  }
  if (days.weekdays.length > 1) {
    return { problem: `it runs on several days of every ${days.interval} weeks; make it one group for each of them` };
  }
  const weekday = new Date(trigger.start).getUTCDay();
  const ahead = modulo((days.weekdays[0] ?? 0) - weekday, 7);
  // Weeks are counted from Sunday, and from the one that holds the start.
  const skipped = (days.weekdays[0] ?? 0) < weekday ? ahead - 7 + days.interval * 7 : ahead;
  return {
    rhythm: gridOf(days.interval * 7 * day, begins + skipped * day),
    approximation: `every ${days.interval} weeks on a grid in UTC, which daylight saving does not move`,
  };
}

/** Minutes since midnight of the starts that a repetition makes; its end is none. */
function repeat(first: number, every: number, duration: number): number[] {
  const times: number[] = [];
  for (let past = 0; past < Math.max(1, duration) && times.length < 1_440; past += every)
    times.push(first + past / minute);
  return times;
}

function shiftDays(days: Exclude<TriggerDays, { kind: 'day' }>, shift: number): Days[] | null {
  if (days.kind === 'week') {
    const weekday = writeWeekdays(days.weekdays.map((one) => modulo(one + shift, 7)));
    return [{ date: '*', month: '*', weekday }];
  }
  if (shift !== 0) return null;
  const month = writeList(days.months, 12);
  if (days.kind === 'month') {
    const dates = days.dates.length === 0 ? [] : [writeList(days.dates)];
    return [{ date: [...dates, ...(days.last ? ['L'] : [])].join(','), month, weekday: '*' }];
  }
  const items = days.weeks.flatMap((week) =>
    days.weekdays.map((weekday) => (week === 5 ? `${weekday}L` : `${weekday}#${week}`)),
  );
  return [{ date: '*', month, weekday: items.join(',') }];
}
