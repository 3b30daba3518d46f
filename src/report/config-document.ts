import type { Config, Group, Script } from '../config/config.ts';
import type { RawConfig } from '../config/load/raw-config.ts';
import { formatPath, type Path } from '../config/problems.ts';
import { formatDuration } from '../schedule/duration.ts';
import { padTo } from './table.ts';
import { widthOf } from './text-width.ts';
import { wrapColumn } from './wrap-text.ts';

/** `config --json`, as others rely on it. */
export interface ConfigDocument {
  readonly schemaVersion: 1;
  readonly workspace: string;
  readonly file: string;
  /** Every value that rules, in the order of the configuration. */
  readonly values: readonly ConfigValue[];
}

export interface ConfigValue {
  /** What it is: `tickEvery`, `groups.backup.scripts[0].timeout`. Groups go by their names, however they are written. */
  readonly path: string;
  /** In the language of the configuration: durations are `"10m"`, sizes `"5MB"`. Null: there is no bound. */
  readonly value: Value;
  /** `default`, `system`, or where in the configuration it is written. */
  readonly origin: string;
}

type Value = string | number | boolean | null | readonly (string | number)[];

/**
 * Lists the values that rule, and where each comes from.
 *
 * @param groups the groups to show; the settings are left out where these are not all
 * @param conceal hides what may not be shown in a text
 */
export function documentConfig(
  config: Config,
  written: RawConfig,
  groups: readonly Group[],
  conceal: (text: string) => string,
): ConfigDocument {
  const settings = groups === config.groups ? listSettings(config, written) : [];
  const values = [...settings, ...groups.flatMap((group) => listGroup(group, written))];
  const hide = (value: Value): Value => {
    if (typeof value === 'string') return conceal(value);
    return Array.isArray(value) ? value.map((item) => (typeof item === 'string' ? conceal(item) : item)) : value;
  };
  return {
    schemaVersion: 1,
    workspace: conceal(config.workspace),
    file: conceal(config.file),
    values: values.map((entry) => ({ ...entry, value: hide(entry.value) })),
  };
}

function listSettings(config: Config, written: RawConfig): ConfigValue[] {
  const entry = (path: Path, value: Value, otherwise = 'default'): ConfigValue => ({
    path: formatPath(path),
    value,
    origin: originOf(written, [path], otherwise),
  });
  const { log, keep } = config;
  const interpreters = Object.entries(written.at(['interpreters']) ?? {});
  return [
    entry(['timezone'], config.timezone, 'system'),
    entry(['tickEvery'], formatDuration(config.tickEvery)),
    entry(['outputs'], config.outputs),
    entry(['scriptsDir'], config.scriptsDir),
    ...interpreters.map(([extension, program]) => entry(['interpreters', extension], program as string | string[])),
    entry(['redact'], config.redact),
    entry(['log', 'output'], log.output),
    entry(['log', 'format'], log.format),
    entry(['log', 'maxSize'], formatSize(log.maxSize)),
    entry(['log', 'maxFiles'], log.maxFiles),
    entry(['history', 'keep'], formatDuration(keep.history)),
    entry(['runs', 'keep'], formatDuration(keep.runs)),
    entry(['runs', 'maxSize'], formatSize(keep.runsSize)),
  ];
}

function listGroup(group: Group, written: RawConfig): ConfigValue[] {
  const place = written.pathOf(group.name);
  const entry = (steps: Path, value: Value): ConfigValue => ({
    path: formatPath(['groups', group.name, ...steps]),
    value,
    origin: originOf(written, [[...place, ...steps]]),
  });
  const interval = group.schedule.kind === 'interval';
  return [
    ...(group.description === null ? [] : [entry(['description'], group.description)]),
    entry(['enabled'], group.enabled),
    ...listSchedule(group, written, entry),
    ...group.dependsOn.flatMap((dependency, index): ConfigValue[] => {
      const step = ['dependsOn', index];
      // The short form is a name alone.
      const places = [
        [...place, ...step, 'group'],
        [...place, ...step],
      ];
      const name = { ...entry([...step, 'group'], dependency.group), origin: originOf(written, places) };
      const within = dependency.within === null ? null : formatDuration(dependency.within);
      return [name, entry([...step, 'when'], dependency.when), entry([...step, 'within'], within)];
    }),
    ...(group.after.length === 0 ? [] : [entry(['after'], group.after)]),
    entry(['priority'], group.priority),
    entry(['lane'], group.lane),
    entry(['catchUp'], group.catchUp),
    entry(['catchUpWithin'], group.catchUpWithin === null ? null : formatDuration(group.catchUpWithin)),
    ...(group.schedule.kind === 'manual' ? [] : [entry(['firstRun'], group.firstRun ?? (interval ? 'now' : 'wait'))]),
    entry(['onScriptFailure'], group.onScriptFailure),
    entry(['onInterrupt'], group.onInterrupt),
    entry(['retryAfter'], group.retryAfter.map(formatDuration)),
    ...group.scripts.flatMap((script, index) => listScript(script, group, index, written)),
  ];
}

