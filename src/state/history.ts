import { join } from 'node:path';
import { StorageError } from '../errors.ts';
import { append } from './append.ts';
import { sweepTemporaries, writeDurably } from './durable-file.ts';
import { type HistoryLine, linePrefix, parseLine, textOf } from './history-line.ts';
import { readBackward, readForward, seekLine } from './lines.ts';
import { describeHolder, lockPath, waitLock } from './lock.ts';
import { isoOf } from './state-schema.ts';

export type {
  HeldLine,
  HistoryLine,
  RunEndLine,
  RunStartLine,
  TickLine,
} from './history-line.ts';

const patience = 60_000;

/** The outputs folders that this process has looked through for what a killed pruning left. */
const swept = new Set<string>();
/** Lines are no further out of order, ms, than this: a tick's own line comes hours after its instant, clocks are set. */
export const maxDisorder = 3 * 3_600_000;

export function historyPath(outputs: string): string {
  return join(outputs, 'history.jsonl');
}

/**
 * Adds lines in one write. StorageError where that fails: the file is then as it was.
 *
 * @param durable whether to return only when no loss of power can undo it
 */
export function appendHistory(outputs: string, lines: readonly HistoryLine[], { durable = true } = {}): void {
  if (lines.length === 0) return;
  const text = lines.map(textOf).join('');
  locked(outputs, () => {
    if (!swept.has(outputs)) sweepTemporaries(historyPath(outputs));
    swept.add(outputs);
    append(historyPath(outputs), text, durable);
  });
}

/**
 * The lines of the history, oldest first, read as they are asked for. Takes no lock and writes nothing. Lines that a
 * crash tore or that another program wrote are passed over. StorageError where the file can't be read.
 *
 * @param onSkipped is called for each line that can't be parsed
 */
export function* readHistory(
  outputs: string,
  { onSkipped }: { onSkipped?: () => void } = {},
): Generator<HistoryLine, void, undefined> {
  for (const text of readForward(historyPath(outputs))) {
    const line = parseLine(text);
    if (line === null) onSkipped?.();
    else yield line;
  }
}

export interface ReadingOptions {
  /** Only lines of this group: others are not even parsed. */
  readonly group?: string | undefined;
  /** Only lines whose JSON contains this text: others are not even parsed. Ignored where `group` is given. */
  readonly containing?: string | undefined;
  /** Whether a line is needed, by its JSON: what is not is not parsed. */
  readonly isWanted?: ((json: string) => boolean) | undefined;
  /** Is called for each line that can't be parsed. */
  readonly onSkipped?: (() => void) | undefined;
}

export interface NewestOptions extends ReadingOptions {
  /** ms; lines from after it are passed over at next to no cost, wherever in the file it lies. */
  readonly until?: number | undefined;
  /** How many bytes of the file's end to read at most; a line that begins before them is left out. */
  readonly maxBytes?: number | undefined;
}

/** The same, newest first: what was asked for last costs no more than the end of the file. */
export function* readNewest(
  outputs: string,
  { until, maxBytes, ...options }: NewestOptions = {},
): Generator<HistoryLine, void, undefined> {
  const path = historyPath(outputs);
  const from = until === undefined ? undefined : seekInstant(path, until + maxDisorder).after;
  const texts = readBackward(path, { from, maxBytes, containing: needleOf(options) });
  for (const line of understand(texts, options)) {
    if (until === undefined || Date.parse(line.at) <= until) yield line;
  }
}

/** The lines from an instant (ms) on, oldest first; what comes before it costs next to nothing. */
export function* readOnward(
  outputs: string,
  since: number,
  options: ReadingOptions = {},
): Generator<HistoryLine, void, undefined> {
  const path = historyPath(outputs);
  const from = seekInstant(path, since - maxDisorder).before;
  for (const line of understand(readForward(path, { from, containing: needleOf(options) }), options)) {
    if (Date.parse(line.at) >= since) yield line;
  }
}

function* understand(texts: Iterable<string>, { group, isWanted, onSkipped }: ReadingOptions): Generator<HistoryLine> {
  for (const text of texts) {
    if (isWanted?.(text) === false) continue;
    const line = parseLine(text);
    if (line === null) onSkipped?.();
    else if (group === undefined || line.group === group) yield line;
  }
}

/** A text that every line of a group contains, as `textOf` writes them: no group is a line's first field. */
function needleOf({ group, containing }: ReadingOptions): string | undefined {
  return group === undefined ? containing : `,"group":${JSON.stringify(group)}`;
}

