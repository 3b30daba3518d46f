import type { GroupInput } from '../../src/config/resolve/config-schema.ts';
import type { RunRecord, State } from '../../src/state/state-schema.ts';

/**
 * What the scripts themselves wrote down, one appended line each: the truth that the records are held against.
 * `overlap`: its lane was taken; `unleased`: the state on disk knew nothing of its run. The rest is written by who
 * causes the trouble: `cut`, this execution was killed before its status was on disk; `signal` and `over` enclose the
 * end of a tick that was told to stop.
 */
export interface Entry {
  readonly kind: 'start' | 'end' | 'overlap' | 'unleased' | 'cut' | 'signal' | 'over';
  readonly group: string;
  readonly script: string;
  readonly run: string;
  readonly beat: string;
  readonly attempt: number;
  /** The script's process id, or the status that it ended with. */
  readonly detail: number;
}

/**
 * Leaves out what was noted as cut after its tick, alive still, had started the next attempt: it is not that one which
 * was cut.
 */
export function parseLedger(text: string): Entry[] {
  const latest = new Map<string, number>();
  return parseLines(text).filter(({ kind, run, script, attempt }) => {
    const key = `${run} ${script}`;
    if (kind === 'cut') return latest.get(key) === attempt;
    latest.set(key, attempt);
    return true;
  });
}

function parseLines(text: string): Entry[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [kind = '', group = '', script = '', run = '', beat = '', attempt, detail] = line.split(' ');
      return {
        kind: kind as Entry['kind'],
        group,
        script,
        run,
        beat,
        attempt: Number(attempt),
        detail: Number(detail),
      };
    });
}

/** A line that the scripts' own `say` would have written. */
export function entryLine(kind: Entry['kind'], about: Partial<Entry> = {}): string {
  const { group = '-', script = '-', run = '-', beat = '-', attempt = 0 } = about;
  return `${kind} ${group} ${script} ${run} ${beat} ${attempt} 0\n`;
}

/** Far more than can run at once. */
const latestExecutions = 10;

/** The newest executions that have begun and may not have left their status. */
export function openExecutions(entries: readonly Entry[]): Pick<Entry, 'run' | 'script' | 'attempt'>[] {
  const last = new Map<string, Entry>();
  for (const entry of entries) if (entry.run !== '-') last.set(`${entry.run} ${entry.script}`, entry);
  const latest = [...last.values()].slice(-latestExecutions);
  return latest.filter(({ kind }) => kind !== 'cut');
}

/** Lines of the history, as far as they are compared. */
export interface HistoryEntry {
  readonly type: string;
  readonly group?: string;
  readonly beat?: string | null;
  readonly run?: unknown;
  readonly reason?: string;
  readonly missedBeats?: number;
  readonly olderThan?: string;
  readonly from?: string;
  readonly to?: string;
}

export type Groups = Readonly<Record<string, GroupInput>>;

/** Everything in which the ledger contradicts rhythm's promises or its records. All scripts are at rest. */
export function compare(
  entries: readonly Entry[],
  history: readonly HistoryEntry[],
  state: State,
  groups: Groups,
): string[] {
  return [
    ...entries.filter(({ kind }) => kind === 'overlap').map((entry) => `${nameOf(entry)} found its lane taken`),
    ...entries.filter(({ kind }) => kind === 'unleased').map((entry) => `${nameOf(entry)} ran without a lease on disk`),
    ...findSideBySide(entries, groups),
    ...findRepeats(entries, groups),
    ...findSecondRuns(entries, history),
    ...findFalseRecords(entries, history, state),
  ];
}

/** Starts of a lane between the start and the end of another script there. */
function findSideBySide(entries: readonly Entry[], groups: Groups): string[] {
  const found: string[] = [];
  const laneOf = (group: string) => groups[group]?.lane ?? 'main';
  for (const [index, start] of entries.entries()) {
    if (start.kind !== 'start') continue;
    const end = entries.findIndex((entry, at) => at > index && entry.kind !== 'over' && isSameExecution(entry, start));
    if (end === -1 || entries[end]?.kind !== 'end') continue;
    for (const other of entries.slice(index + 1, end)) {
      if (other.kind === 'start' && laneOf(other.group) === laneOf(start.group)) {
        found.push(`${nameOf(other)} started while ${nameOf(start)} ran in the same lane`);
      }
    }
  }
  return found;
}

