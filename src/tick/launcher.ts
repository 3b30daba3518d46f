import { type ChildProcess, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { getPriority } from 'node:os';
import { readMonotonic } from '../monotonic.ts';
import { codeOf } from '../state/failure.ts';
import { type End, endOf, type ScriptFiles } from './evidence.ts';
import { identify, type Listing, listProcesses, type ProcessIdentity } from './process.ts';
import { quick } from './tree.ts';

/** What a launcher is to start, and where to. */
export interface Launch {
  /** Of the program, absolute. */
  readonly path: string;
  readonly args: readonly string[];
  /** What the script has in its environment beyond what its launcher has; their names are such as a shell can have. */
  readonly variables: Readonly<Record<string, string>>;
  readonly attempt: number;
  readonly files: ScriptFiles;
  /** Somebody reads the output as it appears: the shell may not even for a moment leave a remark of its own there. */
  readonly isFollowed: boolean;
}

/**
 * A shell that starts scripts, one after another, and leaves their status on disk without the help of the tick. It leads
 * the process group of what it starts, and lives as long as that, whatever becomes of the tick.
 */
export interface Launcher {
  readonly leader: ProcessIdentity;
  /** The processes that there were before its next script, on Linux. */
  readonly before: Listing;
  /** Starts a script; answers how it ended, or null where the launcher ended without having told. */
  launch(order: Launch): Promise<End | null>;
  /** How the launcher itself ended. */
  readonly ended: Promise<LauncherEnd>;
  isRunning(): boolean;
  /**
   * Keeps it for the next script, where it can be: nothing of the last one may be left in its group.
   *
   * @param present the processes that there are now, which spares another look
   */
  release(present: Listing): void;
  /** Lets it go: it ends when what it has started has ended. */
  dismiss(): void;
  /** Lets it go, and this process does not wait for it. */
  abandon(): void;
}

export interface LauncherEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it could not be started: the system's word for it. */
  readonly obstacle: string | null;
}

/** The launchers of one tick. */
export interface Launchers {
  /**
   * The tick's own environment, but for what tells of a script that this tick was started by: that tells of none of ours.
   */
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  /**
   * One that is free, or else a new one; its end where that can't be started.
   *
   * @param own what it has in its environment beyond the tick's
   */
  take(cwd: string, own: NodeJS.ProcessEnv): Launcher | LauncherEnd | Promise<LauncherEnd>;
  /** Starts one that is soon to be taken. Where it can't be started that is told by `take`. */
  prepare(cwd: string, own: NodeJS.ProcessEnv): void;
  /** Dismisses those that are free; resolves when they are gone. */
  close(): Promise<void>;
}

/** The status of a launcher that could not open the output and so did not start the script (EX_IOERR of sysexits.h). */
export const notOpened = 74;

/** So many wait for a script that they could start: what has an environment of its own is not to fill the machine. */
const mostFree = 4;

/**
 * What a launcher does before its first order, for a POSIX shell that reads its orders from stdin. It uses builtins only,
 * so that it works whatever the script's PATH.
 *
 * Signals to the group are handled rather than ignored: the script would inherit that they are ignored. The shell runs
 * a handler only when the script has ended, so it outlives the script and still writes the status; then it tells that it
 * goes, and goes. The messages that shells print about killed children go nowhere. Its variables have names that no
 * environment holds, since assigning to a variable that came from there would change it for the script. As under cron,
 * whose scripts a shell starts as well, variables with names that a shell can't have (`my.name`) may get lost.
 */
export const preparation = `_rhythm_over=
trap '_rhythm_over=1' HUP INT QUIT TERM
_rhythm_end() {
  _rhythm_status=$?
  exec 3>&-
  printf 'ended %s %s\\n' "$2" "$_rhythm_status" >>"$1"
  _rhythm_last=$_rhythm_over
  printf '%s %s\\n' "$_rhythm_status" "$_rhythm_last"
  [ -z "$_rhythm_last" ] || exit "$_rhythm_status"
}
`;

/**
 * An order to a launcher: one compound command, which a shell runs only when it has read all of it, so that an order cut
 * short by the death of the tick starts nothing. The script has its output, and nothing else, open. Its status is
 * appended to its evidence; a line that was cut short lacks its end.
 */
export function wordOrder({ path, args, variables, attempt, files, isFollowed }: Launch): string {
  const assignments = Object.entries(variables)
    .map(([name, value]) => `${name}=${quote(value)}`)
    .join(' ');
  const program = `${[path, ...args].map(quote).join(' ')} </dev/null >&3 2>&3 3>&-`;
  // A simple command dash starts by vfork, which takes a third less, but then it remarks on signals in the output.
  const script = isFollowed ? `(export ${assignments}; exec ${program})` : `${assignments} ${program}`;
  return `{ command exec 3>>${quote(files.log)} || exit ${notOpened}; ${script}; _rhythm_end ${quote(files.pid)} ${attempt}; }\n`;
}

/**
 * The launchers of a tick, started as they are needed. To start a program from a small shell costs half of what it costs
 * from a process as large as this, so on Linux one that has done its work is kept for the next script in the same folder
 * with the same environment. Elsewhere each serves for one script only: what is left in the group of one that lives
 * could not be told at little cost.
 */
