import type { Config, Group } from '../config/config.ts';
import { readMonotonic } from '../monotonic.ts';
import { explainPlan } from '../plan/because.ts';
import { type Decision, type Plan, planTick } from '../plan/decide.ts';
import { entryOf, type GroupState, isoOf, type RunRecord, type State } from '../state/state-schema.ts';
import type { Store } from '../state/store.ts';
import { endTick, judgeTick, type TickOutcome } from './end-tick.ts';
import type { EventLogger } from './event-logger.ts';
import { noteHold } from './hold.ts';
import { type Lanes, takeLanes } from './lane.ts';
import { pruneOutputs } from './prune.ts';
import { applyPlan, holdOf, logPlan } from './record-plan.ts';
import { recoverRun } from './recover-orphan.ts';
import { runOrders } from './run-orders.ts';
import { makeTickId, queueRecord, record, type Session } from './session.ts';
import type { RunOrder } from './start-run.ts';
import { listenForRequests } from './stop-request.ts';

export interface TickOrder {
  readonly config: Config;
  readonly store: Store;
  /** The wall clock, ms. */
  readonly readNow: () => number;
  /** How long to wait for lanes that are held, ms. */
  readonly wait: number;
  /** Aborted when the tick has to stop. */
  readonly stop: AbortSignal;
  /** Aborted at the second request to stop: scripts get no time to end by themselves. */
  readonly hurry: AbortSignal;
  readonly logger: EventLogger;
}

export interface TickReport {
  /** As it was carried out: a group whose dependency failed during the tick is skipped in it. */
  readonly plan: Plan;
  /** The runs by group. */
  readonly runs: ReadonlyMap<string, RunRecord>;
  readonly outcome: TickOutcome;
}

/**
 * One tick: takes the lanes that have work, settles what dead ticks left in them, plans, records the plan, runs it and
 * records the outcome. Throws a StorageError where something can't be recorded; a script whose start can't be recorded is not started.
 */
export async function runTick(order: TickOrder): Promise<TickReport> {
  const clock = readMonotonic();
  const startedAt = order.readNow();
  const tick = makeTickId(startedAt);
  const requests = listenForRequests(order.config.outputs, tick, order.stop);
  const initial: Session = { ...order, tick, now: startedAt, stop: requests.stop, isAskedToEnd: requests.isAsked };
  let lanes: Lanes | undefined;
  try {
    lanes = await takeLanes(lanesWithWork(initial), initial, order.wait);
    const { session, recovered } = await recoverRuns(lanes, initial, order.readNow);

    const context: TickContext = { session, lanes, recovered, clock };
    const plan = recordPlan(context);
    releaseIdleLanes(plan, context);
    if (!hasRuns(plan)) return { plan, runs: recovered, outcome: judgeTick(plan, recovered, session) };

    const executed = await runPlan(plan, context);
    pruneOutputs(executed.runs, session);
    order.logger.check();
    return { plan: explainable(plan, executed, session), runs: executed.runs, outcome: executed.outcome };
  } finally {
    requests.close();
    lanes?.releaseAll();
  }
}

/** What the parts of one tick share once its lanes are taken. */
interface TickContext {
  readonly session: Session;
  readonly lanes: Lanes;
  /** The runs of dead ticks that this one has settled, by group. */
  readonly recovered: ReadonlyMap<string, RunRecord>;
  /** When the tick began, by the monotonic clock, ms. */
  readonly clock: number;
}

/**
 * The lanes in which a group is due, by a preliminary plan that takes every lane to be free, and those in which only a
 * lease is left, perhaps by a dead tick.
 */
function lanesWithWork({ config, store, now }: Session): { due: string[]; left: string[] } {
  const { state } = store.readState();
  const { decisions } = planTick(config, state, now);
  const laneOf = new Map(config.groups.map((group) => [group.name, group.lane]));
  const isDue = ({ decision }: Decision) => decision === 'run' || decision === 'skip' || decision === 'expire';
  const due = new Set(decisions.filter(isDue).map(({ group }) => laneOf.get(group) as string));
  return { due: [...due], left: Object.keys(state.leases ?? {}).filter((lane) => !due.has(lane)) };
}

/**
 * Settles what dead ticks left in the lanes. Waiting for a lane or for an orphan takes time, in which beats come and other
 * ticks run: then the clock is read again, and lanes that have work by now are taken if they are free.
 */
async function recoverRuns(
  lanes: Lanes,
  initial: Session,
  readNow: () => number,
): Promise<Pick<TickContext, 'session' | 'recovered'>> {
  const recovered = await recoverLanes(lanes.taken(), initial);
  if (!lanes.waited && recovered.size === 0) return { session: initial, recovered };
  const later: Session = { ...initial, now: readNow() };
  const more = await recoverLanes(lanes.extend(lanesWithWork(later).due), later);
  const session = more.size === 0 ? later : { ...initial, now: readNow() };
  return { session, recovered: new Map([...recovered, ...more]) };
}

/** The runs that this settled, by group. */
async function recoverLanes(lanes: readonly string[], session: Session): Promise<ReadonlyMap<string, RunRecord>> {
  const { leases } = session.store.readState().state;
  const recovered = await Promise.all(
    lanes.map(async (lane) => [leases?.[lane]?.group, await recoverRun(lane, session)] as const),
  );
  return new Map(
    recovered.flatMap(([group, run]) => (group !== undefined && run !== null ? [[group, run] as const] : [])),
  );
}

