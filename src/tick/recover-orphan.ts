import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config, Group, Script } from '../config/config.ts';
import { type Evidence, filesOf, noteEnding, readEvidence } from '../script/evidence.ts';
import { sealOutput } from '../script/output.ts';
import { carries, isSame, living } from '../script/process.ts';
import { secretsOf } from '../script/redact.ts';
import { judgeEnd } from '../script/run-script.ts';
import { endTree, marksOf } from '../script/tree.ts';
import { entryAfterEnd, judgeRun } from '../state/run-outcome.ts';
import {
  entryOf,
  instantOf,
  isoOf,
  type Lease,
  leaseOf,
  type RunRecord,
  type ScriptRecord,
  type State,
} from '../state/state-schema.ts';
import { recordEnd } from './end-run.ts';
import type { Session } from './session.ts';

/** The time between two checks of an orphan, ms. */
const checkEvery = 200;

type LeasedGroup = Pick<Group, 'name' | 'lane' | 'scripts' | 'retryAfter' | 'onScriptFailure'>;

/** The evidence of the script that a dead tick was running, and whether this tick had to end it. */
interface Finding {
  readonly evidence: Evidence;
  readonly ended: 'timed-out' | 'interrupted' | null;
}

/**
 * Settles the run that a dead tick left in a lane which this tick now holds. A script of it that still runs is waited
 * for, and ended at its deadline; then the run takes the outcome that its scripts left on disk, or is `interrupted` where
 * some had not run yet, so that the plan resumes it.
 */
export async function recoverRun(lane: string, session: Session): Promise<RunRecord | null> {
  const { config, store } = session;
  const lease = leaseOf(store.readState().state, lane);
  if (lease === undefined) return null;
  const group = groupOfLease(lease, lane, config);
  const finding = lease.script == null ? null : await followOrphan(lease, group, session);
  if (finding !== null) {
    const files = filesOf(runFolder(lease, config), numberOf(lease), lease.script ?? '');
    const script = group.scripts.find(({ name }) => name === lease.script);
    // A script that had not begun to write has no output to seal, and its output may have been removed.
    if (existsSync(files.log)) {
      const marks = marksOfScript(lease, finding.evidence);
      // Its wrapper has recorded the end, and may be exiting.
      const isStillWritten = living().some(({ pid }) => pid !== finding.evidence.leader?.pid && carries(pid, marks));
      await sealOutput(files.log, secretsOf(config.redact, process.env, script?.env ?? {}), isStillWritten);
    }
  }
  const run = settleRun(lease, group, finding);
  const counted = recordEnd(group, run, session, lease.counts !== false);
  session.logger.emit({
    kind: 'run-recovered',
    group: lease.group,
    runId: lease.runId,
    outcome: counted.outcome ?? 'interrupted',
  });
  return counted;
}

/** The state of a dead tick's script: it still runs, runs beyond its deadline, or has ended. */
export function inspectLease(lease: Lease, lane: string, config: Config): 'running' | 'late' | 'ended' {
  if (lease.script == null) return 'ended';
  const evidence = evidenceOf(lease, config);
  if (findOrphan(evidence, marksOfScript(lease, evidence)).length === 0) return 'ended';
  const script = groupOfLease(lease, lane, config).scripts.find(({ name }) => name === lease.script);
  return Date.now() > deadlineOf(evidence, lease, script) ? 'late' : 'running';
}

/**
 * The state as it will be once the lanes of dead ticks are settled, for commands that only read. A script that still runs
 * is taken to succeed.
 */
export function settleState(state: State, config: Config, isHeld: (lane: string) => boolean): State {
  const groups = { ...state.groups };
  const leases = Object.entries(state.leases ?? {});
  for (const [lane, lease] of leases) {
    if (isHeld(lane) || lease.counts === false) continue;
    const group = groupOfLease(lease, lane, config);
    const run = settleRun(lease, group, lease.script == null ? null : foresee(lease, config));
    groups[group.name] = entryAfterEnd(entryOf(state, group.name) ?? {}, run, group);
  }
  return { ...state, groups, leases: Object.fromEntries(leases.filter(([lane]) => isHeld(lane))) };
}

function foresee(lease: Lease, config: Config): Finding {
  const evidence = evidenceOf(lease, config);
  const runs = evidence.exit === null && evidence.leader !== null && isSame(evidence.leader);
  const success = { exitCode: 0, signal: null, at: Date.now() };
  return { evidence: runs ? { ...evidence, exit: success } : evidence, ended: null };
}

