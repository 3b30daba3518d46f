import { posix } from 'node:path';
import {
  type Account,
  type DatePattern,
  type EntryDraft,
  identify,
  type Original,
  type Reading,
  type ScriptDraft,
  type Setting,
  type SourceText,
} from '../entry.ts';
import { gridOf, joinRhythms, type Rhythm, rhythmOf, writeList } from '../rhythm.ts';
import { priorityOf } from '../text/command-wrapper.ts';
import { writeLength } from '../text/timespan.ts';
import { type PlistValue, readPlist } from './plist.ts';

/** Reading agents and daemons of launchd, by launchd.plist(5). */

type Dictionary = ReadonlyMap<string, PlistValue>;

/** What a key comes to where it says nothing of rhythm or program; those that matter are read one by one. */
const others: Readonly<Record<string, readonly [Account['fate'], string]>> = {
  Disabled: ['converted', 'whether the group is enabled'],
  Nice: ['converted', 'the place in the order'],
  ExitTimeOut: ['converted', 'killAfter'],
  Label: ['converted', 'its name'],
  Program: ['converted', 'the program'],
  ProgramArguments: ['converted', 'the program and its arguments'],
  EnvironmentVariables: ['converted', 'its variables'],
  WorkingDirectory: ['converted', 'where it runs'],
  StartInterval: ['converted', 'the schedule'],
  StartCalendarInterval: ['converted', 'the schedule'],
  StandardOutPath: ['reported', 'rhythm keeps the output of each run, below outputs/runs'],
  StandardErrorPath: ['reported', 'rhythm keeps the output of each run, below outputs/runs'],
  StandardInPath: ['reported', 'a script’s input is empty'],
  UserName: ['reported', 'rhythm runs as the user of its trigger'],
  GroupName: ['reported', 'rhythm runs as the user of its trigger'],
  KeepAlive: ['reported', 'rhythm keeps no process alive; leave what has to stay up to launchd'],
  WatchPaths: ['reported', 'a change of a file is no rhythm; leave it to launchd'],
  QueueDirectories: ['reported', 'a change of a folder is no rhythm; leave it to launchd'],
  StartOnMount: ['reported', 'a mount is no rhythm; leave it to launchd'],
  Sockets: ['reported', 'a connection is no rhythm; leave it to launchd'],
  MachServices: ['reported', 'a request is no rhythm; leave it to launchd'],
  LaunchEvents: ['reported', 'an event is no rhythm; leave it to launchd'],
  RunAtLoad: ['reported', 'rhythm has no moment of loading; a group of an interval is due at first sight'],
  LaunchOnlyOnce: ['reported', 'a group runs at each of its beats'],
  Umask: ['reported', 'scripts have the umask of the trigger'],
  RootDirectory: ['reported', 'rhythm changes no root folder'],
  SoftResourceLimits: ['reported', 'rhythm sets no limits; let the script do that (ulimit)'],
  HardResourceLimits: ['reported', 'rhythm sets no limits; let the script do that (ulimit)'],
  EnableGlobbing: ['reported', 'arguments are taken as they are'],
  LowPriorityIO: ['reported', 'rhythm has no priority of disk access'],
  LowPriorityBackgroundIO: ['reported', 'rhythm has no priority of disk access'],
  ThrottleInterval: ['ignored', 'a group never starts faster than its beats'],
  ProcessType: ['ignored', 'a matter of launchd itself'],
  AbandonProcessGroup: ['ignored', 'what a script leaves behind is let live'],
  LimitLoadToSessionType: ['ignored', 'a matter of launchd itself'],
  LimitLoadToHosts: ['reported', 'rhythm does not look which machine it is'],
  LimitLoadFromHosts: ['reported', 'rhythm does not look which machine it is'],
  SessionCreate: ['ignored', 'a matter of launchd itself'],
  EnableTransactions: ['ignored', 'a matter of launchd itself'],
  InitGroups: ['ignored', 'a matter of launchd itself'],
  TimeOut: ['ignored', 'launchd does nothing with it any more'],
  Debug: ['ignored', 'a matter of launchd itself'],
  WaitForDebugger: ['ignored', 'a matter of launchd itself'],
  LegacyTimers: ['ignored', 'a matter of launchd itself'],
  MaterializeDatalessFiles: ['ignored', 'a matter of launchd itself'],
  AssociatedBundleIdentifiers: ['ignored', 'a matter of launchd itself'],
};

