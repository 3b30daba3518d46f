import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { identify, isSame, type ProcessIdentity } from '../script/process.ts';
import { describeHolder, type Holder, isHeld, lockPath } from '../state/lock.ts';
import { type Lease, leaseOf, type State } from '../state/state-schema.ts';
import { lanePath } from './lane.ts';

/** A tick, or a run by hand, that holds a lane now. */
export interface RunningTick {
  /** Its id; null where its lock does not name it. */
  readonly tick: string | null;
  readonly pid: number | null;
  /** Since when it holds the first of its lanes, ISO 8601. */
  readonly since: string | null;
  /** Its process, where it is proved to be the one that holds the lock; only such a one may be signalled. */
  readonly process: ProcessIdentity | null;
  readonly lanes: readonly HeldLane[];
}

export interface HeldLane {
  readonly lane: string;
  /** What runs there; null where nothing does at the moment. */
  readonly lease: Lease | null;
}

/**
 * Who holds lanes of a workspace, also such as its configuration no longer names. Reads only. StorageError where a lock
 * can't be looked at.
 */
export function findRunning(outputs: string, state: State): RunningTick[] {
  const found = new Map<string, RunningTick>();
  for (const lane of listLanes(outputs)) {
    const path = lanePath(outputs, lane);
    if (!isHeld(path, ({ pid }) => identify(pid) !== null)) continue;
    const holder = describeHolder(path);
    const tick = typeof holder?.tick === 'string' ? holder.tick : null;
    const lease = leaseOf(state, lane);
    const own = { lane, lease: lease !== undefined && (tick === null || lease.tick === tick) ? lease : null };
    const key = tick ?? `lane ${lane}`;
    const known = found.get(key);
    found.set(key, {
      tick,
      pid: holder?.pid ?? null,
      since: known?.since ?? holder?.since ?? null,
      process: known?.process ?? prove(holder, path),
      lanes: [...(known?.lanes ?? []), own],
    });
  }
  return [...found.values()];
}

/** Whether a tick holds any of its lanes still, or its process still lives. */
export function isRunning(outputs: string, running: RunningTick): boolean {
  if (running.process !== null && isSame(running.process)) return true;
  return running.lanes.some(({ lane }) => {
    const path = lanePath(outputs, lane);
    return isHeld(path, ({ pid }) => identify(pid) !== null) && (describeHolder(path)?.tick ?? null) === running.tick;
  });
}

function listLanes(outputs: string): string[] {
  try {
    const names = readdirSync(dirname(lockPath(outputs, 'state')));
    return names.flatMap((name) => /^lane-(.+)\.lock$/.exec(name)?.[1] ?? []).sort();
  } catch {
    // No tick has run here yet.
    return [];
  }
}

/**
 * The process that a lock's file names, if it is that very one: by its start time and boot, and on Linux, where it can be
 * looked at, by its having the file open. A file alone, which others may be able to write, proves nothing.
 */
function prove(holder: Holder | null, path: string): ProcessIdentity | null {
  if (holder === null) return null;
  const { pid, processStartedAt, boot } = holder;
  if (typeof processStartedAt !== 'string' || typeof boot !== 'string' || pid === process.pid) return null;
  const identity = { pid, startedAt: processStartedAt, boot };
  if (!isSame(identity)) return null;
  return process.platform !== 'linux' || hasOpen(pid, path) ? identity : null;
}

function hasOpen(pid: number, path: string): boolean {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) => {
      const link = `/proc/${pid}/fd/${descriptor}`;
      try {
        if (!readlinkSync(link).endsWith('.lock')) return false;
        const open = statSync(link, { bigint: true });
        return open.dev === dev && open.ino === ino;
      } catch {
        return false;
      }
    });
  } catch {
    // Another user's process: it could not be signalled either.
    return false;
  }
}
