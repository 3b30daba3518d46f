import { StorageError } from '../errors.ts';
import { readMonotonic } from '../monotonic.ts';
import { beginEvidence, type End, readEvidence, type ScriptFiles } from './evidence.ts';
import { type LauncherEnd, type Launchers, notOpened } from './launcher.ts';
import type { Output } from './output.ts';
import { type Listing, lastProcessId, listProcesses } from './process.ts';
import type { ScriptOrder } from './script.ts';
import { quick, type Start } from './tree.ts';

/** An attempt that has been started. */
export interface Started {
  /** The leader of its process group. */
  readonly pid: number;
  readonly start: Start;
  readonly ended: Promise<ScriptEnd>;
  isRunning(): boolean;
  /** Is told, when it has ended by itself and nothing is left of it, which processes there are then. */
  allGone(present: Listing): void;
  /** Is told that it has left something behind. */
  notGone(): void;
  /** Waits for its processes no longer. */
  abandon(): void;
}

/** Why it could not be started: one word or phrase. */
export interface NotStarted {
  readonly obstacle: string;
}

export interface ScriptEnd extends End {
  /** How the script ended is not known, and it may run still. */
  readonly isLost: boolean;
}

/**
 * Starts an attempt of a script in a process group of its own, so that it and its children can be signalled together.
 * What kept it from being started is data. Throws a StorageError where its evidence can't be begun, and so does `ended`
 * where its output could not be opened: then nothing has been started.
 *
 * @param first a launcher that was reserved for it
 */
export function startAttempt(
  order: ScriptOrder,
  attempt: number,
  path: string,
  files: ScriptFiles,
  output: Output,
  first: Reservation,
): Promise<Started | NotStarted> {
  return process.platform === 'win32'
    ? startAlone(order, attempt, path, files, output)
    : startByLauncher(order, attempt, path, files, first.use() ?? takeLauncher(order));
}

/** A launcher that is kept for a script until it is used, once, or given up. */
export interface Reservation {
  /** Null where it has been used, and on Windows. */
  use(): Taken | null;
  cancel(): void;
}

type Taken = ReturnType<Launchers['take']>;

/** Takes a launcher for the first attempt of a script. */
export function reserveLauncher(order: ScriptOrder): Reservation {
  let taken = process.platform === 'win32' ? null : takeLauncher(order);
  const use = () => {
    const found = taken;
    taken = null;
    return found;
  };
  return {
    use,
    cancel() {
      const found = use();
      if (found !== null && 'dismiss' in found) found.dismiss();
    },
  };
}

function takeLauncher(order: ScriptOrder): Taken {
  return order.launchers.take(order.script.cwd, ownEnvironmentOf(order));
}

/** Has a launcher start the script, as soon as its evidence is begun. */
async function startByLauncher(
  order: ScriptOrder,
  attempt: number,
  path: string,
  files: ScriptFiles,
  taken: Taken,
): Promise<Started | NotStarted> {
  const { script } = order;
  // Not waited for where that is not needed: then the script is started before this function returns.
  const launcher = 'then' in taken ? await taken : taken;
  if ('obstacle' in launcher) return { obstacle: tellLauncherEnd(launcher) };
  try {
    beginEvidence(files, attempt, launcher.leader, Date.now());
  } catch (error) {
    launcher.dismiss();
    throw error;
  }
  const [, ...args] = script.argv;
  const clock = readMonotonic();
  const variables = variablesOf(order, attempt);
  const isFollowed = order.onLine !== undefined;
  const start = { before: launcher.before, lastId: lastProcessId() };
  const launched = launcher.launch({ path, args, variables, attempt, files, isFollowed });
  const ended = launched.then(async (end): Promise<ScriptEnd> => {
    if (end !== null) {
      // To look for members of its group would take longer than a new launcher: a group that is gone has none.
      if (readMonotonic() - clock >= quick) {
        launcher.dismiss();
        await launcher.ended;
      }
      return { ...end, isLost: false };
    }
    const { exitCode, signal } = await launcher.ended;
    // It may have been killed when it had written the status, and before it told.
    const { exit } = readEvidence(order.folder, order.number, script.name);
    if (exit !== null) return { exitCode: exit.exitCode, signal: exit.signal, isLost: false };
    if (exitCode === notOpened) {
      throw new StorageError(`The output file ${files.log} can't be opened: see to its folder and the disk.`);
    }
    // Its own status is not the script's, least of all where it says that all went well.
    return { exitCode: exitCode === 0 ? null : exitCode, signal, isLost: true };
  });
  return {
    pid: launcher.leader.pid,
    ended,
    isRunning: launcher.isRunning,
    start,
    allGone: launcher.release,
    notGone: launcher.dismiss,
    abandon: launcher.abandon,
  };
}

