import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../../errors.ts';
import type { SourceKind, SourceText } from '../entry.ts';
import { decodeText } from './encoding.ts';

/** Getting at what is to be imported: files that are named, or what this machine has. */

export interface Sources {
  readonly texts: readonly SourceText[];
  /** What people should know about how they were read. */
  readonly notices: readonly string[];
}

/** Reads the files, folders, or standard input (`-`) that were named; of units also what belongs to them. */
export function readNamed(kind: SourceKind, paths: readonly string[], cwd: string): Sources {
  const texts: SourceText[] = [];
  const notices: string[] = [];
  const files = paths.flatMap((path) => (path === '-' ? ['-'] : expand(kind, path, cwd)));
  const all = kind === 'systemd' ? addRelatives(files, cwd) : files;
  for (const file of new Set(all)) {
    const { text, guessed } = decodeText(readBytes(file, cwd));
    if (guessed)
      notices.push(`${file} is neither UTF-8 nor UTF-16; it was read as windows-1252, so look at its letters`);
    texts.push({ name: file, text });
  }
  return { texts, notices };
}

function readBytes(file: string, cwd: string): Uint8Array {
  try {
    return readFileSync(file === '-' ? 0 : join0(cwd, file));
  } catch (cause) {
    throw new UsageError(`${file === '-' ? 'the standard input' : file} can't be read (${(cause as Error).message}).`, {
      cause,
    });
  }
}

function join0(cwd: string, file: string): string {
  return /^([/\\]|[A-Za-z]:[/\\])/.test(file) ? file : join(cwd, file);
}

const wanted: Readonly<Record<SourceKind, RegExp>> = {
  crontab: /^[^.].*(?<!\.(dpkg-\w+|bak|rpmsave|rpmnew|orig|swp))(?<!~)$/,
  systemd: /\.(timer|service)$/,
  launchd: /\.plist$/,
  schtasks: /\.xml$/i,
};

/** A folder stands for what is in it. */
function expand(kind: SourceKind, path: string, cwd: string): string[] {
  const full = join0(cwd, path);
  if (!existsSync(full))
    throw new UsageError(`there is no ${path}; name a file, a folder, or - for the standard input.`);
  if (!statSync(full).isDirectory()) return [path];
  const found = readdirSync(full, { recursive: kind === 'schtasks', encoding: 'utf8' })
    .filter((name) => wanted[kind].test(basename(name)) && statSync(join(full, name)).isFile())
    .sort();
  if (found.length === 0) throw new UsageError(`${path} holds nothing that a ${kind} import reads.`);
  return found.map((name) => join(path, name));
}

/** The services that timers start, templates, and drop-ins, where they lie beside what was named. */
function addRelatives(files: readonly string[], cwd: string): string[] {
  const all = [...files];
  for (const file of all) {
    if (file === '-' || !/\.(timer|service)$/.test(file)) continue;
    const folder = dirname(file);
    const add = (name: string) => {
      const path = folder === '.' && !file.startsWith('./') ? name : join(folder, name);
      if (!all.includes(path) && existsSync(join0(cwd, path))) all.push(path);
    };
    const name = basename(file);
    if (name.endsWith('.timer')) {
      const text = decodeText(readBytes(file, cwd)).text;
      const [, unit] = /^\s*Unit\s*=\s*(\S+)/m.exec(text) ?? [];
      const service = unit ?? name.replace(/timer$/, 'service');
      add(service);
      add(service.replace(/@.+\./, '@.'));
      add(name.replace(/@.+\./, '@.'));
    }
    const dropIns = join0(cwd, `${file}.d`);
    if (existsSync(dropIns) && statSync(dropIns).isDirectory()) {
      for (const conf of readdirSync(dropIns)
        .filter((one) => one.endsWith('.conf'))
        .sort()) {
        add(join(`${name}.d`, conf));
      }
    }
  }
  return all;
}

