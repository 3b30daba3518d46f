import { basename } from 'node:path';
import { parseCron, shorthands } from '../../schedule/cron.ts';
import { isTimeZone } from '../../schedule/zone.ts';
import { type Account, type EntryDraft, identify, type Reading, type Setting, type SourceText } from '../entry.ts';
import { rhythmOf } from '../rhythm.ts';
import { unwrap } from '../text/command-wrapper.ts';
import { quoteWord } from '../text/shell-words.ts';

/** Reading crontabs: crontab(5) of Debian's cron and of cronie. For anacron's table see anacrontab.ts. */

/** Those that a user column is known by where the file does not tell; no program is called so. */
const users = new Set(['root', 'daemon', 'nobody', 'www-data', 'munin', 'logcheck', 'smmsp', 'ubuntu', 'Debian-exim']);

/** What holds from a line on. */
interface Scope {
  readonly env: Map<string, string>;
  timezone: string;
  shell: string;
  home: string | null;
}

interface Job {
  readonly schedule: string;
  readonly user: string | null;
  readonly command: string;
  readonly notes: string[];
}

/** Reads crontabs. `hasUsers` says whether lines name a user; `auto` looks at the file's name and at the lines. */
export function readCrontabs(texts: readonly SourceText[], setting: Setting): Reading {
  const commands = texts.flatMap(({ text }) => text.split('\n'));
  const accounts: Account[] = [];
  const drafts = texts.flatMap((source) => readTable(source, setting, commands, accounts));
  return { entries: identify(drafts), accounts };
}

function readTable(
  { name, text }: SourceText,
  setting: Setting,
  commands: readonly string[],
  accounts: Account[],
): EntryDraft[] {
  const lines = text
    .replace(/\r?\n$/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''));
  const hasUsers = findUsers(name, lines);
  const scope: Scope = { env: new Map(), timezone: setting.timezone, shell: '/bin/sh', home: setting.home };
  const drafts: EntryDraft[] = [];
  let comments: { readonly text: string; readonly account: number }[] = [];
  for (const [index, line] of lines.entries()) {
    const account = (fate: Account['fate'], why: string) =>
      accounts.push({ file: name, line: index + 1, what: line, fate, why });
    const trimmed = line.trim();
    if (trimmed === '') {
      comments = [];
      account('ignored', 'blank');
      continue;
    }
    if (trimmed.startsWith('#')) {
      const job = /^#+\s*(@[a-z]+|([\d*][\d*/,~-]*\s+){2})/i.test(trimmed);
      if (job || isHeading(trimmed)) comments = [];
      else comments.push({ text: trimmed.replace(/^#+\s*/, ''), account: accounts.length });
      account('ignored', job ? 'a comment; it looks like a job that was switched off' : 'a comment');
      continue;
    }
    const assignment = readAssignment(line);
    if (assignment !== null) {
      comments = [];
      account(...assign(scope, assignment, setting));
      continue;
    }
    const job = splitJob(trimmed, hasUsers);
    const result =
      'problem' in job ? job : draftEntry(job, { file: name, line: index + 1 }, scope, setting, comments, commands);
    if ('problem' in result) {
      account('reported', result.problem);
      comments = [];
      continue;
    }
    for (const comment of comments) {
      const ignored = accounts[comment.account];
      if (ignored !== undefined) accounts[comment.account] = { ...ignored, fate: 'converted', why: 'a description' };
    }
    comments = [];
    drafts.push(result);
    account('converted', result.approximation ?? 'a job');
  }
  return drafts;
}

/** `# m h dom mon dow command` and its like say nothing of the job below. */
function isHeading(comment: string): boolean {
  return /\bdom\b.*\bdow\b|^#[\s#*=|.-]*$|^#[|\s.]*[-.+]{2,}|^#\s*\*\s+\*/.test(comment);
}

function findUsers(name: string, lines: readonly string[]): boolean {
  if (/(^|\/)etc\/(crontab$|cron\.d\/)/.test(name)) return true;
  if (/^crontab -l|(^|\/)spool\/cron/.test(name)) return false;
  const words = lines
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && readAssignment(line) === null)
    .map((line) => line.split(/\s+/)[line.startsWith('@') ? 1 : 5] ?? '');
  return words.length > 0 && words.every((word) => users.has(word));
}

function readAssignment(line: string): readonly [name: string, value: string] | null {
  const [, quoted, plain, rest = ''] = /^\s*(?:"([^"]*)"|'[^']*'|([^\s="'#]+))\s*=\s*(.*?)\s*$/.exec(line) ?? [];
  const name = quoted ?? plain;
  if (name === undefined || name === '') return null;
  const [, inner] = /^(?:"(.*)"|'(.*)')$/.exec(rest)?.filter((part) => part !== undefined) ?? [];
  return [name, inner ?? rest];
}