/** Waits for a script whose tick died, and ends its tree at its deadline or when this tick has to stop. */
async function followOrphan(lease: Lease, group: LeasedGroup, session: Session): Promise<Finding> {
  const { config, stop, hurry, logger } = session;
  const script = group.scripts.find(({ name }) => name === lease.script);
  let announced = false;
  for (;;) {
    const marks = marksOfScript(lease, evidenceOf(lease, config));
    const pids = findOrphan(evidenceOf(lease, config), marks);
    // Read after looking for processes: one that has just ended has left its status by now.
    const evidence = evidenceOf(lease, config);
    if (evidence.exit !== null || pids.length === 0) return { evidence, ended: null };
    if (!announced) {
      const pid = evidence.pid ?? (pids[0] as number);
      logger.emit({ kind: 'orphan-adopted', group: lease.group, script: lease.script ?? '', pid });
      announced = true;
      await logger.open();
    }
    const isLate = Date.now() > deadlineOf(evidence, lease, script);
    if (isLate || stop.aborted) {
      // Should this tick die as well, the next one takes the status for what it is.
      noteEnding(
        filesOf(runFolder(lease, config), numberOf(lease), lease.script ?? ''),
        isLate ? 'timed-out' : 'interrupted',
      );
      await endTree({ leader: evidence.leader, marks }, script?.killAfter ?? 0, hurry);
      return { evidence: evidenceOf(lease, config), ended: isLate ? 'timed-out' : 'interrupted' };
    }
    await sleep(checkEvery, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** What its processes carry, unlike those that an earlier attempt or script left behind. */
function marksOfScript(lease: Lease, { attempt }: Evidence): string[] {
  const name = lease.script ?? '';
  return attempt === null
    ? [`RHYTHM_RUN_ID=${lease.runId}`, `RHYTHM_SCRIPT=${name}`]
    : marksOf(lease.runId, name, attempt);
}

/**
 * The processes of a script whose tick died: its leader, or, where the leader's identity is not on disk or it was killed
 * alone, whatever carries the script's marks.
 */
function findOrphan({ leader, exit }: Evidence, marks: readonly string[]): number[] {
  if (exit !== null) return [];
  if (leader !== null && isSame(leader)) return [leader.pid];
  return living().flatMap(({ pid }) => (carries(pid, marks) ? [pid] : []));
}

function deadlineOf({ startedAt }: Evidence, lease: Lease, script: Script | undefined): number {
  const latest = instantOf(lease.until) ?? Number.POSITIVE_INFINITY;
  return startedAt === null || script === undefined ? latest : Math.min(latest, startedAt + script.timeout);
}

/** The run of a lease, ended: as its scripts left it, or interrupted where some had not run. */
function settleRun(lease: Lease, group: LeasedGroup, finding: Finding | null): RunRecord {
  const scripts = [...(lease.scripts ?? [])];
  if (finding !== null) scripts.push(settleScript(lease, group, finding));
  const isDone = new Set(scripts.map(({ name }) => name));
  const isStopped =
    group.onScriptFailure === 'stop' &&
    group.scripts.some(
      (script) =>
        !script.optional && scripts.some((ended) => ended.name === script.name && ended.outcome !== 'succeeded'),
    );
  const isComplete = lease.counts === false || isStopped || group.scripts.every(({ name }) => isDone.has(name));
  return {
    id: lease.runId,
    beat: lease.beat ?? null,
    startedAt: typeof lease.runStartedAt === 'string' ? lease.runStartedAt : (lease.since ?? null),
    finishedAt: finding?.evidence.exit ? isoOf(finding.evidence.exit.at) : isoOf(Date.now()),
    durationMs: scripts.reduce((sum, script) => sum + (script.durationMs ?? 0), 0),
    outcome: isComplete ? judgeRun(scripts, group) : 'interrupted',
    missedBeats: lease.missedBeats ?? 0,
    folder: lease.folder,
    scripts,
  };
}

function settleScript(lease: Lease, group: LeasedGroup, { evidence, ended }: Finding): ScriptRecord {
  const script = group.scripts.find(({ name }) => name === lease.script);
  const { exit, startedAt } = evidence;
  const end = { exitCode: exit?.exitCode ?? null, signal: exit?.signal ?? null };
  const judged = exit === null ? null : judgeEnd(script ?? { successExitCodes: [] }, end);
  // A living tick would have tried again.
  const hasTriesLeft = judged?.outcome === 'failed' && (evidence.attempt ?? 0) <= (script?.retries ?? 0);
  const files = filesOf(lease.folder ?? '', numberOf(lease), lease.script ?? '');
  return {
    name: lease.script ?? '',
    ...end,
    outcome:
      ended ?? (evidence.isTimedOut ? 'timed-out' : hasTriesLeft ? 'interrupted' : (judged?.outcome ?? 'interrupted')),
    message:
      ended !== null
        ? (judged?.message ?? 'its tick died; ended by the next one')
        : judged === null
          ? 'its tick died, and how it ended is not known'
          : judged.message,
    attempts: evidence.attempt ?? 0,
    startedAt: startedAt === null ? null : isoOf(startedAt),
    finishedAt: isoOf(exit?.at ?? Date.now()),
    durationMs: startedAt === null ? null : Math.max(0, (exit?.at ?? Date.now()) - startedAt),
    outputFile: evidence.attempt === null ? null : files.log,
  };
}

function evidenceOf(lease: Lease, config: Config): Evidence {
  return readEvidence(runFolder(lease, config), numberOf(lease), lease.script ?? '');
}

function runFolder(lease: Lease, config: Config): string {
  return join(config.outputs, lease.folder ?? '');
}

function numberOf(lease: Lease): number {
  return typeof lease.number === 'number' ? lease.number : 0;
}

/** The group of a lease as it is configured now; a removed one has nothing left to run. */
function groupOfLease(lease: Lease, lane: string, config: Config): LeasedGroup {
  const group = config.groups.find(({ name }) => name === lease.group);
  // The lease is given up in the lane that it was found in, whatever lane the group is in now.
  if (group !== undefined) return { ...group, lane };
  return { name: lease.group, lane, scripts: [], retryAfter: [], onScriptFailure: 'continue' };
}
