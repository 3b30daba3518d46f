import { type Config, type Group, priorities } from '../config/config.ts';
import { countEach, type Links, type Lists, linkGroups } from '../config/links.ts';

/** The dependency graph of a checked configuration, by the groups' places in it. */
export interface Graph extends Links {
  readonly groups: readonly Group[];
}

/** Reads the edges out of a configuration whose names are all known and whose graph has no cycle. */
export function buildGraph({ groups }: Pick<Config, 'groups'>): Graph {
  const links = linkGroups(groups);
  if (links === null) throw new Error('an unknown group in a configuration that was checked');
  if (links.order.length < groups.length) throw new Error('a cycle in a configuration that was checked');
  return { groups, ...links };
}

/**
 * The order in which the groups of a tick run: topological; among those that are free to go the higher priority first,
 * then the one with more transitive dependents, then the configuration's order. A group that does not run takes no place
 * but passes its order on.
 */
export function executionOrder(graph: Graph, runs: Iterable<number>): number[] {
  const { from, to } = graph.followers;
  const waiting = countEach(graph.precedents);
  const doesRun = new Uint8Array(graph.groups.length);
  for (const index of runs) doesRun[index] = 1;
  const free = new Heap(ranking(graph));
  const passing: number[] = [];
  const release = (index: number) => (doesRun[index] === 1 ? free.push(index) : passing.push(index));
  const pass = (index: number) => {
    for (let at = from[index] as number; at < (from[index + 1] as number); at++) {
      const follower = to[at] as number;
      const left = (waiting[follower] as number) - 1;
      waiting[follower] = left;
      if (left === 0) release(follower);
    }
  };

  for (let index = 0; index < waiting.length; index++) if (waiting[index] === 0) release(index);
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
  const { groups } = graph;
  const rank = new Uint8Array(groups.length);
  for (let index = 0; index < rank.length; index++) rank[index] = priorities.indexOf((groups[index] as Group).priority);
  // Counted when it first matters: most ticks run one group, or several of which none is free beside another.
  let counts: Uint32Array | undefined;
  return (a, b) => {
    const difference = (rank[a] as number) - (rank[b] as number);
    if (difference !== 0) return difference;
    counts ??= countTransitiveDependents(graph);
    return (counts[b] as number) - (counts[a] as number) || a - b;
  };
}

/** So many groups are looked at together: 32 pairs of words of 32 bits, so that one more word can say which are empty. */
const blockSize = 2_048;
const [empty, whole] = [-1, -2];

/**
 * How many groups depend on each, directly or through others, over `dependsOn`.
 *
 * Sets of bits, a block of dependents at a time: which of them follow a group is what those that depend on it directly
 * are and have. Most of these sets are empty, small or whole: so of each only the pairs of words that are not empty are
 * kept, one set close behind the other, for what takes the time is to fetch them from memory. To walk from each group to all that
 * follow it would take minutes where there are 100,000.
 */
export function countTransitiveDependents(graph: Graph): Uint32Array {
  const { order } = graph;
  const size = order.length;
  const { from, to } = sortDependents(graph);
  /** By places in the order, as all else here. */
  const counts = new Uint32Array(size);
  /** Of each set a word that says which of its pairs are not empty, and then these. */
  const kept = new Int32Array(size * 65);
  /** Where in there the set of each place begins, or that it is empty, or whole. */
  const starts = new Int32Array(size).fill(empty);
  const words = new Int32Array(64);
  for (let start = 0; start < size; start += blockSize) {
    const end = Math.min(start + blockSize, size);
    let top = 0;
    // What comes after the block in the order can't have dependents in it.
    for (let place = end - 1; place >= 0; place--) {
      let mask = 0;
      let isWhole = false;
      const last = from[place + 1] as number;
      for (let edge = from[place] as number; edge < last; edge++) {
        const target = to[edge] as number;
        // Targets ascend, so these are the rest.
        if (target >= end) break;
        const at = starts[target] as number;
        isWhole = at === whole;
        if (isWhole) break;
        if (target >= start) {
          const word = (target - start) >>> 5;
          const bit = 1 << ((target - start) & 31);
          // Where the target is known to follow, so is all that follows it.
          if (((words[word] as number) & bit) !== 0) continue;
          words[word] = (words[word] as number) | bit;
          mask |= 1 << (word >>> 1);
        }
        if (at === empty) continue;
        mask |= unite(words, kept, at);
      }
      if (mask === 0 && !isWhole) {
        starts[place] = empty;
        continue;
      }
      // Of what is whole as well, for that empties the words.
      const found = keepSet(words, mask, kept, top);
      const count = isWhole ? end - start : found;
      counts[place] = (counts[place] as number) + count;
      if (count === end - start) starts[place] = whole;
      else {
        starts[place] = top;
        top += 1 + 2 * countBits(mask, 0);
      }
    }
  }
  const ofGroups = new Uint32Array(size);
  for (let place = 0; place < size; place++) ofGroups[order[place] as number] = counts[place] as number;
  return ofGroups;
}

