import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Group, Script } from '../config/config.ts';
import { readMonotonic } from '../monotonic.ts';
import { consumedBeat } from '../plan/due.ts';
import { storageError } from '../state/file.ts';
import { endRun, judgeRun, startRun } from '../state/record.ts';
import { entryOf, isoOf, type Lease, type RunRecord, type ScriptRecord, type State } from '../state/schema.ts';
import { filesOf, forgetEvidence } from './evidence.ts';
import type { Launchers } from './launcher.ts';
import { identifySelf } from './process.ts';
import { longestDuration, readyScript, type ScriptEvent, type ScriptOrder } from './script.ts';
import { type Change, compactInstant, record, recordSoon, type Session } from './session.ts';

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

/** A run that has ended. */
export interface EndedRun {
  readonly run: RunRecord;
  /** When its end is on the disk; rejects with a StorageError where that fails. */
  readonly recorded: Promise<void>;
}

/**
 * Runs a group: its scripts one after another, the lease on disk before the first, the outcome after the last. Null
 * where the beat turns out to be consumed already, by a command that changed the state since the plan was made.
 *
 * @param halt when aborted, no further script starts; the one that runs is left to end by itself
 * @param begun the start of the run, where that is on the disk already
 */
export async function runGroup(
  order: RunOrder,
  session: Session,
  launchers: Launchers,
  halt: AbortSignal,
  begun?: StartedRun,
): Promise<EndedRun | null> {
  const { group } = order;
  const run = begun ?? startRecord(order, session);
  if (run === null) return null;
  session.teller.emit({ kind: 'run-started', group: group.name, runId: run.lease.runId, because: order.because });

  const clock = readMonotonic();
  const { runId, beat = null } = run.lease;
  const place = { runId, beat, folder: join(session.config.outputs, run.lease.folder ?? '') };
  const scripts = [...run.finished];
  const isDone = new Set(scripts.map(({ name }) => name));
  const stops = (script: Script, { outcome }: ScriptRecord) =>
    group.onScriptFailure === 'stop' && !script.optional && outcome !== 'succeeded';
  let complete = true;
  let isFirst = true;
  for (const [index, script] of group.scripts.entries()) {
    if (order.only !== undefined && order.only !== script.name) continue;
    if (isDone.has(script.name)) {
      if (stops(script, scripts.find(({ name }) => name === script.name) as ScriptRecord)) break;
      continue;
    }
    if (session.stop.aborted || halt.aborted || session.isAskedToEnd()) {
      complete = false;
      break;
    }
    // No script starts that could not be told of.
    session.teller.check();
    const ready = readyOneScript(script, { ...place, number: index + 1 }, order, session, launchers);
    const note = (onReplaced: () => void) => noteProgress(run.lease, script, scripts, group, session, onReplaced);
    const ended = await (isFirst ? ready.start() : startOnceNoted(note, ready));
    isFirst = false;
    scripts.push(ended);
    if (stops(script, ended)) break;
  }

  const finished: RunRecord = {
    id: run.lease.runId,
    beat: run.lease.beat ?? null,
    startedAt: run.startedAt,
    finishedAt: isoOf(Date.now()),
    durationMs: Math.round(run.spentMs + readMonotonic() - clock),
    outcome: complete ? judgeRun(scripts, group) : 'interrupted',
    missedBeats: run.lease.missedBeats ?? 0,
    folder: run.lease.folder,
    scripts,
  };
  const counts = order.only === undefined;
  // What an interruption counts as depends on those before it, and nothing comes after it to be recorded with it.
  if (!complete || finished.outcome === 'interrupted') {
    return { run: endRecord(group, finished, session, counts), recorded: Promise.resolve() };
  }
  const recorded = recordSoon(
    session,
    (state) => endChange(state, group, finished, session, counts),
    () => tellEnd(group, finished, session),
  );
  return { run: finished, recorded };
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

/** Consumes the beat and records the lease, in one write. Null where the beat is consumed already. */
function startRecord(order: RunOrder, session: Session): StartedRun | null {
  let started: StartedRun | null = null;
  record(session, (state) => {
    const begun = beginRun(order, state, session);
    started = begun?.run ?? null;
    return begun?.change ?? { state, lines: [] };
  });
  return started;
}

/**
 * What the start of a run changes: its beat is consumed, its lease recorded. Makes the run's folder. Null where the beat
 * is consumed already. Throws a StorageError where there can be no folder.
 */
export function beginRun(
  order: Omit<RunOrder, 'because'>,
  state: State,
  session: Session,
): { readonly change: Change; readonly run: StartedRun } | null {
  const { group, reason } = order;
  const again = reason === 'resume-interrupted' || reason === 'retry-due';
  const before = entryOf(state, group.name) ?? {};
  const consumed = consumedBeat(before);
  if (!again && order.beat !== null && consumed !== null && consumed >= order.beat) return null;
  const resumed = reason === 'resume-interrupted' ? before.lastRun : null;
  const finished = (resumed?.scripts ?? []).filter(({ outcome }) => outcome !== 'interrupted');
  const startedAt = isoOf(Date.now());
  const runId = resumed?.id ?? makeRunId();
  const folder = typeof resumed?.folder === 'string' ? resumed.folder : folderOf(group.name, runId, startedAt);
  const isLeft = new Set(finished.map(({ name }) => name));
  const first = group.scripts.find(({ name }) => (order.only === undefined ? !isLeft.has(name) : name === order.only));
  const lease: Lease = {
    group: group.name,
    runId,
    beat: order.beat === null ? null : isoOf(order.beat),
    missedBeats: resumed?.missedBeats ?? order.missedBeats,
    tick: session.tick,
    pid: process.pid,
    processStartedAt: identifySelf()?.startedAt ?? null,
    boot: identifySelf()?.boot ?? null,
    since: startedAt,
    until: isoOf(Date.now() + group.scripts.reduce((sum, script) => sum + longestDuration(script), 0)),
    folder,
    runStartedAt: resumed?.startedAt ?? startedAt,
    spentMs: resumed?.durationMs ?? 0,
    ...(order.only === undefined ? {} : { counts: false }),
    ...positionOf(first, finished, group),
  };
  makeFolder(join(session.config.outputs, folder));
  // What the script that was cut off left says nothing about the try that comes; nor does what others left that were
  // started after it when a loss of power undid the note of that.
  if (resumed != null && first !== undefined) {
    for (const [index, { name }] of group.scripts.entries()) {
      if (index < group.scripts.indexOf(first) || isLeft.has(name)) continue;
      forgetEvidence(filesOf(join(session.config.outputs, folder), index + 1, name));
    }
  }
  const { held, ...entry } = startRun(before, order.beat, again);
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
    change: { state: { ...state, groups, leases: { ...state.leases, [group.lane]: lease } }, lines },
    run: { lease, startedAt: resumed?.startedAt ?? startedAt, spentMs: resumed?.durationMs ?? 0, finished },
  };
}

