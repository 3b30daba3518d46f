import type { Group } from '../config/config.ts';
import { entryAfterEnd } from '../state/run-outcome.ts';
import { entryOf, isoOf, type Lease, type RunRecord, type State } from '../state/state-schema.ts';
import { record, type Session } from './session.ts';

type EndedGroup = Pick<Group, 'name' | 'lane' | 'retryAfter'>;

/**
 * Records how a run ended and gives its lease up, in one write. Answers with the run as it counts.
 *
 * @param counts false for a single script by hand, which the state does not keep
 */
export function recordEnd(group: EndedGroup, run: RunRecord, session: Session, counts: boolean): RunRecord {
  const { run: counted } = record(session, (state) => endChange(state, group, run, session, counts));
  logEnd(group, counted, session);
  return counted;
}

/** What the end of a run changes, and the run as it counts. */
export function endChange(state: State, group: EndedGroup, run: RunRecord, session: Session, counts: boolean) {
  const isOver = (lane: string, lease: Lease) => lane === group.lane && lease.runId === run.id;
  const leases = Object.entries(state.leases ?? {}).filter(([lane, lease]) => !isOver(lane, lease));
  const released = { ...state, leases: Object.fromEntries(leases) };
  const line = { at: isoOf(Date.now()), type: 'run-end', tick: session.tick, group: group.name } as const;
  if (!counts) return { state: released, lines: [{ ...line, lane: group.lane, run }], run };
  const entry = entryAfterEnd(entryOf(state, group.name) ?? {}, run, group);
  const counted = entry.lastRun ?? run;
  return {
    state: { ...released, groups: { ...state.groups, [group.name]: entry } },
    lines: [{ ...line, lane: group.lane, run: counted, entry }],
    run: counted,
  };
}

/** Tells of the end of a run, which is recorded by then. */
export function logEnd(group: EndedGroup, run: RunRecord, session: Session): void {
  session.logger.emit({
    kind: 'run-ended',
    group: group.name,
    runId: run.id ?? '',
    outcome: run.outcome ?? 'failed',
    durationMs: run.durationMs ?? 0,
  });
}
