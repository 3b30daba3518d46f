import { formatDuration } from '../schedule/duration.ts';
import type { Config, Group } from './config.ts';
import { lintLine } from './line.ts';
import { formatPeriod, measure, type Rhythm } from './period.ts';
import { lintDependencies } from './waiting.ts';
import { formatKey, type Written } from './written.ts';

/** What can be wrong with a configuration that is valid. The codes are stable: others may filter by them. */
export type LintCode =
  /** Daylight saving moves a beat to another time of day. */
  | 'dst-moves-beat'
  /** Daylight saving leaves a beat out. */
  | 'dst-drops-beat'
  /** Daylight saving has a beat twice. */
  | 'dst-doubles-beat'
  /** A step of a cron line that does not divide its cycle. */
  | 'uneven-step'
  /** A day of the month that some months lack. */
  | 'month-lacks-day'
  /** An interval that does not divide the day. */
  | 'interval-drifts'
  /** Several beats between two ticks. */
  | 'faster-than-tick'
  /** A dependency that has fewer beats than its dependent. */
  | 'slower-dependency'
  /** A dependency whose outcome is too old at some beats of its dependent. */
  | 'within-too-short'
  /** A dependency that runs only by hand. */
  | 'manual-dependency'
  /** A dependency that is switched off. */
  | 'disabled-dependency'
  /** `catchUp: 'none'` where a beat can never be too late. */
  | 'catch-up-none-idle'
  /** `catchUpWithin` beside `catchUp: 'none'`, which ignores it. */
  | 'catch-up-within-ignored'
  /** `catchUpWithin` that may pass between two ticks. */
  | 'catch-up-within-too-short'
  /** A retry whose time comes after the next beat. */
  | 'retry-never-reached'
  | 'script-missing'
  | 'script-not-executable'
  /** A file in the folder of scripts that no group runs. */
  | 'script-unused';

/** Something that works, but perhaps not as it was meant. */
export interface Lint {
  readonly code: LintCode;
  /** Where: `groups.backup.daily`. */
  readonly path: string;
  /** One sentence: what happens, and what to do. */
  readonly message: string;
}

/** What was seen of the files that a configuration names. */
export interface ScriptFiles {
  /** Those of `run` scripts that can't be run, by their absolute path; `shown` is the path for people. */
  readonly flawed: ReadonlyMap<string, { readonly flaw: 'missing' | 'not-executable'; readonly shown: string }>;
  /** Files beside them that nothing runs or mentions, relative to the folder of scripts. */
  readonly unused: readonly string[];
}

export interface LintSetting {
  readonly written: Written;
  /** The instant from which the coming twelve months are looked at, ms. */
  readonly now: number;
  readonly files: ScriptFiles;
}

/** Seconds of a day that an interval may be, for it to have the same beats each day. */
const divisorsOfDay = Array.from({ length: 86_400 }, (_, index) => index + 1).filter((length) => 86_400 % length === 0);
const day = 86_400_000;

/**
 * Looks through a checked configuration for what is valid but perhaps not meant, in the order of the configuration.
 * Nothing is said of groups that are disabled. Pure.
 */
export function lintConfig(config: Config, setting: LintSetting): Lint[] {
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  const rhythms = new Map(config.groups.map((group) => [group.name, measure(group.schedule, setting.now)]));
  const lints = config.groups
    .filter(({ enabled }) => enabled)
    .flatMap((group) => {
      const say = (code: LintCode, steps: readonly PropertyKey[], message: string): Lint => {
        return { code, path: formatKey(setting.written, group.name, ...steps), message };
      };
      const rhythm = rhythms.get(group.name) ?? null;
      return [
        ...lintSchedule(group, rhythm, config.tickEvery, setting, say),
        ...lintDependencies(group, groupOf, rhythms, setting.now, say),
        ...lintCatchingUp(group, rhythm, config.tickEvery, say),
        ...lintRetries(group, rhythm, say),
        ...lintScripts(group, setting.files, say),
      ];
    });
  const unused = setting.files.unused.map((file): Lint => {
    const message = `no group runs ${file}; name it in a group, or move it away`;
    return { code: 'script-unused', path: 'scriptsDir', message };
  });
  return [...lints, ...unused];
}

/** Makes a lint of a group. */
export type Say = (code: LintCode, steps: readonly PropertyKey[], message: string) => Lint;

