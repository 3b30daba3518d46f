import type { Config, Dependency, Group } from '../config/config.ts';
import { buildGraph } from '../config/group-graph.ts';
import { nextBeat } from '../schedule/beats.ts';
import { entryOf, type GroupState, instantOf, type State } from '../state/state-schema.ts';
import { type Due, decideDue } from './due.ts';
import { executionOrder } from './execution-order.ts';
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
  const entries = new Map<string, GroupState>();
  const observations = new Map<string, readonly Observation[]>();
  for (const group of config.groups) {
    const observed = observe(group, entryOf(state, group.name), now);
    entries.set(group.name, observed.entry);
    if (observed.observations.length > 0) observations.set(group.name, observed.observations);
  }

  const decisions = new Map<string, Decision>();
  const runningElsewhere = new Set([...held.values()].filter((name) => name !== null));
  const context: Context = { entries, decisions, runningElsewhere, now };
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  for (const name of buildGraph(config.groups).sorted) {
    const group = groupOf.get(name) as Group;
    const due = decideDue(group, entries.get(name) ?? {}, now, config.tickEvery);
    decisions.set(name, decideGroup(group, due, held, context));
  }

  const listed = config.groups.map(({ name }) => decisions.get(name) as Decision);
  const isRun = ({ decision }: Decision): boolean => decision === 'run';
  const runs = executionOrder(
    config,
    listed.filter(isRun).map(({ group }) => group),
  );
  return {
    at: now,
    decisions: [
      ...runs.map((name) => decisions.get(name) as Decision),
      ...listed.filter((decision) => !isRun(decision)),
    ],
    entries,
    observations,
  };
}

interface Context {
  readonly entries: ReadonlyMap<string, GroupState>;
  /** Of all groups that come earlier in topological order. */
  readonly decisions: ReadonlyMap<string, Decision>;
  readonly runningElsewhere: ReadonlySet<string>;
  readonly now: number;
}

function decideGroup(group: Group, due: Due, held: HeldLanes, context: Context): Decision {
  const next = due.kind === 'disabled' ? null : nextBeat(group.schedule, context.now);
  const common = { group: group.name, blockers: [], beat: null, missedBeats: 0, nextBeat: next };
  switch (due.kind) {
    case 'disabled':
      return { ...common, decision: 'disabled', reason: 'disabled' };
    case 'paused':
      return { ...common, decision: 'paused', reason: 'paused' };
    case 'wait':
      return { ...common, decision: 'wait', reason: due.reason };
  }
  const { beat, missedBeats } = due;
  if (held.has(group.lane)) return { ...common, beat, missedBeats, decision: 'wait', reason: 'lane-held' };
  if (due.kind === 'expire') return { ...common, beat, missedBeats, decision: 'expire', reason: 'too-late' };
  const blockers = findBlockers(group, context);
  const [first] = blockers;
  return first === undefined
    ? { ...common, beat, missedBeats, decision: 'run', reason: due.reason }
    : { ...common, beat, missedBeats, blockers, decision: 'skip', reason: first.reason };
}

/** The dependencies that hold a group back, as it lists them. */
function findBlockers(group: Group, context: Context): Blocker[] {
  return group.dependsOn.flatMap((dependency): Blocker[] => {
    const reason = findBlock(dependency, context);
    return reason === null ? [] : [{ group: dependency.group, reason }];
  });
}

/** Why a dependency holds its dependent back; null where it is satisfied: also where it runs first, or is disabled. */
function findBlock(dependency: Dependency, context: Context): SkipReason | null {
  const { decisions, entries, runningElsewhere, now } = context;
  const { decision, reason } = decisions.get(dependency.group) as Decision;
  if (decision === 'run' || decision === 'disabled') return null;
  if (decision === 'skip') return 'dependency-skipped';
  if (runningElsewhere.has(dependency.group)) return 'dependency-running';
  if (reason === 'lane-held') return 'dependency-skipped';
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
