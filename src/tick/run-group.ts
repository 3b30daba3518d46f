import { join } from 'node:path';
import type { Group, Script } from '../config/config.ts';
import { readMonotonic } from '../monotonic.ts';
import { runScript, type ScriptEvent } from '../script/run-script.ts';
import { judgeRun } from '../state/run-outcome.ts';
import { isoOf, type Lease, type RunRecord, type ScriptRecord } from '../state/state-schema.ts';
import { endChange, logEnd, recordEnd } from './end-run.ts';
import { queueRecord, record, type Session } from './session.ts';
import { positionOf, type RunOrder, recordStart } from './start-run.ts';

/** A run that has ended. */
export interface EndedRun {
  readonly run: RunRecord;
  /** When its end is on the disk; rejects with a StorageError where that fails. */
  readonly recorded: Promise<void>;
}

/**
 * Runs a group: its scripts one after another, the lease on disk before the first, the outcome after the last. Null
 * where the beat turns out to be consumed already, by a command that changed the state since the plan was made. Throws a
 * StorageError where something can't be recorded; what could not be recorded is not started.
 *
 * @param shouldStop whether no further script is to start
 */
export async function runGroup(order: RunOrder, session: Session, shouldStop: () => boolean): Promise<EndedRun | null> {
  const { group } = order;
  const { logger } = session;
  logger.check();
  const started = recordStart(order, session);
  if (started === null) return null;
  const { lease } = started;
  logger.emit({ kind: 'run-started', group: group.name, runId: lease.runId, because: order.because });
  const clock = readMonotonic();

  const scripts = [...started.finished];
  let isComplete = true;
  for (const [index, step] of remainingSteps(order, started.finished).entries()) {
    // No script starts when the start of its run or the end of the one before it could not be logged.
    logger.check();
    if (shouldStop()) {
      isComplete = false;
      break;
    }
    // The lease names the first script already.
    if (index > 0) recordProgress(lease, step.script, scripts, group, session);
    const ended = await runStep(step, lease, order, session);
    scripts.push(ended);
    if (stopsGroup(step.script, ended, group)) break;
  }

  const run: RunRecord = {
    id: lease.runId,
    beat: lease.beat ?? null,
    startedAt: started.startedAt,
    finishedAt: isoOf(Date.now()),
    durationMs: Math.round(started.spentMs + readMonotonic() - clock),
    outcome: isComplete ? judgeRun(scripts, group) : 'interrupted',
    missedBeats: lease.missedBeats ?? 0,
    folder: lease.folder,
    scripts,
  };
  const counts = order.only === undefined;
  // What an interruption counts as depends on those before it, and nothing that it could be recorded with comes after it.
  if (run.outcome === 'interrupted') {
    return { run: recordEnd(group, run, session, counts), recorded: Promise.resolve() };
  }
  const recorded = queueRecord(
    session,
    (state) => endChange(state, group, run, session, counts),
    () => logEnd(group, run, session),
  );
  return { run, recorded };
}

/** A script that a run has before it. */
interface Step {
  readonly script: Script;
  /** Its number in the group, from 1. */
  readonly number: number;
}

/** The scripts that a run has before it: those that have ended are left out, and those that a failed one stops. */
function remainingSteps({ group, only }: RunOrder, finished: readonly ScriptRecord[]): Step[] {
  const endOf = new Map(finished.map((ended) => [ended.name, ended]));
  const steps: Step[] = [];
  for (const [index, script] of group.scripts.entries()) {
    if (only !== undefined && only !== script.name) continue;
    const ended = endOf.get(script.name);
    if (ended === undefined) steps.push({ script, number: index + 1 });
    else if (stopsGroup(script, ended, group)) break;
  }
  return steps;
}

/** Whether a script that has ended keeps those after it in its group from starting. */
function stopsGroup(script: Script, { outcome }: ScriptRecord, { onScriptFailure }: Group): boolean {
  return onScriptFailure === 'stop' && !script.optional && outcome !== 'succeeded';
}

/** Records in the lease which script comes next, and how those before it ended. */
function recordProgress(
  lease: Lease,
  script: Script,
  scripts: readonly ScriptRecord[],
  group: Group,
  session: Session,
): void {
  const next: Lease = { ...lease, ...positionOf(script, scripts, group) };
  record(session, (state) => ({
    state: { ...state, leases: { ...state.leases, [group.lane]: next } },
    lines: [],
  }));
}

/** Runs one script of a group to its outcome, and logs what happens on the way. */
async function runStep(
  { script, number }: Step,
  lease: Lease,
  { group }: RunOrder,
  { config, stop, hurry, onLine, logger: { emit } }: Session,
): Promise<ScriptRecord> {
  const about = { group: group.name, script: script.name };
  const isLogged = config.log.output === 'all';
  const { tail, ...ended } = await runScript({
    script,
    number,
    runId: lease.runId,
    beat: lease.beat ?? null,
    folder: join(config.outputs, lease.folder ?? ''),
    group: group.name,
    workspace: config.workspace,
    outputs: config.outputs,
    redact: config.redact,
    stop,
    hurry,
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
