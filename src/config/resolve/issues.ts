import type * as z from 'zod';
import { describeValue, formatPath, joinWords, type Path, type Report, suggest } from '../problems.ts';

type Issue = z.core.$ZodIssue;

/**
 * Checks a value against its schema and returns the parts that are valid, so that what can be said about them is still
 * said: a key with a problem is left out, an element of a list with a problem becomes undefined, and a value that is not
 * an object at all becomes an empty one. The problems go to `report`. The value itself is not changed.
 */
export function salvage<Schema extends z.ZodObject>(
  schema: Schema,
  value: unknown,
  path: Path,
  report: Report,
): Partial<z.infer<Schema>> {
  const result = schema.safeParse(value);
  if (result.success) return result.data as Partial<z.infer<Schema>>;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    for (const issue of result.error.issues) reportIssue(issue, value, path, report);
    return {};
  }
  const valid = new Map<string, unknown>(Object.entries(value));
  for (const issue of result.error.issues) {
    reportIssue(issue, value, path, report);
    if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
      for (const key of issue.keys) valid.delete(key);
      continue;
    }
    const [key, index] = issue.path;
    const part = valid.get(String(key));
    if (Array.isArray(part) && typeof index === 'number') valid.set(String(key), part.with(index, undefined));
    else valid.delete(String(key));
  }
  // What is fine comes as the schema reads it, as it does where all is fine.
  const read = [...valid].map(([key, part]) => [key, schema.shape[key]?.safeParse(part).data ?? part]);
  return Object.fromEntries(read) as Partial<z.infer<Schema>>;
}

/** Words an issue of zod's. `value` is what was checked, `path` where it is in the configuration. */
function reportIssue(issue: Issue, value: unknown, path: Path, report: Report): void {
  const at = [...path, ...issue.path];
  const found = findAt(value, issue.path);
  const say = (message: string, where: Path = at): void => report({ path: formatPath(where), message });
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = issue.message.split(' ');
      for (const key of issue.keys) {
        const hint = suggest(key, known) || `; known here: ${known.join(', ')}`;
        say(`unknown key${hint}`, [...at, key]);
      }
      return;
    }
    case 'invalid_union': {
      const branch = pickBranch(issue.errors);
      if (branch) for (const inner of branch) reportIssue(inner, found, at, report);
      else say(`expected ${issue.message}, found ${describeValue(found)}`);
      return;
    }
    case 'invalid_value': {
      const choices = issue.values.map((choice) => describeValue(choice));
      const hint = suggest(
        found,
        issue.values.filter((choice) => typeof choice === 'string'),
      );
      say(`expected ${joinWords(choices, 'or')}, found ${describeValue(found)}${hint}`);
      return;
    }
    case 'invalid_key':
      say(`expected ${issue.issues[0]?.message}, found ${describeValue(issue.path.at(-1))}`);
      return;
    case 'custom':
      say(issue.message);
      return;
    case 'invalid_format': {
      const hint = issue.format === 'timezone' ? suggest(found, Intl.supportedValuesOf('timeZone')) : '';
      say(`expected ${issue.message}, found ${describeValue(found)}${hint}`);
      return;
    }
    default:
      say(`expected ${issue.message}, found ${describeValue(found)}`);
  }
}

/**
 * Of a union's branches the one that the value was meant for: the only one whose type it has. Without one there is
 * nothing better to say than what the union as a whole allows.
 */
function pickBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const meant = branches.filter(
    (issues) => !issues.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0),
  );
  return meant.length === 1 ? meant[0] : undefined;
}

/** The value at a path, by own properties only. */
function findAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[step];
  }
  return found;
}
