import type * as z from 'zod';
import { parseDuration } from '../../schedule/duration.ts';
import { type Config, type Dependency, type Group, mainLane } from '../config.ts';
import { describeValue, formatPath, type Path, type Problem, type Report } from '../problems.ts';
import { type Interpreters, type Platform, pathRulesOf } from './argv.ts';
import { parseSize } from './byte-size.ts';
import { checkLaneNames, checkNames, checkReferences, type Reference } from './check-names.ts';
import { configFrame, groupFrame } from './config-schema.ts';
import { salvage } from './issues.ts';
import { resolveSchedule } from './resolve-schedule.ts';
import { resolveScripts, type ScriptSetting } from './resolve-scripts.ts';

const second = 1_000;
const day = 86_400_000;
const megabyte = 1_024 ** 2;

/** A group as the user defined it: its name, everything else, and the path of both. */
interface Entry {
  readonly name: string;
  readonly value: unknown;
  readonly path: Path;
}

/** The valid part of a group, as the schema reads it. */
type GroupFrame = Partial<z.infer<typeof groupFrame>>;

/**
 * Checks what the user wrote and fills in the defaults: a configuration, or every problem at once, in the order of the
 * configuration. Pure: `source` is where it comes from, `platform` describes the machine. Never throws for any JSON value.
 */
export function resolveConfig(
  input: unknown,
  source: { readonly workspace: string; readonly file: string },
  platform: Platform,
): { readonly config: Config } | { readonly problems: readonly Problem[] } {
  const problems = new Map<string, Problem>();
  const report: Report = (problem) => problems.set(`${problem.path}: ${problem.message}`, problem);

  const settings = salvage(configFrame, input, [], report);
  const isObject = typeof input === 'object' && input !== null && !Array.isArray(input);
  const entries = isObject ? listEntries(settings.groups, report) : [];
  const { workspace } = source;
  const resolvePath = (path: string): string => pathRulesOf(platform).resolve(workspace, path);
  const setting: ScriptSetting = {
    workspace,
    scriptsDir: resolvePath(settings.scriptsDir ?? 'scripts'),
    interpreters: resolveInterpreters(settings.interpreters ?? {}, resolvePath),
    killAfter: parseDuration(settings.killAfter ?? '') ?? 10 * second,
    platform,
  };
  const timezone = settings.timezone ?? platform.systemTimezone;
  const references = new Map<string, Reference[]>();
  const groups = entries.map((entry): Group => {
    const group = salvage(groupFrame, entry.value, entry.path, report);
    references.set(entry.name, listReferences(group, entry.path));
    return {
      name: entry.name,
      description: group.description ?? null,
      enabled: group.enabled ?? true,
      schedule: resolveSchedule(group, entry.value, timezone, entry.path, report),
      dependsOn: resolveDependencies(group),
      after: (group.after ?? []).filter((name) => name !== undefined),
      priority: group.priority ?? 'normal',
      lane: group.lane ?? mainLane,
      catchUp: group.catchUp ?? 'latest',
      catchUpWithin: parseDuration(group.catchUpWithin ?? ''),
      firstRun: group.firstRun ?? null,
      onScriptFailure: group.onScriptFailure ?? 'continue',
      onInterrupt: group.onInterrupt ?? 'resume',
      retryAfter: (group.retryAfter ?? []).map((delay) => parseDuration(delay ?? '') ?? 0),
      scripts: resolveScripts(group.scripts ?? [], [...entry.path, 'scripts'], setting, report),
    };
  });

  checkNames(entries, report);
  checkLaneNames(groups, entries, report);
  checkReferences(groups, references, report);
  if (problems.size > 0) return { problems: [...problems.values()] };
  return {
    config: {
      workspace,
      file: source.file,
      outputs: resolvePath(settings.outputs ?? 'outputs'),
      scriptsDir: setting.scriptsDir,
      timezone,
      tickEvery: parseDuration(settings.tickEvery ?? '') ?? 300 * second,
      log: {
        output: settings.log?.output ?? 'failed',
        format: settings.log?.format ?? 'text',
        maxSize: parseSize(settings.log?.maxSize ?? '') ?? 5 * megabyte,
        maxFiles: settings.log?.maxFiles ?? 5,
      },
      keep: {
        history: parseDuration(settings.history?.keep ?? '') ?? 90 * day,
        runs: parseDuration(settings.runs?.keep ?? '') ?? 14 * day,
        runsSize: parseSize(settings.runs?.maxSize ?? '') ?? 200 * megabyte,
      },
      redact: settings.redact ?? [],
      groups,
    },
  };
}

/** The groups in order: the entries of an object, or a list whose elements carry their names. */
function listEntries(groups: unknown, report: Report): Entry[] {
  if (Array.isArray(groups)) {
    return groups.flatMap((element: unknown, index) => {
      const path = ['groups', index];
      if (typeof element !== 'object' || element === null || Array.isArray(element)) {
        report({
          path: formatPath(path),
          message: `expected a group object with a name, found ${describeValue(element)}`,
        });
        return [];
      }
      const { name, ...value } = element as Record<string, unknown>;
      if (typeof name === 'string') return [{ name, value, path }];
      report({
        path: formatPath([...path, 'name']),
        message: `expected the name of the group, found ${describeValue(name)}`,
      });
      return [];
    });
  }
  if (typeof groups === 'object' && groups !== null) {
    return Object.entries(groups).map(([name, value]) => ({ name, value, path: ['groups', name] }));
  }
  report({ path: 'groups', message: `expected an object of groups by name, found ${describeValue(groups)}` });
  return [];
}

function resolveInterpreters(
  interpreters: Readonly<Record<string, string | readonly string[]>>,
  resolvePath: (path: string) => string,
): Interpreters {
  return new Map(
    Object.entries(interpreters).map(([extension, value]) => {
      const [program = '', ...args] = typeof value === 'string' ? [value] : value;
      const found = /[/\\]/.test(program) ? resolvePath(program) : program;
      return [`.${extension.replace(/^\./, '').toLowerCase()}`, [found, ...args]];
    }),
  );
}

/** An element with a problem was reported and is undefined here. */
function resolveDependencies({ dependsOn = [] }: GroupFrame): Dependency[] {
  return dependsOn
    .filter((dependency) => dependency !== undefined)
    .map((dependency) => {
      if (typeof dependency === 'string') return { group: dependency, when: 'succeeded', within: null };
      const { group, when = 'succeeded', within } = dependency;
      return { group, when, within: parseDuration(within ?? '') };
    });
}

/** What a group names, each with its path; elements with a problem, undefined here, count when paths are numbered. */
function listReferences({ dependsOn = [], after = [] }: GroupFrame, path: Path): Reference[] {
  const gates = dependsOn.flatMap((dependency, index): Reference[] => {
    if (dependency === undefined) return [];
    const at = [...path, 'dependsOn', index];
    return typeof dependency === 'string' ? [[dependency, at]] : [[dependency.group, [...at, 'group']]];
  });
  const order = after.flatMap((name, index): Reference[] =>
    name === undefined ? [] : [[name, [...path, 'after', index]]],
  );
  return [...gates, ...order];
}
