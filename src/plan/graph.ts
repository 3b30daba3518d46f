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
  /** For each group, those that it depends on, as it lists them. */
  readonly dependencies: readonly (readonly number[])[];
  /** For each group, those that depend on it: over `dependsOn` alone. */
  readonly dependents: readonly (readonly number[])[];
}

/** Reads the edges out of a configuration whose names are all known and whose graph has no cycle. */
export function buildGraph(config: Pick<Config, 'groups'>): Graph {
  const { groups } = config;
  const indexOf = new Map(groups.map((group, index) => [group.name, index]));
  const followers: number[][] = groups.map(() => []);
  const dependents: number[][] = groups.map(() => []);
  const dependencies = groups.map(({ dependsOn }) => dependsOn.map((dependency) => place(indexOf, dependency.group)));
  // Of each group, the last that was found to follow it: it may be named twice.
  const last = new Int32Array(groups.length).fill(-1);
  const precedents = groups.map((group, index) => {
    let count = 0;
    const follow = (earlier: number): boolean => {
      if (last[earlier] === index) return false;
      last[earlier] = index;
      followers[earlier]?.push(index);
      count++;
      return true;
    };
    for (const earlier of dependencies[index] ?? []) if (follow(earlier)) dependents[earlier]?.push(index);
    for (const name of group.after) follow(place(indexOf, name));
    return count;
  });
  return { groups, indexOf, followers, precedents, dependencies, dependents };
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
export function executionOrder(graph: Graph, runs: Iterable<number>): number[] {
  const waiting = [...graph.precedents];
  const doesRun = new Uint8Array(graph.groups.length);
  for (const index of runs) doesRun[index] = 1;
  const free = new Heap(ranking(graph));
  const passing: number[] = [];
  const release = (index: number) => (doesRun[index] === 1 ? free.push(index) : passing.push(index));
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

function ranking(graph: Graph): Compare {
  const rank = Uint8Array.from(graph.groups, ({ priority }) => priorities.indexOf(priority));
  // Counted when it first matters: most ticks run one group, or several of which none is free beside another.
  let counts: Uint32Array | undefined;
  return (a, b) => {
    const difference = (rank[a] as number) - (rank[b] as number);
    if (difference !== 0) return difference;
    counts ??= countTransitiveDependents(graph);
    return (counts[b] as number) - (counts[a] as number) || a - b;
  };
}

/** So many words of 32 groups are looked at together: what a block takes, for 100,000 groups, is 13 MB. */
const blockWords = 32;
const blockSize = blockWords * 32;

/**
 * How many groups depend on each, directly or through others, over `dependsOn`.
 *
 * Sets of bits, a block of dependents at a time: which of them follow a group is what those that depend on it directly
 * are and have. To walk from each group to all that follow it would take minutes where there are 100,000.
 */
export function countTransitiveDependents(graph: Graph): Uint32Array {
  const size = graph.groups.length;
  const { order, from, targets } = sortDependents(graph);
  const counts = new Uint32Array(size);
  const words = Math.min(blockWords, (size + 31) >>> 5);
  const bits = new Uint32Array(size * words);
  // Of each group: whether none of the block follows it, some, or all. Most are none or all, and need no look at bits.
  const share = new Uint8Array(size);
  const [none, some, all] = [0, 1, 2];
  for (let start = 0; start < size; start += blockSize) {
    const end = Math.min(start + blockSize, size);
    // What comes after the block in the order can't have dependents in it.
    for (let place = end - 1; place >= 0; place--) {
      const row = place * words;
      let found = none;
      for (let edge = from[place] as number; edge < (from[place + 1] as number); edge++) {
        const target = targets[edge] as number;
        // Targets are sorted, so these are the rest.
        if (target >= end) break;
        if (share[target] === all) {
          found = all;
          break;
        }
        if (target < start && share[target] === none) continue;
        if (found === none) bits.fill(0, row, row + words);
        found = some;
        if (share[target] === some) {
          const other = target * words;
          for (let word = 0; word < words; word++) {
            bits[row + word] = (bits[row + word] as number) | (bits[other + word] as number);
          }
        }
        if (target >= start) {
          const column = target - start;
          const word = row + (column >>> 5);
          bits[word] = (bits[word] as number) | (1 << (column & 31));
        }
      }
      let count = found === all ? end - start : 0;
      if (found === some) {
        for (let word = row; word < row + words; word++) count += countBits(bits[word] as number);
      }
      share[place] = count === end - start ? all : found;
      counts[place] = (counts[place] as number) + count;
    }
  }
  const byIndex = new Uint32Array(size);
  for (let place = 0; place < size; place++) byIndex[order[place] as number] = counts[place] as number;
  return byIndex;
}

/** The edges to dependents by places in a topological order: those of `place` are from `from[place]` on, ascending. */
function sortDependents(graph: Graph): { order: readonly number[]; from: Uint32Array; targets: Uint32Array } {
  const order = topologicalOrder(graph);
  const placeOf = new Uint32Array(order.length);
  for (const [place, index] of order.entries()) placeOf[index] = place;
  const from = new Uint32Array(order.length + 1);
  for (const [place, index] of order.entries()) {
    from[place + 1] = (from[place] as number) + (graph.dependents[index]?.length ?? 0);
  }
  const targets = new Uint32Array(from[order.length] as number);
  for (const [place, index] of order.entries()) {
    const start = from[place] as number;
    for (const [at, dependent] of (graph.dependents[index] ?? []).entries()) {
      targets[start + at] = placeOf[dependent] as number;
    }
    targets.subarray(start, from[place + 1]).sort();
  }
  return { order, from, targets };
}

/** How many bits of a word are set (Hacker's Delight, 5-1). */
function countBits(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
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
