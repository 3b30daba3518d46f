import { alg, Graph } from 'graphlib';

/** For each node, in order, the nodes that it waits for. */
export type Edges = ReadonlyMap<string, readonly string[]>;

/** More cycles than this help nobody; a graph that is one tangle would yield thousands. */
const mostCycles = 100;
/** graphlib keeps its nodes as properties of objects, where `constructor` means something already. */
const prefix = 'g:';

/**
 * Finds the cycles of a graph: a shortest one through the first node of each tangle, and, with its edges taken away,
 * those that are left, so that each is told once and none shares an edge with another. Each begins with its node that
 * comes first in `edges` and is not closed (`[a, b]` for `a → b → a`). At most 100 are returned.
 *
 * The tangles are found by ourselves: graphlib's search for them is recursive, and chains of 10,000 nodes are real. Only
 * what is tangled is given to the library, which takes seconds to store a large graph.
 */
export function findCycles(edges: Edges): string[][] {
  const order = new Map([...edges.keys()].map((node, index) => [node, index]));
  const stuck = findStuck(edges, order);
  if (stuck.length === 0) return [];
  const isStuck = new Set(stuck);
  const left = new Map(
    stuck.map((node) => [node, new Set(edges.get(node)?.filter((target) => isStuck.has(target)))] as const),
  );
  const placeOf = (node: string | undefined): number => order.get(node ?? '') ?? 0;
  const tangles = findTangles([...left.keys()], left);
  const graph = new Graph();
  for (const node of tangles.flat()) {
    for (const target of left.get(node) ?? []) graph.setEdge(prefix + node, prefix + target);
  }
  const cycles: string[][] = [];
  for (let tangle = tangles.pop(); tangle && cycles.length < mostCycles; tangle = tangles.pop()) {
    const start = tangle.reduce((first, node) => (placeOf(node) < placeOf(first) ? node : first));
    const cycle = findShortestCycle(start, graph);
    cycle.forEach((node, index) => {
      const target = cycle[(index + 1) % cycle.length] ?? start;
      left.get(node)?.delete(target);
      graph.removeEdge(prefix + node, prefix + target);
    });
    cycles.push(cycle);
    for (const rest of findTangles(tangle, left)) tangles.push(rest);
  }
  return cycles.sort((one, other) => placeOf(one[0]) - placeOf(other[0]));
}

/**
 * The nodes that a topological sort can't reach, for they wait for a cycle (Kahn's algorithm): none in nearly every
 * graph, which so is told in a fraction of the time that the search for tangles takes.
 */
function findStuck(edges: Edges, order: ReadonlyMap<string, number>): string[] {
  const nodes = [...edges.keys()];
  const waiting = new Uint32Array(nodes.length);
  const waiters: number[][] = nodes.map(() => []);
  let index = 0;
  for (const targets of edges.values()) {
    for (const target of targets) {
      const place = order.get(target);
      if (place === undefined) continue;
      waiting[index] = (waiting[index] as number) + 1;
      waiters[place]?.push(index);
    }
    index++;
  }
  const free = nodes.flatMap((_, place) => (waiting[place] === 0 ? [place] : []));
  for (let at = free.pop(); at !== undefined; at = free.pop()) {
    for (const waiter of waiters[at] ?? []) {
      waiting[waiter] = (waiting[waiter] as number) - 1;
      if (waiting[waiter] === 0) free.push(waiter);
    }
  }
  return nodes.filter((_, place) => waiting[place] !== 0);
}

type Targets = ReadonlyMap<string, ReadonlySet<string>>;

/** The strongly connected components among `nodes` that hold a cycle, by Tarjan's algorithm with a stack of our own. */
function findTangles(nodes: readonly string[], edges: Targets): string[][] {
  const among = new Set(nodes);
  const indexes = new Map<string, number>();
  const lows = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const tangles: string[][] = [];
  const lower = (node: string, low: number | undefined): void => {
    lows.set(node, Math.min(lows.get(node) ?? 0, low ?? 0));
  };
  for (const root of nodes) {
    if (indexes.has(root)) continue;
    const path: { node: string; targets: Iterator<string> }[] = [];
    const enter = (node: string): void => {
      lows.set(node, indexes.size);
      indexes.set(node, indexes.size);
      open.push(node);
      isOpen.add(node);
      path.push({ node, targets: (edges.get(node) ?? new Set<string>()).values() });
    };
    enter(root);
    for (let at = path.at(-1); at; at = path.at(-1)) {
      const next = at.targets.next();
      if (!next.done) {
        if (!among.has(next.value)) continue;
        if (!indexes.has(next.value)) enter(next.value);
        else if (isOpen.has(next.value)) lower(at.node, indexes.get(next.value));
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent) lower(parent.node, lows.get(at.node));
      if (lows.get(at.node) !== indexes.get(at.node)) continue;
      const component = open.splice(open.lastIndexOf(at.node));
      for (const node of component) isOpen.delete(node);
      if (component.length > 1 || edges.get(at.node)?.has(at.node)) tangles.push(component);
    }
  }
  return tangles;
}

/** A shortest cycle through a node that lies on one: from it to the nearest of those that lead back to it. */
function findShortestCycle(start: string, graph: Graph): string[] {
  const paths = alg.dijkstra(graph, prefix + start);
  const distanceOf = (node: string): number => paths[node]?.distance ?? Number.POSITIVE_INFINITY;
  const [last] = (graph.predecessors(prefix + start) ?? []).sort((one, other) => distanceOf(one) - distanceOf(other));
  const cycle: string[] = [];
  for (let at = last; at !== undefined && at !== prefix + start; at = paths[at]?.predecessor) cycle.push(at);
  return [start, ...cycle.reverse().map((node) => node.slice(prefix.length))];
}
