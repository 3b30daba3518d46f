import type { Config, Group } from '../config/config.ts';
import { type Answer, decideRequest, type Request } from '../plan/ask.ts';
import { explainBlocker } from '../plan/because.ts';
import { planTick } from '../plan/decide.ts';
import type { RunRecord } from '../state/schema.ts';
import { adoptRun } from './adopt.ts';
import { takeLanes } from './lane.ts';
import { runOrders } from './order.ts';
import { record, type Session } from './session.ts';

/** How a run by hand went. */
export type HandReport =
  | { readonly kind: 'ran'; readonly answer: Answer; readonly runs: ReadonlyMap<string, RunRecord> }
  | { readonly kind: 'blocked'; readonly because: readonly string[] }
  | { readonly kind: 'lanes-held' };

/**
 * Runs a group, or a single script of it, because a person asks for it: under the same locks, leases and records as a
 * tick's.
 *
 * @param only a single script, which neither consumes a beat nor counts as the group's run
 * @param wait how long to wait for lanes that are held, ms
 */
export async function runByHand(
  request: Request,
  only: string | null,
  session: Session,
  wait: number,
): Promise<HandReport> {
  const { config, store, now, stop, teller } = session;
  const preview = decide(request, session, new Map());
  const needed = 'runs' in preview ? preview.runs.map(({ group }) => group.lane) : [laneOf(request.group, config)];
  const due = [...new Set(needed)];
  const lanes = await takeLanes({ due, left: [] }, session, wait);
  try {
    if (due.some((lane) => !lanes.taken.includes(lane))) return { kind: 'lanes-held' };
    for (const lane of lanes.taken) if (!stop.aborted) await adoptRun(lane, session);
    const { state } = store.readState();
    const held = lanes.held(config, state);
    const plan = planTick(config, state, now, held);
    const answer = decideRequest(request, plan, config, held);
    if ('blockers' in answer) {
      return { kind: 'blocked', because: answer.blockers.map((blocker) => explainBlocker(blocker, plan, config)) };
    }
    // What a tick would have noticed about these groups is noticed now.
    record(session, (before) => {
      const seen = answer.runs.map(({ group }) => [group.name, plan.entries.get(group.name) ?? {}] as const);
      return { state: { ...before, groups: { ...before.groups, ...Object.fromEntries(seen) } }, lines: [] };
    });
    await teller.open();
    const orders = answer.runs.map((run) => ({
      ...run,
      ...(only === null ? {} : { only, beat: null, missedBeats: 0 }),
      reason: 'by-hand',
      because: 'by hand',
    }));
    const runs = await runOrders(orders, lanes, session, () => undefined);
    teller.check();
    return { kind: 'ran', answer, runs };
  } finally {
    lanes.releaseAll();
  }
}

function decide(request: Request, { config, store, now }: Session, held: ReadonlyMap<string, string | null>): Answer {
  return decideRequest(request, planTick(config, store.readState().state, now), config, held);
}

function laneOf(name: string, config: Config): string {
  return (config.groups.find((group) => group.name === name) as Group).lane;
}
