import type { Priority } from '../../config/config.ts';
import type { Entry } from '../entry.ts';
import { modulo, phaseOf, type Rhythm } from '../rhythm.ts';
import { makeFree, nameGroup } from './group-names.ts';
import { type Proposal, proposeDependencies } from './infer-dependencies.ts';

/** Entries that belong together become groups: of one rhythm, in the order in which they used to start. Pure. */

export interface Member {
  readonly entry: Entry;
  /** How long after the group's beat it used to start, ms. */
  readonly shift: number;
}

export interface ImportGroup {
  readonly name: string;
  readonly rhythm: Rhythm;
  /** The shortest time between two beats, ms. */
  readonly period: number;
  readonly members: readonly Member[];
  readonly lane: string | null;
  readonly catchesUp: boolean;
  readonly priority: Priority;
  readonly enabled: boolean;
  readonly retryAfter: readonly string[];
  readonly stopsAtFailure: boolean;
  readonly dependsOn: readonly string[];
  readonly after: readonly string[];
  /** Why what stands in dependsOn and after, and in onScriptFailure, stands there. */
  readonly reasons: readonly string[];
  /** What could be said besides, and why. */
  readonly proposals: readonly string[];
}

export interface Grouping {
  readonly groups: readonly ImportGroup[];
  readonly proposals: readonly Proposal[];
  /** Orderings that had to be left out, for people. */
  readonly dropped: readonly string[];
}

const minute = 60_000;
const hour = 60 * minute;
/** Starts this close to each other were staggered; further apart they were meant for different times of day. */
const longestStep = 30 * minute;
const longestSpan = 2 * hour;

/**
 * Groups entries. `applies` says whether proposed dependencies are put into effect; `isTaken` whether a name is in use
 * already.
 */
export function groupEntries(
  entries: readonly Entry[],
  { applies, isTaken = () => false }: { readonly applies: boolean; readonly isTaken?: (name: string) => boolean },
): Grouping {
  const proposals = proposeDependencies(entries);
  const depths = depthsOf(entries);
  const rows = new Map<string, Entry[]>();
  for (const entry of entries) {
    const key = JSON.stringify([
      phaseOf(entry.rhythm).key,
      entry.lane,
      entry.catchesUp,
      entry.enabled,
      entry.retryAfter,
      entry.stopsAtFailure ? entry.id : '',
      depths.get(entry) ?? 0,
    ]);
    rows.set(key, [...(rows.get(key) ?? []), entry]);
  }
  const clusters = [...rows.values()]
    .flatMap(cluster)
    .flatMap((members) => (applies ? splitByProposals(members, proposals) : [members]))
    .sort((a, b) => orderOf(a) - orderOf(b));

  const names = new Set<string>();
  const drafts = clusters.map((members) => {
    const own = members.map(({ entry }) => entry);
    const wanted = nameGroup(
      own,
      entries.filter((entry) => !own.includes(entry)),
    );
    const name = makeFree(wanted, own[0], (one) => isTaken(one) || names.has(one.toLowerCase()));
    names.add(name.toLowerCase());
    return { name, members: orderMembers(members) };
  });
  const nameOf = new Map(drafts.flatMap(({ name, members }) => members.map(({ entry }) => [entry, name] as const)));
  const edges = new Edges();
  const dropped: string[] = [];
  const connect = (kind: 'dependsOn' | 'after', from: Entry, to: Entry, reason: string) => {
    const [source, target] = [nameOf.get(from), nameOf.get(to)];
    if (source === undefined || target === undefined || source === target) return;
    if (!edges.add(kind, target, source, reason))
      dropped.push(`${target} after ${source} would close a circle: ${reason}`);
  };
  const named = new Map<string, Entry[]>();
  for (const entry of entries) named.set(entry.origin.name, [...(named.get(entry.origin.name) ?? []), entry]);
  for (const to of entries) {
    for (const name of to.requires) {
      for (const from of named.get(name) ?? []) connect('dependsOn', from, to, `${to.origin.name} requires ${name}`);
    }
  }
  for (const to of entries) {
    for (const name of to.follows) {
      for (const from of named.get(name) ?? []) connect('after', from, to, `${to.origin.name} comes after ${name}`);
    }
  }
  if (applies) for (const { from, to, evidence } of proposals) connect('dependsOn', from, to, evidence);

  const groups = drafts.map(({ name, members }): ImportGroup => {
    // Wherever it stands: the group has the rhythm of the member that used to start first.
    const first = members.find(({ shift }) => shift === 0) ?? (members[0] as Member);
    const inside = proposals.filter(({ from, to }) => nameOf.get(from) === name && nameOf.get(to) === name);
    const across = proposals.filter(({ from, to }) => nameOf.get(to) === name && nameOf.get(from) !== name);
    const isChain = applies && inside.length > 0;
    const said = new Set(edges.list('dependsOn', name));
    return {
      name,
      rhythm: first.entry.rhythm,
      period: phaseOf(first.entry.rhythm).period,
      members,
      lane: first.entry.lane,
      catchesUp: first.entry.catchesUp,
      priority: priorityOf(members),
      enabled: first.entry.enabled,
      retryAfter: first.entry.retryAfter,
      stopsAtFailure: first.entry.stopsAtFailure || isChain,
      dependsOn: edges.list('dependsOn', name),
      after: edges.list('after', name).filter((other) => !said.has(other)),
      reasons: [...edges.reasons(name), ...(isChain ? inside.map(({ evidence }) => evidence) : [])],
      proposals: applies
        ? []
        : [
            ...across.map(({ from, evidence }) => `dependsOn: ['${nameOf.get(from)}'], for ${evidence}`),
            ...inside.map(({ evidence }) => `onScriptFailure: 'stop', for ${evidence}`),
          ].filter((text) => ![...said].some((other) => text.startsWith(`dependsOn: ['${other}']`))),
    };
  });
  return { groups: sortTopologically(groups), proposals, dropped };
}

