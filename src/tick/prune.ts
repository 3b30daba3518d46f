import { readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { pruneHistory } from '../state/history.ts';
import { isoOf, type RunRecord, type State } from '../state/state-schema.ts';
import { sweepCache } from '../user-cache.ts';
import type { Session } from './session.ts';

/** Output beyond this part of the size that is kept is reason enough to look at the whole. */
const largeShare = 1 / 20;
const day = 86_400_000;

/**
 * Prunes what has grown too old or too large: the history by age; the run files by age and by total size, oldest first.
 * Measuring all of them takes time, so that happens once a day, and when scripts have printed a lot since the last time;
 * a small file beside them records both. Old files of the user's cache are removed at the same time. What can't be
 * removed stays until the next time; only a history that can't be rewritten is an error.
 */
export function pruneOutputs(runs: ReadonlyMap<string, RunRecord>, { config, store, now }: Session): void {
  const root = join(config.outputs, 'runs');
  const printed = readPrinted(root) + printedBy([...runs.values()], config);
  if (printed < config.keep.runsSize * largeShare) {
    notePrinted(root, printed);
    return;
  }
  pruneHistory(config.outputs, config.keep.history, now);
  const mine = [...runs.values()].map(({ folder }) => folder).filter((folder) => typeof folder === 'string');
  pruneRuns(config, findPrunable(config, store.readState().state, mine));
  sweepCache();
}

/** A run's files that need not be kept any longer. */
export interface PrunableRun {
  /** From the outputs folder. */
  readonly folder: string;
  /** Bytes. */
  readonly size: number;
  readonly why: 'age' | 'size';
}

/**
 * The runs whose files are too old, or too much together with newer ones, by `keep`; never those of a run in progress.
 * Reads only, and looks at every file there is.
 *
 * @param mine folders, from the outputs folder, that are to stay as well
 */
export function findPrunable(config: Config, state: State, mine: readonly string[] = []): PrunableRun[] {
  const root = join(config.outputs, 'runs');
  const inUse = Object.values(state.leases ?? {}).map(({ folder }) => folder);
  const inUseOrMine = new Set<unknown>([...mine, ...inUse]);
  const folders = listDates(root).flatMap((date) => list(join(root, date)).map((name) => measure(root, date, name)));
  folders.sort((a, b) => b.newest - a.newest);
  let total = 0;
  return folders.flatMap(({ folder, size, newest }): PrunableRun[] => {
    total += size;
    const isTooOld = Date.now() - newest > config.keep.runs;
    if (!(isTooOld || total > config.keep.runsSize) || inUseOrMine.has(folder)) return [];
    return [{ folder, size, why: isTooOld ? 'age' : 'size' }];
  });
}

/** Removes the files of these runs, and the folders that this leaves empty. */
export function pruneRuns(config: Config, runs: readonly PrunableRun[]): void {
  const root = join(config.outputs, 'runs');
  for (const { folder } of runs) remove(join(config.outputs, folder));
  for (const date of listDates(root)) removeEmpty(join(root, date));
  writeMark(root, isoOf(Date.now()), 0);
}

/** The bytes printed since the last pruning; without end where that was a day ago or is not known. */
function readPrinted(root: string): number {
  try {
    const [pruned = '', printed = ''] = readFileSync(join(root, 'pruned'), 'utf8').split(' ');
    const age = Date.now() - Date.parse(pruned);
    return age >= 0 && age < day ? Number(printed) : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function notePrinted(root: string, printed: number): void {
  try {
    const [pruned = ''] = readFileSync(join(root, 'pruned'), 'utf8').split(' ');
    writeMark(root, pruned, printed);
  } catch {
    // Then the next tick prunes.
  }
}

/** @param pruned when the files were pruned last, ISO 8601 */
function writeMark(root: string, pruned: string, printed: number): void {
  try {
    writeFileSync(join(root, 'pruned'), `${pruned} ${printed}`, { mode: 0o640 });
  } catch {
    // Then the next tick prunes.
  }
}

function listDates(root: string): string[] {
  return list(root).filter((name) => /^\d{4}-\d\d-\d\d$/.test(name));
}

function measure(root: string, date: string, name: string): { folder: string; size: number; newest: number } {
  const path = join(root, date, name);
  const files = list(path).map((file) => statSync(join(path, file), { throwIfNoEntry: false }));
  const newest = Math.max(Date.parse(date) || 0, ...files.map((file) => file?.mtimeMs ?? 0));
  return { folder: `runs/${date}/${name}`, size: files.reduce((sum, file) => sum + (file?.size ?? 0), 0), newest };
}

/** The bytes of the output of these runs. What else is in their folders is of no account. */
function printedBy(runs: readonly RunRecord[], { outputs }: Config): number {
  let bytes = 0;
  for (const { outputFile } of runs.flatMap(({ scripts }) => scripts ?? [])) {
    if (typeof outputFile !== 'string') continue;
    bytes += statSync(join(outputs, outputFile), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // In use: what it holds is to be kept, or was made this very moment.
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // In use, or another user's: the next pruning finds it again.
  }
}
