import { relative, sep } from 'node:path';
import { commandOf } from '../bundle/script.ts';
import type { Script } from '../config/config.ts';
import { seconds } from '../log/seconds.ts';
import { readMonotonic } from '../monotonic.ts';
import { isoOf, type Outcome, type ScriptRecord } from '../state/state-schema.ts';
import {
  asSignalled,
  type End,
  filesOf,
  noteEnding,
  readStatus,
  type ScriptFiles,
  signalOfCode,
  statusOf,
} from './evidence.ts';
import { findProgram } from './find-program.ts';
import { closeOutput, followLines, lastLines, type Output, openOutput, sealOutput, separate } from './output.ts';
import { identify, listProcesses } from './process.ts';
import { secretsOf } from './redact.ts';
import { startAttempt } from './start-attempt.ts';
import { endTree, leftBehind, marksOf, vanishWithin } from './tree.ts';

/** One script to run, with everything needed to run it. */
export interface ScriptOrder {
  readonly script: Script;
  readonly group: string;
  readonly runId: string;
  /** ISO 8601; null for a run without a beat, for which RHYTHM_BEAT is empty. */
  readonly beat: string | null;
  /** Absolute. */
  readonly workspace: string;
  /** Absolute. */
  readonly outputs: string;
  /** The run's folder, absolute; it exists. */
  readonly folder: string;
  /** The script's number in its group, from 1: the names of its files begin with it. */
  readonly number: number;
  /** Names of the environment variables whose values must not appear in files. */
  readonly redact: readonly string[];
  /** Aborted to stop: the tree is then ended as at a timeout, and the outcome is `interrupted`. */
  readonly stop: AbortSignal;
  /** Aborted to stop at once: processes get no time to end by themselves. */
  readonly hurry?: AbortSignal;
  /** Called with every line of the output as it appears, fit for a log. */
  readonly onLine?: (line: string) => void;
  readonly onEvent: (event: ScriptEvent) => void;
}

/** What happens while a script runs. */
export type ScriptEvent =
  /** `pid`: the script's own process; `note`: how it is run, if that needs to be said. */
  | { readonly kind: 'started'; readonly pid: number; readonly attempt: number; readonly note: string | null }
  /** `attempt`: the one that comes `inMs` ms from now; `why`: how the one before ended. */
  | { readonly kind: 'retrying'; readonly attempt: number; readonly inMs: number; readonly why: string }
  | { readonly kind: 'timed-out'; readonly afterMs: number }
  | { readonly kind: 'left-behind'; readonly pids: number[] };

/** How an attempt ended and what that means. */
interface Ending extends End {
  readonly outcome: Outcome;
  readonly message: string | null;
}

/** The longest delay before a retry, in ms, unless the script's first delay is longer already. */
const longestDelay = 5 * 60_000;
/** setTimeout takes no more, in ms. */
const longestTimer = 2 ** 31 - 1;
const tailLines = 20;
const isPosix = process.platform !== 'win32';

/**
 * Runs a script to its outcome: attempts, timeout, the end of its tree, its output file and its evidence on disk. `tail`
 * holds the last lines of its output, fit for a log, where it did not succeed. Rejects with a StorageError where its output
 * or its evidence can't be written.
 *
 * What keeps a script from being started (a missing file, interpreter or folder, a file that root must not trust) is its
 * failure, with `attempts: 0`; it is not retried, because waiting does not fix it.
 */
export async function runScript(order: ScriptOrder): Promise<ScriptRecord & { readonly tail: string[] }> {
  const { script, stop } = order;
  const startedAt = isoOf(Date.now());
  const clock = readMonotonic();
  const files = filesOf(order.folder, order.number, script.name);
  const environments = environmentsOf(order, 1);
  const record = (attempts: number, last: Ending, tail: string[] = []) => ({
    name: script.name,
    outcome: last.outcome,
    exitCode: last.exitCode,
    signal: last.signal,
    attempts,
    startedAt,
    finishedAt: isoOf(Date.now()),
    durationMs: Math.round(readMonotonic() - clock),
    outputFile: attempts === 0 ? null : relative(order.outputs, files.log).replaceAll(sep, '/'),
    message: last.message,
    tail,
  });
  const notStarted = (outcome: 'interrupted' | 'failed', message: string) =>
    record(0, { exitCode: null, signal: null, outcome, message });
  if (stop.aborted) return notStarted('interrupted', 'the tick was told to stop');
  const command = await findCommand(order, environments);
  if ('obstacle' in command) return notStarted('failed', command.obstacle);

  const secrets = secretsOf(order.redact, ...environments);
  const output = openOutput(files.log);
  let ran: Awaited<ReturnType<typeof runAttempts>>;
  try {
    ran = await runAttempts(order, command, files, output, secrets);
  } finally {
    closeOutput(output);
  }
  await sealOutput(files.log, secrets, ran.hasLeftBehind);
  const tail = ran.last.outcome === 'succeeded' ? [] : await lastLines(files.log, tailLines, secrets);
  return record(ran.attempts, ran.last, tail);
}

