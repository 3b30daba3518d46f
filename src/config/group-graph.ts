import { alg, Graph } from 'graphlib';
import type { Group } from './config.ts';

/** How a group is tied to an earlier one: `dependsOn` can hold it back, `after` only orders. */
type EdgeKind = 'dependsOn' | 'after';

/** Which groups come before which; edges lead from the earlier group to the later one. */
export interface GroupGraph {
  /** In configuration order. */
  readonly names: readonly string[];
  readonly predecessors: (name: string) => readonly string[];
  readonly successors: (name: string) => readonly string[];
  /** The successors that depend on the group: those over `dependsOn`. */
  readonly dependents: (name: string) => readonly string[];
  /** Every group after its predecessors; groups on a cycle, or behind one, are missing. */
  readonly sorted: readonly string[];
  /** At most 100 cycles, which share no edge, see {@link findCycles}. */
  readonly findCycles: () => string[][];
}

type Linked = Pick<Group, 'name' | 'dependsOn' | 'after'>;
type Edges = Graph<string, string, EdgeKind>;

/** A forecast plans thousands of ticks with one configuration. */
const graphs = new WeakMap<readonly Linked[], GroupGraph>();

/** The graph of a configuration's groups. Names that no group has, and a group's own, make no edge. */
export function buildGraph(groups: readonly Linked[]): GroupGraph {
  const known = graphs.get(groups);
  if (known !== undefined) return known;
  const edges = readEdges(groups);
  const sorted = sortNodes(edges);
  const graph: GroupGraph = {
    names: edges.nodes().map(nameOf),
    predecessors: (name) => (edges.predecessors(nodeOf(name)) ?? []).map(nameOf),
    successors: (name) => (edges.successors(nodeOf(name)) ?? []).map(nameOf),
    dependents: (name) =>
      (edges.outEdges(nodeOf(name)) ?? []).filter((edge) => edges.edge(edge) === 'dependsOn').map(({ w }) => nameOf(w)),
    sorted: sorted.map(nameOf),
    findCycles: () => (sorted.length === groups.length ? [] : findCycles(edges).map((cycle) => cycle.map(nameOf))),
  };
  graphs.set(groups, graph);
  return graph;
}

/** graphlib keeps nodes as properties of plain objects: a name such as `__proto__` or `12` needs a prefix. */
const nodeOf = (name: string): string => `g:${name}`;
const nameOf = (node: string): string => node.slice(2);

function readEdges(groups: readonly Linked[]): Edges {
  const graph: Edges = new Graph();
  const nodes = new Map(groups.map(({ name }) => [name, nodeOf(name)]));
  for (const node of nodes.values()) graph.setNode(node);
  for (const { name, dependsOn, after } of groups) {
    const later = nodeOf(name);
    const connect = (other: string, kind: EdgeKind): void => {
      const earlier = nodes.get(other);
      // setEdge would create a node for an unknown name.
      if (earlier !== undefined && other !== name) graph.setEdge(earlier, later, kind);
    };
    for (const other of after) connect(other, 'after');
    // Last, because what is in both lists is a dependency.
    for (const { group } of dependsOn) connect(group, 'dependsOn');
  }
  return graph;
}

/**
 * Kahn's algorithm. `alg.topsort` recurses and overflows the stack at chains of 8,000 nodes, and `alg.findCycles` at
 * 3,000 (Node 20); chains of 10,000 groups are valid.
 */
function sortNodes(graph: Edges): string[] {
  const waiting = new Map(graph.nodes().map((node) => [node, graph.predecessors(node)?.length ?? 0]));
  const order = graph.sources();
  // The list grows while it is walked.
  for (const node of order) {
    for (const next of graph.successors(node) ?? []) {
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      if (left === 0) order.push(next);
    }
  }
  return order;
}

const mostCycles = 100;

/**
 * Finds the cycles of a graph, against its edges (`[a, b]`: a comes after b, and b after a), so that each is reported
 * once: one is found, its edges are removed, and so on until none is left. Each begins with its node that comes first in
 * the configuration.
 */
function findCycles(graph: Edges): string[][] {
  const positions = new Map(graph.nodes().map((node, index) => [node, index]));
  const positionOf = (node: string | undefined): number => positions.get(node ?? '') ?? 0;
  const cycles: string[][] = [];
  let left = selectUnsorted(graph);
  while (left.nodeCount() > 0 && cycles.length < mostCycles) {
    const cycle = findShortestCycle(findNodeOnCycle(left), left);
    const first = cycle.reduce((best, node, index) => (positionOf(node) < positionOf(cycle[best]) ? index : best), 0);
    const rotated = [...cycle.slice(first), ...cycle.slice(0, first)];
    cycles.push(rotated);
    for (const [index, later] of rotated.entries()) {
      left.removeEdge(rotated[(index + 1) % rotated.length] as string, later);
    }
    left = selectUnsorted(left);
  }
  return cycles.sort(([one], [other]) => positionOf(one) - positionOf(other));
}

/** The part of a graph that can't be sorted: each of its nodes has a predecessor in it. */
function selectUnsorted(graph: Edges): Edges {
  const sorted = new Set(sortNodes(graph));
  return graph.filterNodes((node) => !sorted.has(node));
}

/** Walks from predecessor to predecessor until it meets a node again. */
function findNodeOnCycle(graph: Edges): string {
  const seen = new Set<string>();
  let node = graph.nodes()[0] as string;
  while (!seen.has(node)) {
    seen.add(node);
    node = graph.predecessors(node)?.[0] as string;
  }
  return node;
}

/** A shortest cycle through a node: to the nearest of its successors, from predecessor to predecessor. */
function findShortestCycle(start: string, graph: Edges): string[] {
  const paths = alg.dijkstra(
    graph,
    start,
    () => 1,
    (node) => graph.inEdges(node) ?? [],
  );
  const distanceOf = (node: string): number => paths[node]?.distance ?? Number.POSITIVE_INFINITY;
  const [last] = (graph.successors(start) ?? []).sort((one, other) => distanceOf(one) - distanceOf(other));
  const cycle: string[] = [];
  for (let node = last; node !== undefined && node !== start; node = paths[node]?.predecessor) cycle.push(node);
  return [start, ...cycle.reverse()];
}
