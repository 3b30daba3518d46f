import { findFault } from './check.ts';
import type { HistoryLine } from './history.ts';
import { entryOf, type GroupState, type Lease, type RunRecord, type State, stateVersion } from './schema.ts';

/**
 * Carries a state forward by the history: each group's entry is that of its newest line, its last run that of its newest
 * `run-end`, and a `run-start` without its end is a lease. What the history does not speak of stays as it was.
 *
 * The order of the lines rules, not their instants, for clocks go back. One thing only can make the base the newer of the
 * two: a process that died between its write of the state and its line. Such a run is kept.
 *
 * @param base the last good copy of the state, or an empty one
 * @param lines the whole history, oldest first
 */
export function bringForward(base: State, lines: Iterable<HistoryLine>): State {
  const groups = new Map(Object.entries(base.groups ?? {}));
  const leases = new Map(Object.entries(base.leases ?? {}));
  let lastTick = base.lastTick;
  const told = new Set<string>();
  const newestAt = new Map<string, number>();

  for (const line of lines) {
    if (line.type === 'tick') {
      told.add(tickMark(line.tick));
      lastTick = tickOf(line, base);
    }
    if (typeof line.group === 'string' && follow(groups, line.group, line)) {
      newestAt.set(line.group, Date.parse(line.at));
    }
    const mark = markOf(line);
    if (mark !== null) told.add(mark);
    if (line.type === 'run-start') {
      const known = base.leases && Object.hasOwn(base.leases, line.lane) ? base.leases[line.lane] : undefined;
      // The base may know how far that very run has come.
      if (known && startMark(known) === startMark(line.lease)) leases.set(line.lane, known);
      else if (isSound({ leases: { [line.lane]: line.lease } })) leases.set(line.lane, line.lease);
    }
    if (line.type === 'run-end') {
      if (leases.get(line.lane)?.runId === line.run.id) leases.delete(line.lane);
    }
  }

  for (const [group, entry] of Object.entries(base.groups ?? {})) {
    const [lane, lease] = Object.entries(base.leases ?? {}).find(([, lease]) => lease.group === group) ?? [];
    const [mark, at] = lease
      ? [startMark(lease), lease.since]
      : [endMark(entry.lastRun ?? {}), entry.lastRun?.finishedAt];
    const isTold = at == null || told.has(mark) || (newestAt.get(group) ?? Number.NEGATIVE_INFINITY) > Date.parse(at);
    if (isTold) continue;
    groups.set(group, entry);
    if (lane !== undefined && lease) leases.set(lane, lease);
    else dropLeaseOf(leases, entry.lastRun?.id);
  }

  const isLater = Date.parse(base.lastTick?.startedAt ?? '') > Date.parse(lastTick?.startedAt ?? '');
  if (isLater && !told.has(tickMark(base.lastTick?.id))) lastTick = base.lastTick;

  return {
    ...base,
    schemaVersion: stateVersion,
    ...(lastTick === undefined ? {} : { lastTick }),
    groups: Object.fromEntries(groups),
    leases: Object.fromEntries(leases),
  };
}

/** Instants that were taken one after the other, with a wait for a lock between them, lie no further apart, in ms. */
const together = 5 * 60_000;

/** What tells one start or end of a run from all others; null for other lines. */
export function markOf(line: HistoryLine): string | null {
  return line.type === 'run-start' ? startMark(line.lease) : line.type === 'run-end' ? endMark(line.run) : null;
}

/**
 * The lines of the history that a loss of power may have taken, where the state has what they tell. A script starts when
 * its lease is on the disk, a moment before its line is; the end of the run before is written with both.
 *
 * @param lease in the state, for that lane
 * @param told the marks of the starts and ends that the history has, of that time at least
 * @param history asks for what is further back
 */
export function untoldLines(
  state: State,
  lane: string,
  lease: Lease,
  told: ReadonlySet<string>,
  history: {
    /** The lane that a run was started in. */
    readonly laneOf: (group: string, run: RunRecord) => string;
    /** Whether a group is told to be held back. */
    readonly isHeld: (group: string) => boolean;
  },
): HistoryLine[] {
  const since = Date.parse(lease.since ?? '');
  // Before leases named the reason, a script waited for both.
  if (lease.reason == null || lease.since == null || told.has(startMark(lease))) return [];
  const { group, tick = null, beat = null, missedBeats, reason } = lease;
  const lines: HistoryLine[] = [];
  for (const [name, entry] of Object.entries(state.groups ?? {})) {
    const { lastRun: run } = entry;
    if (run?.finishedAt == null || Math.abs(Date.parse(run.finishedAt) - since) > together) continue;
    if (told.has(endMark(run))) continue;
    lines.push({ at: run.finishedAt, type: 'run-end', tick, group: name, lane: history.laneOf(name, run), run, entry });
  }
  const start = { at: lease.since, tick, group };
  const entry = lease.counts === false ? undefined : entryOf(state, group);
  if (entry !== undefined && entry.held == null && history.isHeld(group)) lines.push({ ...start, type: 'released' });
  lines.push({
    ...start,
    type: 'run-start',
    lane,
    run: lease.runId,
    beat,
    missedBeats: missedBeats ?? 0,
    reason,
    ...(entry === undefined ? {} : { entry }),
    lease,
  });
  return lines;
}

/** Takes a line's entry over into the groups; false where it has none, or none that a state could have. */
function follow(groups: Map<string, GroupState>, group: string, line: HistoryLine): boolean {
  if (line.entry === null) return groups.delete(group);
  if (line.entry === undefined) return false;
  const lastRun = line.type === 'run-end' ? line.run : groups.get(group)?.lastRun;
  const entry = { ...line.entry, ...(lastRun === undefined ? {} : { lastRun }) };
  if (!isSound({ groups: { [group]: entry } })) return false;
  groups.set(group, entry);
  return true;
}

function tickOf(line: HistoryLine & { type: 'tick' }, base: State): State['lastTick'] {
  const known = base.lastTick?.id === line.tick ? base.lastTick : {};
  const length = typeof line.durationMs === 'number' ? line.durationMs : 0;
  const startedAt = new Date(Date.parse(line.at) - length).toISOString();
  return { startedAt, ...known, id: line.tick, finishedAt: line.at, outcome: String(line.outcome ?? '') };
}

/** A run that is resumed keeps its id, so the instant belongs to the mark. */
function startMark(lease: Lease): string {
  return `start ${lease.runId} ${lease.since}`;
}

function endMark(run: { id?: string | null | undefined; finishedAt?: string | null | undefined }): string {
  return `end ${run.id} ${run.finishedAt}`;
}

function tickMark(id: string | null | undefined): string {
  return `tick ${id}`;
}

function dropLeaseOf(leases: Map<string, Lease>, run: string | null | undefined): void {
  for (const [lane, lease] of leases) if (lease.runId === run) leases.delete(lane);
}

function isSound(part: Partial<State>): boolean {
  return findFault({ schemaVersion: stateVersion, ...part }) === null;
}
