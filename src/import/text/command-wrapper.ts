import { posix } from 'node:path';
import type { Priority } from '../../config/config.ts';
import type { ScriptDraft } from '../entry.ts';
import { type Token, tokenise } from './shell-words.ts';
import { parseTimespan, writeLength } from './timespan.ts';

/** What a command line is, without the programs around it that rhythm stands in for. */
export interface Unwrapped {
  readonly script: ScriptDraft;
  /** The file that it locked; null where none. */
  readonly lock: string | null;
  readonly priority: Priority;
  readonly notes: readonly string[];
}

/** What surrounds a command line. */
export interface Surroundings {
  /** Where relative paths start, and `~`; null where that is not known. */
  readonly home: string | null;
  /** The shell that ran it: `/bin/sh` unless told otherwise. */
  readonly shell: string;
  readonly env: Readonly<Record<string, string>>;
  /** Whether another job reads that file, so that it has to go on being written. */
  readonly isRead: (path: string) => boolean;
  /** Leaves what remains a line, for being handed to another program. */
  readonly keepsLine?: boolean;
}

interface Draft {
  line: string;
  cwd: string | null;
  env: Record<string, string>;
  lock: string | null;
  timeout: string | null;
  killAfter: string | null;
  priority: Priority;
  readonly notes: string[];
}

/**
 * Recognises what cron jobs are usually wrapped in (`cd`, `flock`, `timeout`, `nice`, `env`, redirections to logs) and
 * says it in rhythm's own terms. What remains is a file with arguments where it is plainly that, else a line for the
 * shell, untouched.
 */
export function unwrap(line: string, surroundings: Surroundings): Unwrapped {
  const draft: Draft = {
    line: line.trim(),
    cwd: null,
    env: { ...surroundings.env },
    lock: null,
    timeout: null,
    killAfter: null,
    priority: 'normal',
    notes: [],
  };
  // Each turn takes one wrapper off and leaves a shorter line.
  while (takeOff(draft, surroundings));
  const form = formOf(draft, surroundings);
  const script: ScriptDraft = {
    ...form,
    ...(draft.cwd === null ? {} : { cwd: draft.cwd }),
    ...(Object.keys(draft.env).length === 0 ? {} : { env: draft.env }),
    ...(draft.timeout === null ? {} : { timeout: draft.timeout }),
    ...(draft.killAfter === null ? {} : { killAfter: draft.killAfter }),
  };
  return { script, lock: draft.lock, priority: draft.priority, notes: draft.notes };
}

function takeOff(draft: Draft, surroundings: Surroundings): boolean {
  const tokens = tokenise(draft.line);
  if (tokens === null || tokens.length === 0) return false;
  if (takeFolder(draft, tokens, surroundings)) return true;
  const isSimple = tokens.every(({ kind, source }) => kind === 'word' || /[<>]/.test(source));
  if (isGrouped(tokens) || isSimple) {
    if (takeRedirection(draft, tokens, surroundings)) return true;
  }
  return isSimple && takeProgram(draft, tokens, surroundings);
}

/** `(…)` around everything but redirections. */
function isGrouped(tokens: readonly Token[]): boolean {
  let depth = 0;
  for (const [index, { source, kind }] of tokens.entries()) {
    if (kind === 'operator' && source === '(') depth += 1;
    else if (kind === 'operator' && source === ')') depth -= 1;
    else if (depth === 0 && kind === 'operator' && !/[<>]/.test(source)) return false;
    if (index === 0 && depth === 0) return false;
  }
  return depth === 0;
}

/** `cd FOLDER && …`, which holds for all that follows. */
function takeFolder(draft: Draft, tokens: readonly Token[], { home }: Surroundings): boolean {
  const [cd, folder, then] = tokens;
  if (cd?.source !== 'cd' || folder?.kind !== 'word' || (then?.source !== '&&' && then?.source !== ';')) return false;
  const path = folderOf(folder, draft.cwd ?? home, home);
  const rest = draft.line.slice(then.to).trim();
  if (path === null || rest === '') return false;
  // With `;` after it, or `||` somewhere, the rest would run even where the folder is missing.
  if (then.source === '&&' && tokens.some(({ source }) => source === '||')) return false;
  draft.cwd = path;
  draft.line = rest;
  return true;
}

