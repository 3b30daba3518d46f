import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMonotonic } from '../monotonic.ts';
import { carries, isSame, listProcesses, living, type ProcessEntry, type ProcessIdentity } from './process.ts';

/** The processes of one attempt of a script. */
export interface Tree {
  /** The leader of its process group (on Windows: its first process); null where that is not known. */
  readonly leader: ProcessIdentity | null;
  /** What its processes carry in their environment. */
  readonly marks: readonly string[];
  /**
   * Whether a leader that this process started itself still runs. On Windows that is the better proof: a child keeps its id
   * until its end is noticed here, while start times need PowerShell.
   */
  readonly isRunning?: () => boolean;
}

/** How long a process may take to vanish after SIGKILL, in ms. Only one that hangs in the kernel takes longer. */
export const vanishWithin = 5_000;
/** Between two looks, in ms: soon at first, for most processes end at once. */
const firstLook = 5;
const lastLook = 250;
/** How long, in ms, something that outlives its script may take to end before it counts as left behind. */
const grace = 200;
/**
 * What marks the processes of an attempt. The script's name and the attempt are part of it, so that a process which an
 * earlier script of the run, or an earlier attempt, left behind is not taken for one of this.
 */
export function marksOf(runId: string, scriptName: string, attempt: number): string[] {
  return [`RHYTHM_RUN_ID=${runId}`, `RHYTHM_SCRIPT=${scriptName}`, `RHYTHM_ATTEMPT=${attempt}`];
}

/**
 * Ends a tree: SIGTERM (with SIGCONT, as systemd does it, since a stopped process would not notice), and SIGKILL to what
 * is left `killAfter` ms later; Windows: taskkill /T, then /F. It covers the leader's process group and, on Linux,
 * whatever carries the marks: that finds children which made a session of their own. It looks again until nothing is
 * left, because processes may fork in the meantime. Only what is proved to belong to the tree is signalled.
 *
 * @param hurry aborted to end the tree without further waiting
 *
 * Answers with the ids of those that are still there: another user's processes, or such as hang in the kernel.
 */
export async function endTree(tree: Tree, killAfter: number, hurry?: AbortSignal): Promise<number[]> {
  if (process.platform === 'win32') return endOnWindows(tree, killAfter, hurry);
  const { leader } = tree;
  const hold: Hold = { group: leader !== null && isSame(leader) ? leader.pid : null, known: new Map() };
  await signalUntilGone('SIGTERM', killAfter, tree, hold, hurry);
  return signalUntilGone('SIGKILL', vanishWithin, tree, hold);
}

/**
 * The processes that outlive a script which ended by itself: members of its group and, on Linux, whatever carries its marks.
 * They get a moment to end, as the far end of a pipe needs it.
 *
 * @param before the ids of the processes that there were before it started, which need no look into their environment
 */
export async function leftBehind(
  group: number,
  marks: readonly string[],
  before: ReadonlySet<number>,
): Promise<number[]> {
  if (process.platform === 'win32') return [];
  for (let waited = 0, wait = firstLook; ; waited += wait, wait *= 2) {
    const marked = [...listProcesses()].filter((pid) => !before.has(pid) && pid !== group && carries(pid, marks));
    const members = groupExists(group) ? living().filter((entry) => entry.group === group && entry.pid !== group) : [];
    const left = new Set([...marked, ...members.map(({ pid }) => pid)]);
    if (left.size === 0 || waited >= grace) return [...left].sort((a, b) => a - b);
    await sleep(wait);
  }
}

/** What is proved to belong to a tree. */
interface Hold {
  /** The leader's group; null as soon as it is gone or can't be proved to be the same. */
  group: number | null;
  /** The start times of processes that were members at an earlier look: they stay so, whatever they turn into. */
  readonly known: Map<number, string>;
}

/** Signals each member once (SIGKILL: again and again) until two looks in a row find none, or `forMs` are over. */
async function signalUntilGone(
  signal: 'SIGTERM' | 'SIGKILL',
  forMs: number,
  tree: Tree,
  hold: Hold,
  hurry?: AbortSignal,
): Promise<number[]> {
  const signalled = new Map<number, string>();
  const deadline = readMonotonic() + forMs;
  let calm = 0;
  for (let wait = firstLook; ; wait = Math.min(wait * 2, lastLook)) {
    const members = look(tree, hold);
    // At once, so that a group which forks faster than we look does not get away.
    if (signal === 'SIGKILL' && hold.group !== null) send(-hold.group, signal);
    for (const { pid, startedAt } of members) {
      if (signal === 'SIGTERM' && signalled.get(pid) === startedAt) continue;
      signalled.set(pid, startedAt);
      send(pid, signal);
      if (signal === 'SIGTERM') send(pid, 'SIGCONT');
    }
    // One look is not enough: a process in the midst of an exec shows an empty environment.
    calm = members.length === 0 ? calm + 1 : 0;
    const remaining = hurry?.aborted ? 0 : deadline - readMonotonic();
    if (calm === 2 || remaining <= 0) return members.map((entry) => entry.pid);
    await sleep(Math.min(wait, remaining), undefined, hurry && { signal: hurry }).catch(() => undefined);
  }
}

/**
 * The living members of the tree. The group stays ours from look to look as long as it has members: its id is not
 * reused before the last of them is gone, nor within a quarter of a second then, because systems hand ids out in turn.
 * Should another process bear the leader's id nevertheless, the group is no longer ours.
 */
function look({ leader, marks }: Tree, hold: Hold): ProcessEntry[] {
  const all = living();
  const isOther = all.some((entry) => entry.pid === hold.group && entry.startedAt !== leader?.startedAt);
  if (hold.group !== null && (isOther || !groupExists(hold.group))) hold.group = null;
  const members = all.filter(
    (entry) =>
      entry.pid !== process.pid &&
      (entry.group === hold.group || hold.known.get(entry.pid) === entry.startedAt || carries(entry.pid, marks)),
  );
  for (const { pid, startedAt } of members) hold.known.set(pid, startedAt);
  return members;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already, or another user's: the next look shows which.
  }
}

function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function endOnWindows({ leader, isRunning }: Tree, killAfter: number, hurry?: AbortSignal): Promise<number[]> {
  if (leader === null) return [];
  const isThere = () => exists(leader.pid) && (isRunning === undefined ? isSame(leader) : isRunning());
  const stages = [
    { force: [], forMs: killAfter, hurry },
    { force: ['/F'], forMs: vanishWithin },
  ];
  for (const { force, forMs, hurry } of stages) {
    if (!isThere()) return [];
    if (hurry?.aborted) continue;
    const isRefused = await new Promise((resolve) =>
      execFile('taskkill', ['/PID', String(leader.pid), '/T', ...force], { windowsHide: true }, (error) =>
        resolve(error !== null),
      ),
    );
    // Where taskkill is missing, or fails over one of the children, the script itself ends at least.
    if (force.length > 0 && isRefused && isThere()) send(leader.pid, 'SIGKILL');
    const deadline = readMonotonic() + forMs;
    while (readMonotonic() < deadline && !hurry?.aborted && exists(leader.pid)) await sleep(lastLook);
  }
  return isThere() ? [leader.pid] : [];
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
