import type { Config, Group } from '../config/config.ts';
import { StorageError } from '../errors.ts';
import { readMonotonic } from '../monotonic.ts';
import { explainPlan } from '../plan/because.ts';
import { type Decision, type Plan, planTick } from '../plan/decide.ts';
import { entryOf, type GroupState, isoOf, type RunRecord, type State } from '../state/schema.ts';
import type { Store } from '../state/store.ts';
import { adoptRun } from './adopt.ts';
import { beginRun, type RunOrder, type StartedRun } from './begin.ts';
import { noteHold } from './hold.ts';
import { type Lanes, takeLanes } from './lane.ts';
import { type Launchers, makeLaunchers } from './launcher.ts';
import { type Client, prepareFor, runOrders } from './order.ts';
import { endTick, judgeTick, type TickOutcome } from './outcome.ts';
import { applyPlan, holdOf, tellPlan } from './planned.ts';
import { pruneOutputs } from './prune.ts';
import { listenForRequests } from './request.ts';
import { makeTickId, record, recordSoon, type Session } from './session.ts';
import type { Teller } from './teller.ts';

export interface TickOrder {
  readonly config: Config;
  readonly store: Store;
  /** The wall clock, ms. */
  readonly readNow: () => number;
  /** How long to wait for lanes that are held, ms. */
  readonly wait: number;
  /** Aborted when the tick is told to stop. */
  readonly stop: AbortSignal;
  /** Aborted when it is told so a second time: scripts get no time to end by themselves. */
  readonly hurry: AbortSignal;
  readonly teller: Teller;
}

export interface TickReport {
  /** As it was carried out: a group whose dependency failed meanwhile is skipped in it. */
  readonly plan: Plan;
  /** What became of the groups that ran, by name. */
  readonly runs: ReadonlyMap<string, RunRecord>;
  readonly outcome: TickOutcome;
}

/**
 * One tick: takes the lanes that have work, settles what dead ticks left in them, plans, records the plan, runs it and
 * records what came of it. Throws a StorageError where something can't be recorded; no script is started that could not
 * be.
 */
export async function runTick(order: TickOrder): Promise<TickReport> {
  const clock = readMonotonic();
  const first = order.readNow();
  const tick = makeTickId(first);
  const { config, teller } = order;
  const requests = listenForRequests(config.outputs, tick, order.stop);
  const looking: Session = { ...order, tick, now: first, stop: requests.stop, isAskedToEnd: requests.isAsked };
  const launchers = makeLaunchers();
  let held: Lanes | undefined;
  try {
    let outlook = lookOut(looking);
    const lanes = await takeLanes(lanesWithWork(outlook, config), looking, order.wait);
    held = lanes;
    const adopted = await adoptRuns(lanes, looking);
    // Waiting for a lane or for an orphan takes time, in which others went on: the instant that rules is read after it.
    const now = lanes.waited || adopted.size > 0 ? order.readNow() : first;
    const session: Session = { ...looking, now };
    if (now !== first) {
      outlook = lookOut(session);
      for (const lane of lanes.extend(lanesWithWork(outlook, config).due)) await adoptRun(lane, session);
    }

    const course: Course = { session, lanes, launchers, adopted, clock };
    const recorded = recordPlan(outlook, await getReady(outlook, course), course);
    const { plan } = recorded;
    const laneOf = new Map(config.groups.map(({ name, lane }) => [name, lane]));
    const running = plan.decisions.filter(({ decision }) => decision === 'run').map(({ group }) => laneOf.get(group));
    for (const lane of lanes.taken()) if (!running.includes(lane)) lanes.release(lane);
    if (running.length === 0) return { plan, runs: adopted, outcome: judgeTick(plan, adopted, session) };

    const carried = await runPlan(recorded, course);
    pruneOutputs(carried.runs, session);
    teller.check();
    const entries = new Map(config.groups.map(({ name }) => [name, entryOf(carried.state, name) ?? {}]));
    const { decisions, runs, outcome } = carried;
    return { plan: { ...plan, ...explainable(plan, decisions, entries) }, runs, outcome };
  } finally {
    requests.close();
    await launchers.close();
    held?.releaseAll();
  }
}

