import { mainLane } from '../config/config.ts';
import { type Edge, edgesOf, type GraphNode, type Standing } from './graph-document.ts';
import { formatDistance } from './quantities.ts';
import { padTo, shorten } from './table.ts';

/** Gives a word the colour of what it stands for; the default leaves it plain. */
export type PaintStanding = (text: string, standing: Standing) => string;

export interface TreeSetting {
  /** Columns of the terminal; infinite where there is none. */
  readonly width: number;
  readonly now: number;
  readonly paint?: PaintStanding;
}

/** How deep a tree goes before it goes on at the left, whatever the room. */
const deepest = 24;
/** Columns that are left for a name, and for what is said of it. */
const room = 36;

interface Branch {
  readonly index: number;
  readonly edge: Edge | null;
  /** What stands before the branch: the lines of those further left. */
  readonly indent: string;
  readonly depth: number;
  readonly isLast: boolean;
}

/**
 * The dependency graph as a tree for terminals: what runs first at the left, and under each group those that come after
 * it. A group that comes after several stands in full where it is met first, and is only named elsewhere. What is too
 * deep for the terminal goes on at the left.
 */
export function renderTree(nodes: readonly GraphNode[], { width, now, paint = (text) => text }: TreeSetting): string {
  if (nodes.length === 0) return 'There are no groups.';
  const edges = edgesOf(nodes);
  const leading: Edge[][] = nodes.map(() => []);
  const precedents: Edge[][] = nodes.map(() => []);
  for (const edge of edges) {
    leading[edge.from]?.push(edge);
    precedents[edge.to]?.push(edge);
  }
  const limit = Number.isFinite(width) ? Math.max(3, Math.min(deepest, Math.floor((width - room) / 3))) : deepest;

  const rows: [name: string, facts: string][] = [];
  const met = new Set<number>();
  const roots = nodes.flatMap((_, index) => (precedents[index]?.length === 0 ? [index] : []));
  const sections = roots.map((index) => ({ index, isContinued: false }));
  for (let section = sections.shift(); section !== undefined; section = sections.shift()) {
    const further: { index: number; isContinued: boolean }[] = [];
    const stack: Branch[] = [{ index: section.index, edge: null, indent: '', depth: 0, isLast: true }];
    for (let branch = stack.pop(); branch !== undefined; branch = stack.pop()) {
      const { index, edge, indent, depth, isLast } = branch;
      const node = nodes[index] as GraphNode;
      const fork = edge === null ? '' : `${isLast ? '└' : '├'}${edge.kind === 'after' ? '╌' : '─'} `;
      const name = `${indent}${fork}${node.group}`;
      const condition = edge === null || edge.condition === '' ? [] : [edge.condition];
      const followers = leading[index] ?? [];
      const isDeep = depth >= limit && followers.length > 0;
      if (met.has(index) && !(edge === null && section.isContinued)) {
        rows.push(rowOf(name, ['(see above)', ...condition]));
        continue;
      }
      if (isDeep && !met.has(index)) further.push({ index, isContinued: true });
      met.add(index);
      const others = (precedents[index] ?? []).filter((other) => other.from !== edge?.from);
      rows.push(
        rowOf(name, [
          ...(edge === null && section.isContinued ? ['(continued)'] : []),
          ...(isDeep ? ['(goes on below)'] : []),
          ...(node.state ? [describeStanding(node, now, paint)] : []),
          ...(node.enabled ? [] : ['disabled']),
          node.schedule,
          ...(node.lane === mainLane ? [] : [`lane ${node.lane}`]),
          ...condition,
          ...describeOthers(others, nodes, edge !== null),
        ]),
      );
      if (isDeep) continue;
      const below = edge === null ? '' : `${indent}${isLast ? '   ' : '│  '}`;
      for (const [place, follower] of [...followers.entries()].reverse()) {
        const isLastOne = place === followers.length - 1;
        stack.push({ index: follower.to, edge: follower, indent: below, depth: depth + 1, isLast: isLastOne });
      }
    }
    sections.unshift(...further);
  }
  // One long name is not to push what is said of all the others off the terminal.
  const names = rows
    .map(([name = '']) => name.length)
    .filter((length) => length <= Math.max(24, Math.min(60, width * 0.55)));
  const column = Math.max(0, ...names);
  const lines = rows.map(([name = '', facts]) => shorten(`${padTo(name, column)}  ${facts}`, width));
  if (edges.some(({ kind }) => kind === 'after')) lines.push('', '─ dependsOn  ╌ after (only orders)');
  return lines.join('\n');
}

function rowOf(name: string, facts: readonly string[]): [name: string, facts: string] {
  return [name, facts.join(' · ')];
}

function describeStanding({ state }: GraphNode, now: number, paint: PaintStanding): string {
  if (state === undefined) return '';
  const { standing, finishedAt, paused } = state;
  const word = paint(standing === 'never-ran' ? 'never ran' : standing, standing);
  const age = finishedAt === null || standing === 'running' ? '' : ` ${formatDistance(Date.parse(finishedAt), now)}`;
  return `${word}${age}${paused ? ' · paused' : ''}`;
}

/** What else a group comes after than the one that it stands under. */
function describeOthers(others: readonly Edge[], nodes: readonly GraphNode[], isBranch: boolean): string[] {
  const name = ({ from, condition }: Edge) => `${nodes[from]?.group}${condition === '' ? '' : ` (${condition})`}`;
  const also = isBranch ? 'also ' : '';
  const needed = others.filter(({ kind }) => kind === 'dependsOn').map(name);
  const ordered = others.filter(({ kind }) => kind === 'after').map(name);
  return [
    ...(needed.length === 0 ? [] : [`${also}depends on ${needed.join(', ')}`]),
    ...(ordered.length === 0 ? [] : [`${also}after ${ordered.join(', ')}`]),
  ];
}
