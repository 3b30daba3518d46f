import type * as z from 'zod';
import { parseCron, parseDaily } from '../schedule/cron.ts';
import { parseDuration } from '../schedule/duration.ts';
import type { CalendarLine, Schedule } from '../schedule/schedule.ts';
import { type Interpreters, type Platform, pathRulesOf } from './argv.ts';
import { type Config, type Dependency, type Group, mainLane } from './config.ts';
import { linkGroups } from './links.ts';
import type { Named } from './names.ts';
import { describeValue, formatPath, joinWords, type Path, type Problem, type Report } from './problems.ts';
import type { configFrame, groupFrame } from './schema.ts';
import { type ScriptFrame, type ScriptSetting, scriptReader } from './script.ts';
import { parseSize } from './size.ts';

const second = 1_000;
const day = 86_400_000;
const megabyte = 1_024 ** 2;
const none: readonly never[] = [];

/** A group as written, at a key or place among the groups. */
export class Entry implements Named {
  readonly name: string;
  readonly value: unknown;
  readonly #key: string | number;

  constructor(name: string, value: unknown, key: string | number) {
    this.name = name;
    this.value = value;
    this.#key = key;
  }

  get path(): Path {
    return ['groups', this.#key];
  }
}

type Frame<Schema extends z.ZodType> = Partial<z.infer<Schema>>;
export type ConfigFrame = Frame<typeof configFrame>;
export type GroupFrame = Frame<typeof groupFrame>;

/** How what was written is looked at: what is valid of it comes back, and a problem is reported for all that is not. */
export interface Checks {
  config(value: unknown, report: Report): ConfigFrame;
  group(entry: Entry, report: Report): GroupFrame;
  script(value: object, path: Path, report: Report): ScriptFrame;
  /** The names of groups and lanes, and of the groups that are named by others; `frames` are those of the groups. */
  names(entries: readonly Entry[], groups: readonly Group[], frames: readonly GroupFrame[], report: Report): void;
}

/**
 * Fills the defaults into what the user wrote: a configuration, or the problems that were reported, in order. Pure:
 * `place` says where it was written, `platform` what the machine is like. Never throws for any JSON value.
 */
export function fillIn(
  input: unknown,
  place: { readonly workspace: string; readonly file: string },
  platform: Platform,
  checks: Checks,
): { readonly config: Config } | { readonly problems: readonly Problem[] } {
  const problems = new Map<string, Problem>();
  const report: Report = (problem) => problems.set(`${problem.path}: ${problem.message}`, problem);

  const settings = checks.config(input, report);
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
  const frames: GroupFrame[] = [];
  const scriptsOf = scriptReader(setting, checks.script, report);
  const scheduleOf = scheduleReader(timezone, report);
  const links = linkReader(entries);
  const groups = entries.map((entry): Group => {
    const group = checks.group(entry, report);
    frames.push(group);
    return {
      name: entry.name,
      description: group.description ?? null,
      enabled: group.enabled ?? true,
      schedule: scheduleOf(group, entry),
      dependsOn: links.readDependencies(group),
      after: links.readAfter(group),
      priority: group.priority ?? 'normal',
      lane: group.lane ?? mainLane,
      catchUp: group.catchUp ?? 'latest',
      catchUpWithin: parseDuration(group.catchUpWithin ?? ''),
      firstRun: group.firstRun ?? null,
      onScriptFailure: group.onScriptFailure ?? 'continue',
      onInterrupt: group.onInterrupt ?? 'resume',
      retryAfter:
        group.retryAfter === undefined ? none : group.retryAfter.map((delay) => parseDuration(delay ?? '') ?? 0),
      scripts: scriptsOf(group.scripts ?? none, entry),
    };
  });

  linkGroups(groups, links.places);
  checks.names(entries, groups, frames, report);
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
      redact: [...(settings.redact ?? [])],
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
      if (typeof name === 'string') return [new Entry(name, value, index)];
      report({
        path: formatPath([...path, 'name']),
        message: `expected the name of the group, found ${describeValue(name)}`,
      });
      return [];
    });
  }
  if (typeof groups === 'object' && groups !== null) {
    const written = groups as Readonly<Record<string, unknown>>;
    return Object.keys(written).map((name) => new Entry(name, written[name], name));
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

/** Reads the schedules of groups; what one yields where there is a problem is of no use to anyone. Equal grids are shared. */
function scheduleReader(timezone: string, report: Report) {
  const grids = new Map<string, Schedule>();
  return (group: GroupFrame, entry: Entry): Schedule => {
    // Asked of what was written, so that a schedule with a problem of its own still counts as the one that was chosen.
    const written = entry.value;
    const isGrid = has(written, 'every');
    const isCalendar = has(written, 'daily') || has(written, 'cron');
    // Most groups have a grid and nothing else.
    if (!isGrid || isCalendar || has(written, 'manual')) checkSchedule(entry, report);
    if (isGrid) {
      const { every = '', offset = '' } = group;
      const text = offset === '' ? every : `${every} ${offset}`;
      const known = grids.get(text);
      if (known !== undefined) return known;
      const grid = {
        kind: 'interval',
        every: parseDuration(every) ?? day,
        offset: parseDuration(offset) ?? 0,
      } as const;
      grids.set(text, grid);
      return grid;
    }
    if (!isCalendar) return manual;
    const lines = [...[group.daily ?? []].flat().map(parseDaily), ...[group.cron ?? []].flat().map(parseCron)];
    return {
      kind: 'calendar',
      timezone: group.timezone ?? timezone,
      lines: lines.filter((line): line is CalendarLine => !('problem' in line)),
    };
  };
}

/** Reports a group that has not just one schedule, or an offset and no grid. */
function checkSchedule({ value, path }: Entry, report: Report): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const kinds = scheduleKinds.filter((kind) => has(value, kind));
  const exactly = 'exactly one of every, daily, cron and manual: true';
  if (kinds.length === 0) report({ path: formatPath(path), message: `it has no schedule; give it ${exactly}` });
  if (kinds.length > 1) {
    report({ path: formatPath(path), message: `it has ${joinWords(kinds, 'and')}; a group has ${exactly}` });
  }
  if (!has(value, 'every') && has(value, 'offset')) {
    report({
      path: formatPath([...path, 'offset']),
      message: 'it shifts the grid of every, and there is none; remove it',
    });
  }
}

