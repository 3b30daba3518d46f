import { join } from 'node:path';
import { StorageError } from '../errors.ts';
import { appendDurably, sweepTemporaries, writeDurably } from './file.ts';
import { readBackward, readForward, seekLine } from './lines.ts';
import { describeHolder, lockPath, waitLock } from './lock.ts';
import { type GroupState, isoOf, type Lease, type RunRecord } from './schema.ts';

interface Line {
  /** When it was written, ISO 8601. */
  readonly at: string;
  /** The tick that wrote it. */
  readonly tick?: string | null;
  readonly group?: string;
  /**
   * The group's entry in the state after the change; null where it was removed. Its `lastRun` is left out of the file,
   * for the newest `run-end` has it.
   */
  readonly entry?: GroupState | null;
  readonly [further: string]: unknown;
}

interface GroupLine extends Line {
  readonly group: string;
}

/** A run starts. Without an entry it consumes nothing and counts for nothing, as when a single script is run by hand. */
export interface RunStartLine extends GroupLine {
  readonly type: 'run-start';
  readonly lane: string;
  /** The run's id. */
  readonly run: string;
  readonly beat: string | null;
  readonly missedBeats: number;
  readonly reason: string;
  readonly lease: Lease;
}

/** A run has ended. With an entry, `run` becomes the group's last run; without one it is a record and no more. */
export interface RunEndLine extends GroupLine {
  readonly type: 'run-end';
  readonly lane: string;
  readonly run: RunRecord;
}

/** Beats were consumed without a run, being too late. */
export interface ExpireLine extends GroupLine {
  readonly type: 'expire';
  readonly beat: string;
  readonly missedBeats: number;
}

/** The clock went back and `lastBeat` with it. */
export interface ResetLine extends GroupLine {
  readonly type: 'reset';
  readonly from: string;
  readonly to: string;
}

/** First sight, an edited schedule, or the end of a timed pause; and what people do to a group. */
export interface ChangeLine extends GroupLine {
  readonly type: 'seen' | 'pause' | 'resume';
}

/** A due group begins to be held back. */
export interface HeldLine extends GroupLine {
  readonly type: 'held';
  readonly beat: string | null;
  readonly reason: string;
  readonly blockedBy: readonly string[];
}

export interface ReleasedLine extends GroupLine {
  readonly type: 'released';
}

export interface TickLine extends Line {
  readonly type: 'tick';
  readonly tick: string;
  readonly outcome: string;
  readonly durationMs: number;
  readonly ran: number;
  readonly failed: number;
  readonly skipped: number;
  /** The monotonic clock at its end, ms: on Linux it stands still in sleep, and it begins anew with each boot. */
  readonly awakeMs?: number;
}

/** The first line of a history from which older lines were removed. */
export interface PrunedLine extends Line {
  readonly type: 'pruned';
  /** Lines before this instant are gone, but for those that the state can be rebuilt from. */
  readonly olderThan: string;
}

/**
 * A line of the history. Read, it has the fields that its type needs, and may have more; types that a newer rhythm
 * writes come too, so a `switch` over the type needs a way out.
 */
export type HistoryLine =
  | RunStartLine
  | RunEndLine
  | ExpireLine
  | ResetLine
  | ChangeLine
  | HeldLine
  | ReleasedLine
  | TickLine
  | PrunedLine;

const patience = 60_000;
/** The outputs folders that this process has looked through for what a killed pruning left. */
const swept = new Set<string>();
/** Lines are no further out of order, ms, than this: a tick's own line comes hours after its instant, clocks are set. */
const disorder = 3 * 3_600_000;

export function historyPath(outputs: string): string {
  return join(outputs, 'history.jsonl');
}

/**
 * Adds lines, in one write and one fsync. StorageError where that fails: the file is then as it was.
 *
 * @param durable false for what nothing is rebuilt from, as the line at the end of a tick
 */
export function appendHistory(
  outputs: string,
  lines: readonly HistoryLine[],
  { durable = true }: { durable?: boolean } = {},
): void {
  if (lines.length === 0) return;
  const text = lines.map(textOf).join('');
  locked(outputs, () => {
    if (!swept.has(outputs)) sweepTemporaries(historyPath(outputs));
    swept.add(outputs);
    appendDurably(historyPath(outputs), text, { durable });
  });
}

/**
 * The lines of the history, oldest first, read as they are asked for. Takes no lock and writes nothing. Lines that a
 * crash tore or that somebody else wrote are passed over. StorageError where the file can't be read.
 *
 * @param since ms; lines from before it are passed over at little cost
 * @param onSkipped is told of each line that can't be understood
 */
export function* readHistory(
  outputs: string,
  { since, onSkipped }: { since?: number; onSkipped?: () => void } = {},
): Generator<HistoryLine, void, undefined> {
  const start = since === undefined ? '' : isoOf(since);
  for (const text of readForward(historyPath(outputs))) {
    // Our own lines begin with their instant, and ISO 8601 instants in UTC compare as text.
    if (text.startsWith(atFirst) && text.slice(atFirst.length, atFirst.length + start.length) < start) continue;
    const line = parseLine(text);
    if (line === null) onSkipped?.();
    else if (since === undefined || Date.parse(line.at) >= since) yield line;
  }
}

export interface ReadingOptions {
  /** Only lines of this group, at a tenth of the cost. */
  readonly group?: string | undefined;
  /** Only lines that have this in their JSON, at a tenth of the cost; a group goes before. */
  readonly containing?: string | undefined;
  /** Whether a line is worth being understood, by its JSON. */
  readonly isWanted?: ((json: string) => boolean) | undefined;
  /** Is told of each line that can't be understood. */
  readonly onSkipped?: (() => void) | undefined;
}