function assign(
  scope: Scope,
  [name, value]: readonly [string, string],
  setting: Setting,
): readonly [Account['fate'], string] {
  switch (name) {
    case 'CRON_TZ':
      if (isTimeZone(value)) {
        scope.timezone = value;
        return ['converted', 'the time zone of the lines below'];
      }
      scope.timezone = setting.timezone;
      return ['reported', `${value} is no time zone; the lines below are taken to be of ${setting.timezone}`];
    case 'SHELL':
      scope.shell = value;
      return ['converted', 'the shell of the lines below'];
    case 'HOME':
      scope.home = value;
      scope.env.set(name, value);
      return ['converted', 'where the lines below run'];
    case 'MAILTO':
    case 'MAILFROM':
    case 'CONTENT_TYPE':
    case 'CONTENT_TRANSFER_ENCODING':
      return ['reported', 'rhythm sends no mail; rhythm status --check tells a monitor of failures'];
    case 'RANDOM_DELAY':
      return ['reported', 'rhythm delays nothing at random; the lines below start at their beats'];
    case 'LOGNAME':
    case 'USER':
      return ['ignored', 'cron does not let it be changed'];
    default:
      scope.env.set(name, value);
      return ['converted', 'a variable of the lines below'];
  }
}

function splitJob(line: string, hasUsers: boolean): Job | { readonly problem: string } {
  const notes: string[] = [];
  let rest = line;
  if (/^-\s*[\d*@]/.test(rest)) {
    rest = rest.replace(/^-\s*/, '');
    notes.push('the "-" before it, which keeps cron from logging it, is left out');
  }
  const fields = rest.startsWith('@') ? 1 : 5;
  const [, schedule = '', after = ''] =
    new RegExp(`^((?:\\S+\\s+){${fields - 1}}\\S+)(?:\\s+([\\s\\S]*))?$`).exec(rest) ?? [];
  if (schedule === '') return { problem: 'it is no job, no variable and no comment; cron refuses a table with it' };
  const [, user = null, command = after] = hasUsers ? (/^(\S+)\s+([\s\S]*)$/.exec(after) ?? [after, null, '']) : [];
  if (command.trim() === '')
    return { problem: `it has fewer than five fields and a ${hasUsers ? 'user and a ' : ''}command` };
  return { schedule, user, command, notes };
}

function draftEntry(
  { schedule, user, command, notes }: Job,
  place: { readonly file: string; readonly line: number },
  scope: Scope,
  setting: Setting,
  comments: readonly { readonly text: string }[],
  commands: readonly string[],
): EntryDraft | { readonly problem: string } {
  const read = readSchedule(schedule, command, notes);
  if ('problem' in read) return read;
  const rhythm = rhythmOf([read.line], scope.timezone, setting.now);
  if ('problem' in rhythm) return rhythm;

  if (/(^|[^\\])(\\\\)*\\$/.test(command)) {
    notes.push('its "\\" at the end continues nothing: cron reads each line for itself');
  }
  if (/(?<!\\)%/.test(command)) notes.push('its unescaped % began its input, as cron has it');
  if (/^\*\s/.test(command))
    notes.push('its command begins with "*": six fields may have been meant, and cron has five');
  const isOther = user !== null && user !== 'root';
  const isRead = (path: string): boolean => commands.filter((line) => line.includes(path)).length > 1;
  const home = user === null || user === 'root' ? (user === 'root' ? '/root' : scope.home) : null;
  const surroundings = {
    home: scope.env.get('HOME') ?? home,
    shell: scope.shell,
    env: toRecord(scope.env),
    isRead,
    keepsLine: isOther,
  };
  const found = unwrap(feedInput(command), surroundings);
  notes.push(...found.notes);
  let { script } = found;
  if (surroundings.home !== null && script.cwd === undefined) script = { ...script, cwd: surroundings.home };
  if (isOther) {
    const line = 'shell' in script && script.shell !== undefined ? script.shell : feedInput(command);
    const { run: _run, args: _args, command: _command, shell: _shell, ...rest } = script;
    script = { ...rest, command: 'runuser', args: ['-u', user, '--', scope.shell, '-c', line] };
    notes.push(`ran as ${user}: runuser does that where rhythm runs as root`);
  }
  const words = comments.map(({ text }) => text.trim()).filter((text) => text !== '');
  return {
    // The command tells a job from the next one; where it stands may change.
    identity: `${user ?? ''} ${command.trim().replace(/\s+/g, ' ')}`,
    origin: { kind: 'crontab', ...place, name: '' },
    description: words.length === 0 ? null : words.slice(-4).join(' '),
    written: schedule.replace(/\s+/g, ' '),
    rhythm,
    originals: [{ kind: 'cron', line: read.line, timezone: scope.timezone }],
    approximation: null,
    scripts: [script],
    stopsAtFailure: false,
    catchesUp: false,
    priority: found.priority,
    lane: found.lock === null ? null : laneOf(found.lock),
    retryAfter: [],
    enabled: true,
    requires: [],
    follows: [],
    hints: [],
    notes,
  };
}