/** Settles what dead ticks left in the lanes; the runs that this ended, by group. */
async function adoptRuns(lanes: Lanes, session: Session): Promise<ReadonlyMap<string, RunRecord>> {
  const { leases } = session.store.readState().state;
  const adopted = await Promise.all(
    lanes.taken().map(async (lane) => [leases?.[lane]?.group, await adoptRun(lane, session)] as const),
  );
  return new Map(
    adopted.flatMap(([group, run]) => (group !== undefined && run !== null ? [[group, run] as const] : [])),
  );
}

/** The plan as it was carried out: a skip is explained by what its dependencies came to, all else by what was known. */
function explainable(plan: Plan, decisions: readonly Decision[], entries: ReadonlyMap<string, GroupState>) {
  const blocking = new Set(
    decisions.flatMap(({ decision, blockers }) => (decision === 'skip' ? blockers.map(({ group }) => group) : [])),
  );
  const known = [...plan.entries].map(([name, entry]) => {
    return [name, blocking.has(name) ? (entries.get(name) ?? entry) : entry] as const;
  });
  return { decisions, entries: new Map(known) };
}

/** What all of one tick works with once its lanes are taken. */
interface Course {
  readonly session: Session;
  readonly lanes: Lanes;
  readonly launchers: Launchers;
  /** The runs of dead ticks that this one has settled, by group. */
  readonly adopted: ReadonlyMap<string, RunRecord>;
  /** When the tick began, by the monotonic clock, ms. */
  readonly clock: number;
}

/** What a tick would do, by the state as it is and if no lane were held. */
interface Outlook {
  readonly state: State;
  readonly plan: Plan;
}

function lookOut({ config, store, now }: Session): Outlook {
  const { state } = store.readState();
  return { state, plan: planTick(config, state, now) };
}

/** The lanes in which a group is due, and those in which only a run was left, by a tick that may be no more. */
function lanesWithWork({ state, plan: { decisions } }: Outlook, config: Config): { due: string[]; left: string[] } {
  const laneOf = new Map(config.groups.map((group) => [group.name, group.lane]));
  const isDue = ({ decision }: Decision) => decision === 'run' || decision === 'skip' || decision === 'expire';
  const due = new Set(decisions.filter(isDue).map(({ group }) => laneOf.get(group) as string));
  return { due: [...due], left: Object.keys(state.leases ?? {}).filter((lane) => !due.has(lane)) };
}

/**
 * Prepares for the first run, if there is to be one, before the plan is recorded: then both go to the disk in one write.
 * Answers whether a run may begin. Where the log can't be opened that is so once the plan is recorded, which it has to
 * be all the same.
 */
async function getReady(outlook: Outlook, { lanes, session, launchers }: Course): Promise<boolean> {
  const first = outlook.plan.decisions.find(({ decision }) => decision === 'run');
  const group = session.config.groups.find(({ name }) => name === first?.group);
  if (group === undefined || !lanes.taken().includes(group.lane)) return false;
  return prepareFor(group.scripts[0], session, launchers).then(
    () => true,
    () => false,
  );
}

/** A plan that is recorded. */
interface Recorded {
  readonly plan: Plan;
  /** The start of the first of its runs, where that is recorded as well. */
  readonly begun: StartedRun | undefined;
}

/**
 * Plans on the state as it is on disk, and writes what the plan itself changes in one step under the state's lock; and
 * the start of its first run with that, or the tick's end where nothing runs.
 */
function recordPlan(outlook: Outlook, isReady: boolean, { session, lanes, adopted, clock }: Course): Recorded {
  const { config, now, tick, stop, isAskedToEnd } = session;
  let recorded: Recorded | undefined;
  record(session, (state) => {
    const held = lanes.held(config, state);
    const plan = state === outlook.state && held.size === 0 ? outlook.plan : planTick(config, state, now, held);
    const lastTick = { id: tick, pid: process.pid, startedAt: isoOf(now) };
    const planned = applyPlan({ ...state, lastTick }, plan, tick);
    const first = plan.decisions.find(({ decision }) => decision === 'run');
    if (first === undefined) {
      recorded = { plan, begun: undefined };
      const outcome = judgeTick(plan, adopted, session);
      const ended = endTick(planned.state, plan.decisions, adopted, outcome, clock, tick);
      return { state: ended.state, lines: [...planned.lines, ...ended.lines] };
    }
    const mayBegin = isReady && !stop.aborted && !isAskedToEnd();
    const begun = mayBegin ? tryToBegin(first, planned.state, session) : null;
    recorded = { plan, begun: begun?.run };
    return begun === null ? planned : { state: begun.change.state, lines: [...planned.lines, ...begun.change.lines] };
  });
  if (recorded === undefined) throw new Error('the state was not planned on');
  tellPlan(recorded.plan, session);
  return recorded;
}

