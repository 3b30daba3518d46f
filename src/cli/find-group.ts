import type { Config, Group } from '../config/config.ts';
import { suggest } from '../config/problems.ts';
import { UsageError } from '../errors.ts';

/** The group of that name; a UsageError that suggests the nearest name where there is none. */
export function findGroup(config: Config, name: string): Group {
  const group = config.groups.find((candidate) => candidate.name === name);
  if (group !== undefined) return group;
  const names = config.groups.map((candidate) => candidate.name);
  throw new UsageError(
    `there is no group ${JSON.stringify(name)}${suggest(name, names) || `; the groups are ${names.join(', ')}.`}`,
  );
}