function folderOf(word: Token, base: string | null, home: string | null): string | null {
  const tilde = /^(?:~|\$HOME|"\$HOME"|\$\{HOME\})(?:\/([\w./-]*))?$/.exec(word.source);
  if (tilde !== null) return home === null ? null : posix.join(home, tilde[1] ?? '');
  const { value } = word;
  if (value === null || value === '' || value.startsWith('-')) return null;
  if (posix.isAbsolute(value)) return posix.normalize(value);
  return base === null ? null : posix.join(base, value);
}

/** Redirections at the end that only keep output, which rhythm keeps anyway. */
function takeRedirection(draft: Draft, tokens: readonly Token[], { shell, isRead }: Surroundings): boolean {
  const start = tokens.findIndex(({ kind, source }, index) => kind === 'operator' && /[<>]/.test(source) && index > 0);
  if (start === -1) return false;
  const depth = tokens.slice(0, start).filter(({ source }) => source === '(').length;
  if (depth !== tokens.slice(0, start).filter(({ source }) => source === ')').length) return false;
  const tail = tokens.slice(start);
  const files: { readonly mode: string; readonly stream: string; readonly path: string }[] = [];
  let joins = false;
  for (let at = 0; at < tail.length; at += 2) {
    const [sign, target] = [tail[at], tail[at + 1]];
    const [, stream, mode] = /^(\d*|&)(>>|>&|<&|>|<)$/.exec(sign?.source ?? '') ?? [];
    if (mode === undefined || target?.kind !== 'word' || target.value === null) return false;
    if (stream === '&' && !/bash|zsh/.test(shell)) return false;
    if (mode === '>&' && stream === '2' && target.value === '1') joins = true;
    else if (mode === '<' && target.value === '/dev/null') files.push({ mode, stream: '0', path: '/dev/null' });
    else if (mode === '>' || mode === '>>') files.push({ mode, stream: stream || '1', path: target.value });
    else return false;
    if (stream === '&') joins = true;
  }
  const kept = files.find(({ mode, stream, path }) => {
    if (path === '/dev/null') return false;
    // What a program alone wrote into a file is its result rather than its log.
    const isLog = mode === '>>' ? joins || /\.log$/.test(path) : joins && /\.log$|^\/var\/log\//.test(path);
    return !isLog || stream === '2' || isRead(path);
  });
  if (kept !== undefined) {
    if (isRead(kept.path)) draft.notes.push(`goes on writing ${kept.path}, for another job reads it`);
    return false;
  }
  const dropped = draft.line.slice(tail[0]?.from).trim();
  draft.notes.push(`"${dropped}" is left out: rhythm keeps the output of each run, below outputs/runs`);
  draft.line = draft.line.slice(0, tail[0]?.from).trim();
  return true;
}

/** A wrapping program, or an assignment, at the start. */
function takeProgram(draft: Draft, tokens: readonly Token[], surroundings: Surroundings): boolean {
  const [first] = tokens;
  if (first === undefined) return false;
  const assignment = /^([A-Za-z_]\w*)=/.exec(first.source);
  if (assignment !== null && tokens.length > 1) {
    if (first.value === null) return false;
    draft.env[assignment[1] as string] = first.value.slice(assignment[0].length);
    return dropWords(draft, tokens, 1);
  }
  switch (posix.basename(first.value ?? '')) {
    case 'flock':
      return takeLock(draft, tokens, surroundings);
    case 'timeout':
      return takeTimeout(draft, tokens);
    case 'nice':
      return takeNice(draft, tokens);
    case 'ionice':
      return takeIonice(draft, tokens);
    case 'env':
      return isPlainEnv(tokens) && dropWords(draft, tokens, 1);
    case 'nohup':
    case 'setsid':
    case 'exec':
      if (tokens[1]?.source.startsWith('-') === true) return false;
      draft.notes.push(`"${first.source}" is left out: rhythm starts each script apart from any terminal`);
      return dropWords(draft, tokens, 1);
    case 'chronic':
    case 'cronic':
      draft.notes.push(`"${first.source}" is left out: rhythm tells only of what fails, and keeps the output of all`);
      return dropWords(draft, tokens, 1);
    default:
      return false;
  }
}