/*
 * Functions of their own, for V8 is done with compiling small ones long before a large one, which would spend most of the
 * count of 10,000 groups uncompiled.
 */

/** Adds the set that is kept at a place to `words`; returns which of its pairs are not empty. */
function unite(words: Int32Array, kept: Int32Array, start: number): number {
  const mask = kept[start] as number;
  let at = start + 1;
  if (mask === -1) {
    // Four at once: else V8 takes longer for the loop than for what is in it.
    for (let word = 0; word < 64; word += 4, at += 4) {
      words[word] = (words[word] as number) | (kept[at] as number);
      words[word + 1] = (words[word + 1] as number) | (kept[at + 1] as number);
      words[word + 2] = (words[word + 2] as number) | (kept[at + 2] as number);
      words[word + 3] = (words[word + 3] as number) | (kept[at + 3] as number);
    }
    return mask;
  }
  for (let rest = mask; rest !== 0; rest &= rest - 1, at += 2) {
    const word = 62 - 2 * Math.clz32(rest & -rest);
    words[word] = (words[word] as number) | (kept[at] as number);
    words[word + 1] = (words[word + 1] as number) | (kept[at + 1] as number);
  }
  return mask;
}

/** Moves a set from `words`, which are empty then, to a place where it is kept; returns how many are in it. */
function keepSet(words: Int32Array, mask: number, kept: Int32Array, start: number): number {
  let count = 0;
  kept[start] = mask;
  let at = start + 1;
  for (let rest = mask; rest !== 0; rest &= rest - 1, at += 2) {
    const word = 62 - 2 * Math.clz32(rest & -rest);
    const one = words[word] as number;
    const other = words[word + 1] as number;
    words[word] = 0;
    words[word + 1] = 0;
    kept[at] = one;
    kept[at + 1] = other;
    count += countBits(one, other);
  }
  return count;
}

/** Who depends on each, by places in a topological order, ascending. */
function sortDependents({ order, precedents, dependents, groups }: Graph): Lists {
  const size = order.length;
  const placeOf = new Int32Array(size);
  for (let place = 0; place < size; place++) placeOf[order[place] as number] = place;
  const from = new Int32Array(size + 1);
  for (let place = 0; place < size; place++) {
    const index = order[place] as number;
    const count = (dependents.from[index + 1] as number) - (dependents.from[index] as number);
    from[place + 1] = (from[place] as number) + count;
  }
  const free = from.slice();
  const to = new Int32Array(from[size] as number);
  for (let place = 0; place < size; place++) {
    const index = order[place] as number;
    const start = precedents.from[index] as number;
    const end = start + (groups[index] as Group).dependsOn.length;
    for (let at = start; at < end; at++) {
      const earlier = placeOf[precedents.to[at] as number] as number;
      const next = free[earlier] as number;
      to[next] = place;
      free[earlier] = next + 1;
    }
  }
  return { from, to };
}

/** How many bits of two words are set (Hacker's Delight, 5-1): as soon as their sums have room for it, both at once. */
function countBits(one: number, other: number): number {
  let bits = one - ((one >>> 1) & 0x55555555);
  let more = other - ((other >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  more = (more & 0x33333333) + ((more >>> 2) & 0x33333333);
  bits += more;
  bits = (bits & 0x0f0f0f0f) + ((bits >>> 4) & 0x0f0f0f0f);
  return Math.imul(bits, 0x01010101) >>> 24;
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
