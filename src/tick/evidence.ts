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
  /** The leader of the script's process group, which lives exactly as long as the script. */
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
  readonly pid: string;
  readonly exit: string;
}

/** The wrapper's status where it could not write its pid and so did not start the script (EX_IOERR of sysexits.h). */
export const notRecorded = 74;

/**
 * The program that stands between rhythm and a script, for a POSIX shell; it uses builtins only, so that it works
 * whatever the script's PATH. Its arguments: the pid file, the exit file, the attempt, the boot, then the path
 * of the script's program and its arguments.
 *
 * It appends `<attempt> <pid> <boot> <start time>` before the script starts, and `<attempt> <status>` when it has ended;
 * a line that was cut short lacks its end. Its pid is the one of the process group's leader. Where its own start time
 * can't be read from /proc, ps tells it.
 *
 * Signals to the group are handled rather than ignored: the script would inherit that they are ignored. The shell runs
 * a handler only when the script has ended, so it outlives the script and still writes the status. The messages that
 * shells print about killed children go nowhere, while the script has the output, and nothing else, open; the subshell
 * is for dash, which would print them to the script's stderr. Its variables have names that no environment holds, since
 * assigning to a variable that came from there would change it for the script. As under cron, whose scripts a shell
 * starts as well, variables with names that a shell can't have (`my.name`) may get lost.
 */
export const wrapper = `
_rhythm_pid=$1 _rhythm_exit=$2 _rhythm_attempt=$3 _rhythm_boot=$4
shift 4
exec 3>&1 >/dev/null 2>&1
_rhythm_field_22() { _rhythm_start=\${22}; }
if [ -r "/proc/$$/stat" ]; then
  read -r _rhythm_stat <"/proc/$$/stat"
  _rhythm_field_22 $_rhythm_stat
else
  _rhythm_start=$(LC_ALL=C TZ=UTC /bin/ps -p $$ -o lstart=)
fi
printf '%s %s %s %s\\n' "$_rhythm_attempt" "$$" "$_rhythm_boot" "$_rhythm_start" >>"$_rhythm_pid" || exit ${notRecorded}
trap : HUP INT QUIT TERM
(exec "$@" >&3 2>&3 3>&-)
_rhythm_status=$?
printf '%s %s\\n' "$_rhythm_attempt" "$_rhythm_status" >>"$_rhythm_exit"
exit "$_rhythm_status"
`;

const signalNames = new Map<number, string>();
for (const [name, value] of Object.entries(constants.signals)) {
  if (!signalNames.has(value)) signalNames.set(value, name);
}

/** Where a script's files are: `<n>-<name>.log` and its like, the name made safe for any file system. */
export function filesOf(folder: string, number: number, scriptName: string): ScriptFiles {
  const safe = scriptName.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 100);
  const base = join(folder, `${number}-${safe}`);
  return { log: `${base}.log`, pid: `${base}.pid`, exit: `${base}.exit` };
}

/**
 * Begins the evidence of an attempt: empties that of an earlier one and writes the instant, in ms since the epoch. Both
 * files are readable by the owner's group at most; the wrapper appends to them as they are. Neither is left empty, for
 * what is appended then lies in a block of the disk that the file has already: it finds room even where the disk has
 * filled up meanwhile. Throws a StorageError.
 */
export function beginEvidence(files: ScriptFiles, instant: number): void {
  const contents = [
    [files.exit, '\n'],
    [files.pid, `from ${instant}\n`],
  ] as const;
  for (const [file, content] of contents) {
    try {
      writeFileSync(file, content, { mode: 0o640 });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `The file ${file} can't be written (${reason}): see to its folder and the disk.`;
      throw new StorageError(message, { cause });
    }
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
  for (const file of [files.exit, files.pid]) rmSync(file, { force: true });
}

/** What there is about a script's last attempt. Reads only; what is missing or incomplete is null. */
export function readEvidence(folder: string, number: number, scriptName: string): Evidence {
  const files = filesOf(folder, number, scriptName);
  const lines = readLines(files.pid);
  const from = lines[0]?.split(' ')[1];
  const start = lines.map((line) => line.split(/\s+/)).find((fields) => fields.length > 2);
  const [attempt, pid, boot, ...startedAt] = start ?? [];
  if (attempt === undefined || pid === undefined || boot === undefined) {
    return { attempt: null, leader: null, startedAt: null, isTimedOut: false, exit: null };
  }
  const [ofAttempt, status] =
    readLines(files.exit)
      .find((line) => line !== '')
      ?.split(' ') ?? [];
  const hasEnded = status !== undefined && ofAttempt === attempt && !lines.includes('interrupted');
  return {
    attempt: Number(attempt),
    leader: { pid: Number(pid), startedAt: startedAt.join(' '), boot },
    startedAt: from === undefined ? null : Number(from),
    isTimedOut: lines.includes('timed-out'),
    exit: hasEnded
      ? { ...endOf(Number(status)), status: Number(status), at: Math.round(statSync(files.exit).mtimeMs) }
      : null,
  };
}

/**
 * A shell's exit status told apart: 128 + n stands for the signal n if there is such a one (POSIX.1, Shell 2.8.2). A
 * script that itself exits with such a status can't be told from one that the signal ended.
 */
export function endOf(status: number): End {
  const signal = status > 128 ? signalNames.get(status - 128) : undefined;
  return signal === undefined ? { exitCode: status, signal: null } : { exitCode: null, signal };
}

/** The status that a shell gives to an end. */
export function statusOf(end: End): number | null {
  if (end.exitCode !== null) return end.exitCode;
  const number = end.signal === null ? undefined : constants.signals[end.signal as NodeJS.Signals];
  return number === undefined ? null : 128 + number;
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
