import type { HistoryLine, RunEndLine, RunStartLine } from '../state/history.ts';
import { instantOf, isoOf, type Outcome, type RunRecord } from '../state/state-schema.ts';

/** The past as others rely on it: `history --json`. Newest first; instants ISO 8601 in UTC, lengths in ms. */
export interface HistoryDocument {
  readonly schemaVersion: 1;
  readonly items: readonly HistoryItem[];
}

export type HistoryItem = RunItem | EventItem;

export interface RunItem {
  readonly type: 'run';
  readonly group: string;
  readonly runId: string;
  /** When this part of it started: a run that was interrupted goes on under the same id, as an item of its own. */
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** `running` while a tick is at it; null where its tick died and no later one has settled it. */
  readonly outcome: Outcome | 'running' | null;
  /** Of all its parts. */
  readonly durationMs: number | null;
  /** What the group usually takes: the median of its last successful runs. Null where that is not known. */
  readonly usualMs: number | null;
  /** Null for a run by hand for which no beat was due. */
  readonly beat: string | null;
  /** How long after its beat it started; null unless it ran because the beat was due. */
  readonly lateMs: number | null;
  readonly missedBeats: number;
  /** `first-run`, `beat-due`, `retry-due`, `resume-interrupted`, `by-hand`; null where the line of its start is gone. */
  readonly reason: string | null;
  /** False for a single script by hand, which is no run of its group. */
  readonly counts: boolean;
  readonly scripts: readonly ScriptItem[];
}

export interface ScriptItem {
  readonly name: string;
  readonly outcome: Outcome | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly attempts: number;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly durationMs: number | null;
  readonly message: string | null;
  /** From the outputs folder. It may have been pruned since. */
  readonly outputFile: string | null;
}

export type EventItem =
  | {
      readonly type: 'expire';
      readonly at: string;
      readonly group: string;
      readonly beat: string;
      readonly missedBeats: number;
    }
  | {
      readonly type: 'reset';
      readonly at: string;
      readonly group: string;
      readonly from: string;
      readonly to: string | null;
    }
  | {
      readonly type: 'pause';
      readonly at: string;
      readonly group: string;
      readonly until: string | null;
      readonly reason: string | null;
    }
  | { readonly type: 'resume'; readonly at: string; readonly group: string };

/** What is asked for; all of it has to hold. Instants in ms. */
export interface HistoryQuery {
  readonly group?: string | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly outcome?: string | undefined;
  readonly run?: string | undefined;
}

/** Lines are out of order by no more than this, ms: the past ends there for whoever looks for what came since. */
const disorder = 3_600_000;

export interface HistorySource {
  /** Lines of the history, newest first. */
  readonly newestFirst: Iterable<HistoryLine>;
  /** The end of a run whose start was met before its end; null where there is none. */
  readonly findEnd: (start: RunStartLine) => RunEndLine | null;
  /** Whether a tick is at a run. */
  readonly isRunning: (run: string) => boolean;
}

/**
 * What happened, newest first by when it began. A run is told when its start is met, on the way into the past: its end was
 * met before.
 */
export function* collectHistory(source: HistorySource, query: HistoryQuery): Generator<HistoryItem, void, undefined> {
  const ends = new Map<string, RunEndLine>();
  for (const line of source.newestFirst) {
    const at = Date.parse(line.at);
    if (query.since !== undefined && at < query.since - disorder) break;
    // Their starts are gone: pruned, or damaged.
    for (const end of ends.values()) {
      if ((instantOf(end.run.startedAt) ?? at) > at + disorder) {
        ends.delete(keyOf(end.run));
        yield* selected(itemOfRun(null, end), query);
      }
    }
    if (line.type === 'run-end') ends.set(keyOf(line.run), line);
    else if (line.type === 'run-start') {
      const end = ends.get(line.run) ?? (source.isRunning(line.run) ? null : source.findEnd(line));
      ends.delete(line.run);
      const item = itemOfRun(line, end);
      yield* selected(end === null && source.isRunning(line.run) ? { ...item, outcome: 'running' } : item, query);
    } else {
      const item = itemOfEvent(line);
      if (item !== null) yield* selected(item, query);
    }
  }
  for (const end of ends.values()) yield* selected(itemOfRun(null, end), query);
}

