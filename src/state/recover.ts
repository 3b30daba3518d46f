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

/** A lease, and the lane that it is of. */
export interface Left {
  readonly lane: string;
  readonly lease: Lease;
}

/** What may have to be looked for far back in the history. */
export interface Past {
  /** The lane that a run was started in; null where that is not told. */
  readonly laneOf: (run: RunRecord) => string | null;
  /** Whether a group is told to be held back. */
  readonly isHeld: (group: string) => boolean;
}

/**
 * The lines of the history that a loss of power may have taken, where the state has what they tell. A script starts when
 * its lease is on the disk, a moment before its line is; the ends of runs that are recorded with it are written with both.
 *
 * @param left leases of the state
 * @param told the marks of the starts and ends that the history has, of the time of these leases at least
 */
export function untoldLines(
  state: State,
  left: readonly Left[],
  told: ReadonlySet<string>,
  { laneOf, isHeld }: Past,
): HistoryLine[] {
  const untold = left.filter(({ lease }) => mayBeUntold(lease) && !told.has(startMark(lease)));
  untold.sort((one, other) => instantOfStart(one) - instantOfStart(other));
  // All ends before all starts: an end must not take away a lease of the same run, resumed.
  const ends = Object.entries(state.groups ?? {}).flatMap(([group, entry]): HistoryLine[] => {
    const { lastRun: run } = entry;
    const at = run?.finishedAt;
    if (run == null || at == null || told.has(endMark(run))) return [];
    const beside = untold.find((one) => Math.abs(Date.parse(at) - instantOfStart(one)) <= together);
    if (beside === undefined) return [];
    const { lane, lease } = beside;
    return [{ at, type: 'run-end', tick: lease.tick ?? null, group, lane: laneOf(run) ?? lane, run, entry }];
  });
  const starts = untold.flatMap(({ lane, lease }): HistoryLine[] => {
    const { group, runId: run, beat = null, missedBeats, reason } = lease;
    const line = { at: lease.since ?? '', tick: lease.tick ?? null, group };
    const entry = lease.counts === false ? undefined : entryOf(state, group);
    const isReleased = entry !== undefined && entry.held == null && isHeld(group);
    const facts = { lane, run, beat, missedBeats: missedBeats ?? 0, reason: reason ?? '' };
    return [
      ...(isReleased ? [{ ...line, type: 'released' as const }] : []),
      { ...line, type: 'run-start', ...facts, ...(entry === undefined ? {} : { entry }), lease },
    ];
  });
  return [...ends, ...starts];
}

/** Before leases named the reason of their run, its script waited for the history, too. */
export function mayBeUntold({ reason, since }: Lease): boolean {
  return reason != null && since != null;
}

function instantOfStart({ lease }: Left): number {
  return Date.parse(lease.since ?? '');
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
export function startMark(lease: Lease): string {
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