/** The program of a script and its arguments, the same for all of its attempts. */
interface Command {
  /** Absolute. */
  readonly path: string;
  readonly args: readonly string[];
  /** Why a TypeScript script does not start from its bundle; null otherwise. */
  readonly note: string | null;
}

/** Decides what is started for a script, or why that can't be. */
async function findCommand(
  { script, workspace }: ScriptOrder,
  environments: readonly NodeJS.ProcessEnv[],
): Promise<Command | { readonly obstacle: string }> {
  const program = findProgram(script, workspace, ...environments);
  if ('obstacle' in program) return program;
  const { argv, note } = await commandOf(script);
  return { path: program.path, args: argv.slice(1), note };
}

/**
 * How long to wait, in ms, before the attempt that follows attempt number `attempt`: `retryDelay`, doubled with each
 * further one up to 5 minutes, of which between half and all is taken (`random` from 0 to 1), so that scripts which
 * failed together don't come back together.
 */
export function retryIn(retryDelay: number, attempt: number, random: number): number {
  return Math.round(longestRetryIn(retryDelay, attempt) * (0.5 + random / 2));
}

/** The longest that a script may take, in ms: all its attempts time out, with the longest delays between them. */
export function longestDuration({ timeout, killAfter, retries, retryDelay }: Script): number {
  let total = (retries + 1) * (timeout + killAfter + vanishWithin);
  for (let attempt = 1; attempt <= retries; attempt++) total += longestRetryIn(retryDelay, attempt);
  return total;
}

function longestRetryIn(retryDelay: number, attempt: number): number {
  return Math.min(retryDelay * 2 ** (attempt - 1), Math.max(longestDelay, retryDelay));
}

/** Attempts until one succeeds, none is left, or `stop` is aborted. */
async function runAttempts(
  order: ScriptOrder,
  command: Command,
  files: ScriptFiles,
  output: Output,
  secrets: readonly string[],
): Promise<{ attempts: number; last: Ending; hasLeftBehind: boolean }> {
  const { script, stop } = order;
  let hasLeftBehind = false;
  separate(output, 'resumed');
  const follower = order.onLine && followLines(output, secrets, order.onLine);
  try {
    for (let attempt = 1; ; attempt++) {
      if (attempt > 1) separate(output, `attempt ${attempt}`);
      const last = await runAttempt(order, command, attempt, files, output);
      hasLeftBehind ||= last.hasLeftBehind;
      const isOver = last.outcome === 'succeeded' || last.outcome === 'interrupted' || attempt > script.retries;
      if (isOver) return { attempts: attempt, last, hasLeftBehind };
      const inMs = retryIn(script.retryDelay, attempt, Math.random());
      if (!stop.aborted)
        order.onEvent({ kind: 'retrying', attempt: attempt + 1, inMs, why: last.message ?? last.outcome });
      if (!(await hasPassed(inMs, stop))) {
        noteEnding(files, 'interrupted');
        const message = `the tick was told to stop before attempt ${attempt + 1}`;
        return { attempts: attempt, last: { ...last, outcome: 'interrupted', message }, hasLeftBehind };
      }
    }
  } finally {
    await follower?.finish();
  }
}

