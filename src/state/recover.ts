import type { HistoryLine } from './history.ts';

import { type GroupState, groupSchema, type Lease, leaseSchema, type State, stateVersion } from './state-schema.ts';

/**
 * Carries a state forward by the history: each group's entry is that of its newest line, its last run that of its newest
 * `run-end`, and a `run-start` without its end is a lease. What the history does not speak of stays as it was.
 *
 * The order of the lines rules, not their instants, for clocks go back. One thing only can make the base the newer of the
 * two: a process that died between its write of the state and its line. Such a run stays.
 *
 * @param base the last good copy of the state, or an empty one
 * @param lines the whole history, oldest first
 */
export function bringForward(base: State, lines: Iterable<HistoryLine>): State {
  const groups = new Map(Object.entries(base.groups ?? {}));
  const leases = new Map(Object.entries(base.leases ?? {}));
  let lastTick = base.lastTick;
  const recorded = new Set<string>();
  const newestAt = new Map<string, number>();

  for (const line of lines) {
    if (line.type === 'tick') {
      recorded.add(tickMark(line.tick));
      lastTick = tickOf(line, base);
    }
    if (typeof line.group === 'string' && follow(groups, line.group, line)) {
      newestAt.set(line.group, Date.parse(line.at));
    }
    const mark = markOf(line);
    if (mark !== null) recorded.add(mark);
    if (line.type === 'run-start') {
      const known = base.leases && Object.hasOwn(base.leases, line.lane) ? base.leases[line.lane] : undefined;
      // The base may know how far that very run has come.
      if (known && startMark(known) === startMark(line.lease)) leases.set(line.lane, known);
      else if (leaseSchema.safeParse(line.lease).success) leases.set(line.lane, line.lease);
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
    const isRecorded =
      at == null || recorded.has(mark) || (newestAt.get(group) ?? Number.NEGATIVE_INFINITY) > Date.parse(at);
    if (isRecorded) continue;
    groups.set(group, entry);
    if (lane !== undefined && lease) leases.set(lane, lease);
    else dropLeaseOf(leases, entry.lastRun?.id);
  }

  const isLater = Date.parse(base.lastTick?.startedAt ?? '') > Date.parse(lastTick?.startedAt ?? '');
  if (isLater && !recorded.has(tickMark(base.lastTick?.id))) lastTick = base.lastTick;

  return {
    ...base,
    schemaVersion: stateVersion,
    ...(lastTick === undefined ? {} : { lastTick }),
    groups: Object.fromEntries(groups),
    leases: Object.fromEntries(leases),
  };
}

/** Identifies one start or end of a run; null for other lines. */
function markOf(line: HistoryLine): string | null {
  return line.type === 'run-start' ? startMark(line.lease) : line.type === 'run-end' ? endMark(line.run) : null;
}

/** Takes a line's entry over into the groups; false where it has none, or none that a state could have. */
function follow(groups: Map<string, GroupState>, group: string, line: HistoryLine): boolean {
  if (line.entry === null) return groups.delete(group);
  if (line.entry === undefined) return false;
  const lastRun = line.type === 'run-end' ? line.run : groups.get(group)?.lastRun;
  const entry = { ...line.entry, ...(lastRun === undefined ? {} : { lastRun }) };
  if (!groupSchema.safeParse(entry).success) return false;
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
