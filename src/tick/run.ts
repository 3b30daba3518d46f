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