async function runAttempt(
  order: ScriptOrder,
  command: Command,
  attempt: number,
  files: ScriptFiles,
  output: Output,
): Promise<Ending & { hasLeftBehind: boolean }> {
  const { script, stop } = order;
  const marks = marksOf(order.runId, script.name, attempt);
  const before = listProcesses();
  const { path, args, note } = command;
  const started = await startAttempt({
    path,
    args,
    number: attempt,
    cwd: script.cwd,
    environment: Object.assign({}, ...environmentsOf(order, attempt)),
    isVerbatim: script.verbatim === true,
    files,
    descriptor: output.descriptor,
  });
  if ('obstacle' in started) {
    const message = `could not be started (${started.obstacle})`;
    return { outcome: 'failed', exitCode: null, signal: null, message, hasLeftBehind: false };
  }
  const { pid, leaderPid } = started;
  order.onEvent({ kind: 'started', pid, attempt, note });

  let hasEnded = false;
  const ended = started.ended.finally(() => {
    hasEnded = true;
  });
  const isLate = await hasPassed(script.timeout, stop, ended);
  const leader = hasEnded ? null : identify(leaderPid);
  // What has ended by itself keeps its outcome, even if its end arrives after the stop or the timeout.
  if (leader === null || (isPosix && readStatus(files, attempt) !== null)) {
    const { isLost, ...end } = await ended;
    // Nothing would record how the script ends.
    if (isLost) await endTree({ leader: null, marks }, script.killAfter);
    const left = await leftBehind(leaderPid, marks, before);
    if (left.length > 0) order.onEvent({ kind: 'left-behind', pids: left });
    return { ...judgeEnd(script, end), hasLeftBehind: left.length > 0 };
  }
  noteEnding(files, isLate ? 'timed-out' : 'interrupted');
  if (isLate) order.onEvent({ kind: 'timed-out', afterMs: script.timeout });
  const remaining = await endTree({ leader, marks, isRunning: started.isRunning }, script.killAfter, order.hurry);
  // A leader that hangs in the kernel is not waited for.
  const isHanging = remaining.includes(leaderPid);
  if (isHanging) started.abandon();
  const { exitCode, signal } = isHanging ? { exitCode: null, signal: null } : asSignalled(await ended, 'SIGTERM');
  const what = isLate ? `took longer than its timeout of ${seconds(script.timeout)}` : 'the tick was told to stop';
  const message = remaining.length === 0 ? what : `${what}, and these could not be ended: ${remaining.join(', ')}`;
  const outcome = isLate ? 'timed-out' : 'interrupted';
  return { exitCode, signal, outcome, message, hasLeftBehind: remaining.length > 0 };
}

/** What an attempt has in its environment, part by part: of a name that several of them have, the last one counts. */
function environmentsOf(order: ScriptOrder, attempt: number): readonly NodeJS.ProcessEnv[] {
  const { script } = order;
  return [
    process.env,
    script.env,
    // Last, so that neither the tick's environment nor the script's can override it.
    {
      RHYTHM_WORKSPACE: order.workspace,
      RHYTHM_OUTPUTS: order.outputs,
      RHYTHM_GROUP: order.group,
      RHYTHM_SCRIPT: script.name,
      RHYTHM_RUN_ID: order.runId,
      RHYTHM_BEAT: order.beat ?? '',
      RHYTHM_ATTEMPT: String(attempt),
    },
  ];
}

/** What the script's own end means. */
export function judgeEnd(script: Pick<Script, 'successExitCodes'>, { exitCode, signal }: End): Ending {
  const status = statusOf({ exitCode, signal });
  if (status === 0 || (status !== null && script.successExitCodes.includes(status))) {
    return { exitCode, signal, outcome: 'succeeded', message: null };
  }
  return { exitCode, signal, outcome: 'failed', message: describeFailure({ exitCode, signal }) };
}

function describeFailure({ exitCode, signal }: End): string {
  if (signal !== null) return `was ended by ${signal}`;
  if (exitCode === null) return 'ended, and how is not known';
  const likely = signalOfCode(exitCode);
  return `exited with code ${exitCode}${likely === null ? '' : ` (as after ${likely})`}`;
}

/** Waits, also for longer than setTimeout allows; false as soon as the signal is aborted or the other event has come. */
function hasPassed(ms: number, signal: AbortSignal, event?: Promise<unknown>): Promise<boolean> {
  const until = readMonotonic() + ms;
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const end = (isOver: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      resolve(isOver);
    };
    const stop = () => end(false);
    const wait = () => {
      const remaining = until - readMonotonic();
      if (remaining <= 0) end(true);
      else timer = setTimeout(wait, Math.min(remaining, longestTimer));
    };
    if (signal.aborted) return resolve(false);
    signal.addEventListener('abort', stop);
    event?.then(stop, stop);
    wait();
  });
}
