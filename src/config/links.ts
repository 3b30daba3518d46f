import type { Group } from './config.ts';

/** What a list of links is made from. */
type Linked = Pick<Group, 'name' | 'dependsOn' | 'after'>;

/**
 * Which groups come after which, by their places in the configuration. Plain arrays of numbers: in the time that a
 * general graph library takes to store 100,000 groups they are planned, and no chain is too long for the stack.
 */
export interface Links {
  readonly indexOf: ReadonlyMap<string, number>;
  /** For each group, those that it comes after: what it depends on, as it lists them, then what its `after` names. */
  readonly precedents: Lists;
  /** For each group, those that come after it, ascending: over `dependsOn` and `after`. */
  readonly followers: Lists;
  /** For each group, those that depend on it, ascending: over `dependsOn` alone. */
  readonly dependents: Lists;
  /**
   * Every group after those that it comes after, otherwise in configuration order; what waits for a cycle is missing
   * (Kahn's algorithm).
   */
  readonly order: Int32Array;
  /** Whether each group is written after those that it comes after, so that the configuration's order would do as well. */
  readonly isSorted: boolean;
}

/** Lists of places, one behind the other: that of `index` lies in `to`, from `from[index]` to before `from[index + 1]`. */
export interface Lists {
  readonly from: Int32Array;
  readonly to: Int32Array;
}

/** The places of groups by their names, and of those that groups name, in the order of `precedents`; -1 for unknown ones. */
export interface Places {
  readonly indexOf: ReadonlyMap<string, number>;
  readonly named: readonly number[];
}

const found = new WeakMap<readonly Linked[], Links | null>();

/**
 * Links groups by the names that they give; null where a name is unknown or two groups share one. A list of groups,
 * which nothing changes, is looked at once.
 *
 * @param places what the names stand for, where that is known already
 */
export function linkGroups(groups: readonly Linked[], places?: Places): Links | null {
  let links = found.get(groups);
  if (links === undefined) {
    links = findLinks(groups, places ?? findPlaces(groups));
    found.set(groups, links);
  }
  return links;
}

function findPlaces(groups: readonly Linked[]): Places {
  const indexOf = new Map<string, number>();
  for (const [index, { name }] of groups.entries()) indexOf.set(name, index);
  const named: number[] = [];
  for (const { dependsOn, after } of groups) {
    for (const { group } of dependsOn) named.push(indexOf.get(group) ?? -1);
    for (const name of after) named.push(indexOf.get(name) ?? -1);
  }
  return { indexOf, named };
}

function findLinks(groups: readonly Linked[], { indexOf, named }: Places): Links | null {
  const size = groups.length;
  if (indexOf.size < size || named.includes(-1)) return null;
  const from = new Int32Array(size + 1);
  /** Where in its list a group's dependencies end. */
  const middle = new Int32Array(size);
  let hasAfter = false;
  for (let index = 0; index < size; index++) {
    const { dependsOn, after } = groups[index] as Linked;
    middle[index] = (from[index] as number) + dependsOn.length;
    from[index + 1] = (middle[index] as number) + after.length;
    hasAfter ||= after.length > 0;
  }
  const precedents = { from, to: Int32Array.from(named) };
  const followers = reverse(precedents, from.subarray(1));
  const dependents = hasAfter ? reverse(precedents, middle) : followers;
  return {
    indexOf,
    precedents,
    followers,
    dependents,
    order: sortGroups(precedents, followers),
    isSorted: isSorted(precedents),
  };
}

/** The same links seen from their other ends; of each list what lies before its end. */
function reverse({ from, to }: Lists, ends: Int32Array): Lists {
  const size = ends.length;
  const starts = new Int32Array(size + 1);
  for (let index = 0; index < size; index++) {
    for (let at = from[index] as number; at < (ends[index] as number); at++) {
      const next = (to[at] as number) + 1;
      starts[next] = (starts[next] as number) + 1;
    }
  }
  for (let index = 0; index < size; index++) {
    starts[index + 1] = (starts[index + 1] as number) + (starts[index] as number);
  }
  const free = starts.slice(0, size);
  const back = new Int32Array(starts[size] as number);
  for (let index = 0; index < size; index++) {
    for (let at = from[index] as number; at < (ends[index] as number); at++) {
      const target = to[at] as number;
      back[free[target] as number] = index;
      free[target] = (free[target] as number) + 1;
    }
  }
  return { from: starts, to: back };
}

function sortGroups(precedents: Lists, followers: Lists): Int32Array {
  const waiting = countEach(precedents);
  const order = new Int32Array(waiting.length);
  let known = 0;
  for (let index = 0; index < waiting.length; index++) if (waiting[index] === 0) order[known++] = index;
  for (let done = 0; done < known; done++) {
    const index = order[done] as number;
    for (let at = followers.from[index] as number; at < (followers.from[index + 1] as number); at++) {
      const follower = followers.to[at] as number;
      const left = (waiting[follower] as number) - 1;
      waiting[follower] = left;
      if (left === 0) order[known++] = follower;
    }
  }
  return order.subarray(0, known);
}

function isSorted({ from, to }: Lists): boolean {
  for (let index = 0; index + 1 < from.length; index++) {
    const end = from[index + 1] as number;
    for (let at = from[index] as number; at < end; at++) if ((to[at] as number) >= index) return false;
  }
  return true;
}

/** How long each list is. */
export function countEach({ from }: Lists): Int32Array {
  const counts = new Int32Array(from.length - 1);
  for (let index = 0; index < counts.length; index++) {
    counts[index] = (from[index + 1] as number) - (from[index] as number);
  }
  return counts;
}
