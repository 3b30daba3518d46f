import { formatPath, type Path } from './problems.ts';

/** Where things stand in what the user wrote. Only own properties count: a group may be called `constructor`. */
export interface Written {
  /** The path of a group: by its name, or by its place where the groups are a list. */
  readonly pathOf: (group: string) => Path;
  /** What stands at a path; undefined where nothing was written there. */
  readonly at: (path: Path) => unknown;
}

/** Makes a checked configuration, as it was written, answer where its parts stand. */
export function readWritten(value: unknown): Written {
  const at = (path: Path): unknown => {
    let found = value;
    for (const step of path) {
      if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
      found = (found as Record<PropertyKey, unknown>)[step];
    }
    return found;
  };
  const groups = at(['groups']);
  const places = Array.isArray(groups)
    ? new Map(groups.map((group: { readonly name: string }, index) => [group.name, index]))
    : null;
  return { pathOf: (group) => ['groups', places?.get(group) ?? group], at };
}

/** A path as messages name it, of a group's key and perhaps of a place in its list. */
export function formatKey(written: Written, group: string, ...steps: Path): string {
  return formatPath([...written.pathOf(group), ...steps]);
}