/** A lock file as the name of a lane. */
export function laneOf(path: string): string {
  const stem = basename(path).replace(/\.(lock|lck|pid|lockfile|flock)$/i, '');
  const name = stem
    .replace(/[^A-Za-z0-9_-]+/g, '_')
    .replace(/^[^A-Za-z]+/, '')
    .slice(0, 60)
    .replace(/_+$/, '');
  return name === '' || name.toLowerCase() === 'main' ? `lock_${name}`.replace(/_$/, '') : name;
}

/** The five fields that a schedule stands for: what cronie adds is resolved, what cron refuses is a problem. */
function readSchedule(
  text: string,
  command: string,
  notes: string[],
): { readonly line: string } | { readonly problem: string } {
  const known = allShorthands.get(text);
  if (known !== undefined) return { line: known };
  if (text === '@reboot') {
    return {
      problem:
        'a start of the machine is no rhythm: leave it to cron, make it a systemd unit that is WantedBy=multi-user.target, or let a group of short period look whether it runs',
    };
  }
  if (text.startsWith('@')) return { problem: `cron knows no ${text}; write its five fields` };
  let seed = [...command].reduce((sum, character) => (sum * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003, 7);
  const fields = text.split(/\s+/).map((field, index) =>
    field.replace(/(\d*)~(\d*)(?:\/(\d+))?/g, (range, from: string, to: string, step?: string) => {
      const [least = 0, most = 59] = [
        [0, 59],
        [0, 23],
        [1, 28],
        [1, 12],
        [0, 6],
      ][index] as number[];
      const low = from === '' ? least : Number(from);
      const high = to === '' ? most : Number(to);
      if (high < low) return range;
      seed = (seed * 31 + index) % 1_000_003;
      const size = step === undefined ? high - low + 1 : Math.min(Number(step), high - low + 1);
      const chosen = low + (seed % Math.max(1, size));
      notes.push(`${range} is any value that cronie draws when it starts; ${chosen} was chosen here`);
      return step === undefined ? `${chosen}` : `${chosen}-${high}/${step}`;
    }),
  );
  const line = fields.join(' ');
  const wrong = fields.find(
    (field) =>
      !/^(?:(?:\*|\d+|[a-z]{3})(?:-(?:\d+|[a-z]{3}))?(?:\/\d+)?)(?:,(?:\*|\d+|[a-z]{3})(?:-(?:\d+|[a-z]{3}))?(?:\/\d+)?)*$/i.test(
        field,
      ),
  );
  if (wrong !== undefined) return { problem: `cron does not understand ${wrong}; nothing of this line ever runs` };
  const read = parseCron(line);
  return 'problem' in read ? { problem: read.problem } : { line };
}

/** cronie knows one more, which rhythm has no need of: an interval says it better. */
const allShorthands = new Map([...shorthands, ['@every_minute', '* * * * *']]);

/** A `%` is a newline to cron, what follows the first goes to the command's input, and `\%` is a percent sign. */
function feedInput(command: string): string {
  const [line = '', ...input] = command.trim().split(/(?<!\\)%/);
  // It ends with a newline in any case.
  if (input.at(-1) === '') input.pop();
  const plain = (text: string) => text.replaceAll('\\%', '%');
  if (input.length === 0) return plain(line);
  const fed = `printf '%s\\n' ${input.map((text) => quoteWord(plain(text))).join(' ')}`;
  return /^[^;&|<>()#\n]+$/.test(line) ? `${fed} | ${plain(line).trim()}` : `${fed} | {\n${plain(line).trim()}\n}`;
}

function toRecord(env: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries(env);
}
