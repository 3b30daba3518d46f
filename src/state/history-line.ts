import type { GroupState, Lease, RunRecord } from './state-schema.ts';

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
  /** The monotonic clock at its end, ms: on Linux it stands still in sleep, and it starts again at each boot. */
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

export const linePrefix = '{"at":"';

export function textOf(line: HistoryLine): string {
  const { at, type, ...fields } = line;
  const entry = line.entry ? { entry: { ...line.entry, lastRun: undefined } } : {};
  return `${JSON.stringify({ at, type, ...fields, ...entry })}\n`;
}

/** Null where it is no line of a history, or lacks what its type needs. */
export function parseLine(text: string): HistoryLine | null {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(line) || typeof line.at !== 'string' || Number.isNaN(Date.parse(line.at))) return null;
  return hasFields(line) ? (line as unknown as HistoryLine) : null;
}

/** Whether a line has what its type needs. */
function hasFields(line: Readonly<Record<string, unknown>>): boolean {
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
