import type { Group } from '../config/config.ts';
import { type GroupState, isoOf, type Outcome, type RunRecord, type ScriptRecord } from './state-schema.ts';

/** So often a run for one beat is interrupted before that counts as a failure. */
const interruptionsAllowed = 3;

/**
 * A run starts: its beat is consumed. A run for a beat that was not consumed before starts from zero; a retry or a resumed run
 * keeps what is known of the earlier tries.
 *
 * @param beat ms; null for a run by hand for which no beat is due
 */
export function entryAfterStart(entry: GroupState, beat: number | null, again: boolean): GroupState {
  if (beat === null || again) return entry;
  return { ...entry, lastBeat: isoOf(beat), retry: null, interruptions: 0 };
}

/** Beats that are too late are consumed together, without a run; a retry or a resumed run of an earlier one ends. */
export function entryAfterExpiry(entry: GroupState, beat: number): GroupState {
  return { ...entry, lastBeat: isoOf(beat), retry: null, interruptions: 0 };
}

/** A run has ended: what its outcome means for the group. The third interruption for one beat counts as a failure. */
export function entryAfterEnd(entry: GroupState, run: RunRecord, group: Pick<Group, 'retryAfter'>): GroupState {
  const interruptions = (entry.interruptions ?? 0) + (run.outcome === 'interrupted' && run.beat != null ? 1 : 0);
  const givenUp = run.outcome === 'interrupted' && run.beat != null && interruptions >= interruptionsAllowed;
  const lastRun: RunRecord = givenUp ? { ...run, outcome: 'failed' } : run;
  switch (lastRun.outcome) {
    case 'succeeded':
      return {
        ...entry,
        lastRun,
        lastSuccessAt: run.finishedAt,
        consecutiveFailures: 0,
        interruptions: 0,
        retry: null,
      };
    case 'interrupted':
      return { ...entry, lastRun, interruptions };
    default:
      return {
        ...entry,
        lastRun,
        consecutiveFailures: (entry.consecutiveFailures ?? 0) + 1,
        interruptions,
        retry: nextRetry(entry, lastRun, group.retryAfter),
      };
  }
}

function nextRetry(entry: GroupState, run: RunRecord, retryAfter: readonly number[]): GroupState['retry'] {
  const tried = entry.retry?.attempt ?? 0;
  const delay = retryAfter[tried];
  if (delay === undefined || run.beat == null || run.finishedAt == null) return null;
  return { at: isoOf(Date.parse(run.finishedAt) + delay), attempt: tried + 1 };
}

/**
 * How a run ends, by its scripts: an optional script never fails its group, and the group is `timed-out` where all of
 * those that failed timed out.
 */
export function judgeRun(scripts: readonly ScriptRecord[], group: Pick<Group, 'scripts'>): Outcome {
  if (scripts.some((script) => script.outcome === 'interrupted')) return 'interrupted';
  const optional = new Set(group.scripts.filter((script) => script.optional).map((script) => script.name));
  const failed = scripts.filter((script) => script.outcome !== 'succeeded' && !optional.has(script.name));
  if (failed.length === 0) return 'succeeded';
  return failed.every((script) => script.outcome === 'timed-out') ? 'timed-out' : 'failed';
}