/** Null where the run can't begin: why that is comes up when it is tried again, and the plan is recorded by then. */
function tryToBegin(decision: Decision, state: State, session: Session): ReturnType<typeof beginRun> {
  try {
    const group = session.config.groups.find(({ name }) => name === decision.group) as Group;
    return beginRun({ ...decision, group }, state, session);
  } catch (error) {
    if (error instanceof StorageError) return null;
    throw error;
  }
}

/** Runs what the plan says, and records the tick's end together with that of the last run. */
async function runPlan({ plan, begun }: Recorded, course: Course): Promise<CarriedOut> {
  const { session, lanes, launchers, adopted, clock } = course;
  const { config } = session;
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  const explain = explainPlan(plan, config);
  const orders = plan.decisions.flatMap((decision): RunOrder[] => {
    if (decision.decision !== 'run') return [];
    return [{ ...decision, group: groupOf.get(decision.group) as Group, because: explain(decision) }];
  });
  const skipped = new Map<string, Decision>();
  let carried: CarriedOut | undefined;
  const client: Client = {
    onSkip({ group }, blockers) {
      const planned = plan.decisions.find((decision) => decision.group === group.name) as Decision;
      const skip = { ...planned, decision: 'skip', reason: blockers[0].reason, blockers } as const;
      skipped.set(group.name, skip);
      recordSkip(skip, plan, session);
    },
    onEnd(ran) {
      const runs = new Map([...adopted, ...ran]);
      const decisions = reorder(plan.decisions, skipped, config);
      const outcome = judgeTick(plan, runs, session);
      const end = (before: State) => {
        const change = endTick(before, decisions, runs, outcome, clock, session.tick);
        carried = { decisions, runs, outcome, state: change.state };
        return change;
      };
      return recordSoon(session, end, () => undefined);
    },
  };
  await runOrders(orders, lanes, session, launchers, client, begun);
  if (carried === undefined) throw new Error('the end of the tick was not recorded');
  return carried;
}

interface CarriedOut {
  /** A group whose dependency did not end as it asks is skipped in them. */
  readonly decisions: readonly Decision[];
  readonly runs: ReadonlyMap<string, RunRecord>;
  readonly outcome: TickOutcome;
  /** After the tick's end. */
  readonly state: State;
}

function recordSkip(decision: Decision, plan: Plan, session: Session): void {
  const { group } = decision;
  let begins = false;
  const state = record(session, (before) => {
    const { entry, line } = noteHold(group, entryOf(before, group) ?? {}, holdOf(decision), session.now, session.tick);
    begins = line !== null;
    return { state: { ...before, groups: { ...before.groups, [group]: entry } }, lines: line === null ? [] : [line] };
  });
  if (!begins) return;
  const entries = new Map(session.config.groups.map(({ name }) => [name, entryOf(state, name) ?? {}]));
  const because = explainPlan({ ...plan, entries }, session.config)(decision);
  session.teller.emit({ kind: 'held-back', group, reason: decision.reason, because });
}

/** The groups that ran first, as they ran; then the others in configuration order. */
function reorder(decisions: readonly Decision[], skipped: ReadonlyMap<string, Decision>, config: Config): Decision[] {
  const now = decisions.map((decision) => skipped.get(decision.group) ?? decision);
  const place = new Map(config.groups.map(({ name }, index) => [name, index]));
  const rest = now.filter(({ decision }) => decision !== 'run');
  rest.sort((a, b) => (place.get(a.group) ?? 0) - (place.get(b.group) ?? 0));
  return [...now.filter(({ decision }) => decision === 'run'), ...rest];
}