function lintSchedule(
  group: Group,
  rhythm: Rhythm,
  tickEvery: number,
  { written, now }: LintSetting,
  say: Say,
): Lint[] {
  const { schedule } = group;
  if (schedule.kind === 'manual' || rhythm === null) return [];
  const lints: Lint[] = [];
  const key = schedule.kind === 'interval' ? 'every' : keyOf(written, group.name);
  if (schedule.kind === 'interval') lints.push(...lintInterval(schedule.every, say));
  else {
    const isList = Array.isArray(written.at([...written.pathOf(group.name), key]));
    for (const [index, line] of schedule.lines.entries()) {
      const steps = isList ? [key, index] : [key];
      lints.push(...lintLine(line, schedule.timezone, now, (code, message) => say(code, steps, message)));
    }
  }
  if (rhythm.least < tickEvery) {
    const apart = `beats lie ${formatDuration(rhythm.least)} apart, but a tick comes every ${formatDuration(tickEvery)}`;
    const effect =
      group.catchUp === 'every'
        ? 'and runs one of them, so with catchUp "every" the group falls behind'
        : 'and runs the latest of them, so several become one run';
    const mend = `let them lie at least ${formatDuration(tickEvery)} apart, or have the trigger come as often (and say so in tickEvery)`;
    lints.push(say('faster-than-tick', [key], `${apart} ${effect}; ${mend}`));
  }
  return lints;
}

function keyOf(written: Written, group: string): 'daily' | 'cron' {
  return written.at([...written.pathOf(group), 'daily']) === undefined ? 'cron' : 'daily';
}

function lintInterval(every: number, say: Say): Lint[] {
  if (day % every === 0 || every % day === 0) return [];
  const seconds = every / 1_000;
  const below = divisorsOfDay.findLast((length) => length < seconds);
  const above = divisorsOfDay.find((length) => length > seconds);
  const near = [below, above].flatMap((length) => (length === undefined ? [] : [formatDuration(length * 1_000)]));
  const times = every > day ? 'a day or several' : near.join(' or ');
  const message = `${formatDuration(every)} does not divide the day, so its beats fall at other times from day to day; take ${times}, or a calendar (daily, cron) if the time of day matters`;
  return [say('interval-drifts', ['every'], message)];
}

function lintCatchingUp(group: Group, rhythm: Rhythm, tickEvery: number, say: Say): Lint[] {
  const { catchUp, catchUpWithin } = group;
  if (rhythm === null) return [];
  const tick = formatDuration(tickEvery);
  if (catchUp === 'none') {
    if (catchUpWithin !== null) {
      const message = `it has no effect beside catchUp "none", which lets a beat start within two ticks (${formatDuration(2 * tickEvery)}); remove one of them`;
      return [say('catch-up-within-ignored', ['catchUpWithin'], message)];
    }
    if (rhythm.most > 2 * tickEvery) return [];
    const message = `it has no effect: a beat may start for two ticks (${formatDuration(2 * tickEvery)}), and by then the next is there; remove it`;
    return [say('catch-up-none-idle', ['catchUp'], message)];
  }
  if (catchUpWithin === null || catchUpWithin >= tickEvery) return [];
  const message = `${formatDuration(catchUpWithin)} may pass between two ticks (every ${tick}), and then a beat expires before any tick sees it; allow at least ${formatDuration(2 * tickEvery)}`;
  return [say('catch-up-within-too-short', ['catchUpWithin'], message)];
}

function lintRetries({ retryAfter }: Group, rhythm: Rhythm, say: Say): Lint[] {
  if (rhythm === null) return [];
  let elapsed = 0;
  for (const [index, delay] of retryAfter.entries()) {
    elapsed += delay;
    if (elapsed < rhythm.most) continue;
    const number = index === 0 ? '' : `, ${formatDuration(elapsed)} after the first failure,`;
    const message = `a retry after ${formatDuration(delay)}${number} is never reached: the next beat comes within ${formatPeriod(rhythm.most)} and ends the retries; shorten or remove it`;
    return [say('retry-never-reached', ['retryAfter', index], message)];
  }
  return [];
}

function lintScripts({ scripts }: Group, { flawed }: ScriptFiles, say: Say): Lint[] {
  return scripts.flatMap(({ file, argv }, index): Lint[] => {
    const found = file === null ? undefined : flawed.get(file);
    if (found === undefined) return [];
    const steps = ['scripts', index];
    if (found.flaw === 'missing') {
      const message = `${found.shown} does not exist, so it would fail; create it or correct its name`;
      return [say('script-missing', steps, message)];
    }
    // Only what is started directly needs the right; the others are read by their interpreters.
    if (argv[0] !== file) return [];
    const message = `${found.shown} may not be executed, so it would fail; chmod +x ${found.shown}, or give it the extension of its language`;
    return [say('script-not-executable', steps, message)];
  });
}
