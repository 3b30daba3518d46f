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
  /** The leader of the script's process group: its launcher, which lives as long as the script, and has written how that ended when it has. */
  readonly leader: ProcessIdentity | null;
  /** When it was started, in ms since the epoch. */
  readonly startedAt: number | null;
  /** The tick found that it took too long and began to end it. */
  readonly isTimedOut: boolean;
  /**
   * How it ended; null where it runs still, was ended together with its leader, or was ended because the tick was told
   * to stop: then its status says nothing about the script.
   */
  readonly exit: (End & { readonly status: number; readonly at: number }) | null;
}

/** How a process ended: one of the two is null. */
export interface End {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** The files of a script within its run's folder, absolute. */
export interface ScriptFiles {
  readonly log: string;
  /** Who leads its process group, and how it ended. */
  readonly pid: string;
}

/** They stop a process, wake it or tell it something, and end none (signal(7), default actions Stop, Cont and Ign). */
const harmless = new Set(['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGCONT', 'SIGCHLD', 'SIGURG', 'SIGWINCH']);

/** Where a script's files are: `<n>-<name>.log` and its like, the name made safe for any file system. */
export function filesOf(folder: string, number: number, scriptName: string): ScriptFiles {
  const safe = scriptName.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 100);
  const base = join(folder, `${number}-${safe}`);
  return { log: `${base}.log`, pid: `${base}.pid` };
}

/**
 * Begins the evidence of an attempt, in place of that of an earlier one: the instant, in ms since the epoch, and who
 * leads the process group of the script (null on Windows), which is to be started when this is written. The file is
 * readable by the owner's group at most. The launcher appends `ended <attempt> <status>`, which lies in a block of the
 * disk that the file has already: so it finds room even where the disk has filled up meanwhile. Throws a StorageError.
 */
export function beginEvidence(
  files: ScriptFiles,
  attempt: number,
  leader: ProcessIdentity | null,
  instant: number,
): void {
  const told = leader === null ? '' : `${attempt} ${leader.pid} ${leader.boot} ${leader.startedAt}\n`;
  try {
    writeFileSync(files.pid, `from ${instant}\n${told}`, { mode: 0o640 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `The file ${files.pid} can't be written (${reason}): see to its folder and the disk.`;
    throw new StorageError(message, { cause });
  }
}

/**
 * Notes, before a script is ended, why: should this tick die as well, the next one takes the status for what it is. A
 * note that can't be written is no reason to let the script run on.
 */
export function noteEnding(files: ScriptFiles, why: 'timed-out' | 'interrupted'): void {
  try {
    appendFileSync(files.pid, `${why}\n`);
  } catch {
    // The outcome that this tick records does not depend on it.
  }
}

/** Removes what there is about a script's attempts, where there is anything. */
export function forgetEvidence(files: ScriptFiles): void {
  for (const file of [files.pid, olderExit(files)]) rmSync(file, { force: true });
}

/** What there is about a script's last attempt. Reads only; what is missing or incomplete is null. */
export function readEvidence(folder: string, number: number, scriptName: string): Evidence {
  const files = filesOf(folder, number, scriptName);
  const lines = readLines(files.pid);
  const from = lines[0]?.split(' ')[1];
  const start = lines.map((line) => line.split(/\s+/)).find((fields) => fields.length > 3);
  const [attempt, pid, boot, ...startedAt] = start ?? [];
  if (attempt === undefined || pid === undefined || boot === undefined) {
    return { attempt: null, leader: null, startedAt: null, isTimedOut: false, exit: null };
  }
  const told = lines.find((line) => line.startsWith(`ended ${attempt} `))?.slice('ended '.length);
  const older = told === undefined ? readLines(olderExit(files)).find((line) => line !== '') : undefined;
  const [ofAttempt, status] = (told ?? older)?.split(' ') ?? [];
  const hasEnded = status !== undefined && ofAttempt === attempt && !lines.includes('interrupted');
  const file = told === undefined ? olderExit(files) : files.pid;
  return {
    attempt: Number(attempt),
    leader: { pid: Number(pid), startedAt: startedAt.join(' '), boot },
    startedAt: from === undefined ? null : Number(from),
    isTimedOut: lines.includes('timed-out'),
    exit: hasEnded
      ? { ...endOf(Number(status)), status: Number(status), at: Math.round(statSync(file).mtimeMs) }
      : null,
  };
}

/**
 * A shell's exit status told apart: 128 + n stands for the signal n if one ends processes (POSIX.1, Shell 2.8.2); ksh93
 * says 256 + n, yash 384 + n. A script that itself exits with such a status can't be told from one that the signal ended.
 */
export function endOf(status: number): End {
  const signal = status > 128 ? nameOf(status > 255 ? status & 127 : status - 128) : undefined;
  return signal === undefined ? { exitCode: status, signal: null } : { exitCode: null, signal };
}

function nameOf(signal: number): string | undefined {
  return Object.entries(constants.signals).find(([name, value]) => value === signal && !harmless.has(name))?.[0];
}

/** The status that a shell gives to an end. */
export function statusOf(end: End): number | null {
  if (end.exitCode !== null) return end.exitCode;
  const number = end.signal === null ? undefined : constants.signals[end.signal as NodeJS.Signals];
  return number === undefined ? null : 128 + number;
}

/** Where version 0.1.0 left the status by itself: a script that it started may outlive it. */
function olderExit({ pid }: ScriptFiles): string {
  return pid.replace(/pid$/, 'exit');
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
