import { join } from 'node:path';
import { readTail } from './files.ts';
import { fieldsOf, instantOf, listOf, numberOf, textOf } from './loose.ts';
import { parseRecord, readSeries, type SeriesRecord } from './series.ts';

/** What rhythm's history says, as far as these scripts use it. Instants are ms since the epoch, lengths ms. */
export interface History {
  /** Ended runs, by their end. A run that was interrupted and resumed is one run: its last end counts. */
  readonly runs: readonly Run[];
  readonly expiries: readonly Expiry[];
  readonly holds: readonly Hold[];
  readonly ticks: readonly number[];
}

export interface Run {
  readonly group: string;
  readonly id: string;
  readonly at: number;
  readonly beat: number | null;
  readonly startedAt: number | null;
  /** Why it ran, once for each start: `beat-due`, `retry-due`, `resume-interrupted` and so on. */
  readonly reasons: readonly string[];
  readonly outcome: string;
  readonly durationMs: number | null;
  readonly missedBeats: number;
  readonly scripts: readonly ScriptRun[];
}

export interface ScriptRun {
  readonly name: string;
  readonly outcome: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly attempts: number;
  readonly durationMs: number | null;
  /** Relative to the outputs folder. */
  readonly outputFile: string | null;
  readonly message: string | null;
}

/** Beats that were too late to run and were consumed together. */
export interface Expiry {
  readonly group: string;
  readonly at: number;
  readonly beats: number;
}

/** A time during which a due group was held back for one reason; `until` is null where it still is. */
export interface Hold {
  readonly group: string;
  readonly reason: string;
  readonly blockedBy: readonly string[];
  readonly from: number;
  readonly until: number | null;
}

/** Reads what happened since an instant; holds that reach into that time are there with their true beginning. */
export async function readHistory(outputs: string, since: number): Promise<History> {
  const runs = new Map<string, Run>();
  const expiries: Expiry[] = [];
  const ticks: number[] = [];
  const holds: Hold[] = [];
  const open = new Map<string, Hold>();
  const reasons = new Map<string, string[]>();

  for await (const line of readSeries(historyFile(outputs))) {
    const group = textOf(line.group);
    if (line.type === 'tick' && line.at >= since) ticks.push(line.at);
    if (group === null) continue;
    // Whatever happens to a held group next ends the hold: its release, a run, an expiry, or another reason.
    const hold = open.get(group);
    if (hold !== undefined && holdEnds.has(String(line.type))) {
      open.delete(group);
      if (line.at >= since) holds.push({ ...hold, until: line.at });
    }
    if (line.type === 'held') {
      const blockedBy = listOf(line.blockedBy).filter((name) => typeof name === 'string');
      open.set(group, { group, reason: textOf(line.reason) ?? 'unknown', blockedBy, from: line.at, until: null });
    }
    if (line.at < since) continue;
    if (line.type === 'run-start') {
      const id = textOf(line.run) ?? '';
      reasons.set(id, [...(reasons.get(id) ?? []), textOf(line.reason) ?? 'unknown']);
    }
    if (line.type === 'expire') {
      expiries.push({ group, at: line.at, beats: 1 + (numberOf(line.missedBeats) ?? 0) });
    }
    if (line.type === 'run-end') {
      const run = runOf(group, line, reasons);
      if (run !== null) runs.set(run.id, run);
    }
  }
  return { runs: [...runs.values()], expiries, holds: [...holds, ...open.values()], ticks };
}

const holdEnds = new Set(['released', 'held', 'run-start', 'run-end', 'expire']);

/** When the newest tick was recorded; null where none was. Reads from the end: a history may be long. */
export async function findNewestTick(outputs: string): Promise<number | null> {
  for (let bytes = 65_536; ; bytes *= 4) {
    const tail = await readTail(historyFile(outputs), bytes);
    if (tail === null) return null;
    for (const line of tail.text.split('\n').reverse()) {
      const record = parseRecord(line);
      if (record?.type === 'tick') return record.at;
    }
    if (tail.whole) return null;
  }
}

function historyFile(outputs: string): string {
  return join(outputs, 'history.jsonl');
}

function runOf(group: string, line: SeriesRecord, reasons: ReadonlyMap<string, string[]>): Run | null {
  const run = fieldsOf(line.run);
  const id = textOf(run.id) ?? `${group} ${line.at}`;
  const outcome = textOf(run.outcome);
  if (outcome === null) return null;
  return {
    group,
    id,
    at: line.at,
    beat: instantOf(run.beat),
    startedAt: instantOf(run.startedAt),
    reasons: reasons.get(id) ?? [],
    outcome,
    durationMs: numberOf(run.durationMs),
    missedBeats: numberOf(run.missedBeats) ?? 0,
    scripts: listOf(run.scripts).map(fieldsOf).map(scriptRunOf),
  };
}

function scriptRunOf(script: Readonly<Record<string, unknown>>): ScriptRun {
  return {
    name: textOf(script.name) ?? 'unnamed',
    outcome: textOf(script.outcome) ?? 'interrupted',
    exitCode: numberOf(script.exitCode),
    signal: textOf(script.signal),
    attempts: numberOf(script.attempts) ?? 1,
    durationMs: numberOf(script.durationMs),
    outputFile: textOf(script.outputFile),
    message: textOf(script.message),
  };
}

/** The times of more than `limit` ms without a tick, between the first tick and `until` (ms since the epoch). */
export function findSilences(ticks: readonly number[], until: number, limit: number): { from: number; to: number }[] {
  return ticks.flatMap((from, index) => {
    const to = ticks[index + 1] ?? until;
    return to - from > limit ? [{ from, to }] : [];
  });
}

/** So long without a tick, in ms, counts as a silence: three beats of the most frequent group of the example. */
export const silence = 30 * 60_000;
