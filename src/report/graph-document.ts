import type { Config, Dependency, Group } from '../config/config.ts';
import { buildGraph } from '../config/group-graph.ts';
import { describeSchedule } from '../schedule/describe.ts';
import { formatDuration } from '../schedule/duration.ts';
import { entryOf, type Outcome, type State } from '../state/state-schema.ts';

/** How a group stands: how its last run ended, that one is in progress, or that there was none. */
export type Standing = Outcome | 'running' | 'never-ran';

export const standings: readonly Standing[] = [
  'succeeded',
  'failed',
  'timed-out',
  'interrupted',
  'running',
  'never-ran',
];

/** `graph --json`, as others rely on it. */
export interface GraphDocument {
  readonly schemaVersion: 1;
  /** In the order of the configuration. */
  readonly groups: readonly GraphNode[];
}

export interface GraphNode {
  readonly group: string;
  readonly description: string | null;
  /** In words: `every 10m`, `daily at 03:00 (UTC)`. */
  readonly schedule: string;
  readonly enabled: boolean;
  readonly lane: string;
  /** The groups that must have ended as `when` asks; `withinMs` is how long ago at most, null: however long. */
  readonly dependsOn: readonly {
    readonly group: string;
    readonly when: Dependency['when'];
    readonly withinMs: number | null;
  }[];
  /** The groups that only go first. */
  readonly after: readonly string[];
  /** Only where it was asked for. */
  readonly state?: {
    readonly standing: Standing;
    /** When its last run ended, ISO 8601. */
    readonly finishedAt: string | null;
    readonly paused: boolean;
    readonly consecutiveFailures: number;
  };
}

/** What is known of the runs, where a graph is to show it. */
export interface GraphState {
  readonly state: State;
  /** The groups whose run is in progress under a living tick. */
  readonly running: ReadonlySet<string>;
}

/** Puts the dependency graph into the shape that others rely on. */
export function documentGraph(config: Pick<Config, 'groups'>, seen: GraphState | null): GraphDocument {
  return { schemaVersion: 1, groups: config.groups.map((group) => documentNode(group, seen)) };
}

function documentNode(group: Group, seen: GraphState | null): GraphNode {
  const node = {
    group: group.name,
    description: group.description,
    schedule: describeSchedule(group.schedule),
    enabled: group.enabled,
    lane: group.lane,
    dependsOn: group.dependsOn.map(({ group: name, when, within }) => ({ group: name, when, withinMs: within })),
    after: group.after,
  };
  if (seen === null) return node;
  const entry = entryOf(seen.state, group.name);
  return {
    ...node,
    state: {
      standing: seen.running.has(group.name) ? 'running' : (entry?.lastRun?.outcome ?? 'never-ran'),
      finishedAt: entry?.lastRun?.finishedAt ?? null,
      paused: entry?.pausedAt != null,
      consecutiveFailures: entry?.consecutiveFailures ?? 0,
    },
  };
}

/**
 * The groups of a configuration that are named, with all that they come after and all that comes after them, in the
 * configuration's order; everything where none is named. An edge to what is not shown does not occur among them.
 */
export function selectAround(groups: readonly Group[], names: readonly string[]): readonly Group[] {
  if (names.length === 0) return groups;
  const { predecessors, successors } = buildGraph(groups);
  const walk = (step: (name: string) => readonly string[]): Set<string> => {
    const seen = new Set(names);
    // The set grows while it is walked.
    for (const name of seen) for (const next of step(name)) seen.add(next);
    return seen;
  };
  const kept = new Set([...walk(predecessors), ...walk(successors)]);
  // What a group comes after may be none of those around the one that was named.
  return groups
    .filter(({ name }) => kept.has(name))
    .map((group) => ({
      ...group,
      dependsOn: group.dependsOn.filter(({ group: other }) => kept.has(other)),
      after: group.after.filter((other) => kept.has(other)),
    }));
}

/** An edge of the graph, in the direction in which groups run. */
export interface Edge {
  readonly from: number;
  readonly to: number;
  /** `after` only orders. */
  readonly kind: 'dependsOn' | 'after';
  /** What a dependency asks for beyond success, in a few words; empty for nothing more. */
  readonly condition: string;
}

/** The edges between nodes, by their places: each pair once, for what is in both lists is a dependency. */
export function edgesOf(nodes: readonly GraphNode[]): Edge[] {
  const places = new Map(nodes.map(({ group }, index) => [group, index]));
  return nodes.flatMap(({ dependsOn, after }, to) => {
    const needed = new Set(dependsOn.map(({ group }) => group));
    const orders = [...new Set(after)].filter((name) => !needed.has(name));
    const edge = (name: string, kind: Edge['kind'], condition: string): Edge[] => {
      const from = places.get(name);
      return from === undefined ? [] : [{ from, to, kind, condition }];
    };
    return [
      ...dependsOn.flatMap((dependency) => edge(dependency.group, 'dependsOn', describeCondition(dependency))),
      ...orders.flatMap((name) => edge(name, 'after', '')),
    ];
  });
}

function describeCondition({ when, withinMs }: GraphNode['dependsOn'][number]): string {
  const parts = [when === 'finished' ? 'finished' : '', withinMs === null ? '' : `within ${formatDuration(withinMs)}`];
  return parts.filter((part) => part !== '').join(', ');
}
