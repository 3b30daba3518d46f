import { parseCron, parseDaily } from '../schedule/cron.ts';
import { isTimeZone } from '../schedule/zone.ts';
import { type Group, mainLane, priorities } from './config.ts';
import type { Checks, ConfigFrame, Entry, GroupFrame } from './defaults.ts';
import { linkGroups } from './links.ts';
import type { Report } from './problems.ts';
import {
  isArgument,
  isDuration,
  isExtension,
  isName,
  isScriptName,
  isText,
  isVariable,
  longestTimer,
} from './rules.ts';
import type { ScriptFrame } from './script.ts';
import { parseSize } from './size.ts';

/**
 * Recognises what is surely valid, without the schema: that takes longer to load than most commands take in all, and much
 * longer to look at 100,000 groups. What is not recognised may be valid all the same; a test holds the two against each
 * other.
 */
type Check = (value: unknown) => boolean;

const second = 1_000;

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';

const textThat =
  (isRight: (text: string) => boolean): Check =>
  (value) =>
    typeof value === 'string' && isRight(value);

const oneOf = (...choices: readonly unknown[]): Check => {
  const known = new Set(choices);
  return (value) => known.has(value);
};

const length = (least = 0, most = Number.MAX_SAFE_INTEGER): Check =>
  textThat((value) => isDuration(value, least, most));
const timed = (least = 0) => length(least, longestTimer);

const whole =
  (least: number, most: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;

const list =
  (check: Check): Check =>
  (value) => {
    if (!Array.isArray(value)) return false;
    for (let index = 0; index < value.length; index++) if (!check(value[index])) return false;
    return true;
  };

const filled =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length > 0 && check(value);

const either =
  (one: Check, other: Check): Check =>
  (value) =>
    one(value) || other(value);

/** An object of literals, as it comes from JSON or is written into a configuration. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

const object = (parts: Readonly<Record<string, Check>>): Check => {
  const known = new Map(Object.entries(parts));
  return (value) => {
    if (!isPlain(value)) return false;
    for (const key in value) {
      const check = known.get(key);
      const part = value[key];
      if (check === undefined || (part !== undefined && !check(part))) return false;
    }
    return true;
  };
};

const record =
  (isKey: (key: string) => boolean, check: Check): Check =>
  (value) => {
    if (!isPlain(value)) return false;
    for (const key in value) if (key === '__proto__' || !isKey(key) || !check(value[key])) return false;
    return true;
  };

const line = (read: (line: string) => object): Check => textThat((value) => !('problem' in read(value)));
const calendar = (read: (line: string) => object): Check => either(line(read), filled(list(line(read))));

const program = textThat(isText);
const words = list(textThat(isArgument));
const interpreter: Check = (value) => program(value) || (words(value) && program((value as readonly unknown[])[0]));

const script = object({
  run: program,
  command: program,
  shell: program,
  args: words,
  name: textThat(isScriptName),
  cwd: textThat(isText),
  env: record(isVariable, either(either(textThat(isArgument), Number.isFinite), flag)),
  timeout: timed(second),
  killAfter: timed(),
  retries: whole(0, 100),
  retryDelay: timed(),
  optional: flag,
  successExitCodes: filled(list(whole(0, 4_294_967_295))),
});

const dependency = object({ group: text, when: oneOf('succeeded', 'finished'), within: length(second) });

/** The group itself has to be named. */
const namedDependency: Check = (value) =>
  typeof value === 'string' || (dependency(value) && text((value as { group?: unknown }).group));

const group = object({
  description: text,
  enabled: flag,
  every: length(second),
  offset: length(),
  daily: calendar(parseDaily),
  cron: calendar(parseCron),
  manual: oneOf(true),
  timezone: textThat(isTimeZone),
  dependsOn: list(namedDependency),
  after: list(text),
  priority: oneOf(...priorities),
  lane: textThat(isName),
  catchUp: oneOf('latest', 'every', 'none'),
  catchUpWithin: length(second),
  firstRun: oneOf('now', 'wait'),
  onScriptFailure: oneOf('continue', 'stop'),
  onInterrupt: oneOf('resume', 'skip'),
  retryAfter: list(length()),
  scripts: Array.isArray,
});

const config = object({
  $schema: text,
  timezone: textThat(isTimeZone),
  tickEvery: length(second),
  outputs: textThat(isText),
  scriptsDir: textThat(isText),
  killAfter: timed(),
  interpreters: record(isExtension, interpreter),
  redact: list(textThat(isVariable)),
  log: object({
    output: oneOf('failed', 'all', 'none'),
    format: oneOf('text', 'json'),
    maxSize: textThat((value) => parseSize(value) !== null),
    maxFiles: whole(1, 1_000),
  }),
  history: object({ keep: length(second) }),
  runs: object({ keep: length(second), maxSize: textThat((value) => parseSize(value) !== null) }),
  groups: (value) => typeof value === 'object',
});

/** Whether a value is surely a configuration, its groups aside. */
export function isPlainConfig(value: unknown): value is ConfigFrame {
  return config(value);
}

/** Whether a value is surely a group, its scripts aside. */
export function isPlainGroup(value: unknown): value is GroupFrame {
  return group(value);
}

/** Whether a value is surely an object that tells of a script. */
export function isPlainScript(value: unknown): value is ScriptFrame {
  return script(value);
}

/** Lower case alone: no two of these names differ in case only. */
const plainName = /^[a-z][a-z0-9_-]{0,99}$/;

/** Whether the names of groups and lanes, and the names that groups name others by, are surely right. */
export function areNamesPlain(entries: readonly Entry[], groups: readonly Group[]): boolean {
  for (const { name } of entries) if (!plainName.test(name)) return false;
  for (const { lane } of groups) if (lane !== mainLane && !plainName.test(lane)) return false;
  const links = linkGroups(groups);
  if (links === null || links.order.length < groups.length) return false;
  // Of each group, the last that was found to depend on it: none may be named twice.
  const last = new Int32Array(groups.length).fill(-1);
  const { from, to } = links.precedents;
  for (let index = 0; index < groups.length; index++) {
    const start = from[index] as number;
    const end = start + (groups[index]?.dependsOn.length ?? 0);
    for (let at = start; at < end; at++) {
      const other = to[at] as number;
      if (last[other] === index) return false;
      last[other] = index;
    }
  }
  return true;
}

const unclear = { path: '', message: 'it is not plain' };
const askSchema = (report: Report) => {
  report(unclear);
  return {};
};

/** Checks by what is surely valid; all else is a problem, of which the schema has to say whether it is one. */
export const plainChecks: Checks = {
  config: (value, report) => (isPlainConfig(value) ? value : askSchema(report)),
  group: ({ value }, report) => (isPlainGroup(value) ? value : askSchema(report)),
  script: (value, _, report) => (isPlainScript(value) ? value : askSchema(report)),
  names: (entries, groups, _, report) => void (areNamesPlain(entries, groups) || askSchema(report)),
};
