import type { Config, Dependency, Group } from '../config/config.ts';
import { nextBeat } from '../schedule/beats.ts';
import { entryOf, type GroupState, instantOf, type State } from '../state/schema.ts';
import { type Due, decideDue } from './due.ts';
import { buildGraph, executionOrder, type Graph } from './graph.ts';
import { type Observation, observe } from './observe.ts';

export type RunReason = 'first-run' | 'beat-due' | 'retry-due' | 'resume-interrupted';
export type WaitReason = 'not-due' | 'first-beat-ahead' | 'manual' | 'lane-held';
export type SkipReason =
  | 'dependency-failed'
  | 'dependency-skipped'
  | 'dependency-running'
  | 'dependency-never-ran'
  | 'dependency-stale';

/** A dependency that holds its dependent back. */
export interface Blocker {
  readonly group: string;
  readonly reason: SkipReason;
}

interface Decided {
  readonly group: string;
  /** The group's place in the configuration. */
  readonly place: number;
  /** The dependencies that cause a skip, as listed; the first gives the reason. */
  readonly blockers: readonly Blocker[];
  /** What a run would consume, ms; null where nothing is due. */
  readonly beat: number | null;
  /** Beats passed over between the last consumed one and this; counting stops at 1000. */
  readonly missedBeats: number;
  /** The first beat after the plan's instant, ms; null for manual and disabled groups. */
  readonly nextBeat: number | null;
}

/** What a tick does with one group, and why. */
export type Decision =
  | (Decided & { readonly decision: 'run'; readonly reason: RunReason; readonly beat: number })
  | (Decided & { readonly decision: 'wait'; readonly reason: WaitReason })
  | (Decided & { readonly decision: 'skip'; readonly reason: SkipReason })
  | (Decided & { readonly decision: 'expire'; readonly reason: 'too-late'; readonly beat: number })
  | (Decided & { readonly decision: 'paused'; readonly reason: 'paused' })
  | (Decided & { readonly decision: 'disabled'; readonly reason: 'disabled' });

export interface Plan {
  /** The instant that rules it, ms. */
  readonly at: number;
  /** The groups that run first, in execution order, then the others in configuration order. */
  readonly decisions: readonly Decision[];
  /** Every group's entry as this tick has observed it, by name. */
  readonly entries: ReadonlyMap<string, GroupState>;
  /** What was noticed before deciding, where there was anything, by name. */
  readonly observations: ReadonlyMap<string, readonly Observation[]>;
}

/** The lanes that another tick holds, each with the group that it runs there (null where that is not known). */
export type HeldLanes = ReadonlyMap<string, string | null>;

/**
 * Plans a tick: what every group does at `now`, in which order, and why. The same configuration, state, instant and held
 * lanes give the same plan, always.
 *
 * @param now the instant that rules the tick, ms
 */
export function planTick(config: Config, state: State, now: number, held: HeldLanes = new Map()): Plan {
  const graph = buildGraph(config);
  const { groups } = config;
  const entries: GroupState[] = new Array(groups.length);
  const observed: (readonly Observation[])[] = new Array(groups.length);
  for (let index = 0; index < groups.length; index++) {
    const group = groups[index] as Group;
    const { entry, observations } = observe(group, entryOf(state, group.name), now);
    entries[index] = entry;
    observed[index] = observations;
  }

  const decisions: Decision[] = new Array(groups.length);
  const runningElsewhere = new Set([...held.values()].filter((name) => name !== null));
  const isSatisfied = new Uint8Array(groups.length);
  const context: Context = { graph, entries, decisions, isSatisfied, runningElsewhere, now };
  for (let turn = 0; turn < groups.length; turn++) {
    // As they lie in memory, where that will do.
    const index = graph.isSorted ? turn : (graph.order[turn] as number);
    const due = decideDue(groups[index] as Group, entries[index] as GroupState, now, config.tickEvery);
    const decision = decideGroup(index, due, held, context);
    decisions[index] = decision;
    if (decision.decision === 'run' || decision.decision === 'disabled') isSatisfied[index] = 1;
  }

  const runs: number[] = [];
  const rest: number[] = [];
  for (let index = 0; index < groups.length; index++) {
    if ((decisions[index] as Decision).decision === 'run') runs.push(index);
    else rest.push(index);
  }
  const ordered = executionOrder(graph, runs);
  for (const index of rest) ordered.push(index);
  // Put together when they are asked for: whoever prints a plan mostly needs neither.
  const nameEntries = later(() => groups.map(({ name }, index) => [name, entries[index] as GroupState]));
  const nameObservations = later(() =>
    groups.flatMap(({ name }, index): [string, readonly Observation[]][] =>
      observed[index]?.length ? [[name, observed[index]]] : [],
    ),
  );
  return {
    at: now,
    decisions: ordered.map((index) => decisions[index] as Decision),
    get entries() {
      return nameEntries();
    },
    get observations() {
      return nameObservations();
    },
  };
}

