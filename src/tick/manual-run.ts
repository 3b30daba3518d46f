import type { Config, Group } from '../config/config.ts';
import { type Answer, decideRequest, type Request } from '../plan/ask.ts';
import { explainBlocker } from '../plan/because.ts';
import { planTick } from '../plan/decide.ts';
import type { RunRecord } from '../state/state-schema.ts';
import { noteObservations } from './hold.ts';
import { type Lanes, takeLanes } from './lane.ts';
import { pruneOutputs } from './prune.ts';
import { recoverRun } from './recover-orphan.ts';
import { runOrders } from './run-orders.ts';
import { record, type Session } from './session.ts';
import { listenForRequests } from './stop-request.ts';

/** How a run by hand went. */
export type ManualRunReport =
  | {
      readonly kind: 'ran';
      /** In order, each with the beat that it consumes, ms. */
      readonly asked: readonly { readonly group: string; readonly beat: number | null }[];
      readonly runs: ReadonlyMap<string, RunRecord>;
    }
  | { readonly kind: 'blocked'; readonly because: readonly string[] }
  | { readonly kind: 'lanes-held' };

/**
 * Runs a group, or a single script of it, because a person asks for it: under the same locks, leases and records as a
 * tick's.
 *
 * @param only a single script, which neither consumes a beat nor counts as the group's run
 * @param asked its instant serves to choose lanes; the one that rules is read once they are taken
 * @param wait how long to wait for lanes that are held, ms
 */
export async function runManually(
  request: Request,
  only: string | null,
  asked: Omit<Session, 'isAskedToEnd'>,
  wait: number,
  readNow: () => number,
): Promise<ManualRunReport> {
  const { config, logger } = asked;
  const requests = listenForRequests(config.outputs, asked.tick, asked.stop);
  const first: Session = { ...asked, stop: requests.stop, isAskedToEnd: requests.isAsked };
  const preview = decide(request, first);
  const needed = 'runs' in preview ? preview.runs.map(({ group }) => group.lane) : [laneOf(request.group, config)];
  const due = [...new Set(needed)];
  let taken: Lanes | undefined;
  try {
    const lanes = await takeLanes({ due, left: [] }, first, wait);
    taken = lanes;
    if (due.some((lane) => !lanes.taken().includes(lane))) return { kind: 'lanes-held' };
    for (const lane of lanes.taken()) await recoverRun(lane, first);
    const session: Session = { ...first, now: readNow() };
    const answer = record(session, (state) => {
      const held = lanes.held(config, state);
      const plan = planTick(config, state, session.now, held);
      const decided = decideRequest(request, plan, config, held);
      if ('blockers' in decided) {
        const because = decided.blockers.map((blocker) => explainBlocker(blocker, plan, config));
        return { state, lines: [], because, runs: [] };
      }
      // What a tick would have noticed about these groups is noticed now.
      const names = decided.runs.map(({ group }) => group.name);
      const seen = names.map((name) => [name, plan.entries.get(name) ?? {}] as const);
      return {
        state: { ...state, groups: { ...state.groups, ...Object.fromEntries(seen) } },
        lines: seen.flatMap(([name, entry]) =>
          noteObservations(name, plan.observations.get(name) ?? [], entry, session.now, session.tick),
        ),
        because: null,
        runs: decided.runs,
      };
    });
    if (answer.because !== null) return { kind: 'blocked', because: answer.because };
    const orders = answer.runs.map((run) => ({
      ...run,
      ...(only === null || run.group.name !== request.group ? {} : { only, beat: null, missedBeats: 0 }),
      reason: 'by-hand',
      because: 'by hand',
    }));
    const runs = await runOrders(orders, lanes, session, {
      onSkip: () => undefined,
      onEnd: async () => undefined,
    });
    pruneOutputs(runs, session);
    logger.check();
    return { kind: 'ran', asked: orders.map(({ group, beat }) => ({ group: group.name, beat })), runs };
  } finally {
    requests.close();
    taken?.releaseAll();
  }
}

function decide(request: Request, { config, store, now }: Session): Answer {
  return decideRequest(request, planTick(config, store.readState().state, now), config, new Map());
}

function laneOf(name: string, config: Config): string {
  return (config.groups.find((group) => group.name === name) as Group).lane;
}
