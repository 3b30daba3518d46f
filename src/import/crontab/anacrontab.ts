import { type Account, type EntryDraft, identify, type Reading, type Setting, type SourceText } from '../entry.ts';
import { gridOf, rhythmOf } from '../rhythm.ts';
import { unwrap } from '../text/command-wrapper.ts';

const day = 86_400_000;

/** Whether a file is anacron's table rather than cron's. */
export function isAnacrontab({ name, text }: SourceText): boolean {
  if (/anacrontab/.test(name)) return true;
  if (/^\s*START_HOURS_RANGE\s*=/m.test(text)) return true;
  const jobs = text.split('\n').filter((line) => !/^\s*(#|$)|^\s*\w+\s*=/.test(line));
  // An identifier has a dot; a month or a day of cron has none.
  return jobs.length > 0 && jobs.every((line) => /^\s*(@\w+|\d+)\s+\d+\s+[\w-]+\.[\w.-]+\s+\S/.test(line));
}

/**
 * Reads anacrontab(5): `period delay identifier command`. anacron counts days since a job last ran, at whatever hour the
 * machine is up; here a job has a time, the start of START_HOURS_RANGE plus its delay, and is made up for when missed.
 */
export function readAnacrontabs(texts: readonly SourceText[], setting: Setting): Reading {
  const accounts: Account[] = [];
  const drafts: EntryDraft[] = [];
  for (const { name, text } of texts) {
    const env = new Map<string, string>();
    let startHour = 0;
    for (const [index, raw] of text
      .replace(/\r?\n$/, '')
      .split('\n')
      .entries()) {
      const line = raw.replace(/\r$/, '');
      const account = (fate: Account['fate'], why: string) =>
        accounts.push({ file: name, line: index + 1, what: line, fate, why });
      const [, variable, value = ''] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      const [, period = '', delay = '', identifier = '', command] =
        /^\s*(@\w+|\d+)\s+(\d+)\s+(\S+)\s+(\S.*)$/.exec(line) ?? [];
      if (line.trim() === '') account('ignored', 'blank');
      else if (line.trimStart().startsWith('#')) account('ignored', 'a comment');
      else if (variable === 'START_HOURS_RANGE') {
        startHour = Math.min(23, Number(/^\d+/.exec(value)?.[0] ?? 0));
        account('converted', `the jobs below are planned from ${startHour} o’clock on`);
      } else if (variable === 'RANDOM_DELAY' || variable === 'MAILTO') {
        account('reported', variable === 'MAILTO' ? 'rhythm sends no mail' : 'rhythm delays nothing at random');
      } else if (variable !== undefined) {
        if (variable === 'LOGNAME') account('ignored', 'the user is that of the trigger');
        else {
          env.set(variable, value);
          account('converted', 'a variable of the jobs below');
        }
      } else if (command === undefined) account('reported', 'it is no job, no variable and no comment of anacron');
      else {
        const time = startHour * 60 + Math.min(59, Number(delay));
        const found = rhythmIn(period, time, setting);
        if (found === null) {
          account('reported', `anacron knows no period ${period}`);
          continue;
        }
        const { HOME: home = null, SHELL: shell = '/bin/sh', ...rest } = Object.fromEntries(env);
        const inside = unwrap(command, { home: home ?? setting.home, shell, env: rest, isRead: () => false });
        drafts.push({
          identity: `anacron ${identifier}`,
          origin: { kind: 'crontab', file: name, line: index + 1, name: identifier },
          description: null,
          written: `${period} ${delay}`,
          ...found,
          scripts: [inside.script],
          stopsAtFailure: false,
          catchesUp: true,
          priority: inside.priority,
          lane: null,
          retryAfter: [],
          enabled: true,
          requires: [],
          follows: [],
          hints: [],
          notes: inside.notes,
        });
        account('converted', found.approximation);
      }
    }
  }
  return { entries: identify(drafts), accounts };
}

function rhythmIn(
  period: string,
  time: number,
  { timezone, now }: Setting,
): (Pick<EntryDraft, 'rhythm' | 'originals' | 'approximation'> & { approximation: string }) | null {
  const at = `${time % 60} ${Math.floor(time / 60)}`;
  const approximation = 'anacron counts days since the last run; here it has a time of its own';
  const days = period.startsWith('@') ? named.get(period) : Number(period);
  const line =
    days === 1
      ? `${at} * * *`
      : days === 7
        ? `${at} * * 0`
        : days === 30
          ? `${at} 1 * *`
          : days === 365
            ? `${at} 1 1 *`
            : null;
  if (days === undefined || days < 1) return null;
  const rhythm = line === null ? gridOf(days * day, time * 60_000) : rhythmOf([line], timezone, now);
  if ('problem' in rhythm) return null;
  return { rhythm, originals: [{ kind: 'period', every: days * day, start: null }], approximation };
}

const named = new Map([
  ['@daily', 1],
  ['@weekly', 7],
  ['@monthly', 30],
  ['@yearly', 365],
  ['@annually', 365],
]);