/** What a line begins with, as far as it is one of ours: enough to tell whether it is worth reading. */
export interface HistoryHead {
  readonly at: string;
  readonly type: string;
  readonly group: string | null;
}

/** Instant, type, tick and group come first in our own lines, and none of them holds what JSON would have to escape. */
const headOfLine = /^\{"at":"([^"\\]+)","type":"([^"\\]+)"(?:,"tick":"[^"\\]*")?(?:,"group":"([^"\\]+)")?/;

export interface NewestOptions extends ReadingOptions {
  /** ms; lines from after it are passed over at next to no cost, wherever in the file it lies. */
  readonly until?: number | undefined;
  /** Tells by its head whether a line is asked for; the others are passed over at little cost. Not with a group. */
  readonly wants?: ((head: HistoryHead) => boolean) | undefined;
  /** So many bytes of the file's end are looked at. */
  readonly most?: number | undefined;
}

/** The same, newest first: what was asked for last costs no more than the end of the file. */
export function* readNewest(
  outputs: string,
  { until, wants, most, ...options }: NewestOptions = {},
): Generator<HistoryLine, void, undefined> {
  const path = historyPath(outputs);
  const from = until === undefined ? undefined : seekInstant(path, until + disorder).after;
  const isAsked = (beginning: string) => {
    const [, at = '', type = '', group = null] = headOfLine.exec(beginning) ?? [];
    // Who looks at a head alone takes whatever has none for a line that may be asked for.
    return type === '' || wants === undefined || wants({ at, type, group });
  };
  const texts = readBackward(path, { from, most, wants: wants && isAsked, containing: markOf(options) });
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
  const from = seekInstant(path, since - disorder).before;
  for (const line of understand(readForward(path, { from, containing: markOf(options) }), options)) {
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

/** What stands in every line of a group as `textOf` writes them: no group is a line's first field. */
function markOf({ group, containing }: ReadingOptions): string | undefined {
  return group === undefined ? containing : `,"group":${JSON.stringify(group)}`;
}

/** Where the lines from an instant on begin. What pruning leaves of older times comes first, and is as nearly sorted. */
function seekInstant(path: string, instant: number) {
  const wanted = `${atFirst}${isoOf(instant)}`;
  return seekLine(path, (line) => (line.startsWith(atFirst) ? line.slice(0, wanted.length) >= wanted : null));
}

/**
 * Removes lines older than `keep` (ms), and those that can't be understood. What rebuilding the state needs stays, however
 * old: for each group its newest entry, its newest run and whether it is held back, for each lane an unfinished run, and
 * the newest tick. Rewrites the file only where a tenth of `keep` has gathered beyond it. Returns whether it did.
 * StorageError where that fails: the file is then as it was.
 *
 * @param whenever whether to rewrite it for a single line as well
 */
export function pruneHistory(
  outputs: string,
  keep: number,
  now: number,
  { whenever = false }: { whenever?: boolean } = {},
): boolean {
  const path = historyPath(outputs);
  const isWanted = () => (whenever ? countPrunable(outputs, keep, now) > 0 : isOverdue(path, keep, now));
  if (!isWanted()) return false;
  return locked(outputs, () => {
    // Another process may have been quicker.
    if (!isWanted()) return false;
    sweepTemporaries(path);
    const head = textOf({ at: isoOf(now), type: 'pruned', olderThan: isoOf(now - keep) });
    const kept: string[] = [head];
    for (const { text, stays } of sift(path, keep, now)) if (stays) kept.push(`${text}\n`);
    writeDurably(path, kept.join(''));
    return true;
  });
}

/** How many lines a pruning would remove; the mark of an earlier one is not counted. Reads only. */
export function countPrunable(outputs: string, keep: number, now: number): number {
  let count = 0;
  for (const { stays, isMark } of sift(historyPath(outputs), keep, now)) if (!stays && !isMark) count++;
  return count;
}

/** Each line of the file with whether it is to be kept. */
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

const atFirst = '{"at":"';

function textOf(line: HistoryLine): string {
  const { at, type, ...rest } = line;
  const entry = line.entry ? { entry: { ...line.entry, lastRun: undefined } } : {};
  return `${JSON.stringify({ at, type, ...rest, ...entry })}\n`;
}

/** Null where it is no line of a history, or lacks what its type needs. */
function parseLine(text: string): HistoryLine | null {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(line) || typeof line.at !== 'string' || Number.isNaN(Date.parse(line.at))) return null;
  return isSound(line) ? (line as unknown as HistoryLine) : null;
}

function isSound(line: Readonly<Record<string, unknown>>): boolean {
  if (typeof line.type !== 'string') return false;
  if ('entry' in line && (typeof line.group !== 'string' || !(line.entry === null || isObject(line.entry))))
    return false;
  switch (line.type) {
    case 'run-start':
      return isNamed(line) && typeof line.lane === 'string' && typeof line.run === 'string' && isObject(line.lease);
    case 'run-end':
      return isNamed(line) && typeof line.lane === 'string' && isObject(line.run);
    case 'held':
      return isNamed(line) && Array.isArray(line.blockedBy);
    case 'expire':
    case 'reset':
    case 'seen':
    case 'pause':
    case 'resume':
    case 'released':
      return isNamed(line);
    case 'tick':
      return typeof line.tick === 'string';
    default:
      return true;
  }
}

function isNamed(line: Readonly<Record<string, unknown>>): boolean {
  return typeof line.group === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
