import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Group, Script } from '../config/config.ts';
import { consumedBeat } from '../plan/due.ts';
import { filesOf, forgetEvidence } from '../script/evidence.ts';
import { bootIdentity, identifySelf } from '../script/process.ts';
import { longestDuration } from '../script/run-script.ts';
import { entryAfterStart } from '../state/run-outcome.ts';
import { entryOf, isoOf, type Lease, type ScriptRecord, type State } from '../state/state-schema.ts';
import { storageError } from '../state/storage-error.ts';
import { type Change, compactInstant, record, type Session } from './session.ts';

/** A run that a plan, or a person, asks for. */
export interface RunOrder {
  readonly group: Group;
  readonly reason: string;
  readonly because: string;
  /** ms; null for a run by hand for which no beat is due. */
  readonly beat: number | null;
  readonly missedBeats: number;
  /** A single script of the group, by hand: it consumes nothing and does not count as the group's run. */
  readonly only?: string;
}

/** A run whose start is recorded. */
export interface StartedRun {
  readonly lease: Lease;
  readonly startedAt: string;
  /** How long the parts of it before this one took, ms. */
  readonly spentMs: number;
  /** The scripts of a resumed run that had ended. */
  readonly finished: readonly ScriptRecord[];
}

/**
 * Consumes the beat and records the lease, in one write. Null where the beat is consumed already. StorageError where the
 * run's folder can't be made or the start can't be recorded.
 */
export function recordStart(order: RunOrder, session: Session): StartedRun | null {
  return record(session, (state) => startChange(order, state, session)).run;
}

/** What the start of a run changes, and the run; makes its folder. */
function startChange(order: RunOrder, state: State, session: Session): Change & { readonly run: StartedRun | null } {
  const { group, reason } = order;
  const isSameBeat = reason === 'resume-interrupted' || reason === 'retry-due';
  const before = entryOf(state, group.name) ?? {};
  const consumed = consumedBeat(before);
  if (!isSameBeat && order.beat !== null && consumed !== null && consumed >= order.beat) {
    return { state, lines: [], run: null };
  }
  const resumed = reason === 'resume-interrupted' ? before.lastRun : null;
  const finished = (resumed?.scripts ?? []).filter(({ outcome }) => outcome !== 'interrupted');
  const startedAt = isoOf(Date.now());
  const runId = resumed?.id ?? makeRunId();
  const folder = typeof resumed?.folder === 'string' ? resumed.folder : folderOf(group.name, runId, startedAt);
  const finishedNames = new Set(finished.map(({ name }) => name));
  const first = group.scripts.find(({ name }) =>
    order.only === undefined ? !finishedNames.has(name) : name === order.only,
  );
  const lease: Lease = {
    group: group.name,
    runId,
    beat: order.beat === null ? null : isoOf(order.beat),
    missedBeats: resumed?.missedBeats ?? order.missedBeats,
    reason,
    tick: session.tick,
    pid: process.pid,
    processStartedAt: identifySelf()?.startedAt ?? null,
    boot: bootIdentity(),
    since: startedAt,
    until: isoOf(Date.now() + group.scripts.reduce((sum, script) => sum + longestDuration(script), 0)),
    folder,
    runStartedAt: resumed?.startedAt ?? startedAt,
    spentMs: resumed?.durationMs ?? 0,
    ...(order.only === undefined ? {} : { counts: false }),
    ...positionOf(first, finished, group),
  };
  makeFolder(join(session.config.outputs, folder));
  // The evidence of the script that was cut off says nothing about its next start; nor does that of later scripts, which
  // an undone note of progress may have left.
  if (resumed != null && first !== undefined) {
    for (const [index, { name }] of group.scripts.entries()) {
      if (index < group.scripts.indexOf(first) || finishedNames.has(name)) continue;
      forgetEvidence(filesOf(join(session.config.outputs, folder), index + 1, name));
    }
  }
  const { held, ...entry } = entryAfterStart(before, order.beat, isSameBeat);
  const counts = order.only === undefined;
  const lines = [
    ...(held == null || !counts
      ? []
      : [{ at: startedAt, type: 'released' as const, tick: session.tick, group: group.name }]),
    {
      at: startedAt,
      type: 'run-start' as const,
      tick: session.tick,
      group: group.name,
      lane: group.lane,
      run: runId,
      beat: lease.beat ?? null,
      missedBeats: lease.missedBeats ?? 0,
      reason,
      ...(counts ? { entry } : {}),
      lease,
    },
  ];
  const groups = counts ? { ...state.groups, [group.name]: entry } : (state.groups ?? {});
  return {
    state: { ...state, groups, leases: { ...state.leases, [group.lane]: lease } },
    lines,
    run: { lease, startedAt: resumed?.startedAt ?? startedAt, spentMs: resumed?.durationMs ?? 0, finished },
  };
}

/** What a lease says of how far its run has come: the scripts that have ended, and the one that comes next. */
export function positionOf(script: Script | undefined, scripts: readonly ScriptRecord[], group: Group) {
  return {
    scripts: [...scripts],
    script: script?.name ?? null,
    number: script === undefined ? null : group.scripts.indexOf(script) + 1,
  };
}

/** Sorts by time and is unique: `20261122T160000-4f9a2c1b`. */
function makeRunId(): string {
  const random = Math.floor(Math.random() * 0x100000000);
  return `${compactInstant(Date.now())}-${random.toString(16).padStart(8, '0')}`;
}

function folderOf(group: string, runId: string, startedAt: string): string {
  return `runs/${startedAt.slice(0, 10)}/${group}-${runId}`;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw storageError('written', folder, error);
  }
}
