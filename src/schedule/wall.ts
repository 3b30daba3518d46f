import type { CalendarLine, DayRule } from './schedule.ts';

/**
 * The wall-clock minutes that a calendar line matches, by Gregorian arithmetic alone: no time zone is known here. A
 * wall-clock time is written as the instant at which UTC shows it.
 */

const day = 86_400_000;
const minute = 60_000;

/** The Gregorian calendar repeats after 400 years, weekdays included: a line that matches in none of them never will. */
const monthsOfCycle = 4_800;

/** What a line comes to, worked out once: its minutes of the day in order, and the days of each shape of month. */
interface Matcher {
  readonly minutesOfDay: readonly number[];
  readonly months: readonly boolean[];
  /** By length and first weekday; bit 0 stands for the first day of the month. */
  readonly dayMasks: readonly number[];
}

const matchers = new WeakMap<CalendarLine, Matcher>();

/** The first wall-clock minute at or after `wall` that the line matches; null where there is none. */
export function findWallFrom(line: CalendarLine, wall: number): number | null {
  const matcher = matcherOf(line);
  const startDay = Math.floor(wall / day);
  const startMinute = Math.ceil((wall - startDay * day) / minute);
  const startMonth = monthOf(startDay);
  for (let month = startMonth; month <= startMonth + monthsOfCycle; month += 1) {
    let days = daysMatching(matcher, month);
    if (days === 0) continue;
    const firstDay = firstDayOf(month);
    if (month === startMonth) {
      days &= -1 << (startDay - firstDay);
      if (days !== 0 && firstDay + lowestBit(days) === startDay) {
        const inDay = matcher.minutesOfDay.find((minuteOfDay) => minuteOfDay >= startMinute);
        if (inDay !== undefined) return startDay * day + inDay * minute;
        days &= days - 1;
      }
      if (days === 0) continue;
    }
    return (firstDay + lowestBit(days)) * day + (matcher.minutesOfDay[0] ?? 0) * minute;
  }
  return null;
}

/** The last wall-clock minute at or before `wall` that the line matches; null where there is none. */
export function findWallUpTo(line: CalendarLine, wall: number): number | null {
  const matcher = matcherOf(line);
  const startDay = Math.floor(wall / day);
  const startMinute = Math.floor((wall - startDay * day) / minute);
  const startMonth = monthOf(startDay);
  for (let month = startMonth; month >= startMonth - monthsOfCycle; month -= 1) {
    let days = daysMatching(matcher, month);
    if (days === 0) continue;
    const firstDay = firstDayOf(month);
    if (month === startMonth) {
      days &= (2 << (startDay - firstDay)) - 1;
      if (days !== 0 && firstDay + highestBit(days) === startDay) {
        const inDay = matcher.minutesOfDay.findLast((minuteOfDay) => minuteOfDay <= startMinute);
        if (inDay !== undefined) return startDay * day + inDay * minute;
        days &= ~(1 << highestBit(days));
      }
      if (days === 0) continue;
    }
    return (firstDay + highestBit(days)) * day + (matcher.minutesOfDay.at(-1) ?? 0) * minute;
  }
  return null;
}

/**
 * Whether any date at all satisfies the months and days of a line. Within the 400 years of the Gregorian cycle each
 * month, February of 29 days included, begins on every weekday, so it is enough to try the shapes of months.
 */
export function canMatch(months: readonly number[], days: DayRule): boolean {
  return months.some((month) =>
    lengthsOf(month).some((length) => weekdays.some((first) => maskOf(days, length, first))),
  );
}

const weekdays = [0, 1, 2, 3, 4, 5, 6] as const;

function lengthsOf(month: number): readonly number[] {
  if (month === 2) return [28, 29];
  return [4, 6, 9, 11].includes(month) ? [30] : [31];
}

function matcherOf(line: CalendarLine): Matcher {
  let matcher = matchers.get(line);
  if (matcher === undefined) {
    const minutesOfDay = line.hours.flatMap((hour) => line.minutes.map((minuteOfHour) => hour * 60 + minuteOfHour));
    const months = Array.from({ length: 12 }, (_, index) => line.months.includes(index + 1));
    const dayMasks = [28, 29, 30, 31].flatMap((length) => weekdays.map((first) => maskOf(line.days, length, first)));
    matcher = { minutesOfDay, months, dayMasks };
    matchers.set(line, matcher);
  }
  return matcher;
}

function daysMatching(matcher: Matcher, month: number): number {
  if (!matcher.months[modulo(month, 12)]) return 0;
  const firstDay = firstDayOf(month);
  const length = firstDayOf(month + 1) - firstDay;
  return matcher.dayMasks[(length - 28) * 7 + weekdayOf(firstDay)] ?? 0;
}

function maskOf(rule: DayRule, length: number, firstWeekday: number): number {
  let mask = 0;
  for (let date = 1; date <= length; date += 1) {
    if (matchesDay(rule, date, length, (firstWeekday + date - 1) % 7)) mask |= 1 << (date - 1);
  }
  return mask;
}

function matchesDay(rule: DayRule, date: number, length: number, weekday: number): boolean {
  const byDate = rule.daysOfMonth.includes(date) || (rule.lastDayOfMonth && date === length);
  const byWeekday =
    rule.weekdays.includes(weekday) ||
    (rule.lastWeekdays.includes(weekday) && date > length - 7) ||
    rule.nthWeekdays.some((nthWeekday) => nthWeekday.weekday === weekday && nthWeekday.nth === Math.ceil(date / 7));
  return rule.either ? byDate || byWeekday : byDate && byWeekday;
}

/**
 * The day number (0 is 1 January 1970) of the first of a month, months being counted from January of the year 0. Years
 * that begin in March put the leap day last: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
 */
function firstDayOf(month: number): number {
  const year = Math.floor((month - 2) / 12);
  const monthOfYear = month - 2 - year * 12;
  const leapDays = Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400);
  return year * 365 + leapDays + Math.floor((153 * monthOfYear + 2) / 5) - 719_468;
}

function monthOf(dayNumber: number): number {
  // The mean length of a month lands on the right one or next to it.
  let month = Math.floor((dayNumber + 719_528) / (146_097 / monthsOfCycle));
  while (firstDayOf(month) > dayNumber) month -= 1;
  while (firstDayOf(month + 1) <= dayNumber) month += 1;
  return month;
}

/** 1 January 1970 was a Thursday. */
function weekdayOf(dayNumber: number): number {
  return modulo(dayNumber + 4, 7);
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

function highestBit(mask: number): number {
  return 31 - Math.clz32(mask);
}
