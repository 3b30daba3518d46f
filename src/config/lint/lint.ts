import { formatDuration } from '../../schedule/duration.ts';
import type { Config, Group } from '../config.ts';
import { formatKey, type RawConfig } from '../load/raw-config.ts';
import type { Lint, LintCode, Say } from './lint-codes.ts';
import { lintLine } from './lint-cron.ts';
import { lintDependencies } from './lint-dependencies.ts';
import { formatPeriod, measure, type Rhythm } from './period.ts';
import type { ScriptFiles } from './script-files.ts';

export interface LintSetting {
  readonly raw: RawConfig;
  /** The instant from which the coming twelve months are looked at, ms. */
  readonly now: number;
  readonly files: ScriptFiles;
}

/** Intervals, in seconds, that have the same beats each day. */
const divisorsOfDay = Array.from({ length: 86_400 }, (_, index) => index + 1).filter((length) => 86_400 % length === 0);
const day = 86_400_000;

/**
 * Looks for likely mistakes in a checked configuration, in the order of the configuration; disabled groups are left out.
 * Pure.
 */
export function lintConfig(config: Config, setting: LintSetting): Lint[] {
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  const rhythms = new Map(config.groups.map((group) => [group.name, measure(group.schedule, setting.now)]));
  const lints = config.groups
    .filter(({ enabled }) => enabled)
    .flatMap((group) => {
      const say = (code: LintCode, steps: readonly PropertyKey[], message: string): Lint => {
        return { code, path: formatKey(setting.raw, group.name, ...steps), message };
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

function lintSchedule(group: Group, rhythm: Rhythm, tickEvery: number, { raw, now }: LintSetting, say: Say): Lint[] {
  const { schedule } = group;
  if (schedule.kind === 'manual' || rhythm === null) return [];
  const lints: Lint[] = [];
  const key = schedule.kind === 'interval' ? 'every' : keyOf(raw, group.name);
  if (schedule.kind === 'interval') lints.push(...lintInterval(schedule.every, say));
  else {
    const isList = Array.isArray(raw.at([...raw.pathOf(group.name), key]));
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
    const fix = `let them lie at least ${formatDuration(tickEvery)} apart, or have the trigger come as often (and say so in tickEvery)`;
    lints.push(say('faster-than-tick', [key], `${apart} ${effect}; ${fix}`));
  }
  return lints;
}

function keyOf(raw: RawConfig, group: string): 'daily' | 'cron' {
  return raw.at([...raw.pathOf(group), 'daily']) === undefined ? 'cron' : 'daily';
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