/**
 * Plans on the state as it is on disk and records, in one step under the state's lock, what the plan itself changes; where
 * nothing runs, the tick's end as well.
 */
function recordPlan({ session, lanes, recovered, clock }: TickContext): Plan {
  const { config, now, tick } = session;
  const { plan } = record(session, (state) => {
    const plan = planTick(config, state, now, lanes.held(config, state));
    const lastTick = { id: tick, pid: process.pid, startedAt: isoOf(now) };
    const planned = applyPlan({ ...state, lastTick }, plan, tick);
    if (hasRuns(plan)) return { ...planned, plan };
    const outcome = judgeTick(plan, recovered, session);
    const ended = endTick(planned.state, plan.decisions, recovered, outcome, clock, tick);
    return { state: ended.state, lines: [...planned.lines, ...ended.lines], plan };
  });
  logPlan(plan, session);
  return plan;
}

function hasRuns({ decisions }: Plan): boolean {
  return decisions.some(({ decision }) => decision === 'run');
}

/** Other ticks need not wait for lanes in which this one runs nothing. */
function releaseIdleLanes({ decisions }: Plan, { session, lanes }: TickContext): void {
  const running = new Set(decisions.flatMap(({ decision, group }) => (decision === 'run' ? [group] : [])));
  const busy = new Set(session.config.groups.flatMap(({ name, lane }) => (running.has(name) ? [lane] : [])));
  for (const lane of lanes.taken()) if (!busy.has(lane)) lanes.release(lane);
}

/** A plan that was carried out. */
interface ExecutedPlan {
  /** A group whose dependency did not end as it asks is skipped in them. */
  readonly decisions: readonly Decision[];
  readonly runs: ReadonlyMap<string, RunRecord>;
  readonly outcome: TickOutcome;
  /** After the tick's end. */
  readonly state: State;
}

/** Runs what the plan says, and records the tick's end together with that of the last run. */
async function runPlan(plan: Plan, context: TickContext): Promise<ExecutedPlan> {
  const { session, lanes, recovered, clock } = context;
  const { config } = session;
  const skipped = new Map<string, Decision>();
  let executed: ExecutedPlan | undefined;
  await runOrders(ordersOf(plan, config), lanes, session, {
    onSkip({ group }, blockers) {
      const planned = plan.decisions.find((decision) => decision.group === group.name) as Decision;
      const skip = { ...planned, decision: 'skip', reason: blockers[0].reason, blockers } as const;
      skipped.set(group.name, skip);
      recordSkip(skip, plan, session);
    },
    onEnd(ran) {
      const runs = new Map([...recovered, ...ran]);
      const decisions = reorder(plan.decisions, skipped, config);
      const outcome = judgeTick(plan, runs, session);
      const end = (before: State) => {
        const change = endTick(before, decisions, runs, outcome, clock, session.tick);
        executed = { decisions, runs, outcome, state: change.state };
        return change;
      };
      return queueRecord(session, end, () => undefined);
    },
  });
  if (executed === undefined) throw new Error('the end of the tick was not recorded');
  return executed;
}

function ordersOf(plan: Plan, config: Config): RunOrder[] {
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  const explain = explainPlan(plan, config);
  return plan.decisions.flatMap((decision): RunOrder[] => {
    if (decision.decision !== 'run') return [];
    return [{ ...decision, group: groupOf.get(decision.group) as Group, because: explain(decision) }];
  });
}

/** Records and logs that a group is not run after all: a dependency did not end as it asks. */
function recordSkip(decision: Decision, plan: Plan, session: Session): void {
  const { group } = decision;
  const { state, lines } = record(session, (before) => {
    const { entry, line } = noteHold(group, entryOf(before, group) ?? {}, holdOf(decision), session.now, session.tick);
    return { state: { ...before, groups: { ...before.groups, [group]: entry } }, lines: line === null ? [] : [line] };
  });
  // It was held back for the same reason before, and that was logged then.
  if (lines.length === 0) return;
  const because = explainPlan({ ...plan, entries: entriesOf(state, session.config) }, session.config)(decision);
  session.logger.emit({ kind: 'held-back', group, reason: decision.reason, because });
}

function entriesOf(state: State, config: Config): Map<string, GroupState> {
  return new Map(config.groups.map(({ name }) => [name, entryOf(state, name) ?? {}]));
}

/** The plan as it was carried out. Skips are explained by the state after the tick, all else by the state at planning. */
function explainable(plan: Plan, { decisions, state }: ExecutedPlan, { config }: Session): Plan {
  const after = entriesOf(state, config);
  const blocking = new Set(
    decisions.flatMap(({ decision, blockers }) => (decision === 'skip' ? blockers.map(({ group }) => group) : [])),
  );
  const entries = [...plan.entries].map(([name, before]) => {
    return [name, blocking.has(name) ? (after.get(name) ?? before) : before] as const;
  });
  return { ...plan, decisions, entries: new Map(entries) };
}

/** The groups that ran first, as they ran; then the others in configuration order. */
function reorder(decisions: readonly Decision[], skipped: ReadonlyMap<string, Decision>, config: Config): Decision[] {
  const final = decisions.map((decision) => skipped.get(decision.group) ?? decision);
  const order = new Map(config.groups.map(({ name }, index) => [name, index]));
  const others = final.filter(({ decision }) => decision !== 'run');
  others.sort((a, b) => (order.get(a.group) ?? 0) - (order.get(b.group) ?? 0));
  return [...final.filter(({ decision }) => decision === 'run'), ...others];
}
