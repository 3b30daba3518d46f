import type { GroupState } from '../../src/state/state-schema.ts';
import { type Beats, beatsOf, type WrittenConfig } from '../oracle/oracle.ts';
import type { HistoryEntry } from './ledger.ts';

/** Counting stops there in the records. */
const countingStops = 1_000;
const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** How one tick, dead or alive, moved a group's last consumed beat, and what it wrote about that. */
export interface Move {
  readonly group: string;
  readonly before: GroupState | undefined;
  readonly after: GroupState | undefined;
  /** The group's lines in the history that are new. */
  readonly lines: readonly HistoryEntry[];
  /** The earliest and the latest instant, ms, that can have ruled the tick. */
  readonly from: number;
  readonly until: number;
}

export type Account =
  | { readonly kind: 'still' }
  | { readonly kind: 'run' | 'expire'; readonly beat: number; readonly coalesced: number }
  | { readonly kind: 'reset' }
  | { readonly kind: 'problem'; readonly what: string };

/**
 * Accounts for every beat between a group's last consumed one before and after a tick: one was run or expired, the
 * others were passed over and counted, as the group's way of catching up has it; or the clock went back, on record.
 */
export function account(move: Move, config: WrittenConfig): Account {
  const { group, before, after, lines, from, until } = move;
  const settings = config.groups[group];
  const beats = settings === undefined ? null : beatsOf(settings, config);
  const old = instantOf(before?.lastBeat);
  const now = instantOf(after?.lastBeat);
  if (settings === undefined || beats === null || old === now) return { kind: 'still' };
  const problem = (what: string): Account => ({ kind: 'problem', what: `${group}: ${what}` });
  if (old !== null && (now === null || now < old)) {
    const isTold = lines.some((line) => line.type === 'reset' && line.from === before?.lastBeat);
    if (!isTold) return problem(`lastBeat went back from ${before?.lastBeat} to ${after?.lastBeat} without a record`);
    const isFar = old > beats.after(beats.after(from));
    return isFar ? { kind: 'reset' } : problem(`${before?.lastBeat} was reset although its beat was near`);
  }
  if (now === null) return problem('lastBeat is gone');

  const line = lines.findLast(
    ({ type, beat }) => (type === 'run-start' || type === 'expire') && instantOf(beat) === now,
  );
  if (line === undefined) return problem(`the beat ${after?.lastBeat} was consumed without a record`);
  if (now > until) return problem(`the beat ${after?.lastBeat} was consumed before its time`);
  const isRun = line.type === 'run-start';
  // A group's first beat has no missed ones, unless it had to wait for a beat after its first sight.
  const isFirst = old === null && line.reason === 'first-run';
  const floor = old ?? instantOf(before?.firstSeenAt) ?? from;
  const missed = isFirst ? 0 : countBetween(beats, floor, now);
  if (line.missedBeats !== missed)
    return problem(`${line.missedBeats} missed beats recorded, not ${missed}, at ${line.beat}`);
  if (settings.catchUp === 'every' && isRun && !isFirst && missed > 0) return problem(`${missed} beats were not run`);
  if (settings.catchUp !== 'every' && beats.after(now) <= from) return problem(`${line.beat} is not the latest beat`);
  const patience = patienceOf(settings, config);
  if (!isRun && until - now <= patience) return problem(`the beat ${line.beat} expired in time`);
  if (isRun && !isFirst && from - now > patience) return problem(`the beat ${line.beat} ran too late`);
  return { kind: isRun ? 'run' : 'expire', beat: now, coalesced: missed };
}

/** The latest beat of a group at or before an instant, ms; null for a manual group. */
export function latestOf(group: string, at: number, config: WrittenConfig): number | null {
  const settings = config.groups[group];
  return settings === undefined ? null : (beatsOf(settings, config)?.upTo(at) ?? null);
}

/** Whether any group has a beat in (after, upTo], ms. */
export function hasBeat(config: WrittenConfig, after: number, upTo: number): boolean {
  return Object.keys(config.groups).some((group) => (latestOf(group, upTo, config) ?? after) > after);
}

/** Beats strictly between two instants. */
function countBetween(beats: Beats, after: number, before: number): number {
  let count = 0;
  for (let beat = beats.after(after); beat < before && count < countingStops; beat = beats.after(beat)) count++;
  return count;
}

function patienceOf(settings: WrittenConfig['groups'][string], config: WrittenConfig): number {
  if (settings.catchUp === 'none') return 2 * readDuration(config.tickEvery ?? '5m');
  return settings.catchUpWithin === undefined ? Number.POSITIVE_INFINITY : readDuration(settings.catchUpWithin);
}

function readDuration(text: string): number {
  return [...text.matchAll(/(\d+)([smhdw])/g)].reduce(
    (sum, [, n, unit]) => sum + Number(n) * (units[unit ?? ''] ?? 0),
    0,
  );
}

function instantOf(text: string | null | undefined): number | null {
  return text == null ? null : Date.parse(text);
}
