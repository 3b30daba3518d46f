import { readMonotonic } from '../monotonic.ts';
import type { Decision, Plan } from '../plan/decide.ts';
import type { HistoryLine } from '../state/history.ts';
import { isoOf, type RunRecord, type State } from '../state/state-schema.ts';
import { type Change, readAwake, type Session } from './session.ts';

/** `lanes-held`: there was work, all of it in lanes that other ticks hold. */
export type TickOutcome = 'nothing-due' | 'lanes-held' | 'succeeded' | 'failed' | 'interrupted';

/** What a tick comes to, by its plan and the runs that have ended in it. */
export function judgeTick(
  plan: Plan,
  runs: ReadonlyMap<string, RunRecord>,
  { stop, isAskedToEnd }: Session,
): TickOutcome {
  if (stop.aborted || isAskedToEnd()) return 'interrupted';
  if ([...runs.values()].some(hasFailed)) return 'failed';
  if (runs.size > 0) return 'succeeded';
  return plan.decisions.some(({ reason }) => reason === 'lane-held') ? 'lanes-held' : 'nothing-due';
}

function hasFailed({ outcome }: RunRecord): boolean {
  return outcome === 'failed' || outcome === 'timed-out';
}

/**
 * What the end of a tick changes.
 *
 * @param clock when the tick began, by the monotonic clock, ms
 */
export function endTick(
  state: State,
  decisions: readonly Decision[],
  runs: ReadonlyMap<string, RunRecord>,
  outcome: TickOutcome,
  clock: number,
  tick: string,
): Change {
  const finishedAt = isoOf(Date.now());
  const line: HistoryLine = {
    at: finishedAt,
    type: 'tick',
    tick,
    outcome,
    durationMs: Math.round(readMonotonic() - clock),
    ran: runs.size,
    failed: [...runs.values()].filter(hasFailed).length,
    skipped: decisions.filter(({ decision }) => decision === 'skip').length,
    awakeMs: readAwake(),
  };
  // A later tick, in other lanes, may have started and ended during this one: then that is the last one.
  const isLast = state.lastTick?.id === tick;
  return { state: isLast ? { ...state, lastTick: { ...state.lastTick, finishedAt, outcome } } : state, lines: [line] };
}