/**
 * Starts a script as soon as every other process can read the note of it, and waits beside it until a loss of power can't
 * undo that note: in that case what such a loss leaves is the lease as it was before, and a script without an end. Throws
 * what kept the note from being written, when the script has ended if it was started.
 */
async function startOnceNoted(note: (onReplaced: () => void) => void, ready: ReadyOne): Promise<ScriptRecord> {
  let running: Promise<ScriptRecord> | undefined;
  try {
    note(() => {
      running = ready.start();
    });
  } catch (error) {
    if (running === undefined) ready.cancel();
    await Promise.allSettled([running]);
    throw error;
  }
  return running ?? ready.start();
}

interface ReadyOne {
  /** Starts the script, at once, and tells of it. */
  start(): Promise<ScriptRecord>;
  cancel(): void;
}

/** Writes into the lease which script comes next, and what became of those before. */
function noteProgress(
  lease: Lease,
  script: Script,
  scripts: readonly ScriptRecord[],
  group: Group,
  session: Session,
  onReplaced: () => void,
): void {
  const next: Lease = { ...lease, ...positionOf(script, scripts, group) };
  const change = (state: State) => ({
    state: { ...state, leases: { ...state.leases, [group.lane]: next } },
    lines: [],
  });
  record(session, change, onReplaced);
}

