import { join } from 'node:path';
import type { Group, Script } from '../config/config.ts';
import { readMonotonic } from '../monotonic.ts';
import { judgeRun } from '../state/record.ts';
import { isoOf, type Lease, type RunRecord, type ScriptRecord, type State } from '../state/schema.ts';
import { positionOf, type RunOrder, type StartedRun, startRecord } from './begin.ts';
import { endChange, endRecord, tellEnd } from './finish.ts';
import type { Launchers } from './launcher.ts';
import { readyScript, type ScriptEvent, type ScriptOrder } from './script.ts';
import { record, recordSoon, type Session } from './session.ts';

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
 * @param failed aborted as soon as something can't be recorded, by this run as well: then no further script starts, and
 *   what runs is left to end by itself
 * @param begun the start of the run, where that is on the disk already
 */
export async function runGroup(
  order: RunOrder,
  session: Session,
  launchers: Launchers,
  failed: AbortController,
  begun?: StartedRun,
): Promise<EndedRun | null> {
  const { group } = order;
  const ready = ({ lease }: StartedRun, step: Step) => {
    const { runId, beat = null } = lease;
    const place = { runId, beat, folder: join(session.config.outputs, lease.folder ?? ''), number: step.number };
    return readyOneScript(step.script, place, order, session, launchers);
  };
  const isOver = () => session.stop.aborted || failed.signal.aborted || session.isAskedToEnd();
  const begin = (run: StartedRun): Begun => {
    session.teller.emit({ kind: 'run-started', group: group.name, runId: run.lease.runId, because: order.because });
    session.teller.check();
    const steps = stepsOf(order, run.finished);
    const [step] = steps;
    const clock = readMonotonic();
    const first = step === undefined || isOver() ? null : (async () => ready(run, step).start())();
    return { run, steps, clock, first };
  };
  // No script starts that could not be told of, and no run begins for it.
  session.teller.check();
  const going = begun === undefined ? await beginOnceStored(order, session, failed, begin) : begin(begun);
  if (going === null) return null;
  const { run, steps, clock, first } = going;

  const scripts = [...run.finished];
  const startNext = (step: Step) => {
    if (isOver()) return null;
    session.teller.check();
    const note = (onReplaced: () => void) => noteProgress(run.lease, step.script, scripts, group, session, onReplaced);
    return startOnceNoted(note, failed, ready(run, step));
  };
  let complete = true;
  for (const step of steps) {
    const running = step === steps[0] ? first : startNext(step);
    if (running === null) {
      complete = false;
      break;
    }
    const ended = await running;
    scripts.push(ended);
    if (stops(step.script, ended, group)) break;
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

/** A script that a run has before it. */
interface Step {
  readonly script: Script;
  /** Its place in the group, from 1. */
  readonly number: number;
}

/** A run that has begun. */
interface Begun {
  readonly run: StartedRun;
  readonly steps: readonly Step[];
  /** When it began, by the monotonic clock, ms. */
  readonly clock: number;
  /** The first of its scripts, which runs; null where no script is to start any more. */
  readonly first: Promise<ScriptRecord> | null;
}

/** The scripts that a run has before it: those that have ended are left out, and what such a one keeps from starting. */
function stepsOf({ group, only }: RunOrder, finished: readonly ScriptRecord[]): Step[] {
  const endOf = new Map(finished.map((ended) => [ended.name, ended]));
  const steps: Step[] = [];
  for (const [index, script] of group.scripts.entries()) {
    if (only !== undefined && only !== script.name) continue;
    const ended = endOf.get(script.name);
    if (ended === undefined) steps.push({ script, number: index + 1 });
    else if (stops(script, ended, group)) break;
  }
  return steps;
}

/** Whether a script that has ended keeps those after it in its group from starting. */
function stops(script: Script, { outcome }: ScriptRecord, { onScriptFailure }: Group): boolean {
  return onScriptFailure === 'stop' && !script.optional && outcome !== 'succeeded';
}

/**
 * Begins a run as soon as no loss of power can undo its lease. The lines of the history are made as safe beside its first
 * script. Throws what kept that from being done, when the script has ended if it was started.
 */
async function beginOnceStored(
  order: RunOrder,
  session: Session,
  failed: AbortController,
  begin: (run: StartedRun) => Begun,
): Promise<Begun | null> {
  const begun: Begun[] = [];
  try {
    startRecord(order, session, (run) => begun.push(begin(run)));
  } catch (error) {
    failed.abort();
    await Promise.allSettled(begun.map(({ first }) => first));
    throw error;
  }
  return begun[0] ?? null;
}

/**
 * Starts a script as soon as every other process can read the note of it, and waits beside it until a loss of power can't
 * undo that note: in that case what such a loss leaves is the lease as it was before, and a script without an end. Throws
 * what kept the note from being written, when the script has ended if it was started.
 */
async function startOnceNoted(
  note: (onReplaced: () => void) => void,
  failed: AbortController,
  ready: ReadyOne,
): Promise<ScriptRecord> {
  let running: Promise<ScriptRecord> | undefined;
  try {
    note(() => {
      running = ready.start();
    });
  } catch (error) {
    failed.abort();
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
  record(session, change, { onReplaced });
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
