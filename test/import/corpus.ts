import { readFileSync } from 'node:fs';
import { isAnacrontab, readAnacrontabs } from '../../src/import/crontab/anacrontab.ts';
import { readCrontabs } from '../../src/import/crontab/crontab.ts';
import type { Entry, Reading, Setting, SourceKind, SourceText } from '../../src/import/entry.ts';
import { readAgents } from '../../src/import/launchd/agents.ts';
import type { Rhythm } from '../../src/import/rhythm.ts';
import { readTasks } from '../../src/import/schtasks/tasks.ts';
import { readTimers } from '../../src/import/systemd/timers.ts';
import { formatDuration } from '../../src/schedule/duration.ts';

/*
 * The corpus: inputs written after public documentation, each with what is to become of it. A file holds cases; `===`
 * begins one, `---` its outcome. Of timers, `@@` begins each unit file; agents are written without XML and made into
 * property lists here.
 */

export const now = Date.parse('2026-11-22T16:00:00.000Z');

export interface Case {
  readonly kind: SourceKind;
  readonly name: string;
  readonly texts: readonly SourceText[];
  readonly outcome: readonly string[];
}

const files: Readonly<Record<SourceKind, string>> = {
  crontab: 'crontabs.txt',
  systemd: 'timers.txt',
  launchd: 'agents.txt',
  schtasks: 'tasks.txt',
};

export const settings: Readonly<Record<SourceKind, Setting>> = {
  crontab: { timezone: 'UTC', now, home: null },
  systemd: { timezone: 'UTC', now, home: '/home/dana' },
  launchd: { timezone: 'America/New_York', now, home: null },
  schtasks: { timezone: 'Europe/Berlin', now, home: null },
};

export function readCorpus(kind: SourceKind): Case[] {
  const text = readFileSync(new URL(`./corpus/${files[kind]}`, import.meta.url), 'utf8');
  return text
    .split(/^=== /m)
    .slice(1)
    .map((part) => {
      const [name = '', ...lines] = part.split('\n');
      const [input = '', outcome = ''] = lines.join('\n').split(/^---\n/m);
      return { kind, name, texts: textsOf(kind, input), outcome: outcome.split('\n').filter((line) => line !== '') };
    });
}

function textsOf(kind: SourceKind, input: string): SourceText[] {
  switch (kind) {
    case 'crontab':
      return [{ name: 'table', text: input }];
    case 'systemd':
      return input
        .split(/^@@ /m)
        .slice(1)
        .map((part) => {
          const [name = '', ...lines] = part.split('\n');
          return { name, text: lines.join('\n') };
        });
    case 'launchd':
      return [{ name: 'agent.plist', text: makePlist(input) }];
    case 'schtasks':
      return [{ name: 'tasks.xml', text: input }];
  }
}

export function read(kind: SourceKind, texts: readonly SourceText[], setting: Setting = settings[kind]): Reading {
  switch (kind) {
    case 'crontab': {
      const [first] = texts;
      return first !== undefined && isAnacrontab(first)
        ? readAnacrontabs(texts, setting)
        : readCrontabs(texts, setting);
    }
    case 'systemd':
      return readTimers(texts, setting);
    case 'launchd':
      return readAgents(texts, setting);
    case 'schtasks':
      return readTasks(texts, setting);
  }
}

/** What became of a case, a line for each job and for each thing that was not converted. */
export function tellOutcome({ entries, accounts }: Reading): string[] {
  return [
    ...entries.map(tellEntry),
    ...accounts
      .filter(({ fate }) => fate === 'reported')
      .map(({ line, what, why }) => `not ${line === null ? what : `line ${line}`}: ${why}`),
  ];
}

function tellEntry(entry: Entry): string {
  const scripts = entry.scripts.map(({ run, command, shell, args, ...rest }) => {
    const words = [run ?? command ?? shell ?? '', ...(args ?? [])].map((word) => JSON.stringify(word)).join(' ');
    const more = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    return [run === undefined ? (command === undefined ? 'shell' : 'command') : 'run', words, ...more].join(' ');
  });
  const { priority, lane, retryAfter } = entry;
  const more = [
    ...(entry.enabled ? [] : ['off']),
    ...(entry.catchesUp ? ['catches up'] : []),
    ...(priority === 'normal' ? [] : [priority]),
    ...(lane === null ? [] : [`lane ${lane}`]),
    ...(retryAfter.length === 0 ? [] : [`retryAfter ${retryAfter}`]),
    ...(entry.requires.length === 0 ? [] : [`requires ${entry.requires}`]),
    ...(entry.follows.length === 0 ? [] : [`after ${entry.follows}`]),
    ...(entry.description === null ? [] : [JSON.stringify(entry.description)]),
    ...(entry.approximation === null ? [] : [`~ ${entry.approximation}`]),
    ...new Set(entry.notes.map((note) => `- ${note}`)),
  ];
  return [`${entry.origin.line ?? entry.origin.name}: ${tellRhythm(entry.rhythm)}`, scripts.join(' && '), ...more].join(
    ' | ',
  );
}

function tellRhythm(rhythm: Rhythm): string {
  if (rhythm.kind === 'calendar') return `${rhythm.lines.join(' + ')} ${rhythm.timezone}`;
  return `every ${formatDuration(rhythm.every)}${rhythm.offset === 0 ? '' : ` + ${formatDuration(rhythm.offset)}`}`;
}

const lists = new Set(['ProgramArguments', 'WatchPaths']);

function makePlist(input: string): string {
  const encode = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const string = (text: string) => `<string>${encode(text)}</string>`;
  const value = (text: string) => (/^\d+$/.test(text) ? `<integer>${text}</integer>` : string(text));
  const dict = (pairs: readonly string[], of: (text: string) => string) =>
    `<dict>${pairs
      .map((pair) => pair.split(/=(.*)/s))
      .map(([key = '', text = '']) => `<key>${key}</key>${of(text)}`)
      .join('')}</dict>`;
  const rows = input
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, key = '', text = ''] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (lists.has(key)) return `<key>${key}</key><array>${text.split(' | ').map(string).join('')}</array>`;
      if (text === 'true' || text === 'false') return `<key>${key}</key><${text}/>`;
      if (key === 'EnvironmentVariables') return `<key>${key}</key>${dict(text.split(' '), string)}`;
      if (key === 'StartCalendarInterval') {
        const dates = text.split('; ').map((date) =>
          dict(
            date.split(' ').filter((pair) => pair !== ''),
            value,
          ),
        );
        return `<key>${key}</key>${dates.length === 1 ? dates[0] : `<array>${dates.join('')}</array>`}`;
      }
      return `<key>${key}</key>${value(text)}`;
    });
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
${rows.join('\n')}
</dict>
</plist>
`;
}