/** `env A=b program`, without options. */
function isPlainEnv(tokens: readonly Token[]): boolean {
  const next = tokens[1];
  return next !== undefined && !next.source.startsWith('-') && tokens.length > 2;
}

function dropWords(draft: Draft, tokens: readonly Token[], count: number): boolean {
  const next = tokens[count];
  if (next === undefined || next.kind !== 'word') return false;
  draft.line = draft.line.slice(next.from).trim();
  return true;
}

/** Options of a wrapper: those that stand alone, and those with a value, told apart by `withValue`. */
function readOptions(
  tokens: readonly Token[],
  withValue: RegExp,
): { readonly options: Map<string, string>; readonly next: number } | null {
  const options = new Map<string, string>();
  let at = 1;
  for (; at < tokens.length; at += 1) {
    const { value, kind } = tokens[at] as Token;
    if (kind !== 'word' || value === null || !value.startsWith('-') || value === '-') break;
    if (value === '--') {
      at += 1;
      break;
    }
    const [, name = '', attached] = /^(--[\w-]+|-\w)=?(.+)?$/.exec(value) ?? [];
    if (name === '') return null;
    if (attached !== undefined) options.set(name, attached);
    else if (withValue.test(name)) {
      at += 1;
      const argument = tokens[at]?.value;
      if (argument == null) return null;
      options.set(name, argument);
    } else options.set(name, '');
  }
  return { options, next: at };
}

/** flock(1): what two jobs lock becomes their lane. */
function takeLock(draft: Draft, tokens: readonly Token[], { shell }: Surroundings): boolean {
  const read = readOptions(tokens, /^(-w|-E|--wait|--timeout|--conflict-exit-code)$/);
  const file = tokens[read?.next ?? tokens.length];
  if (read === null || file?.value == null || draft.lock !== null || /^\d+$/.test(file.value)) return false;
  if ([...read.options.keys()].some((name) => /^(-s|--shared|-u|--unlock|-c|--command)$/.test(name))) return false;
  const [next, line] = tokens.slice(read.next + 1);
  if (next === undefined) return false;
  if (next.value === '-c' || next.value === '--command') {
    if (line?.value == null || tokens.length !== read.next + 3 || !/\/(ba|da)?sh$/.test(shell)) return false;
    draft.line = line.value.trim();
  } else if (!dropWords(draft, tokens, read.next + 1)) return false;
  draft.lock = file.value;
  draft.notes.push(
    `"flock ${file.value}" became its lane; programs outside of rhythm that take the lock are not kept out`,
  );
  return true;
}

/** timeout(1). */
function takeTimeout(draft: Draft, tokens: readonly Token[]): boolean {
  const read = readOptions(tokens, /^(-k|-s|--kill-after|--signal)$/);
  const word = tokens[read?.next ?? tokens.length]?.value;
  if (read === null || word == null || draft.timeout !== null) return false;
  const length = lengthOf(word);
  const kill = read.options.get('-k') ?? read.options.get('--kill-after');
  const grace = kill === undefined ? null : lengthOf(kill);
  if (length === null || length < 1_000 || (kill !== undefined && grace === null)) return false;
  if (!dropWords(draft, tokens, read.next + 1)) return false;
  draft.timeout = writeLength(length);
  if (grace !== null && grace >= 1_000) draft.killAfter = writeLength(grace);
  const signal = read.options.get('-s') ?? read.options.get('--signal');
  if (signal !== undefined && !/^(SIG)?TERM$|^15$/.test(signal)) {
    draft.notes.push(`at its timeout it got ${signal}; rhythm sends SIGTERM, then SIGKILL`);
  }
  return true;
}

