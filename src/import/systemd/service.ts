import { posix } from 'node:path';
import type { Account, ScriptDraft, Setting } from '../entry.ts';
import { quoteWord } from '../text/shell-words.ts';
import { parseTimespan, writeLength } from '../text/timespan.ts';
import {
  fillSpecifiers,
  lastOf,
  listOf,
  settle,
  splitExec,
  type Unit,
  type Setting as UnitSetting,
} from './unit-file.ts';

/** The units of one reading, and what became of their lines. */
export interface UnitReading {
  readonly units: ReadonlyMap<string, Unit>;
  /** The timer of each service. */
  readonly ruled: ReadonlyMap<string, string>;
  readonly setting: Setting;
  readonly accounts: Account[];
}

const serviceKeys: Readonly<Record<string, readonly [Account['fate'], string]>> = {
  ExecStart: ['converted', 'a script'],
  ExecStartPre: ['converted', 'a script'],
  ExecStartPost: ['converted', 'a script'],
  Environment: ['converted', 'its variables'],
  WorkingDirectory: ['converted', 'where it runs'],
  TimeoutStartSec: ['converted', 'the timeout'],
  TimeoutSec: ['converted', 'the timeout'],
  RuntimeMaxSec: ['converted', 'the timeout'],
  TimeoutStopSec: ['converted', 'killAfter'],
  Nice: ['converted', 'the place in the order'],
  SuccessExitStatus: ['converted', 'successExitCodes'],
  Restart: ['converted', 'retryAfter'],
  RestartSec: ['converted', 'retryAfter'],
  User: ['converted', 'who runs it'],
  Type: ['ignored', 'a script has ended when its process has'],
  StandardOutput: ['ignored', 'rhythm keeps the output of each run'],
  StandardError: ['ignored', 'rhythm keeps the output of each run'],
  SyslogIdentifier: ['ignored', 'rhythm has a log of its own'],
  KillMode: ['ignored', 'at its timeout a script is ended with all that it started'],
  SendSIGKILL: ['ignored', 'SIGKILL follows SIGTERM in any case'],
  RemainAfterExit: ['ignored', 'a script has ended when its process has'],
};

/** Those that say nothing where they ask for what rhythm does anyway. */
export function settleCommon(one: UnitSetting, accounts: Account[]): void {
  if (one.section === 'Install') settle(accounts, one, 'ignored', 'what starts the timer; rhythm has its own trigger');
  else if (one.section === 'Unit') {
    const isText = ['Description', 'Documentation', 'DefaultDependencies', 'SourcePath'].includes(one.key);
    if (isText) settle(accounts, one, one.key === 'Description' ? 'converted' : 'ignored', 'the description');
  } else if (
    /^(Private|Protect|Restrict|NoNew|ReadOnly|ReadWrite|Capability|System|Lock|Memory|CPU|IO|Tasks|Limit)/.test(
      one.key,
    )
  ) {
    settle(
      accounts,
      one,
      'reported',
      'rhythm neither isolates nor limits scripts; start it with systemd-run where that matters',
    );
  }
}

interface Service {
  readonly scripts: readonly ScriptDraft[];
  readonly nice: number | null;
  readonly retryAfter: readonly string[];
}

