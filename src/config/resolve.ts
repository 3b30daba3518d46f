import { parseCron, parseDaily } from '../schedule/cron.ts';
import { parseDuration } from '../schedule/duration.ts';
import type { CalendarLine, Schedule } from '../schedule/schedule.ts';
import { type Interpreters, type Platform, pathRulesOf } from './argv.ts';
import { type Config, type Dependency, type Group, mainLane } from './config.ts';
import { salvage } from './issues.ts';
import { checkLaneNames, checkNames, checkReferences, type Named, type Reference } from './names.ts';
import { describeValue, formatPath, joinWords, type Path, type Problem, type Report } from './problems.ts';
import { configFrame, groupFrame } from './schema.ts';
import { resolveScripts, type ScriptSetting } from './script.ts';
import { parseSize } from './size.ts';

const second = 1_000;
const day = 86_400_000;
const megabyte = 1_024 ** 2;

/** A group as written. */
interface Entry extends Named {
  readonly value: unknown;
}

type GroupFrame = ReturnType<typeof salvage<typeof groupFrame>>;

/**
 * Checks what the user wrote and fills in the defaults: a configuration, or every problem at once, in the order of the
 * configuration. Pure: `place` says where it was written, `platform` what the machine is like. Never throws for any
 * JSON value.
 */
export function resolveConfig(
  input: unknown,
  place: { readonly workspace: string; readonly file: string },
  platform: Platform,
): { readonly config: Config } | { readonly problems: readonly Problem[] } {
  const problems = new Map<string, Problem>();
  const report: Report = (problem) => problems.set(`${problem.path}: ${problem.message}`, problem);

  const settings = salvage(configFrame, input, [], report);
  const isObject = typeof input === 'object' && input !== null && !Array.isArray(input);
  const entries = isObject ? listEntries(settings.groups, report) : [];
  const { workspace } = place;
  const resolvePath = (path: string): string => pathRulesOf(platform).resolve(workspace, path);
  const setting: ScriptSetting = {
    workspace,
    scriptsDir: resolvePath(settings.scriptsDir ?? 'scripts'),
    interpreters: readInterpreters(settings.interpreters ?? {}, resolvePath),
    killAfter: parseDuration(settings.killAfter ?? '') ?? 10 * second,
    platform,
  };
  const timezone = settings.timezone ?? platform.systemTimezone;

  const references = new Map<string, Reference[]>();
  const groups = entries.map(({ name, path, value }): Group => {
    const group = salvage(groupFrame, value, path, report);
    const dependsOn = resolveDependencies(group, path);
    const after = (group.after ?? []).map((other, index): Reference => [other, [...path, 'after', index]]);
    references.set(name, [
      ...dependsOn.map(([, reference]) => reference),
      ...after.filter(([other]) => other !== undefined),
    ]);
    return {
      name,
      description: group.description ?? null,
      enabled: group.enabled ?? true,
      schedule: resolveSchedule(group, value, path, timezone, report),
      dependsOn: dependsOn.map(([dependency]) => dependency),
      after: after.map(([other]) => other),
      priority: group.priority ?? 'normal',
      lane: group.lane ?? mainLane,
      catchUp: group.catchUp ?? 'latest',
      catchUpWithin: parseDuration(group.catchUpWithin ?? ''),
      firstRun: group.firstRun ?? null,
      onScriptFailure: group.onScriptFailure ?? 'continue',
      onInterrupt: group.onInterrupt ?? 'resume',
      retryAfter: (group.retryAfter ?? []).map((delay) => parseDuration(delay ?? '') ?? 0),
      scripts: resolveScripts(group.scripts ?? [], [...path, 'scripts'], setting, report),
    };
  });

  checkNames(entries, report);
  checkLaneNames(groups, entries, report);
  checkReferences(entries, references, report);
  if (problems.size > 0) return { problems: [...problems.values()] };
  return {
    config: {
      workspace,
      file: place.file,
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

/** The groups as written, in order: the entries of an object, or a list whose elements carry their names. */
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
      if (typeof name === 'string') return [{ name, path, value }];
      report({
        path: formatPath([...path, 'name']),
        message: `expected the name of the group, found ${describeValue(name)}`,
      });
      return [];
    });
  }
  if (typeof groups === 'object' && groups !== null) {
    return Object.entries(groups).map(([name, value]) => ({ name, path: ['groups', name], value }));
  }
  report({ path: 'groups', message: `expected an object of groups by name, found ${describeValue(groups)}` });
  return [];
}

function readInterpreters(
  written: Readonly<Record<string, string | readonly string[]>>,
  resolvePath: (path: string) => string,
): Interpreters {
  return new Map(
    Object.entries(written).map(([extension, value]) => {
      const [program = '', ...args] = typeof value === 'string' ? [value] : value;
      const found = /[/\\]/.test(program) ? resolvePath(program) : program;
      return [`.${extension.replace(/^\./, '').toLowerCase()}`, [found, ...args]];
    }),
  );
}

/** The schedule of a group; what it yields where there is a problem is of no use to anyone. */
function resolveSchedule(group: GroupFrame, written: unknown, path: Path, timezone: string, report: Report): Schedule {
  // Asked of what was written, so that a schedule with a problem of its own still counts as the one that was chosen.
  const has = (key: string): boolean =>
    typeof written === 'object' &&
    written !== null &&
    Object.hasOwn(written, key) &&
    (written as Record<string, unknown>)[key] !== undefined;
  if (typeof written === 'object' && written !== null && !Array.isArray(written)) {
    const kinds = ['every', 'daily', 'cron', 'manual'].filter(has);
    const exactly = 'exactly one of every, daily, cron and manual: true';
    if (kinds.length === 0) report({ path: formatPath(path), message: `it has no schedule; give it ${exactly}` });
    if (kinds.length > 1) {
      report({ path: formatPath(path), message: `it has ${joinWords(kinds, 'and')}; a group has ${exactly}` });
    }
    if (has('offset') && !has('every')) {
      report({
        path: formatPath([...path, 'offset']),
        message: 'it shifts the grid of every, and there is none; remove it',
      });
    }
  }
  if (has('every')) {
    return {
      kind: 'interval',
      every: parseDuration(group.every ?? '') ?? day,
      offset: parseDuration(group.offset ?? '') ?? 0,
    };
  }
  if (!has('daily') && !has('cron')) return { kind: 'manual' };
  const lines = [...[group.daily ?? []].flat().map(parseDaily), ...[group.cron ?? []].flat().map(parseCron)];
  return {
    kind: 'calendar',
    timezone: group.timezone ?? timezone,
    lines: lines.filter((line): line is CalendarLine => !('problem' in line)),
  };
}

function resolveDependencies(group: GroupFrame, path: Path): [Dependency, Reference][] {
  return (group.dependsOn ?? []).flatMap((dependency, index): [Dependency, Reference][] => {
    const place = [...path, 'dependsOn', index];
    // An element with a problem was reported and is undefined here.
    if (dependency === undefined) return [];
    if (typeof dependency === 'string') {
      return [[{ group: dependency, when: 'succeeded', within: null }, [dependency, place]]];
    }
    const { group: name, when = 'succeeded', within } = dependency;
    return [[{ group: name, when, within: parseDuration(within ?? '') }, [name, [...place, 'group']]]];
  });
}