function has(written: unknown, key: string): boolean {
  return (
    typeof written === 'object' &&
    written !== null &&
    (written as Readonly<Record<string, unknown>>)[key] !== undefined &&
    Object.hasOwn(written, key)
  );
}

const scheduleKinds = ['every', 'daily', 'cron', 'manual'];
const manual: Schedule = { kind: 'manual' };

type DependencyFrame = NonNullable<GroupFrame['dependsOn']>[number];
const isThere = (written: DependencyFrame | undefined) => written !== undefined;

/**
 * Reads which groups a group names, and notes their places. Most dependencies ask for success alone: those that ask it of
 * the same group are shared.
 */
function linkReader(entries: readonly Entry[]) {
  const indexOf = new Map<string, number>();
  for (let index = 0; index < entries.length; index++) indexOf.set((entries[index] as Entry).name, index);
  const named: number[] = [];
  const succeeded: Dependency[] = new Array(entries.length);
  const read = (written: DependencyFrame): Dependency => {
    const name = typeof written === 'string' ? written : written.group;
    const index = indexOf.get(name) ?? -1;
    named.push(index);
    if (typeof written !== 'string') {
      const { when = 'succeeded', within } = written;
      return { group: name, when, within: parseDuration(within ?? '') };
    }
    let known = succeeded[index];
    if (known === undefined) {
      known = { group: written, when: 'succeeded', within: null };
      if (index !== -1) succeeded[index] = known;
    }
    return known;
  };
  return {
    places: { indexOf, named },
    readDependencies({ dependsOn }: GroupFrame): readonly Dependency[] {
      if (dependsOn === undefined) return none;
      // An element with a problem was reported and is undefined here.
      const there = dependsOn.includes(undefined as never) ? dependsOn.filter(isThere) : dependsOn;
      const dependencies: Dependency[] = new Array(there.length);
      for (let index = 0; index < there.length; index++) dependencies[index] = read(there[index] as DependencyFrame);
      return dependencies;
    },
    readAfter({ after }: GroupFrame): readonly string[] {
      if (after === undefined) return none;
      const names = after.filter(isThere);
      for (const name of names) named.push(indexOf.get(name) ?? -1);
      return names;
    },
  };
}
