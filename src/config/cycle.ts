/** For each node, in order, the nodes that it waits for. */
export type Edges = ReadonlyMap<string, readonly string[]>;

/** More cycles than this help nobody; a graph that is one tangle would yield thousands. */
const mostCycles = 100;

/**
 * Finds the cycles of a graph: a shortest one through the first node of each tangle, and, with its edges taken away,
 * those that are left, so that each is told once and none shares an edge with another. Each begins with its node that
 * comes first in `edges` and is not closed (`[a, b]` for `a → b → a`). At most 100 are returned. Iterative, because
 * chains of 10,000 nodes are real and the call stack ends before.
 */
export function findCycles(edges: Edges): string[][] {
  const order = new Map([...edges.keys()].map((node, index) => [node, index]));
  const left = new Map(
    [...edges].map(([node, targets]) => [node, new Set(targets.filter((target) => edges.has(target)))]),
  );
  const placeOf = (node: string | undefined): number => order.get(node ?? '') ?? 0;
  const tangles = findTangles([...left.keys()], left);
  const cycles: string[][] = [];
  for (let tangle = tangles.pop(); tangle && cycles.length < mostCycles; tangle = tangles.pop()) {
    const start = tangle.reduce((first, node) => (placeOf(node) < placeOf(first) ? node : first));
    const cycle = findShortestCycle(start, left);
    cycle.forEach((node, index) => {
      left.get(node)?.delete(cycle[(index + 1) % cycle.length] ?? start);
    });
    cycles.push(cycle);
    for (const rest of findTangles(tangle, left)) tangles.push(rest);
  }
  return cycles.sort((one, other) => placeOf(one[0]) - placeOf(other[0]));
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

/** A shortest cycle through a node that lies on one, breadth first. */
function findShortestCycle(start: string, edges: Targets): string[] {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const node of queue) {
    for (const target of edges.get(node) ?? []) {
      if (target === start) {
        const cycle = [node];
        for (let at = node; at !== start; ) {
          at = cameFrom.get(at) ?? start;
          cycle.push(at);
        }
        return cycle.reverse();
      }
      if (cameFrom.has(target)) continue;
      cameFrom.set(target, node);
      queue.push(target);
    }
  }
  return [start];
}
