import { type Config, type Group, priorities } from '../config/config.ts';
import { buildGraph, type GroupGraph } from '../config/group-graph.ts';

/**
 * The order in which the groups of a tick run: topological; among those that are ready the higher priority first, then
 * the one with more transitive dependents, then the configuration's order. A group that does not run passes its order on:
 * what comes after it comes after its predecessors.
 */
export function executionOrder({ groups }: Pick<Config, 'groups'>, runs: Iterable<string>): string[] {
  const graph = buildGraph(groups);
  const running = new Set(runs);
  const compare = ranking(groups, graph);
  const waiting = new Map(graph.names.map((name) => [name, graph.predecessors(name).length]));
  /** Sorted, the best last. */
  const ready: string[] = [];
  const order: string[] = [];
  const release = (names: readonly string[]): void => {
    const stack = [...names];
    for (let name = stack.pop(); name !== undefined; name = stack.pop()) {
      if (running.has(name)) insert(name, ready, compare);
      else stack.push(...finish(name));
    }
  };
  /** The groups that waited for this one alone. */
  const finish = (name: string): string[] =>
    graph.successors(name).filter((next) => {
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      return left === 0;
    });

  release(graph.names.filter((name) => waiting.get(name) === 0));
  for (let name = ready.pop(); name !== undefined; name = ready.pop()) {
    order.push(name);
    release(finish(name));
  }
  return order;
}

/** Below 0 where the first group runs before the second. */
type Compare = (one: string, other: string) => number;

function ranking(groups: readonly Group[], graph: GroupGraph): Compare {
  const ranks = new Map(
    groups.map(({ name, priority }, index) => [name, { index, priority: priorities.indexOf(priority) }]),
  );
  return (one, other) => {
    const [a, b] = [ranks.get(one), ranks.get(other)];
    if (a === undefined || b === undefined) throw new Error('a group that is not in the configuration');
    if (a.priority !== b.priority) return a.priority - b.priority;
    // Counted here, at the first tie: most ticks run one group, or several that are never ready at the same time.
    const counts = countTransitiveDependents(graph);
    return (counts.get(other) ?? 0) - (counts.get(one) ?? 0) || a.index - b.index;
  };
}

/** Puts a name where it belongs in a list that is sorted, the best last. */
function insert(name: string, ready: string[], compare: Compare): void {
  let low = 0;
  let high = ready.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(ready[middle] as string, name) > 0) low = middle + 1;
    else high = middle;
  }
  ready.splice(low, 0, name);
}

/** A forecast plans thousands of ticks on one graph. */
const counted = new WeakMap<GroupGraph, ReadonlyMap<string, number>>();

/**
 * How many groups depend on each, directly or through others, over `dependsOn`.
 *
 * Walking from each group to its dependents takes 40 s for 10,000 groups with five dependencies each. So 32 groups, one
 * bit each, are followed at a time from the last group to the first: that takes 0.2 s, and memory for one number a group.
 */
export function countTransitiveDependents(graph: GroupGraph): ReadonlyMap<string, number> {
  const known = counted.get(graph);
  if (known !== undefined) return known;
  const order = [...graph.sorted].reverse();
  const positions = new Map(order.map((name, index) => [name, index]));
  const dependents = order.map((name) => graph.dependents(name).map((dependent) => positions.get(dependent) as number));
  // A group follows itself.
  const counts = order.map(() => -1);
  const followers = new Int32Array(order.length);
  for (let start = 0; start < order.length; start += 32) {
    followers.fill(0);
    for (let position = start; position < order.length; position++) {
      let bits = position < start + 32 ? 1 << (position - start) : 0;
      for (const dependent of dependents[position] ?? []) bits |= followers[dependent] ?? 0;
      followers[position] = bits;
      counts[position] = (counts[position] ?? 0) + countBits(bits);
    }
  }
  const result = new Map(order.map((name, index) => [name, counts[index] ?? 0]));
  counted.set(graph, result);
  return result;
}

function countBits(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count++;
  return count;
}
