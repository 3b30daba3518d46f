import type { CalendarLine, CalendarSchedule, IntervalSchedule, Schedule } from './schedule.ts';
import { findWallFrom, findWallUpTo } from './wall.ts';
import { findInstantReaching, findLatestReading, segmentAt } from './zone.ts';

const day = 86_400_000;
/** Four centuries within the bounds of a Date (ECMA-262): no line waits longer for its next beat, so each can be written. */
const farthest = 8.64e15 - 146_097 * day;

/** The latest beat at or before the instant; null where there is none, as for a manual schedule. */
export function latestBeat(schedule: Schedule, at: number): number | null {
  const from = Math.max(-farthest, Math.min(farthest, at));
  switch (schedule.kind) {
    case 'interval':
      return latestOnGrid(schedule, from);
    case 'calendar':
      return latestOf(schedule, from);
    case 'manual':
      return null;
  }
}

/** The first beat strictly after the instant; null where there is none, as for a manual schedule. */
export function nextBeat(schedule: Schedule, after: number): number | null {
  const from = Math.max(-farthest, Math.min(farthest, after));
  switch (schedule.kind) {
    case 'interval':
      return latestOnGrid(schedule, from) + schedule.every;
    case 'calendar':
      return nextOf(schedule, from);
    case 'manual':
      return null;
  }
}

/** How many beats lie after `after` and at or before `upTo`; counting stops at the limit. */
export function countBeats(schedule: Schedule, after: number, upTo: number, limit = 1_000): number {
  if (schedule.kind === 'interval') {
    if (upTo <= after) return 0;
    const gridLines = (instant: number) => Math.floor((instant - schedule.offset) / schedule.every);
    return Math.min(limit, gridLines(upTo) - gridLines(after));
  }
  let count = 0;
  let beat = nextBeat(schedule, after);
  while (count < limit && beat !== null && beat <= upTo) {
    count += 1;
    beat = nextBeat(schedule, beat);
  }
  return count;
}

function latestOnGrid({ every, offset }: IntervalSchedule, at: number): number {
  return Math.floor((at - offset) / every) * every + offset;
}

function latestOf({ lines, timezone }: CalendarSchedule, at: number): number | null {
  let latest: number | null = null;
  for (const line of lines) {
    const beat = line.fixedTime ? latestFixed(line, timezone, at) : latestReal(line, timezone, at);
    if (beat !== null && (latest === null || beat > latest)) latest = beat;
  }
  return latest;
}

function nextOf({ lines, timezone }: CalendarSchedule, after: number): number | null {
  let next: number | null = null;
  for (const line of lines) {
    const beat = line.fixedTime ? nextFixed(line, timezone, after) : nextReal(line, timezone, after);
    if (beat !== null && (next === null || beat < next)) next = beat;
  }
  return next;
}

/*
 * Daylight saving follows cronie's rule (cron(8), "Daylight Saving Time and other time changes").
 *
 * A fixed-time line watches the latest time that the wall clock has ever shown: it leaps over a gap and stands still in
 * an overlap, so each matching time is passed exactly once, and several passed in one leap are one beat.
 */

function nextFixed(line: CalendarLine, timezone: string, after: number): number | null {
  const wall = findWallFrom(line, findLatestReading(timezone, after) + 1);
  return wall === null ? null : findInstantReaching(timezone, wall);
}

function latestFixed(line: CalendarLine, timezone: string, at: number): number | null {
  const wall = findWallUpTo(line, findLatestReading(timezone, at));
  return wall === null ? null : findInstantReaching(timezone, wall);
}

/*
 * A line that follows real time has a beat whenever the wall clock shows a matching time. Within a segment of the zone
 * that is arithmetic, so the search goes from segment to segment, and leaps where the line matches nothing for long.
 * Offsets are shorter than a day, which bounds how far an instant and its reading are apart.
 */

function nextReal(line: CalendarLine, timezone: string, after: number): number | null {
  let from = after + 1;
  for (;;) {
    const { until, offset } = segmentAt(timezone, from);
    const wall = findWallFrom(line, from + offset);
    if (wall === null) return null;
    if (wall - offset < until) return wall - offset;
    const earliest = findWallFrom(line, until - day) ?? wall;
    from = Math.max(until, earliest - day);
  }
}

function latestReal(line: CalendarLine, timezone: string, at: number): number | null {
  let upTo = at;
  for (;;) {
    const { from, offset } = segmentAt(timezone, upTo);
    const wall = findWallUpTo(line, upTo + offset);
    if (wall === null) return null;
    if (wall - offset >= from) return wall - offset;
    const latest = findWallUpTo(line, from + day) ?? wall;
    upTo = Math.min(from - 1, latest + day);
  }
}