function later<Value>(list: () => [string, Value][]): () => ReadonlyMap<string, Value> {
  let map: ReadonlyMap<string, Value> | undefined;
  return () => {
    map ??= new Map(list());
    return map;
  };
}

interface Context {
  readonly graph: Graph;
  /** By the groups' places. */
  readonly entries: readonly GroupState[];
  /** Of all groups that come earlier in topological order, by their places. */
  readonly decisions: readonly Decision[];
  /** Whether a dependency on a group is satisfied, whatever it asks for: 1 where it runs first, or is disabled. */
  readonly isSatisfied: Uint8Array;
  readonly runningElsewhere: ReadonlySet<string>;
  readonly now: number;
}

const noBlockers: readonly Blocker[] = [];

function decideGroup(place: number, due: Due, held: HeldLanes, context: Context): Decision {
  const { name: group, schedule, lane } = context.graph.groups[place] as Group;
  // Written out each time: to spread what they have in common takes several times as long.
  const blockers = noBlockers;
  const beat = null;
  const missedBeats = 0;
  if (due.kind === 'disabled') {
    return { group, place, decision: 'disabled', reason: 'disabled', blockers, beat, missedBeats, nextBeat: null };
  }
  const next = nextBeat(schedule, context.now);
  if (due.kind === 'paused') {
    return { group, place, decision: 'paused', reason: 'paused', blockers, beat, missedBeats, nextBeat: next };
  }
  if (due.kind === 'wait') {
    return { group, place, decision: 'wait', reason: due.reason, blockers, beat, missedBeats, nextBeat: next };
  }
  return decideDueGroup(place, due, next, held.has(lane), context);
}

function decideDueGroup(
  place: number,
  due: Extract<Due, { kind: 'run' | 'expire' }>,
  nextBeat: number | null,
  isHeld: boolean,
  context: Context,
): Decision {
  const { name: group } = context.graph.groups[place] as Group;
  const { beat, missedBeats } = due;
  const blockers = isHeld || due.kind === 'expire' ? noBlockers : findBlockers(place, context);
  if (isHeld) return { group, place, decision: 'wait', reason: 'lane-held', blockers, beat, missedBeats, nextBeat };
  if (due.kind === 'expire') {
    return { group, place, decision: 'expire', reason: 'too-late', blockers, beat, missedBeats, nextBeat };
  }
  const first = blockers[0];
  return first === undefined
    ? { group, place, decision: 'run', reason: due.reason, blockers, beat, missedBeats, nextBeat }
    : { group, place, decision: 'skip', reason: first.reason, blockers, beat, missedBeats, nextBeat };
}

/** The dependencies that hold a group back, as it lists them. */
function findBlockers(index: number, context: Context): readonly Blocker[] {
  const { groups, precedents } = context.graph;
  const { dependsOn } = groups[index] as Group;
  const start = precedents.from[index] as number;
  let blockers: Blocker[] | null = null;
  for (let place = 0; place < dependsOn.length; place++) {
    const earlier = precedents.to[start + place] as number;
    if (context.isSatisfied[earlier] === 1) continue;
    const dependency = dependsOn[place] as Dependency;
    const reason = findBlock(dependency, earlier, context);
    if (reason === null) continue;
    blockers ??= [];
    blockers.push({ group: dependency.group, reason });
  }
  return blockers ?? noBlockers;
}

/** Why a dependency on a group that does not run in this tick holds its dependent back; null where it is satisfied. */
function findBlock(dependency: Dependency, index: number, context: Context): SkipReason | null {
  const { decisions, entries, runningElsewhere, now } = context;
  const { decision, reason } = decisions[index] as Decision;
  if (decision === 'skip') return 'dependency-skipped';
  if (runningElsewhere.has(dependency.group)) return 'dependency-running';
  if (reason === 'lane-held') return 'dependency-skipped';
  return judgeLastRun(dependency, entries[index] as GroupState, now);
}

/** What a dependency's last run means for its dependents where it does not run in this tick. */
export function judgeLastRun(dependency: Dependency, entry: GroupState, now: number): SkipReason | null {
  const { lastRun } = entry;
  if (lastRun?.outcome == null) return 'dependency-never-ran';
  if (!meets(dependency, lastRun.outcome)) return 'dependency-failed';
  if (dependency.within === null) return null;
  const finishedAt = instantOf(lastRun.finishedAt);
  return finishedAt === null || now - finishedAt > dependency.within ? 'dependency-stale' : null;
}

/** Whether a run that ended so is what a dependency asks for. */
export function meets(dependency: Pick<Dependency, 'when'>, outcome: string): boolean {
  return dependency.when === 'finished' || outcome === 'succeeded';
}
