import { appendFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { StorageError } from '../errors.ts';
import type { ProcessIdentity } from './process.ts';

/**
 * What a script leaves on disk without the help of the tick that started it, so that the next tick can learn how it
 * ended when that one died. On Windows there is none: a script whose tick died counts as interrupted there.
 */
export interface Evidence {
  /** The attempt it is about; null where no script has been started. */
  readonly attempt: number | null;
  /** The leader of the script's process group: its wrapper, which outlives the script to record how that ended. */
  readonly leader: ProcessIdentity | null;
  /** The script's own process; null where its wrapper had not started it yet. */
  readonly pid: number | null;
  /** When it was started, in ms since the epoch. */
  readonly startedAt: number | null;
  /** The tick found that it took too long and began to end it. */
  readonly isTimedOut: boolean;
  /**
   * How it ended; null where it still runs, was ended together with its leader, or was ended because the tick had to
   * stop: then its status says nothing about the script.
   */
  readonly exit: (End & { readonly at: number }) | null;
}

/** How a process ended: one of the two is null. */
export interface End {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** The files of a script within its run's folder, absolute. */
export interface ScriptFiles {
  readonly log: string;
  /** Its evidence. */
  readonly evidence: string;
}

/** Signals that end no process by default (signal(7), default actions Stop, Cont and Ign). */
const harmless = new Set(['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGCONT', 'SIGCHLD', 'SIGURG', 'SIGWINCH']);

/** Where a script's files are: `<n>-<name>.log` and its like, the name made safe for any file system. */
export function filesOf(folder: string, number: number, scriptName: string): ScriptFiles {
  const safe = scriptName.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 100);
  const base = join(folder, `${number}-${safe}`);
  return { log: `${base}.log`, evidence: `${base}.pid` };
}

/**
 * Writes the evidence of an attempt before it starts, and replaces that of an earlier one: the instant, in ms since the
 * epoch, and the leader of the script's process group (null on Windows). The file is readable by the owner's group at most.
 * The wrapper appends `pid <attempt> <script's process id>` and `ended <attempt> <status>`, which fit into a block of the
 * disk that the file has already, so there is room for them even if the disk fills up. Throws a StorageError.
 */
export function beginEvidence(
  files: ScriptFiles,
  attempt: number,
  leader: ProcessIdentity | null,
  instant: number,
): void {
  const identity = leader === null ? '' : `${attempt} ${leader.pid} ${leader.boot} ${leader.startedAt}\n`;
  try {
    writeFileSync(files.evidence, `from ${instant}\n${identity}`, { mode: 0o640 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `The file ${files.evidence} can't be written (${reason}): see to its folder and the disk.`;
    throw new StorageError(message, { cause });
  }
}

/**
 * Notes, before a script is ended, why: should this tick die as well, the next one takes the status for what it is. An
 * error is ignored: the script has to be ended in any case.
 */
export function noteEnding(files: ScriptFiles, why: 'timed-out' | 'interrupted'): void {
  try {
    appendFileSync(files.evidence, `${why}\n`);
  } catch {
    // The outcome that this tick records does not depend on it.
  }
}

/** Removes what there is about a script's attempts, where there is anything. */
export function forgetEvidence(files: ScriptFiles): void {
  for (const file of [files.evidence, olderExit(files)]) rmSync(file, { force: true });
}

/** What there is about a script's last attempt. Reads only; what is missing or incomplete is null. */
export function readEvidence(folder: string, number: number, scriptName: string): Evidence {
  const files = filesOf(folder, number, scriptName);
  const lines = readLines(files.evidence);
  const from = lines[0]?.split(' ')[1];
  const start = lines.map((line) => line.split(/\s+/)).find((fields) => fields.length > 3);
  const [attempt, leader, boot, ...startedAt] = start ?? [];
  if (attempt === undefined || leader === undefined || boot === undefined) {
    return { attempt: null, leader: null, pid: null, startedAt: null, isTimedOut: false, exit: null };
  }
  const pid = readValue('pid', attempt, lines);
  const end = lines.includes('interrupted') ? null : readStatus(files, Number(attempt));
  const isTimedOut = lines.includes('timed-out');
  return {
    attempt: Number(attempt),
    leader: { pid: Number(leader), startedAt: startedAt.join(' '), boot },
    pid: pid === null ? null : Number(pid),
    startedAt: from === undefined ? null : Number(from),
    isTimedOut,
    exit: end === null ? null : { ...(isTimedOut ? asSignalled(end, 'SIGTERM') : end), at: end.at },
  };
}

/** How an attempt ended as its wrapper saw it, and when, in ms since the epoch; null where it did not record it. */
export function readStatus(files: ScriptFiles, attempt: number): (End & { readonly at: number }) | null {
  const status = readValue('ended', `${attempt}`, readLines(files.evidence));
  if (status !== null) return { ...endOf(Number(status)), at: changedAt(files.evidence) };
  const older = readLines(olderExit(files)).find((line) => line !== '');
  const [ofAttempt, olderStatus] = older?.split(' ') ?? [];
  if (olderStatus === undefined || ofAttempt !== `${attempt}`) return null;
  return { ...endOf(Number(olderStatus)), at: changedAt(olderExit(files)) };
}

function changedAt(file: string): number {
  // The run's folder may be removed at any time.
  return Math.round(statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
}

/** What a line `<key> <attempt> <value>` says; null where there is none. */
function readValue(key: string, attempt: string, lines: readonly string[]): string | null {
  const start = `${key} ${attempt} `;
  return lines.find((line) => line.startsWith(start))?.slice(start.length) ?? null;
}

/**
 * What a shell's exit status tells: 128 + n may stand for the signal n (POSIX.1, Shell 2.8.2) but also for a program that
 * exits so, hence it is a code; ksh93's 256 + n and yash's 384 + n can only be signals.
 */
export function endOf(status: number): End {
  const signal = status > 255 ? nameOf(status & 127) : undefined;
  return signal === undefined ? { exitCode: status, signal: null } : { exitCode: null, signal };
}

/** An end after rhythm itself sent this signal: the code that fits it then means the signal. */
export function asSignalled(end: End, sent: 'SIGTERM'): End {
  return end.exitCode === 128 + constants.signals[sent] ? { exitCode: null, signal: sent } : end;
}

/** The signal that a code may stand for, if it ends processes; null where there is none. */
export function signalOfCode(exitCode: number): string | null {
  const signal = exitCode > 128 ? nameOf(exitCode - 128) : undefined;
  return signal === undefined || harmless.has(signal) ? null : signal;
}

function nameOf(signal: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === signal)?.[0];
}

/** The status that a shell gives to an end. */
export function statusOf(end: End): number | null {
  if (end.exitCode !== null) return end.exitCode;
  const number = end.signal === null ? undefined : constants.signals[end.signal as NodeJS.Signals];
  return number === undefined ? null : 128 + number;
}

/** Where version 0.1.0 left the status by itself: a script that it started may outlive it. */
function olderExit({ evidence }: ScriptFiles): string {
  return evidence.replace(/pid$/, 'exit');
}

/** The complete lines of a file; none where it can't be read. */
function readLines(file: string): string[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.slice(0, -1).map((line) => line.trim());
  } catch {
    return [];
  }
}
