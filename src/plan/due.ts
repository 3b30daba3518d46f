import type { Group } from '../config/config.ts';
import { countBeats, latestBeat, nextBeat } from '../schedule/beats.ts';
import { type GroupState, instantOf } from '../state/state-schema.ts';

/** What one group would do at an instant, its dependencies and its lane left aside. */
export type Due =
  | { readonly kind: 'disabled' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'wait'; readonly reason: 'not-due' | 'first-beat-ahead' | 'manual' }
  | {
      readonly kind: 'run';
      readonly reason: 'first-run' | 'beat-due' | 'retry-due' | 'resume-interrupted';
      readonly beat: number;
      readonly missedBeats: number;
    }
  | { readonly kind: 'expire'; readonly beat: number; readonly missedBeats: number };

/** Beats passed over are counted up to here. */
const countingStops = 1000;

/**
 * Decides whether a group is due.
 *
 * @param entry the group's entry as this tick has observed it (see `observe`)
 * @param now the instant that rules the tick, ms
 * @param tickEvery the trigger's period, ms: without catching up, a beat starts within two of them
 */
export function decideDue(group: Group, entry: GroupState, now: number, tickEvery: number): Due {
  const { schedule } = group;
  if (!group.enabled) return { kind: 'disabled' };
  if (entry.pausedAt != null) return { kind: 'paused' };
  if (schedule.kind === 'manual') return { kind: 'wait', reason: 'manual' };

  const consumed = consumedBeat(entry);
  if (consumed === null) return decideFirst(group, entry, now, tickEvery);
  // The clock went back: whatever this group still owes waits for a beat that is later than the last one consumed.
  if (consumed > now) return { kind: 'wait', reason: 'not-due' };
  const beat = decideBeat(group, Math.max(consumed, floorOf(entry)), now, tickEvery);
  return beat ?? decideAgain(group, entry, consumed, now) ?? { kind: 'wait', reason: 'not-due' };
}

/** The last beat that a group has consumed, or null. */
export function consumedBeat(entry: GroupState): number | null {
  return instantOf(entry.lastBeat) ?? instantOf(entry.lastRun?.beat);
}

/** No beat at or before this instant counts: what an edited schedule would have said earlier never happened. */
function floorOf(entry: GroupState): number {
  return (instantOf(entry.schedule?.since) ?? Number.NEGATIVE_INFINITY) - 1;
}

function decideFirst(group: Group, entry: GroupState, now: number, tickEvery: number): Due {
  const mode = group.firstRun ?? (group.schedule.kind === 'interval' ? 'now' : 'wait');
  if (mode === 'now') {
    const beat = latestBeat(group.schedule, now);
    if (beat !== null) return { kind: 'run', reason: 'first-run', beat, missedBeats: 0 };
  }
  const floor = Math.max(instantOf(entry.firstSeenAt) ?? now, floorOf(entry));
  return decideBeat(group, floor, now, tickEvery) ?? { kind: 'wait', reason: 'first-beat-ahead' };
}

/** The beat in (floor, now] that the group's way of catching up picks, if there is any. */
function decideBeat(group: Group, floor: number, now: number, tickEvery: number): Due | null {
  const { schedule, catchUp } = group;
  const newest = latestBeat(schedule, now);
  if (newest === null || newest <= floor) return null;
  const passedOver = (beat: number) => countBeats(schedule, floor, beat, countingStops + 1) - 1;

  const latest = catchUp === 'none' ? 2 * tickEvery : (group.catchUpWithin ?? Number.POSITIVE_INFINITY);
  if (now - newest > latest) return { kind: 'expire', beat: newest, missedBeats: passedOver(newest) };
  // What is too late is passed over even where every beat is to run: to expire first and run at the next tick would let
  // further beats become too late, and the group might never run.
  const oldestInTime = Math.max(floor, now - latest - 1);
  const beat = catchUp === 'every' ? (nextBeat(schedule, oldestInTime) ?? newest) : newest;
  return { kind: 'run', reason: 'beat-due', beat, missedBeats: passedOver(beat) };
}

/** A run that is resumed or retried: only while the last run's beat is the last one consumed. */
function decideAgain(group: Group, entry: GroupState, consumed: number, now: number): Due | null {
  const { lastRun, retry } = entry;
  if (lastRun == null || instantOf(lastRun.beat) !== consumed) return null;
  if (lastRun.outcome === 'interrupted') {
    if (group.onInterrupt === 'skip') return null;
    return { kind: 'run', reason: 'resume-interrupted', beat: consumed, missedBeats: 0 };
  }
  const retryAt = instantOf(retry?.at);
  if (retryAt === null || retryAt > now || lastRun.outcome === 'succeeded') return null;
  return { kind: 'run', reason: 'retry-due', beat: consumed, missedBeats: 0 };
}
