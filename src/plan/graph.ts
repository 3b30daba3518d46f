import { type Config, type Group, priorities } from '../config/config.ts';

/**
 * The dependency graph of a checked configuration, by the groups' places in it. Plain arrays and loops: a graph of
 * 100,000 groups is planned in the time that a general graph library takes to store it, and no chain is too long for the
 * stack.
 */
export interface Graph {
  readonly groups: readonly Group[];
  readonly indexOf: ReadonlyMap<string, number>;
  /** For each group, those that come after it: over `dependsOn` and `after`. */
  readonly followers: readonly (readonly number[])[];
  /** For each group, how many it comes after. */
  readonly precedents: readonly number[];
  /** For each group, those that depend on it: over `dependsOn` alone. */
  readonly dependents: readonly (readonly number[])[];
}

/** Reads the edges out of a configuration whose names are all known and whose graph has no cycle. */
export function buildGraph(config: Pick<Config, 'groups'>): Graph {
  const { groups } = config;
  const indexOf = new Map(groups.map((group, index) => [group.name, index]));
  const followers: number[][] = groups.map(() => []);
  const dependents: number[][] = groups.map(() => []);
  const precedents = groups.map((group, index) => {
    const before = new Set<number>();
    for (const dependency of group.dependsOn) before.add(place(indexOf, dependency.group));
    for (const earlier of before) dependents[earlier]?.push(index);
    for (const name of group.after) before.add(place(indexOf, name));
    for (const earlier of before) followers[earlier]?.push(index);
    return before.size;
  });
  return { groups, indexOf, followers, precedents, dependents };
}

function place(indexOf: ReadonlyMap<string, number>, name: string): number {
  const index = indexOf.get(name);
  if (index === undefined) throw new Error(`unknown group ${name} in a configuration that was checked`);
  return index;
}

/** All groups so that each comes after what it depends on, otherwise in configuration order (Kahn's algorithm). */
export function topologicalOrder(graph: Graph): number[] {
  const waiting = [...graph.precedents];
  const order = waiting.flatMap((count, index) => (count === 0 ? [index] : []));
  for (let done = 0; done < order.length; done++) {
    for (const follower of graph.followers[order[done] as number] ?? []) {
      waiting[follower] = (waiting[follower] ?? 0) - 1;
      if (waiting[follower] === 0) order.push(follower);
    }
  }
  if (order.length !== graph.groups.length) throw new Error('a cycle in a configuration that was checked');
  return order;
}

/**
 * The order in which the groups of a tick run: topological; among those that are free to go the higher priority first,
 * then the one with more transitive dependents, then the configuration's order. A group that does not run takes no place
 * but passes its order on.
 */
export function executionOrder(graph: Graph, runs: ReadonlySet<number>): number[] {
  const waiting = [...graph.precedents];
  const free = new Heap(ranking(graph, runs));
  const passing: number[] = [];
  const release = (index: number) => (runs.has(index) ? free.push(index) : passing.push(index));
  const pass = (index: number) => {
    for (const follower of graph.followers[index] ?? []) {
      waiting[follower] = (waiting[follower] ?? 0) - 1;
      if (waiting[follower] === 0) release(follower);
    }
  };

  for (const [index, count] of graph.precedents.entries()) if (count === 0) release(index);
  const order: number[] = [];
  for (;;) {
    const passer = passing.pop();
    if (passer !== undefined) {
      pass(passer);
      continue;
    }
    const next = free.pop();
    if (next === undefined) return order;
    order.push(next);
    pass(next);
  }
}

type Compare = (a: number, b: number) => number;

function ranking(graph: Graph, runs: ReadonlySet<number>): Compare {
  const priority = new Map([...runs].map((index) => [index, priorities.indexOf(groupAt(graph, index).priority)]));
  const counts = countTransitiveDependents(graph, runs);
  return (a, b) =>
    (priority.get(a) ?? 0) - (priority.get(b) ?? 0) || (counts.get(b) ?? 0) - (counts.get(a) ?? 0) || a - b;
}

function groupAt(graph: Graph, index: number): Group {
  return graph.groups[index] as Group;
}

/** How many groups depend on each of these, directly or through others, over `dependsOn`. */
export function countTransitiveDependents(graph: Graph, of: Iterable<number>): Map<number, number> {
  const seenBy = new Int32Array(graph.groups.length).fill(-1);
  const counts = new Map<number, number>();
  for (const start of of) {
    const stack = [start];
    let count = 0;
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      for (const dependent of graph.dependents[index] ?? []) {
        if (seenBy[dependent] === start) continue;
        seenBy[dependent] = start;
        count++;
        stack.push(dependent);
      }
    }
    counts.set(start, count);
  }
  return counts;
}

/** A binary heap: the smallest by `compare` comes out first. */
class Heap {
  readonly #items: number[] = [];
  readonly #compare: Compare;

  constructor(compare: Compare) {
    this.#compare = compare;
  }

  push(item: number): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#compare(items[parent] as number, item) <= 0) break;
      items[at] = items[parent] as number;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#compare(items[child + 1] as number, items[child] as number) < 0) child++;
      if (this.#compare(last, items[child] as number) <= 0) break;
      items[at] = items[child] as number;
      at = child;
    }
    items[at] = last;
    return top;
  }
}