/** What this machine has: of this user, or with `system` of everybody. */
export function readOwn(kind: SourceKind, system: boolean): Sources {
  switch (kind) {
    case 'crontab':
      return system ? readSystemTables() : readUserTable();
    case 'systemd':
      return readRegisteredTimers(system);
    case 'launchd': {
      const folders = system
        ? ['/Library/LaunchAgents', '/Library/LaunchDaemons']
        : [join(homedir(), 'Library/LaunchAgents')];
      const there = folders.filter((folder) => existsSync(folder));
      if (there.length === 0)
        throw new UsageError(`there is no ${folders.join(' and no ')} here; name the files to import.`);
      return readNamed('launchd', there, '/');
    }
    case 'schtasks': {
      const bytes = ask('schtasks', ['/Query', '/XML', 'ONE']);
      const { text, guessed } = decodeText(bytes);
      const notices = guessed ? ['schtasks wrote a code page of its console; look at letters beyond ASCII'] : [];
      return { texts: [{ name: 'schtasks /Query', text }], notices };
    }
  }
}

function readUserTable(): Sources {
  const { text, guessed } = decodeText(ask('crontab', ['-l']));
  return { texts: [{ name: 'crontab -l', text }], notices: guessed ? ['the crontab is not UTF-8'] : [] };
}

function readSystemTables(): Sources {
  const files = ['/etc/crontab', '/etc/anacrontab'].filter((file) => existsSync(file));
  const folder = '/etc/cron.d';
  // cron itself reads only names of letters, digits, "_" and "-" there.
  const parts = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => /^[\w-]+$/.test(name))
        .sort()
    : [];
  const all = [...files, ...parts.map((name) => join(folder, name))];
  if (all.length === 0) throw new UsageError('there is no /etc/crontab, no /etc/cron.d and no /etc/anacrontab here.');
  return readNamed('crontab', all, '/');
}

/** `systemctl cat` of each timer, of the service that it starts, and of what that requires. */
function readRegisteredTimers(system: boolean): Sources {
  const scope = system ? [] : ['--user'];
  const list = decodeText(
    ask('systemctl', [...scope, 'list-timers', '--all', '--no-legend', '--no-pager', '--plain']),
  ).text;
  const timers = [...new Set(list.match(/\S+\.timer\b/g) ?? [])];
  const texts: SourceText[] = [];
  const seen = new Set<string>();
  const take = (unit: string): string => {
    if (seen.has(unit)) return '';
    seen.add(unit);
    const result = spawnSync('systemctl', [...scope, 'cat', '--no-pager', unit], { maxBuffer: 1 << 26 });
    const text = decodeText(result.stdout ?? new Uint8Array()).text;
    for (const [index, part] of text
      .split(/^(?=# \/\S+$)/m)
      .filter((one) => one.trim() !== '')
      .entries()) {
      const path = /^# (\/\S+)/.exec(part)?.[1] ?? unit;
      // An instance is shown under the path of its template.
      texts.push({
        name: index === 0 ? join(dirname(path), unit) : join(dirname(path), '..', `${unit}.d`, basename(path)),
        text: part,
      });
    }
    return text;
  };
  for (const timer of timers) {
    const text = take(timer);
    const service = /^Unit=(\S+)/m.exec(text)?.[1] ?? timer.replace(/timer$/, 'service');
    for (const [, names = ''] of take(service).matchAll(/^(?:Requires|Requisite|BindsTo)=(.+)$/gm)) {
      for (const name of names.split(/\s+/)) if (name.endsWith('.service')) take(name);
    }
  }
  if (texts.length === 0)
    throw new UsageError(`systemctl ${scope.join(' ')} knows no timers; name the files to import.`);
  return { texts, notices: [] };
}

function ask(program: string, args: readonly string[]): Uint8Array {
  const result = spawnSync(program, args, { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
  const line = [program, ...args].join(' ');
  if (result.error !== undefined) {
    throw new UsageError(`${line} can't be started here (${result.error.message}); name the files to import.`, {
      cause: result.error,
    });
  }
  if (result.status !== 0) {
    const said = result.stderr.toString('utf8').trim().split('\n')[0] ?? '';
    throw new UsageError(
      `${line} ended with ${result.status}${said === '' ? '' : `: ${said}`}; name the files to import.`,
    );
  }
  return result.stdout;
}