function positionOf(script: Script | undefined, scripts: readonly ScriptRecord[], group: Group) {
  return {
    scripts: [...scripts],
    script: script?.name ?? null,
    number: script === undefined ? null : group.scripts.indexOf(script) + 1,
  };
}

type EndedGroup = Pick<Group, 'name' | 'lane' | 'retryAfter'>;

/**
 * Records how a run ended and gives its lease up, in one write. Answers with the run as it counts.
 *
 * @param counts false for a single script by hand, which the state does not keep
 */
export function endRecord(group: EndedGroup, run: RunRecord, session: Session, counts: boolean): RunRecord {
  let counted = run;
  record(session, (state) => {
    const change = endChange(state, group, run, session, counts);
    counted = change.run;
    return change;
  });
  tellEnd(group, counted, session);
  return counted;
}

/** What the end of a run changes, and the run as it counts. */
function endChange(state: State, group: EndedGroup, run: RunRecord, session: Session, counts: boolean) {
  const isOver = (lane: string, lease: Lease) => lane === group.lane && lease.runId === run.id;
  const leases = Object.entries(state.leases ?? {}).filter(([lane, lease]) => !isOver(lane, lease));
  const rest = { ...state, leases: Object.fromEntries(leases) };
  const line = { at: isoOf(Date.now()), type: 'run-end', tick: session.tick, group: group.name } as const;
  if (!counts) return { state: rest, lines: [{ ...line, lane: group.lane, run }], run };
  const entry = endRun(entryOf(state, group.name) ?? {}, run, group);
  const counted = entry.lastRun ?? run;
  return {
    state: { ...rest, groups: { ...state.groups, [group.name]: entry } },
    lines: [{ ...line, lane: group.lane, run: counted, entry }],
    run: counted,
  };
}

function tellEnd(group: EndedGroup, run: RunRecord, session: Session): void {
  session.teller.emit({
    kind: 'run-ended',
    group: group.name,
    runId: run.id ?? '',
    outcome: run.outcome ?? 'failed',
    durationMs: run.durationMs ?? 0,
  });
}

function readyOneScript(
  script: Script,
  place: Pick<ScriptOrder, 'runId' | 'beat' | 'folder' | 'number'>,
  { group }: RunOrder,
  { config, stop, hurry, onLine, teller: { emit } }: Session,
  launchers: Launchers,
): ReadyOne {
  const about = { group: group.name, script: script.name };
  const isLogged = config.log.output === 'all';
  const ready = readyScript({
    script,
    ...place,
    group: group.name,
    workspace: config.workspace,
    outputs: config.outputs,
    redact: config.redact,
    stop,
    hurry,
    launchers,
    ...(isLogged || onLine !== undefined
      ? {
          onLine: (text: string) => {
            if (isLogged) emit({ kind: 'line', ...about, text });
            onLine?.({ ...about, text });
          },
        }
      : {}),
    onEvent: (event) => emit({ ...about, ...nameScriptEvent(event) }),
  });
  return {
    async start() {
      const { tail, ...ended } = await ready.start();
      emit({
        kind: 'script-ended',
        ...about,
        outcome: ended.outcome ?? 'failed',
        durationMs: ended.durationMs ?? 0,
        exitCode: ended.exitCode ?? null,
        signal: ended.signal ?? null,
        message: ended.message ?? null,
        outputFile: ended.outputFile ?? null,
        optional: script.optional,
        tail: config.log.output === 'failed' ? tail : [],
      });
      return ended;
    },
    cancel: ready.cancel,
  };
}

function nameScriptEvent(event: ScriptEvent) {
  switch (event.kind) {
    case 'started':
      return { ...event, kind: 'script-started' as const };
    case 'retrying':
      return { ...event, kind: 'script-retrying' as const };
    case 'timed-out':
      return { ...event, kind: 'script-timed-out' as const };
    case 'left-behind':
      return event;
  }
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
