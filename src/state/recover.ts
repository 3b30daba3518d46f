import { findFault } from './check.ts';
import type { HistoryLine } from './history.ts';
import { type GroupState, type Lease, type RunRecord, type State, stateVersion } from './schema.ts';

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
    if (line.type === 'run-start') {
      told.add(startMark(line.lease));
      const known = base.leases && Object.hasOwn(base.leases, line.lane) ? base.leases[line.lane] : undefined;
      // The base may know how far that very run has come.
      if (known && startMark(known) === startMark(line.lease)) leases.set(line.lane, known);
      else if (isSound({ leases: { [line.lane]: line.lease } })) leases.set(line.lane, line.lease);
    }
    if (line.type === 'run-end') {
      told.add(endMark(line.run));
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

/**
 * The ends of runs that a state has and the history has not, after a loss of power: what begins a run is on the disk in
 * the state a moment before it is in the history, and the end of the run before it goes there with it.
 *
 * @param lease the one of that beginning
 * @param laneOf the lane of a group
 * @param isTold whether the history has the end of a group's run
 */
export function untoldEnds(
  state: State,
  lease: Lease,
  laneOf: (group: string) => string,
  isTold: (group: string, run: RunRecord) => boolean,
): HistoryLine[] {
  const from = Date.parse(state.lastTick?.startedAt ?? '');
  const to = Date.parse(lease.since ?? '');
  return Object.entries(state.groups ?? {}).flatMap(([group, entry]): HistoryLine[] => {
    const { lastRun: run } = entry;
    const at = run?.finishedAt;
    if (run == null || at == null || !(Date.parse(at) >= from && Date.parse(at) <= to) || isTold(group, run)) return [];
    return [{ at, type: 'run-end', tick: lease.tick ?? null, group, lane: laneOf(group), run, entry }];
  });
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