/** Reads property lists of launchd. Each key is accounted for. */
export function readAgents(texts: readonly SourceText[], setting: Setting): Reading {
  const accounts: Account[] = [];
  const drafts = texts.flatMap((source) => readAgent(source, setting, accounts));
  return { entries: identify(drafts), accounts };
}

function readAgent({ name: file, text }: SourceText, setting: Setting, accounts: Account[]): EntryDraft[] {
  const whole = (fate: Account['fate'], why: string): EntryDraft[] => {
    accounts.push({ file, line: null, what: posix.basename(file), fate, why });
    return [];
  };
  const root = readPlist(text);
  if ('problem' in root) return whole('reported', root.problem);
  if (!(root.value instanceof Map)) return whole('reported', 'it holds no dictionary at its top');
  const plist: Dictionary = root.value;
  const label = textIn(plist, 'Label') ?? posix.basename(file).replace(/\.plist$/, '');
  const notes: string[] = [];

  const script = readProgram(plist, notes);
  const times = script === null ? null : readTimes(plist, setting);
  const problem =
    script === null
      ? 'it names no program'
      : times === null
        ? 'it has no StartInterval and no StartCalendarInterval, so it has no rhythm; leave it to launchd'
        : 'problem' in times
          ? times.problem
          : null;
  for (const [key, value] of plist) {
    const known = Object.hasOwn(others, key) ? others[key] : undefined;
    const [fate, why] = known ?? (['reported', 'it is not known'] as const);
    const isOff = value === false && ['RunAtLoad', 'KeepAlive', 'StartOnMount', 'LowPriorityIO'].includes(key);
    if (isOff)
      accounts.push({ file, line: null, what: `${label}/${key}`, fate: 'ignored', why: 'it asks for nothing' });
    else if (problem !== null) {
      accounts.push({
        file,
        line: null,
        what: `${label}/${key}`,
        fate: fate === 'ignored' ? fate : 'reported',
        // What is said of the key itself says more.
        why: fate === 'converted' ? problem : why,
      });
    } else {
      accounts.push({ file, line: null, what: `${label}/${key}`, fate, why });
      if (fate === 'reported') notes.push(`${key} is left out: ${why}`);
    }
  }
  if (problem !== null || script === null || times === null || 'problem' in times) {
    return plist.size === 0 ? whole('reported', problem ?? 'it is empty') : [];
  }

  const nice = numberIn(plist, 'Nice');
  const enabled = plist.get('Disabled') !== true;
  if (!enabled) notes.push('it is switched off by its Disabled key, and so it is here');
  return times.rhythms.map((rhythm, index) => ({
    identity: `${label}${index === 0 ? '' : ` ${index + 1}`}`,
    origin: { kind: 'launchd', file, line: null, name: label },
    description: null,
    written: times.written,
    rhythm,
    originals: times.originals,
    approximation: null,
    scripts: [script],
    stopsAtFailure: false,
    catchesUp: times.catchesUp,
    priority: nice === null ? 'normal' : priorityOf(nice),
    lane: null,
    retryAfter: [],
    enabled,
    requires: [],
    follows: [],
    hints: [],
    notes: times.rhythms.length === 1 ? notes : [...notes, 'its schedules have no form in common'],
  }));
}