export function readService(
  service: Unit,
  { setting, accounts, units }: UnitReading,
  notes: string[],
): Service | { readonly problem: string } {
  for (const one of service.settings) {
    const known = one.section === 'Service' && Object.hasOwn(serviceKeys, one.key) ? serviceKeys[one.key] : undefined;
    if (known !== undefined) settle(accounts, one, ...known);
    else settleCommon(one, accounts);
    if (one.section === 'Service' && one.key === 'EnvironmentFile' && one.value !== '') {
      const path = one.value.replace(/^-/, '');
      settle(accounts, one, 'reported', `rhythm reads no such file: let the script source ${path}`);
    }
    const left = accounts[one.account];
    if (one.section === 'Service' && left?.fate === 'reported')
      notes.push(`${one.key}=${one.value} is left out: ${left.why}`);
  }
  const { name } = service;
  const value = (key: string): string | null => lastOf(service, 'Service', key)?.value ?? null;
  const env = readEnvironment(service, setting.home);
  const folder = value('WorkingDirectory')?.replace(/^-/, '') ?? null;
  const cwd = folder === '~' ? setting.home : folder === null ? null : fillSpecifiers(folder, name, setting.home);
  const limit = ['TimeoutStartSec', 'TimeoutSec', 'RuntimeMaxSec'].map(value).find((text) => text !== null) ?? null;
  const timeout = limit === null ? null : parseTimespan(limit);
  const stop = parseTimespan(value('TimeoutStopSec') ?? '');
  const codes = (value('SuccessExitStatus') ?? '')
    .split(/\s+/)
    .filter((code) => /^\d{1,3}$/.test(code) && Number(code) < 256);
  const user = value('User');
  const more: ScriptDraft = {
    ...(cwd === null || !posix.isAbsolute(cwd) ? {} : { cwd }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    // Zero and infinity switch the limit off.
    ...(timeout === null || !Number.isFinite(timeout) || timeout < 1_000 ? {} : { timeout: writeLength(timeout) }),
    ...(stop === null || !Number.isFinite(stop) || stop < 1_000 ? {} : { killAfter: writeLength(stop) }),
    ...(codes.length === 0 ? {} : { successExitCodes: [...new Set([0, ...codes.map(Number)])] }),
  };
  const scripts: ScriptDraft[] = [];
  for (const key of ['ExecStartPre', 'ExecStart', 'ExecStartPost']) {
    for (const one of listOf(service, 'Service', key)) {
      const script = scriptOf(one.value, name, setting.home, user);
      if (script === null) {
        settle(accounts, one, 'reported', 'its line can’t be read, or has a specifier that only systemd can fill in');
        return { problem: `${name} has an ${key} that can’t be converted: ${one.value}` };
      }
      scripts.push({ ...script, ...more });
    }
  }
  if (user !== null && user !== 'root') notes.push(`ran as ${user}: runuser does that where rhythm runs as root`);
  if (scripts.length === 0) return { problem: `${name} starts no program` };
  const nice = value('Nice');
  const unknown = listOf(service, 'Unit', 'OnFailure')[0];
  if (unknown !== undefined && !units.has(unknown.value))
    notes.push(`OnFailure=${unknown.value} is left out: rhythm starts nothing at a failure`);
  return {
    scripts,
    nice: nice === null || !/^-?\d+$/.test(nice) ? null : Number(nice),
    retryAfter: readRestart(value),
  };
}

/** A oneshot service that is restarted after a failure is what retryAfter is for; systemd gives up after five tries. */
function readRestart(value: (key: string) => string | null): string[] {
  if (!/^on-(failure|abnormal|abort|watchdog)$/.test(value('Restart') ?? 'no')) return [];
  const delay = parseTimespan(value('RestartSec') ?? '100ms');
  if (delay === null || !Number.isFinite(delay)) return [];
  return Array.from({ length: 5 }, () => writeLength(delay));
}

function readEnvironment(service: Unit, home: string | null): Record<string, string> {
  const env = new Map<string, string>();
  for (const { value } of listOf(service, 'Service', 'Environment')) {
    const filled = fillSpecifiers(value, service.name, home) ?? value;
    for (const word of splitExec(filled) ?? []) {
      const [, key, text = ''] = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(word) ?? [];
      if (key !== undefined) env.set(key, text);
    }
  }
  return Object.fromEntries(env);
}

/** An Exec line as a script; null where it can't be told what it runs. */
function scriptOf(line: string, unit: string, home: string | null, user: string | null): ScriptDraft | null {
  const [, prefixes = '', rest = ''] = /^([-@:+!|]*)\s*([\s\S]*)$/.exec(line) ?? [];
  const filled = fillSpecifiers(rest, unit, home);
  const words = filled === null ? null : splitExec(filled);
  if (words === null) return null;
  // With @ the second word is only what the program is told it is called.
  if (prefixes.includes('@')) words.splice(1, 1);
  const [program, ...args] = words;
  if (program === undefined || program === '' || words.some((word) => word.includes('\0'))) return null;
  const optional = prefixes.includes('-') ? { optional: true } : {};
  if (user !== null && user !== 'root') {
    return {
      command: 'runuser',
      args: [
        '-u',
        user,
        '--',
        ...(hasVariables(args, prefixes) ? ['/bin/sh', '-c', toShell(words)] : words.map(undouble)),
      ],
      ...optional,
    };
  }
  if (hasVariables(args, prefixes)) return { shell: toShell(words), ...optional };
  const plain = args.map(prefixes.includes(':') ? (word) => word : undouble);
  if (/^(\/(usr\/)?bin\/)?sh$/.test(program) && plain.length === 2 && plain[0] === '-c' && plain[1]?.trim()) {
    return { shell: plain[1], ...optional };
  }
  const isScript = /\.(sh|py|rb|pl|[cm]?js)$/.test(program) && posix.isAbsolute(program);
  return {
    ...(isScript ? { run: program } : { command: program }),
    ...(plain.length === 0 ? {} : { args: plain }),
    ...optional,
  };
}

/** `$NAME` and `${NAME}` are filled in by systemd, `$$` is a dollar sign. */
function hasVariables(args: readonly string[], prefixes: string): boolean {
  return !prefixes.includes(':') && args.some((word) => /\$(\w|\{)/.test(word.replaceAll('$$', '')));
}

function undouble(word: string): string {
  return word.replaceAll('$$', '$');
}

/** A word that is only `$NAME` is split at blanks, by systemd as by the shell; `${NAME}` is not. */
function toShell(words: readonly string[]): string {
  return words
    .map((word) => {
      if (/^\$\w+$/.test(word)) return word;
      if (!/\$(\w|\{)/.test(word.replaceAll('$$', ''))) return quoteWord(undouble(word));
      const escaped = word
        .replaceAll('$$', '\0')
        .replace(/["\\`]/g, '\\$&')
        .replaceAll('\0', '\\$');
      return `"${escaped}"`;
    })
    .join(' ');
}
