import type { Config, Dependency, Group } from '../config/config.ts';
import { nextBeat } from '../schedule/beats.ts';
import { entryOf, type GroupState, instantOf, type State } from '../state/schema.ts';
import { type Due, decideDue } from './due.ts';
import { buildGraph, executionOrder, type Graph, topologicalOrder } from './graph.ts';
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
  const entries = new Map<string, GroupState>();
  const observations = new Map<string, readonly Observation[]>();
  for (const group of config.groups) {
    const { entry, observations: noticed } = observe(group, entryOf(state, group.name), now);
    entries.set(group.name, entry);
    if (noticed.length > 0) observations.set(group.name, noticed);
  }

  const decisions: Decision[] = new Array(config.groups.length);
  const runningElsewhere = new Set([...held.values()].filter((name) => name !== null));
  const context: Context = { graph, entries, decisions, runningElsewhere, now };
  for (const index of topologicalOrder(graph)) {
    const group = graph.groups[index] as Group;
    const due = decideDue(group, entries.get(group.name) ?? {}, now, config.tickEvery);
    decisions[index] = decideGroup(index, due, held, context);
  }

  const places = [...decisions.keys()];
  const runs = places.filter((index) => decisions[index]?.decision === 'run');
  const rest = decisions.filter(({ decision }) => decision !== 'run');
  return {
    at: now,
    decisions: [...executionOrder(graph, runs).map((index) => decisions[index] as Decision), ...rest],
    entries,
    observations,
  };
}

interface Context {
  readonly graph: Graph;
  readonly entries: ReadonlyMap<string, GroupState>;
  /** Of all groups that come earlier in topological order. */
  readonly decisions: readonly Decision[];
  readonly runningElsewhere: ReadonlySet<string>;
  readonly now: number;
}

function decideGroup(index: number, due: Due, held: HeldLanes, context: Context): Decision {
  const group = context.graph.groups[index] as Group;
  const idle = { group: group.name, blockers: [], beat: null, missedBeats: 0 };
  if (due.kind === 'disabled') return { ...idle, decision: 'disabled', reason: 'disabled', nextBeat: null };
  const next = nextBeat(group.schedule, context.now);
  if (due.kind === 'paused') return { ...idle, decision: 'paused', reason: 'paused', nextBeat: next };
  if (due.kind === 'wait') return { ...idle, decision: 'wait', reason: due.reason, nextBeat: next };

  const beat = { group: group.name, blockers: [], beat: due.beat, missedBeats: due.missedBeats, nextBeat: next };
  if (held.has(group.lane)) return { ...beat, decision: 'wait', reason: 'lane-held' };
  if (due.kind === 'expire') return { ...beat, decision: 'expire', reason: 'too-late' };

  const blockers: Blocker[] = [];
  for (const [place, dependency] of group.dependsOn.entries()) {
    const decision = context.decisions[context.graph.dependencies[index]?.[place] as number] as Decision;
    const reason = findBlock(dependency, decision, context);
    if (reason !== null) blockers.push({ group: dependency.group, reason });
  }
  const [first] = blockers;
  if (first === undefined) return { ...beat, decision: 'run', reason: due.reason };
  return { ...beat, decision: 'skip', reason: first.reason, blockers };
}

/** Why a dependency holds its dependent back in this tick; null where it is satisfied, or runs first in this tick. */
function findBlock(dependency: Dependency, decision: Decision, context: Context): SkipReason | null {
  const { entries, runningElsewhere, now } = context;
  switch (decision.decision) {
    case 'disabled':
    case 'run':
      return null;
    case 'skip':
      return 'dependency-skipped';
  }
  if (runningElsewhere.has(dependency.group)) return 'dependency-running';
  if (decision.reason === 'lane-held') return 'dependency-skipped';
  return judgeLastRun(dependency, entries.get(dependency.group) ?? {}, now);
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
