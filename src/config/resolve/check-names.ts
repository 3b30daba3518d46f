import type { Group } from '../config.ts';
import { buildGraph } from '../group-graph.ts';
import { describeValue, formatPath, type Path, type Report, suggest } from '../problems.ts';
import { isName, nameRule } from './rules.ts';
import { foldName } from './split-words.ts';

/** The name of a group, and the path of that group. */
export interface Named {
  readonly name: string;
  readonly path: Path;
}

/** A reference to a group: its name, and the path of that name. */
export type Reference = readonly [name: string, path: Path];

/** Checks that every group's name is well formed, unique, and distinct from the others as a file name. */
export function checkNames(entries: readonly Named[], report: Report): void {
  const seen = new Map<string, string>();
  for (const { name, path } of entries) {
    if (!isName(name))
      report({ path: formatPath(path), message: `${describeValue(name)} can't name a group: a name is ${nameRule}` });
    const other = seen.get(foldName(name));
    if (other === name)
      report({ path: formatPath(path), message: `another group is already called ${name}; give it another name` });
    else if (other !== undefined) {
      report({
        path: formatPath(path),
        message: `${name} and ${other} differ only in case, and not on every disk; rename one`,
      });
    }
    seen.set(foldName(name), name);
  }
}

/** Checks that the names of lanes, which have files as well, differ in more than case. */
export function checkLaneNames(
  groups: readonly { readonly lane: string }[],
  entries: readonly Named[],
  report: Report,
): void {
  const seen = new Map<string, string>();
  groups.forEach(({ lane }, index) => {
    const other = seen.get(foldName(lane));
    if (other !== undefined && other !== lane) {
      const path = formatPath([...(entries[index]?.path ?? []), 'lane']);
      report({
        path,
        message: `the lanes ${lane} and ${other} differ only in case, and not on every disk; rename one`,
      });
    }
    if (other === undefined) seen.set(foldName(lane), lane);
  });
}

/**
 * Checks that every name in `dependsOn` and `after` is that of another group, and that they form no cycle. In `dependsOn`
 * a name may occur once, because two dependencies might ask for different things; in `after` repeating one is harmless.
 */
export function checkReferences(
  groups: readonly Group[],
  references: ReadonlyMap<string, readonly Reference[]>,
  report: Report,
): void {
  const names = new Set(groups.map(({ name }) => name));
  for (const [name, others] of references) {
    const targets = new Map<string, Path>();
    for (const [other, path] of others) {
      const first = targets.get(other);
      if (other === name) report({ path: formatPath(path), message: `${name} can't wait for itself; remove it` });
      else if (!names.has(other))
        report({
          path: formatPath(path),
          message: `no group is called ${describeValue(other)}${suggestGroup(other, names)}`,
        });
      else if (first && first[2] === 'dependsOn' && path[2] === 'dependsOn')
        report({
          path: formatPath(path),
          message: `${other} is already named at ${formatPath(first)}; remove one of them`,
        });
      else targets.set(other, path);
    }
  }
  for (const cycle of buildGraph(groups).findCycles()) {
    const [first = '', second = first] = cycle;
    const path = references.get(first)?.find(([name]) => name === second)?.[1] ?? ['groups'];
    const circle = [...cycle, first].join(' → ');
    report({
      path: formatPath(path),
      message: `${circle}: each waits for the next, so none could ever run; take out one of these dependencies`,
    });
  }
}

function suggestGroup(name: string, names: ReadonlySet<string>): string {
  const hint = suggest(name, names);
  if (hint !== '') return hint;
  const some = [...names].slice(0, 10);
  return `; the groups are ${some.join(', ')}${names.size > some.length ? ', …' : ''}`;
}