function keyOf(run: RunRecord): string {
  return run.id ?? `${run.startedAt}`;
}

function* selected(item: HistoryItem, query: HistoryQuery): Generator<HistoryItem> {
  const at = instantOf(item.type === 'run' ? item.startedAt : item.at) ?? 0;
  const isAsked =
    (query.group === undefined || item.group === query.group) &&
    (query.since === undefined || at >= query.since) &&
    (query.until === undefined || at <= query.until) &&
    (query.outcome === undefined || (item.type === 'run' && item.outcome === query.outcome)) &&
    (query.run === undefined || (item.type === 'run' && item.runId === query.run));
  if (isAsked) yield item;
}

/** A run by the lines of its start and its end, one of which may be missing. */
export function itemOfRun(start: RunStartLine | null, end: RunEndLine): RunItem;
export function itemOfRun(start: RunStartLine, end: RunEndLine | null): RunItem;
export function itemOfRun(start: RunStartLine | null, end: RunEndLine | null): RunItem {
  const run: RunRecord = end?.run ?? {};
  const startedAt = start?.at ?? run.startedAt ?? end?.at ?? '';
  const beat = start?.beat ?? run.beat ?? null;
  const isLate = start?.reason === 'beat-due' && beat !== null;
  return {
    type: 'run',
    group: (start ?? end)?.group ?? '',
    runId: start?.run ?? run.id ?? '',
    startedAt,
    finishedAt: run.finishedAt ?? null,
    outcome: run.outcome ?? null,
    durationMs: run.durationMs ?? null,
    usualMs: null,
    beat,
    lateMs: isLate ? Math.max(0, Date.parse(startedAt) - Date.parse(beat)) : null,
    missedBeats: start?.missedBeats ?? run.missedBeats ?? 0,
    reason: start?.reason ?? null,
    counts: (end ?? start)?.entry !== undefined,
    scripts: (run.scripts ?? []).map((script) => ({
      name: script.name,
      outcome: script.outcome ?? null,
      exitCode: script.exitCode ?? null,
      signal: script.signal ?? null,
      attempts: script.attempts ?? 0,
      startedAt: script.startedAt ?? null,
      finishedAt: script.finishedAt ?? null,
      durationMs: script.durationMs ?? null,
      message: script.message ?? null,
      outputFile: script.outputFile ?? null,
    })),
  };
}

function itemOfEvent(line: HistoryLine): EventItem | null {
  const { at } = line;
  switch (line.type) {
    case 'expire':
      return { type: 'expire', at, group: line.group, beat: line.beat, missedBeats: line.missedBeats };
    case 'reset':
      return { type: 'reset', at, group: line.group, from: line.from, to: line.to || null };
    case 'pause': {
      const { pausedUntil, pauseReason } = line.entry ?? {};
      return { type: 'pause', at, group: line.group, until: pausedUntil ?? null, reason: pauseReason ?? null };
    }
    case 'resume':
      return { type: 'resume', at, group: line.group };
    default:
      return null;
  }
}

/** Puts what happened into the shape that others rely on. */
export function documentHistory(items: readonly HistoryItem[], usual: ReadonlyMap<string, number>): HistoryDocument {
  return {
    schemaVersion: 1,
    items: items.map((item) => (item.type === 'run' ? { ...item, usualMs: usual.get(item.group) ?? null } : item)),
  };
}

/**
 * Whether a line can matter to a query, by its JSON: to understand a line costs ten times as much as to look at it. Given
 * lines newest first, for a run's start can matter only if its end did.
 */
export function preselect({ outcome }: HistoryQuery): ((json: string) => boolean) | undefined {
  if (outcome === undefined || outcome === 'running') return undefined;
  const runs = new Set<string>();
  return (json) => {
    if (json.includes('"type":"run-end"')) {
      if (!json.includes(`"outcome":"${outcome}"`)) return false;
      const id = /"run":\{"id":"([^"]+)"/.exec(json)?.[1];
      if (id !== undefined) runs.add(id);
      return true;
    }
    const id = /"run":"([^"]+)"/.exec(json)?.[1];
    return id !== undefined && runs.has(id);
  };
}

/** The instant, as ISO 8601 text, by which an item stands among the others. */
export function instantOfItem(item: HistoryItem): string {
  return item.type === 'run' ? item.startedAt : item.at || isoOf(0);
}