/** Scripts that started again although they had finished, for the same run. */
function findRepeats(entries: readonly Entry[], groups: Groups): string[] {
  const found: string[] = [];
  const ended = new Map<string, Entry>();
  let isStopping = false;
  for (const entry of entries) {
    const key = `${entry.run} ${entry.script}`;
    if (entry.kind === 'signal') isStopping = true;
    if (entry.kind === 'over') isStopping = false;
    if (entry.kind === 'cut') ended.delete(key);
    if (entry.kind === 'end' && !isStopping) ended.set(key, entry);
    if (entry.kind !== 'start') continue;
    const before = ended.get(key);
    ended.delete(key);
    if (before === undefined) continue;
    // Attempts are counted anew when a run that was cut off between two of them is resumed.
    const isRetry =
      before.detail !== 0 &&
      before.attempt <= retriesOf(entry, groups) &&
      [1, before.attempt + 1].includes(entry.attempt);
    if (!isRetry) found.push(`${nameOf(entry)} started again although it had ended with ${before.detail}`);
  }
  return found;
}

/** Beats that had more than one run, unless a group's retry or a clock that was set back says so. */
function findSecondRuns(entries: readonly Entry[], history: readonly HistoryEntry[]): string[] {
  const runs = new Map<string, Set<string>>();
  for (const { kind, group, beat, run } of entries) {
    if (kind !== 'start') continue;
    const key = `${group} ${beat}`;
    runs.set(key, (runs.get(key) ?? new Set()).add(run));
  }
  return [...runs].flatMap(([key, ids]) => {
    const [group, beat = ''] = key.split(' ');
    const mine = history.filter((line) => line.group === group);
    const retries = mine.filter(
      (line) => line.type === 'run-start' && line.reason === 'retry-due' && line.beat === beat,
    );
    const resets = mine.filter(
      ({ type, from = '', to = '' }) => type === 'reset' && Date.parse(from) >= Date.parse(beat) && !(to >= beat),
    );
    if (ids.size <= 1 + retries.length + resets.length) return [];
    return [`${group} ran ${ids.size} times for its beat ${beat}: ${[...ids].join(', ')}`];
  });
}

/** Records that say of a script's end something else than the script did, and runs without records. */
function findFalseRecords(entries: readonly Entry[], history: readonly HistoryEntry[], state: State): string[] {
  const found: string[] = [];
  const started = new Set(history.filter(({ type }) => type === 'run-start').map(({ run }) => run));
  const ended = new Map<string, RunRecord>();
  for (const { type, run } of history) {
    if (type === 'run-end') ended.set((run as RunRecord).id ?? '', run as RunRecord);
  }
  const truth = new Map<string, { status: number; isCertain: boolean }>();
  let isStopping = false;
  for (const { kind, run, script, detail } of entries) {
    const key = `${run} ${script}`;
    if (kind === 'signal') isStopping = true;
    if (kind === 'over') isStopping = false;
    const before = truth.get(key);
    // A tick that is about to be told to stop is no dead one: what had ended may still leave its status.
    if (kind === 'cut' && isStopping && before !== undefined) truth.set(key, { ...before, isCertain: false });
    else if (kind === 'start' || kind === 'cut') truth.delete(key);
    if (kind === 'end') truth.set(key, { status: detail, isCertain: !isStopping });
  }
  const [head] = history;
  const pruned = head?.type === 'pruned' ? (head.olderThan ?? '') : '';
  for (const run of new Set(entries.flatMap(({ kind, run }) => (kind === 'start' ? [run] : [])))) {
    // Runs are named after the instant that they began at.
    if (!started.has(run) && run < pruned.replaceAll(/[-:]/g, '')) continue;
    if (!started.has(run)) found.push(`the run ${run} is not in the history`);
    const record = ended.get(run);
    if (record === undefined) {
      found.push(`the run ${run} has no end in the history`);
      continue;
    }
    const scripts = new Set(
      entries.flatMap((entry) => (entry.run === run && entry.kind === 'start' ? [entry.script] : [])),
    );
    for (const name of scripts) {
      const script = record.scripts?.find((other) => other.name === name);
      const fact = truth.get(`${run} ${name}`);
      if (fact?.isCertain && script?.exitCode !== fact.status) {
        found.push(
          `${name} of the run ${run} ended with ${fact.status}, its record says ${script?.exitCode ?? 'nothing'}`,
        );
      }
      if (fact === undefined && script?.outcome === 'succeeded')
        found.push(`${name} of the run ${run} never succeeded`);
    }
  }
  for (const [group, { lastRun }] of Object.entries(state.groups ?? {})) {
    const record = lastRun?.id == null ? undefined : ended.get(lastRun.id);
    if (lastRun != null && record?.outcome !== lastRun.outcome) {
      found.push(`the state says that ${group} ${lastRun.outcome}, the history ${record?.outcome ?? 'nothing'}`);
    }
  }
  return found;
}

function retriesOf({ group, script }: Entry, groups: Groups): number {
  const found = groups[group]?.scripts?.find((input) => typeof input === 'object' && input.name === script);
  return typeof found === 'object' ? (found.retries ?? 0) : 0;
}

function isSameExecution(one: Entry, other: Entry): boolean {
  return one.run === other.run && one.script === other.script;
}

function nameOf({ group, script, run }: Entry): string {
  return `${group}/${script} (run ${run})`;
}