export function makeLaunchers(): Launchers {
  const free: { readonly key: string; readonly launcher: Launcher }[] = [];
  const isKept = process.platform === 'linux';
  // A copy, for each look into the environment itself is a call into the system's library.
  const { RHYTHM_GROUP, RHYTHM_SCRIPT, RHYTHM_RUN_ID, RHYTHM_BEAT, RHYTHM_ATTEMPT, ...environment } = process.env;
  const keep = (key: string, launcher: Launcher) => {
    free.push({ key, launcher });
    if (free.length > mostFree) free.shift()?.launcher.dismiss();
  };
  const start = (cwd: string, own: NodeJS.ProcessEnv, key: string) =>
    startLauncher(cwd, { ...environment, ...own }, isKept ? (launcher) => keep(key, launcher) : null);
  return {
    environment,
    take(cwd, own) {
      const key = keyOf(cwd, own);
      const place = free.findIndex((one) => one.key === key);
      const [found] = place < 0 ? [] : free.splice(place, 1);
      // Process ids may have come round since it has last looked at them.
      const isFresh = found !== undefined && readMonotonic() - found.launcher.before.at < quick;
      if (isFresh && found.launcher.isRunning()) return found.launcher;
      found?.launcher.dismiss();
      return start(cwd, own, key);
    },
    prepare(cwd, own) {
      const key = keyOf(cwd, own);
      const launcher = start(cwd, own, key);
      if (!('obstacle' in launcher) && !('then' in launcher)) keep(key, launcher);
    },
    async close() {
      const launchers = free.splice(0).map(({ launcher }) => launcher);
      for (const launcher of launchers) launcher.dismiss();
      await Promise.all(launchers.map(({ ended }) => ended));
    },
  };
}

function startLauncher(
  cwd: string,
  environment: NodeJS.ProcessEnv,
  keep: ((launcher: Launcher) => void) | null,
): Launcher | LauncherEnd | Promise<LauncherEnd> {
  let before: Listing;
  let subprocess: ChildProcess;
  try {
    before = listProcesses();
    // By Node itself: of what execa does for a process nothing is wanted here, and to load it takes as long as a tick at
    // rest takes in all.
    subprocess = spawn('/bin/sh', ['-s', 'rhythm'], {
      cwd,
      env: environment,
      stdio: ['pipe', 'pipe', 'ignore'],
      // The leader of a process group, so that a script and its children can be signalled together; and it has to
      // outlive a tick that dies.
      detached: true,
    });
  } catch (error) {
    // What a process may not have (too large an environment, say) Node throws; what there is too little of it tells.
    return { exitCode: null, signal: null, obstacle: codeOf(error) ?? String(error) };
  }
  const { pid } = subprocess;
  let told = '';
  let settle: (end: End | null) => void = () => undefined;
  let isOver = false;
  let obstacle: string | null = null;
  subprocess.on('error', (error: NodeJS.ErrnoException) => {
    obstacle = error.code ?? error.message;
  });
  // When all that it has told has been read.
  const ended = new Promise<LauncherEnd>((resolve) => {
    subprocess.on('close', (exitCode, signal) => {
      isOver = true;
      settle(null);
      resolve(obstacle === null ? { exitCode, signal, obstacle } : { exitCode: null, signal: null, obstacle });
    });
  });
  if (pid === undefined) return ended;
  const [stdin, stdout] = [subprocess.stdin as Socket, subprocess.stdout as Socket];
  // One that has ended does not take orders any more; that is told by its end.
  stdin.on('error', () => undefined);
  const leader = identify(pid);
  // Who can't be named later is given nothing to do.
  if (leader === null) {
    stdin.end();
    stdout.resume();
    return ended;
  }
  const priority = niceness(pid);
  stdout.on('data', (chunk: Buffer) => {
    told += chunk.toString('latin1');
    const [line, rest] = told.split('\n');
    if (line === undefined || rest === undefined) return;
    told = rest;
    const [status, last] = line.split(' ');
    isOver ||= last !== '';
    settle(endOf(Number(status)));
  });
  stdin.write(preparation);
  // At once, while the end of its input is told only when this process waits.
  const dismiss = () => void (stdin.writableEnded || stdin.end('exit\n'));
  const launcher: Launcher = {
    leader,
    get before() {
      return before;
    },
    ended,
    isRunning: () => !isOver,
    launch(order) {
      const end = new Promise<End | null>((resolve) => {
        settle = resolve;
      });
      stdin.write(wordOrder(order));
      if (keep !== null) return end;
      dismiss();
      return end.then((known) => ended.then(() => known));
    },
    release(present) {
      before = present;
      // A script may have changed what its whole group has, and the next one would have it too.
      if (keep === null || isOver || niceness(pid) !== priority) dismiss();
      else keep(launcher);
    },
    dismiss,
    abandon() {
      dismiss();
      for (const part of [subprocess, stdin, stdout]) part.unref();
    },
  };
  return launcher;
}

/** What launchers have to have in common: the folder itself, too, for its name may lead to another one by now. */
function keyOf(cwd: string, own: NodeJS.ProcessEnv): string {
  return JSON.stringify([cwd, identifyFolder(cwd), own]);
}

function identifyFolder(path: string): string | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    // What is wrong with it is told where a launcher can't be started in it.
    return null;
  }
}

/** How nice a process is; null where it is gone. */
function niceness(pid: number): number | null {
  try {
    return getPriority(pid);
  } catch {
    return null;
  }
}

/** A word as a POSIX shell reads it back. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