/** Short rhythms first: what others wait for is mostly there. */
function orderOf(members: readonly Member[]): number {
  const [first] = members;
  return first === undefined ? 0 : phaseOf(first.entry.rhythm).period;
}

/** Cuts entries of one rhythm where too much time passes between their starts. */
function cluster(entries: readonly Entry[]): Member[][] {
  const phases = entries.map((entry) => ({ entry, ...phaseOf(entry.rhythm) }));
  phases.sort((a, b) => a.start - b.start);
  const [first] = phases;
  if (first === undefined) return [];
  const isGrid = first.entry.rhythm.kind === 'interval';
  const { cycle } = first;
  if (isGrid) turnToWidestGap(phases, cycle);
  const clusters: Member[][] = [];
  let base = first.start;
  let last = Number.NEGATIVE_INFINITY;
  for (const { entry, start } of phases) {
    const sinceLast = isGrid && last !== Number.NEGATIVE_INFINITY ? modulo(start - last, cycle) : start - last;
    const sinceBase = isGrid ? modulo(start - base, cycle) : start - base;
    const open = clusters.at(-1);
    const belongs = isGrid && cycle <= hour ? true : sinceLast <= longestStep && sinceBase <= longestSpan;
    if (open === undefined || !belongs) {
      clusters.push([{ entry, shift: 0 }]);
      base = start;
    } else open.push({ entry, shift: sinceBase });
    last = start;
  }
  return clusters;
}

/** A grid has no first beat: it begins behind the widest gap. */
function turnToWidestGap(phases: { readonly start: number }[], cycle: number): void {
  let widest = 0;
  let at = 0;
  for (const [index, { start }] of phases.entries()) {
    const before = phases.at(index - 1)?.start ?? start;
    const gap = index === 0 ? start - before + cycle : start - before;
    if (gap > widest) [widest, at] = [gap, index];
  }
  phases.push(...phases.splice(0, at));
}

