import { existsSync, readdirSync, rmSync, type Stats, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Config } from '../config/config.ts';
import { identify } from '../script/process.ts';
import { countPrunable, historyPath, pruneHistory } from '../state/history.ts';
import { isHeld, tryLock } from '../state/lock.ts';
import { copyPath, statePath } from '../state/paths.ts';
import { type Lease, leaseOf, type Outcome, type State } from '../state/state-schema.ts';
import { holderOf, lanePath } from './lane.ts';
import { findPrunable, type PrunableRun, pruneRuns } from './prune.ts';
import { inspectLease, recoverRun } from './recover-orphan.ts';
import { findRunning } from './running-ticks.ts';
import type { Session } from './session.ts';
import { listRequests, requestPath } from './stop-request.ts';

/** Files and leases of a workspace that no longer serve a purpose. */
export interface Stale {
  readonly runs: readonly PrunableRun[];
  /** Lines of the history beyond `keep`. */
  readonly historyLines: number;
  readonly files: readonly StaleFile[];
  readonly leases: readonly StaleLease[];
}

export interface StaleFile {
  /**
   * `temporary`: what a killed writer left; `corrupt-state`: a damaged state that was set aside longer ago than the
   * history is kept; `stop-request`: for a tick that has ended.
   */
  readonly kind: 'temporary' | 'corrupt-state' | 'stop-request';
  /** From the outputs folder. */
  readonly file: string;
  /** Bytes. */
  readonly size: number;
}

/** A lease whose tick died. */
export interface StaleLease {
  readonly lane: string;
  readonly group: string;
  readonly runId: string;
  /** The script that ran when its tick died. */
  readonly script: string | null;
  /** `running`: that script still runs within its deadline and keeps running; `late`: it runs beyond its deadline. */
  readonly found: 'ended' | 'late' | 'running';
  /** How the run is recorded; null where it is not settled. */
  readonly outcome: Outcome | null;
}

/** A file that has not changed for this long, ms, has no writer any more. */
const abandonedAfter = 3_600_000;

/** Looks for what is stale. Reads only. @param now ms */
export function findStale(config: Config, state: State, now: number): Stale {
  return {
    runs: findPrunable(config, state),
    historyLines: countPrunable(config.outputs, config.keep.history, now),
    files: [
      ...findTemporaries(config, state, now),
      ...findCorruptStates(config, now),
      ...findDeadRequests(config, state),
    ],
    leases: findStaleLeases(config, state),
  };
}

/**
 * Removes what is stale, and settles the runs of dead ticks the way a tick does; a lane that is held, and a script
 * that runs and has time left, stay as they are. Answers with what it did: what could not be removed is left out.
 * StorageError where the state or the history can't be written.
 */
export async function cleanUp(stale: Stale, session: Session): Promise<Stale> {
  const { config, now } = session;
  const leases: StaleLease[] = [];
  for (const lease of stale.leases) leases.push(await settleLease(lease, session));
  pruneRuns(config, stale.runs);
  for (const { file } of stale.files) {
    try {
      rmSync(join(config.outputs, file), { force: true });
    } catch {
      // It is reported as left over.
    }
  }
  const pruned = pruneHistory(config.outputs, config.keep.history, now, { force: true });
  const isGone = (path: string) => !existsSync(join(config.outputs, path));
  return {
    runs: stale.runs.filter(({ folder }) => isGone(folder)),
    historyLines: pruned ? stale.historyLines : 0,
    files: stale.files.filter(({ file }) => isGone(file)),
    leases,
  };
}

async function settleLease(stale: StaleLease, session: Session): Promise<StaleLease> {
  const { config, store, tick } = session;
  if (stale.found === 'running') return stale;
  const lock = tryLock(lanePath(config.outputs, stale.lane), holderOf(tick));
  if (lock === null) return stale;
  try {
    const lease = leaseOf(store.readState().state, stale.lane);
    // A tick may have settled it in the meantime.
    if (lease?.runId !== stale.runId || inspectLease(lease, stale.lane, config) === 'running') return stale;
    const run = await recoverRun(stale.lane, session);
    return { ...stale, outcome: run?.outcome ?? null };
  } finally {
    lock.release();
  }
}

function findStaleLeases(config: Config, state: State): StaleLease[] {
  return Object.entries(state.leases ?? {}).flatMap(([lane, lease]: [string, Lease]): StaleLease[] => {
    if (isHeld(lanePath(config.outputs, lane), ({ pid }) => identify(pid) !== null)) return [];
    const { group, runId, script } = lease;
    return [{ lane, group, runId, script: script ?? null, found: inspectLease(lease, lane, config), outcome: null }];
  });
}

function findTemporaries(config: Config, state: State, now: number): StaleFile[] {
  const { outputs } = config;
  const names = [statePath(outputs), copyPath(outputs), historyPath(outputs)].map((path) => `.${basename(path)}.`);
  const isOurs = (name: string) => names.some((start) => name.startsWith(start)) || name.startsWith('.stop-');
  const writing = ['', 'locks'].flatMap((folder) =>
    list(join(outputs, folder)).flatMap((name) =>
      isOurs(name) && /\.\d+-[0-9a-z]+\.tmp$/.test(name) ? [join(folder, name)] : [],
    ),
  );
  const inUse = new Set(Object.values(state.leases ?? {}).map(({ folder }) => folder));
  const sealing = list(join(outputs, 'runs')).flatMap((date) =>
    list(join(outputs, 'runs', date)).flatMap((run) => {
      const folder = `runs/${date}/${run}`;
      if (inUse.has(folder)) return [];
      return list(join(outputs, folder)).flatMap((name) =>
        name.endsWith('.log.redacted') ? [`${folder}/${name}`] : [],
      );
    }),
  );
  return [...writing, ...sealing].flatMap((file): StaleFile[] => {
    const stats = statOf(join(outputs, file));
    return stats !== null && now - stats.mtimeMs > abandonedAfter
      ? [{ kind: 'temporary', file, size: stats.size }]
      : [];
  });
}

function findCorruptStates(config: Config, now: number): StaleFile[] {
  const start = `${basename(statePath(config.outputs))}.corrupt-`;
  return list(config.outputs).flatMap((file): StaleFile[] => {
    if (!file.startsWith(start)) return [];
    const stats = statOf(join(config.outputs, file));
    const isOld = now - setAsideAt(file) > config.keep.history;
    return stats !== null && isOld ? [{ kind: 'corrupt-state', file, size: stats.size }] : [];
  });
}

/** The instant in the name of a state that was set aside, ms; it is never stale where the name has none. */
function setAsideAt(file: string): number {
  const [, date, hours, minutes, seconds] = /\.corrupt-(\d{8})T(\d\d)(\d\d)(\d\d)Z/.exec(file) ?? [];
  const day = date?.replace(/^(\d{4})(\d\d)/, '$1-$2-');
  const instant = Date.parse(`${day}T${hours}:${minutes}:${seconds}Z`);
  return Number.isNaN(instant) ? Number.POSITIVE_INFINITY : instant;
}

function findDeadRequests(config: Config, state: State): StaleFile[] {
  const asked = listRequests(config.outputs);
  if (asked.length === 0) return [];
  const living = new Set(findRunning(config.outputs, state).map(({ tick }) => tick));
  return asked
    .filter((tick) => !living.has(tick))
    .map((tick) => ({
      kind: 'stop-request',
      file: join('locks', basename(requestPath(config.outputs, tick))),
      size: 0,
    }));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function statOf(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}