/** Where the lines from an instant on begin. What pruning leaves of older times comes first, and is as nearly sorted. */
function seekInstant(path: string, instant: number) {
  const wanted = `${linePrefix}${isoOf(instant)}`;
  return seekLine(path, (line) => (line.startsWith(linePrefix) ? line.slice(0, wanted.length) >= wanted : null));
}

/**
 * Removes lines older than `keep` (ms), and those that can't be understood. What rebuilding the state needs stays, however
 * old: for each group its newest entry, its newest run and whether it is held back, for each lane an unfinished run, and
 * the newest tick. Rewrites the file only where a tenth of `keep` has gathered beyond it. Returns whether it did.
 * StorageError where that fails: the file is then as it was.
 *
 * @param force whether to rewrite it for a single line as well
 */
export function pruneHistory(
  outputs: string,
  keep: number,
  now: number,
  { force = false }: { force?: boolean } = {},
): boolean {
  const path = historyPath(outputs);
  const isWanted = () => (force ? countPrunable(outputs, keep, now) > 0 : isOverdue(path, keep, now));
  if (!isWanted()) return false;
  return locked(outputs, () => {
    // Another process may have been quicker.
    if (!isWanted()) return false;
    sweepTemporaries(path);
    const remaining = [textOf({ at: isoOf(now), type: 'pruned', olderThan: isoOf(now - keep) })];
    for (const { text, stays } of sift(path, keep, now)) if (stays) remaining.push(`${text}\n`);
    writeDurably(path, remaining.join(''));
    return true;
  });
}

/** How many lines a pruning would remove; the mark of an earlier one is not counted. Reads only. */
export function countPrunable(outputs: string, keep: number, now: number): number {
  let count = 0;
  for (const { stays, isMark } of sift(historyPath(outputs), keep, now)) if (!stays && !isMark) count++;
  return count;
}

/** Each line of the file, and whether it stays. */
function* sift(
  path: string,
  keep: number,
  now: number,
): Generator<{ text: string; stays: boolean; isMark: boolean }, void, undefined> {
  const needed = neededLines(path);
  let number = 0;
  for (const text of readForward(path)) {
    const line = parseLine(text);
    const isMark = line?.type === 'pruned';
    const isNew = line !== null && !isMark && Date.parse(line.at) >= now - keep;
    yield { text, stays: isNew || needed.has(number), isMark };
    number++;
  }
}

function isOverdue(path: string, keep: number, now: number): boolean {
  for (const text of readForward(path)) {
    const line = parseLine(text);
    if (line === null) continue;
    const at = Date.parse(line.at);
    // The lines after the mark are as old as `keep` at the time of the mark. One from the future is no guide.
    return line.type === 'pruned' ? Math.abs(now - at) > keep / 10 : now - at > keep * 1.1;
  }
  return false;
}

/** The numbers of the lines that `bringForward` can't do without. */
function neededLines(path: string): Set<number> {
  const newest = new Map<string, number>();
  const unfinished = new Map<string, { run: string; number: number }>();
  let number = -1;
  for (const text of readForward(path)) {
    number++;
    const line = parseLine(text);
    if (line === null) continue;
    if (line.type === 'tick') newest.set('tick', number);
    if (line.type === 'held' || line.type === 'released') newest.set(`held ${line.group}`, number);
    if ('entry' in line) newest.set(`entry ${line.group}`, number);
    if (line.type === 'run-end' && line.entry) newest.set(`run ${line.group}`, number);
    if (line.type === 'run-start') unfinished.set(line.lane, { run: line.run, number });
    if (line.type === 'run-end' && unfinished.get(line.lane)?.run === line.run.id) unfinished.delete(line.lane);
  }
  return new Set([...newest.values(), ...[...unfinished.values()].map((start) => start.number)]);
}

function locked<T>(outputs: string, change: () => T): T {
  const path = lockPath(outputs, 'history');
  const lock = waitLock(path, patience);
  if (lock === null) {
    const holder = describeHolder(path);
    const who = holder === null ? 'another process' : `process ${holder.pid}`;
    throw new StorageError(
      `${historyPath(outputs)} can't be written: ${who} has held ${path} for ${patience / 1000} s; see what stops it, or end it.`,
    );
  }
  try {
    return change();
  } finally {
    lock.release();
  }
}
