import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { beginEvidence, type End, readStatus, type ScriptFiles } from './evidence.ts';
import { identify, type ProcessIdentity } from './process.ts';
import { wrap } from './wrapper.ts';

/** One attempt of a script, ready to be started. */
export interface Attempt {
  /** From 1. */
  readonly number: number;
  /** Of the program, absolute. */
  readonly path: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Windows: whether the arguments are passed on as they are, without quoting. */
  readonly isVerbatim: boolean;
  readonly files: ScriptFiles;
  /** Of its output file. */
  readonly descriptor: number;
}

export interface StartedAttempt {
  /** The script's own process. */
  readonly pid: number;
  /** The leader of its process group: its wrapper, or on Windows the script itself. */
  readonly leaderPid: number;
  readonly ended: Promise<AttemptEnd>;
  /** Whether the leader still runs. */
  isRunning(): boolean;
  /** Lets this process exit although the leader still runs. */
  abandon(): void;
}

export interface AttemptEnd extends End {
  /** The wrapper was killed: how the script ended is not known, and it may still run. */
  readonly isLost: boolean;
}

/** Why an attempt could not be started: a word or a phrase. */
export interface NotStarted {
  readonly obstacle: string;
}

const isPosix = process.platform !== 'win32';

/**
 * Starts an attempt: on POSIX systems through a wrapper, in a process group of its own, so that the script and its children
 * can be signalled together; on Windows directly, where nothing is left on disk that a later tick could go by. Resolves
 * when the script's own process id is known. Rejects with a StorageError where its evidence can't be written: then nothing
 * has started.
 */
export async function startAttempt(attempt: Attempt): Promise<StartedAttempt | NotStarted> {
  // Loaded here, because a tick that runs nothing does not need it.
  const { execa } = await import('execa');
  const { number, path, args, files } = attempt;
  // execa's types know descriptors up to 9 only.
  const output = attempt.descriptor as 9;
  if (!isPosix) beginEvidence(files, number, null, Date.now());
  const subprocess = execa(isPosix ? '/bin/sh' : path, isPosix ? wrap(files.evidence, number, path, args) : args, {
    cwd: attempt.cwd,
    env: attempt.environment,
    extendEnv: false,
    stdio: isPosix ? ['pipe', output, 'ignore', 'pipe'] : ['ignore', output, output],
    detached: isPosix,
    // The script outlives a tick that dies, and its tree is ended by `endTree`.
    cleanup: false,
    buffer: false,
    reject: false,
    windowsHide: true,
    windowsVerbatimArguments: attempt.isVerbatim,
  });
  const { pid: leaderPid } = subprocess;
  if (leaderPid === undefined) {
    const { code, originalMessage } = await subprocess;
    return { obstacle: code ?? originalMessage ?? 'unknown reason' };
  }
  const ended = subprocess.then(({ exitCode, signal }): AttemptEnd => {
    // The file has more: some shells exit with less than the status that they saw, and a wrapper may have been killed
    // between writing the status and exiting with it.
    const end = isPosix ? readStatus(files, number) : null;
    if (end !== null) return { ...end, isLost: false };
    if (exitCode !== undefined) return { exitCode, signal: null, isLost: false };
    return { exitCode: null, signal: signal ?? null, isLost: isPosix };
  });
  const started = {
    leaderPid,
    ended,
    isRunning: () => subprocess.exitCode === null && subprocess.signalCode === null,
    abandon() {
      subprocess.unref();
      for (const stream of subprocess.stdio) (stream as Partial<Socket> | null)?.unref?.();
    },
  };
  if (!isPosix) return { ...started, pid: leaderPid };

  const [stdin, , , report] = subprocess.stdio as unknown as [Writable, null, null, Readable];
  const pid = readPid(report);
  // A wrapper that was killed no longer reads; its end is noticed by `readPid`.
  stdin.on('error', () => undefined);
  try {
    letStart(stdin, files, number, identify(leaderPid));
  } catch (error) {
    stdin.end();
    await ended;
    throw error;
  }
  const reported = await pid;
  if (reported !== null) return { ...started, pid: reported };
  const { exitCode, signal } = await subprocess;
  return { obstacle: `/bin/sh ended by itself, with ${signal ?? `code ${exitCode}`}` };
}

/** Writes the evidence, then has the wrapper start the script; one that is gone already can't be identified. */
function letStart(stdin: Writable, files: ScriptFiles, attempt: number, leader: ProcessIdentity | null): void {
  if (leader === null) {
    stdin.end();
    return;
  }
  beginEvidence(files, attempt, leader, Date.now());
  stdin.end('go\n');
}

/** The process id that a wrapper reports; null where it ends without having started the script. */
function readPid(report: Readable): Promise<number | null> {
  return new Promise((resolve) => {
    let text = '';
    report.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('\n')) resolve(Number(text));
    });
    report.on('close', () => resolve(null));
  });
}
