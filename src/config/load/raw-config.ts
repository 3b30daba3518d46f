import { formatPath, type Path } from '../problems.ts';

/** Looks things up in what the user wrote. Only own properties count: a group may be called `constructor`. */
export interface RawConfig {
  /** The path of a group: by its name, or by its index where the groups are a list. */
  readonly pathOf: (group: string) => Path;
  /** The value at a path; undefined where there is none. */
  readonly at: (path: Path) => unknown;
}

/** Wraps what the user wrote, after it was checked. */
export function rawConfigOf(value: unknown): RawConfig {
  const at = (path: Path): unknown => {
    let found = value;
    for (const step of path) {
      if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
      found = (found as Record<PropertyKey, unknown>)[step];
    }
    return found;
  };
  const groups = at(['groups']);
  const indexes = Array.isArray(groups)
    ? new Map(groups.map((group: { readonly name: string }, index) => [group.name, index]))
    : null;
  return { pathOf: (group) => ['groups', indexes?.get(group) ?? group], at };
}

/** The path of a group's key, perhaps of an element of its list, as messages name it. */
export function formatKey(raw: RawConfig, group: string, ...steps: Path): string {
  return formatPath([...raw.pathOf(group), ...steps]);
}