/** Where proposals hold for some members only, those become a group of their own. */
function splitByProposals(members: readonly Member[], proposals: readonly Proposal[]): Member[][] {
  const parent = new Map(members.map(({ entry }) => [entry, entry]));
  const rootOf = (entry: Entry): Entry => {
    let root = entry;
    for (let up = parent.get(root); up !== undefined && up !== root; up = parent.get(root)) root = up;
    return root;
  };
  for (const { from, to } of proposals) {
    if (parent.has(from) && parent.has(to)) parent.set(rootOf(to), rootOf(from));
  }
  const parts = new Map<Entry, Member[]>();
  for (const member of members) {
    const root = rootOf(member.entry);
    parts.set(root, [...(parts.get(root) ?? []), member]);
  }
  const alone = [...parts.values()].filter((part) => part.length === 1).flat();
  const chains = [...parts.values()].filter((part) => part.length > 1);
  return [...chains, ...(alone.length > 0 ? [alone] : [])].map((part) => {
    const least = Math.min(...part.map(({ shift }) => shift));
    return part.map(({ entry, shift }) => ({ entry, shift: shift - least }));
  });
}

/** By start; what comes after another that starts at the same time stands behind it. */
function orderMembers(members: readonly Member[]): Member[] {
  const left = members
    .map((member, index) => ({ ...member, index }))
    .sort((a, b) => a.shift - b.shift || a.index - b.index);
  const ordered: Member[] = [];
  while (left.length > 0) {
    const names = new Set(left.map(({ entry }) => entry.origin.name).filter((name) => name !== ''));
    const free = left.findIndex(
      ({ entry }) => !entry.follows.some((name) => name !== entry.origin.name && names.has(name)),
    );
    const [next] = left.splice(Math.max(0, free), 1);
    if (next !== undefined) ordered.push({ entry: next.entry, shift: next.shift });
  }
  return ordered;
}

/** How deep an entry lies in what requires what, so that neither shares a group with the other. */
function depthsOf(entries: readonly Entry[]): Map<Entry, number> {
  const depths = new Map<Entry, number>();
  const named = new Map<string, Entry[]>();
  for (const entry of entries) named.set(entry.origin.name, [...(named.get(entry.origin.name) ?? []), entry]);
  for (let round = 0, changed = true; changed && round < Math.min(entries.length, 50); round += 1) {
    changed = false;
    for (const entry of entries) {
      const before = entry.requires.flatMap((name) => named.get(name) ?? []).filter((other) => other !== entry);
      const depth = before.length === 0 ? 0 : 1 + Math.max(...before.map((other) => depths.get(other) ?? 0));
      if (depth !== (depths.get(entry) ?? 0)) {
        depths.set(entry, depth);
        changed = true;
      }
    }
  }
  return depths;
}

function priorityOf(members: readonly Member[]): Priority {
  const found = new Set(members.map(({ entry }) => entry.priority));
  const [only = 'normal'] = found;
  return found.size === 1 ? only : found.has('high') ? 'high' : 'normal';
}

/** Which group waits for which, without circles. */
class Edges {
  readonly #edges: { kind: 'dependsOn' | 'after'; from: string; to: string; reason: string }[] = [];

  /** False where it would close a circle. */
  add(kind: 'dependsOn' | 'after', from: string, to: string, reason: string): boolean {
    const reached = new Set([to]);
    for (const name of reached) for (const edge of this.#edges) if (edge.from === name) reached.add(edge.to);
    if (reached.has(from)) return false;
    this.#edges.push({ kind, from, to, reason });
    return true;
  }

  list(kind: 'dependsOn' | 'after', from: string): string[] {
    return [...new Set(this.#edges.filter((edge) => edge.kind === kind && edge.from === from).map(({ to }) => to))];
  }

  reasons(from: string): string[] {
    return [...new Set(this.#edges.filter((edge) => edge.from === from).map(({ reason }) => reason))];
  }
}

/** In the file a group stands below those that it names. */
function sortTopologically(groups: readonly ImportGroup[]): ImportGroup[] {
  const left = [...groups];
  const sorted: ImportGroup[] = [];
  const placed = new Set<string>();
  while (left.length > 0) {
    const free = left.findIndex(({ dependsOn, after }) => [...dependsOn, ...after].every((name) => placed.has(name)));
    const [next] = left.splice(Math.max(0, free), 1);
    if (next !== undefined) {
      sorted.push(next);
      placed.add(next.name);
    }
  }
  return sorted;
}