function tellLauncherEnd({ obstacle, exitCode, signal }: LauncherEnd): string {
  return obstacle ?? `/bin/sh ended by itself, with ${signal ?? `code ${exitCode}`}`;
}

/** Windows, where nothing is left on disk that a later tick could go by: spawns the script itself. */
async function startAlone(
  order: ScriptOrder,
  attempt: number,
  path: string,
  files: ScriptFiles,
  output: Output,
): Promise<Started | NotStarted> {
  // Imported here, for it costs a tick that has nothing to run too much.
  const { execa } = await import('./execa.ts');
  // Any descriptor will do; execa's types know those up to 9 only.
  const descriptor = output.descriptor as 9;
  beginEvidence(files, attempt, null, Date.now());
  const subprocess = execa(path, order.script.argv.slice(1), {
    cwd: order.script.cwd,
    env: Object.assign({}, ...environmentsOf(order, attempt)),
    extendEnv: false,
    stdio: ['ignore', descriptor, descriptor],
    buffer: false,
    // The tree is ended by ourselves; and a script has to outlive a tick that dies.
    cleanup: false,
    reject: false,
    windowsHide: true,
    // The line of a shell is passed on as it was written.
    windowsVerbatimArguments: order.script.verbatim === true,
  });
  const { pid } = subprocess;
  if (pid === undefined) {
    const { code, originalMessage } = await subprocess;
    return { obstacle: code ?? originalMessage ?? 'unknown reason' };
  }
  const ended = subprocess.then(({ exitCode, signal }): ScriptEnd => {
    return { exitCode: exitCode ?? null, signal: signal ?? null, isLost: false };
  });
  return {
    pid,
    ended,
    isRunning: () => subprocess.exitCode === null && subprocess.signalCode === null,
    start: { before: listProcesses(), lastId: null },
    allGone: () => undefined,
    notGone: () => undefined,
    abandon: () => subprocess.unref(),
  };
}

/** What rhythm tells a script, which neither the tick's environment nor the script's can override. */
function variablesOf(order: ScriptOrder, attempt: number): Record<string, string> {
  return {
    RHYTHM_GROUP: order.group,
    RHYTHM_SCRIPT: order.script.name,
    RHYTHM_RUN_ID: order.runId,
    RHYTHM_BEAT: order.beat ?? '',
    RHYTHM_ATTEMPT: String(attempt),
  };
}

/** What an attempt has in its environment, part by part: of a name that several of them have, the last one counts. */
export function environmentsOf(order: ScriptOrder, attempt: number): readonly NodeJS.ProcessEnv[] {
  return [order.launchers.environment, ownEnvironmentOf(order), variablesOf(order, attempt)];
}

/** What a script is told beyond the tick's environment and what tells of it alone: so a launcher serves for several. */
export function ownEnvironmentOf({
  script,
  workspace,
  outputs,
}: Pick<ScriptOrder, 'script' | 'workspace' | 'outputs'>): NodeJS.ProcessEnv {
  return { ...script.env, RHYTHM_WORKSPACE: workspace, RHYTHM_OUTPUTS: outputs };
}