/** A length of timeout(1): a number with at most one of `s m h d`. */
function lengthOf(text: string): number | null {
  return /^\d+(\.\d+)?[smhd]?$/.test(text) ? parseTimespan(text) : null;
}

/** nice(1): rhythm has no niceness of processes, but an order of groups. */
function takeNice(draft: Draft, tokens: readonly Token[]): boolean {
  let next = 1;
  let niceness = 10;
  const [, old] = /^-(-?\d+)$/.exec(tokens[1]?.value ?? '') ?? [];
  if (old !== undefined) {
    niceness = Number(old);
    next = 2;
  } else {
    const read = readOptions(tokens, /^(-n|--adjustment)$/);
    const given = read?.options.get('-n') ?? read?.options.get('--adjustment');
    if (read === null || [...read.options.keys()].some((name) => name !== '-n' && name !== '--adjustment'))
      return false;
    if (given !== undefined && !/^[+-]?\d+$/.test(given)) return false;
    niceness = given === undefined ? 10 : Number(given);
    next = read.next;
  }
  if (!dropWords(draft, tokens, next)) return false;
  draft.priority = priorityOf(niceness);
  draft.notes.push(`nice ${niceness} became its place in the order; the process itself is started as any other`);
  return true;
}

function takeIonice(draft: Draft, tokens: readonly Token[]): boolean {
  const read = readOptions(tokens, /^(-c|-n|--class|--classdata)$/);
  if (read === null || [...read.options.keys()].some((name) => /^(-p|-P|-u|--pid)/.test(name))) return false;
  if (!dropWords(draft, tokens, read.next)) return false;
  const idle = /^(3|idle)$/.test(read.options.get('-c') ?? read.options.get('--class') ?? '');
  if (idle && draft.priority === 'normal') draft.priority = 'low';
  draft.notes.push('ionice is left out: rhythm has no priority of disk access');
  return true;
}

/** The place in the order that a niceness stands for. */
export function priorityOf(niceness: number): Priority {
  return niceness > 0 ? 'low' : niceness < 0 ? 'high' : 'normal';
}

const interpreters = new Map([
  ['python3', /\.py$/],
  ['node', /\.[cm]?js$/],
  ['ruby', /\.rb$/],
  ['perl', /\.pl$/],
]);

/** A file with arguments where the line is plainly that, run by what rhythm would choose for it; else a shell line. */
function formOf(draft: Draft, { shell, home, keepsLine }: Surroundings): ScriptDraft {
  const { line } = draft;
  if (keepsLine) return { shell: line };
  const tokens = tokenise(line) ?? [];
  const words = tokens.map(({ value }) => value);
  if (tokens.every(({ kind }) => kind === 'word') && words.every((word) => word !== null)) {
    const [first = '', second = ''] = words as string[];
    const base = draft.cwd ?? home;
    const place = (file: string): string | null =>
      posix.isAbsolute(file) ? file : base === null || !file.includes('/') ? null : posix.join(base, file);
    const direct = /\.(sh|py|rb|pl|[cm]?js)$/.test(first) ? place(first) : null;
    if (direct !== null) return withArguments(direct, words.slice(1) as string[]);
    if (interpreters.get(first)?.test(second) === true && !second.startsWith('-')) {
      const file = posix.isAbsolute(second) ? second : base === null ? null : posix.join(base, second);
      if (file !== null) return withArguments(file, words.slice(2) as string[]);
    }
  }
  if (shell === '/bin/sh' || shell === 'sh') return { shell: line };
  return { command: shell, args: ['-c', line] };
}

function withArguments(run: string, args: readonly string[]): ScriptDraft {
  return args.length === 0 ? { run } : { run, args: [...args] };
}
