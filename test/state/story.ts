// Random lives of a workspace, told twice: as the states that a tick would keep, and as the lines it would write.
import fc from 'fast-check';
import type { HistoryLine } from '../../src/state/history.ts';
import {
  emptyState,
  type GroupState,
  type Lease,
  outcomes,
  type RunRecord,
  type State,
} from '../../src/state/state-schema.ts';

const names = ['a', 'b', 'constructor', 'toString'];
const lanes: Record<string, string> = { a: 'main', b: 'main', constructor: 'other', toString: 'other' };

const event = fc.record({
  kind: fc.constantFrom(
    'start',
    'start',
    'end',
    'end',
    'expire',
    'seen',
    'pause',
    'resume',
    'reset',
    'held',
    'progress',
    'tick',
  ),
  group: fc.constantFrom(...names),
  outcome: fc.constantFrom(...outcomes),
  /** Resumed under the same id, where the last run was interrupted. */
  resume: fc.boolean(),
});
export type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;
export const story = fc.array(event, { maxLength: 40 });

export interface Step {
  readonly state: State;
  /** What was written to the history along with this state. */
  readonly lines: HistoryLine[];
}

/** The states after each event, the first being that of an untouched workspace. */
export function lines(events: readonly Event[]): { steps: Step[] } {
  const steps: Step[] = [{ state: emptyState(), lines: [] }];
  let serial = 0;
  for (const { kind, group, outcome, resume } of events) {
    const at = new Date((steps.length + 1) * 3_600_000).toISOString();
    const state = structuredClone((steps.at(-1) as Step).state);
    const groups = state.groups ?? {};
    const leases = state.leases ?? {};
    const lane = lanes[group] as string;
    const { lastRun, ...entry }: GroupState = Object.hasOwn(groups, group)
      ? (groups[group] as GroupState)
      : { firstSeenAt: at };
    const written: HistoryLine[] = [];
    const keep = (next: GroupState, run: RunRecord | null | undefined = lastRun): GroupState => {
      groups[group] = { ...next, ...(run && { lastRun: run }) };
      return groups[group];
    };
    switch (kind) {
      case 'start': {
        if (leases[lane]) break;
        const again = resume && lastRun?.outcome === 'interrupted';
        const run = again ? String(lastRun?.id) : `run-${++serial}`;
        const lease: Lease = { group, runId: run, since: at, scripts: [] };
        leases[lane] = lease;
        const next = keep({ ...entry, lastBeat: at, retry: null });
        written.push({
          at,
          type: 'run-start',
          group,
          lane,
          run,
          beat: at,
          missedBeats: 0,
          reason: 'beat-due',
          entry: next,
          lease,
        });
        break;
      }
      case 'progress': {
        const lease = leases[lane];
        if (lease) lease.script = 'x.sh';
        break;
      }
      case 'end': {
        const lease = leases[lane];
        if (lease?.group !== group) break;
        delete leases[lane];
        const run: RunRecord = {
          id: lease.runId,
          outcome,
          startedAt: lease.since,
          finishedAt: at,
          scripts: [{ name: 'x' }],
        };
        written.push({ at, type: 'run-end', group, lane, run, entry: keep({ ...entry, interruptions: 1 }, run) });
        break;
      }
      case 'expire':
        written.push({ at, type: 'expire', group, beat: at, missedBeats: 1, entry: keep({ ...entry, lastBeat: at }) });
        break;
      case 'reset':
        written.push({ at, type: 'reset', group, from: at, to: at, entry: keep({ ...entry, lastBeat: at }) });
        break;
      case 'seen':
      case 'pause':
      case 'resume':
        written.push({ at, type: kind, group, entry: keep({ ...entry, pausedAt: kind === 'pause' ? at : null }) });
        break;
      case 'held':
        written.push({ at, type: 'held', group, beat: at, reason: 'dependency-failed', blockedBy: ['x'] });
        break;
      case 'tick':
        state.lastTick = { id: at, startedAt: at, finishedAt: at, outcome: 'idle' };
        written.push({ at, type: 'tick', tick: at, outcome: 'idle', durationMs: 0, ran: 0, failed: 0, skipped: 0 });
        break;
    }
    steps.push({ state, lines: structuredClone(written) });
  }
  return { steps };
}

/** What a run had got to is in the state alone: the history tells of its start and its end. */
export function withoutProgress(leases: State['leases']): Record<string, Lease> {
  return Object.fromEntries(Object.entries(leases ?? {}).map(([lane, { script, ...lease }]) => [lane, lease]));
}
