import type { CalendarLine } from '../../schedule/schedule.ts';
import { findWallFrom } from '../../schedule/wall.ts';
import { segmentAt } from '../../schedule/zone.ts';

const day = 86_400_000;
const minute = 60_000;
const minutesOfDay = 1_440;

/**
 * What a change of the clocks does to a calendar line. The rule is cronie's (cron(8), "Daylight Saving Time and other
 * time changes"), as `schedule/beats.ts` follows it.
 */
export interface DaylightChange {
  /**
   * `moves`: a fixed time that the clock leaps over has its beat when the leap is over. `drops`: a line that follows
   * real time has none. `doubles`: such a line has its beat both times that the clock shows it.
   */
  readonly effect: 'moves' | 'drops' | 'doubles';
  /** The instant at which the clock is changed, ms; beats that are moved lie there. */
  readonly at: number;
  /** The first and the last wall-clock time that is touched, as the instant at which UTC shows it, and how many they are. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** The wall-clock time to which the clock is set by the change, in the same form. */
  readonly set: number;
  /** Whether a beat of its own lies where those that are moved go to, so that they become one with it. */
  readonly joins: boolean;
}

/**
 * The changes of the clocks after `from`, up to and including `until` (both ms), that move, drop or double beats of a
 * line. A line that follows real time and beats evenly through the change (each ten minutes, each full hour) is none of
 * them: nobody would miss what falls into the gap.
 */
export function findDaylightChanges(
  line: CalendarLine,
  timezone: string,
  from: number,
  until: number,
): DaylightChange[] {
  const changes: DaylightChange[] = [];
  let before = segmentAt(timezone, from);
  while (before.until <= until) {
    const after = segmentAt(timezone, before.until);
    const shift = after.offset - before.offset;
    if (shift !== 0) {
      const change = describeChange(line, before.until, before.offset, after.offset);
      if (change !== null && (line.fixedTime || !isEvenUnder(line, shift))) changes.push(change);
    }
    before = after;
  }
  return changes;
}

function describeChange(line: CalendarLine, at: number, before: number, after: number): DaylightChange | null {
  const isGap = after > before;
  // A fixed time that the clock shows twice counts once, the first time: nothing is to be said.
  if (!isGap && line.fixedTime) return null;
  const [start, end] = isGap ? [at + before, at + after] : [at + after, at + before];
  let [first, last, count]: [number | null, number, number] = [null, 0, 0];
  for (let wall = findWallFrom(line, start); wall !== null && wall < end; wall = findWallFrom(line, wall + minute)) {
    first ??= wall;
    last = wall;
    count++;
  }
  if (first === null) return null;
  const effect = !isGap ? 'doubles' : line.fixedTime ? 'moves' : 'drops';
  const joins = effect === 'moves' && findWallFrom(line, end) === end;
  return { effect, at, first, last, count, set: at + after, joins };
}

/** Whether a line matches the same minutes of the day after all of them were shifted (ms). */
function isEvenUnder({ hours, minutes }: CalendarLine, shift: number): boolean {
  if (shift % minute !== 0 || Math.abs(shift) >= day) return false;
  const matches = new Set(hours.flatMap((hour) => minutes.map((minuteOfHour) => hour * 60 + minuteOfHour)));
  const step = shift / minute + minutesOfDay;
  return [...matches].every((minuteOfDay) => matches.has((minuteOfDay + step) % minutesOfDay));
}