function readProgram(plist: Dictionary, notes: string[]): ScriptDraft | null {
  const given = plist.get('ProgramArguments');
  const list = Array.isArray(given) ? given.filter((word) => typeof word === 'string') : [];
  const program = textIn(plist, 'Program') ?? list[0];
  if (program === undefined || program.trim() === '' || program.includes('\0')) return null;
  const args = list.slice(1).filter((word) => !word.includes('\0'));
  const variables = plist.get('EnvironmentVariables');
  const env =
    variables instanceof Map
      ? [...variables].flatMap(([key, value]) =>
          typeof value === 'string' && /^[^=\0]+$/.test(key) ? [[key, value]] : [],
        )
      : [];
  const cwd = textIn(plist, 'WorkingDirectory');
  const exit = numberIn(plist, 'ExitTimeOut');
  const more = {
    ...(cwd === null || cwd.trim() === '' ? {} : { cwd }),
    ...(env.length === 0 ? {} : { env: Object.fromEntries(env) as Record<string, string> }),
    ...(exit === null || exit <= 0 ? {} : { killAfter: writeLength(exit * 1_000) }),
  };
  if (exit === 0) notes.push('an ExitTimeOut of 0 waits for ever; rhythm sends SIGKILL after killAfter');
  const isShell = /^(\/bin\/)?sh$/.test(program) && args.length === 2 && /^-l?c$/.test(args[0] ?? '');
  if (isShell && (args[1] ?? '').trim() !== '') return { shell: args[1] as string, ...more };
  const isScript = /\.(sh|py|rb|pl|[cm]?js)$/.test(program) && posix.isAbsolute(program);
  const words = args.length === 0 ? {} : { args };
  return isScript ? { run: program, ...words, ...more } : { command: program, ...words, ...more };
}

interface Times {
  readonly rhythms: readonly Rhythm[];
  readonly originals: readonly Original[];
  readonly written: string;
  readonly catchesUp: boolean;
}

function readTimes(plist: Dictionary, setting: Setting): Times | { readonly problem: string } | null {
  const calendar = plist.get('StartCalendarInterval');
  const seconds = numberIn(plist, 'StartInterval');
  const rhythms: Rhythm[] = [];
  const originals: Original[] = [];
  const written: string[] = [];
  if (seconds !== null) {
    if (!Number.isInteger(seconds) || seconds < 1) return { problem: `its StartInterval of ${seconds} s is none` };
    rhythms.push(gridOf(seconds * 1_000, 0));
    originals.push({ kind: 'period', every: seconds * 1_000, start: null });
    written.push(`StartInterval ${seconds}`);
  }
  if (calendar !== undefined) {
    const list = (Array.isArray(calendar) ? calendar : [calendar]).filter((one) => one instanceof Map);
    if (list.length === 0) return { problem: 'its StartCalendarInterval holds no dictionary' };
    const dates = list.map(readDate);
    const lines = dates.map(lineOf);
    const rhythm = rhythmOf(lines, setting.timezone, setting.now);
    if ('problem' in rhythm) return rhythm;
    rhythms.push(rhythm);
    originals.push({ kind: 'dates', dates, timezone: setting.timezone });
    written.push(`StartCalendarInterval ${dates.map(writeDate).join('; ')}`);
  }
  if (rhythms.length === 0) return null;
  return {
    rhythms: joinRhythms(rhythms, setting.now),
    originals,
    written: written.join('; '),
    catchesUp: calendar !== undefined,
  };
}

const ranges = { Minute: [0, 59], Hour: [0, 23], Day: [1, 31], Weekday: [0, 7], Month: [1, 12] } as const;

/** A value that is missing, no integer or out of its range matches anything, as launchd has it. */
function readDate(dictionary: Dictionary): DatePattern {
  const found = Object.entries(ranges).flatMap(([key, [least, most]]) => {
    const value = dictionary.get(key);
    return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? [[key, value]]
      : [];
  });
  return Object.fromEntries(found) as DatePattern;
}

/** Day and Weekday together mean either, as in cron. */
function lineOf({ Minute, Hour, Day, Weekday, Month }: DatePattern): string {
  const field = (value: number | undefined) => (value === undefined ? '*' : writeList([value]));
  return [Minute, Hour, Day, Month, Weekday === 7 ? 0 : Weekday].map(field).join(' ');
}

function writeDate(date: DatePattern): string {
  const parts = Object.entries(date).map(([key, value]) => `${key} ${value}`);
  return parts.length === 0 ? 'every minute' : parts.join(' ');
}

function textIn(plist: Dictionary, key: string): string | null {
  const value = plist.get(key);
  return typeof value === 'string' ? value : null;
}

function numberIn(plist: Dictionary, key: string): number | null {
  const value = plist.get(key);
  return typeof value === 'number' ? value : null;
}