function listSchedule(
  { name, schedule }: Group,
  written: RawConfig,
  entry: (steps: Path, value: Value) => ConfigValue,
): ConfigValue[] {
  switch (schedule.kind) {
    case 'interval':
      return [entry(['every'], formatDuration(schedule.every)), entry(['offset'], formatDuration(schedule.offset))];
    case 'manual':
      return [entry(['manual'], true)];
    case 'calendar': {
      const place = written.pathOf(name);
      const zone = originOf(written, [[...place, 'timezone'], ['timezone']], 'system');
      const keys = (['daily', 'cron'] as const).filter((key) => written.at([...place, key]) !== undefined);
      const lines = schedule.lines.map(({ text }) => text);
      return [
        ...keys.map((key) => entry([key], lines.length === 1 ? (lines[0] ?? '') : lines)),
        { ...entry(['timezone'], schedule.timezone), origin: zone },
      ];
    }
  }
}

function listScript(script: Script, group: Group, index: number, written: RawConfig): ConfigValue[] {
  const place = [...written.pathOf(group.name), 'scripts', index];
  const entry = (steps: Path, value: Value, places: readonly Path[] = []): ConfigValue => ({
    path: formatPath(['groups', group.name, 'scripts', index, ...steps]),
    value,
    origin: originOf(written, [[...place, ...steps], ...places]),
  });
  const isShort = typeof written.at(place) === 'string';
  const forms = isShort ? [place] : ['run', 'command', 'shell'].map((form) => [...place, form]);
  return [
    entry(['name'], script.name, forms),
    entry(['argv'], script.argv, forms),
    entry(['cwd'], script.cwd),
    ...Object.entries(script.env).map(([name, value]) => entry(['env', name], value)),
    entry(['timeout'], formatDuration(script.timeout)),
    entry(['killAfter'], formatDuration(script.killAfter), [['killAfter']]),
    entry(['retries'], script.retries),
    entry(['retryDelay'], formatDuration(script.retryDelay)),
    entry(['optional'], script.optional),
    entry(['successExitCodes'], script.successExitCodes),
  ];
}

/** What stands in place of what may not be shown. */
export const concealed = '***';

/** The first of the places at which something is written. */
function originOf(written: RawConfig, places: readonly Path[], otherwise = 'default'): string {
  const place = places.find((path) => written.at(path) !== undefined);
  return place === undefined ? otherwise : formatPath(place);
}

/** A size, given in bytes, in the largest unit that leaves nothing over: `5MB`. Units are powers of 1024. */
function formatSize(bytes: number): string {
  const units = ['GB', 'MB', 'KB'];
  const unit = units.find((_, index) => bytes % 1_024 ** (3 - index) === 0);
  return unit === undefined ? `${bytes}B` : `${bytes / 1_024 ** (3 - units.indexOf(unit))}${unit}`;
}

/** How a terminal shows the heading of a part and what was not written; the defaults leave it plain. */
export interface ConfigPaint {
  readonly heading: (text: string) => string;
  readonly origin: (text: string, origin: string) => string;
}

/** So wide a value is aligned with the others; a wider one pushes its origin away rather than theirs. */
const widestValue = 40;
const narrowestValue = 24;
const narrowestOrigin = 12;

/**
 * The values for people: a part for the settings and one for each group, and beside each value where it comes from.
 *
 * @param clean makes a text safe to show
 */
export function renderConfig(
  { file, values }: ConfigDocument,
  { width, paint, clean }: { width: number; paint: ConfigPaint; clean: (text: string) => string },
): string {
  const lines = [clean(file)];
  let part: string | null = null;
  const rows = values.map(({ path, value, origin }) => {
    const [, group = '', key = path] = /^groups\.([\w-]+)\.(.*)$/.exec(path) ?? [];
    return { group, key, text: clean(formatValue(value)), origin };
  });
  const keyWidth = Math.max(0, ...rows.map(({ key }) => key.length));
  const room = Math.max(narrowestOrigin, width - keyWidth - narrowestValue - 6);
  const originWidth = Math.min(room, Math.max(0, ...rows.map(({ origin }) => origin.length)));
  const usual = Math.max(0, ...rows.map(({ text }) => Math.min(widestValue, widthOf(text))));
  const valueWidth = Math.max(narrowestValue, Math.min(usual, width - keyWidth - originWidth - 6));
  for (const { group, key, text, origin } of rows) {
    if (group !== part) lines.push('', ...(group === '' ? [] : [paint.heading(group)]));
    part = group;
    // What does not fit beside key and origin goes on below itself; of an origin the end says most.
    const [first = '', ...rest] = Number.isFinite(width) ? wrapColumn(text, valueWidth) : [text];
    const place = origin.length <= originWidth ? origin : `…${origin.slice(1 - originWidth)}`;
    lines.push(`  ${key.padEnd(keyWidth)}  ${padTo(first, valueWidth)}  ${paint.origin(place, origin)}`);
    for (const more of rest) lines.push(`  ${' '.repeat(keyWidth)}  ${more}`);
  }
  return lines.join('\n');
}

function formatValue(value: Value): string {
  if (value === null) return '–';
  if (typeof value !== 'object') return String(value);
  if (value.length === 0) return '–';
  return value.map((item) => (/^[^\s"',]+$/.test(String(item)) ? item : JSON.stringify(item))).join(' ');
}
