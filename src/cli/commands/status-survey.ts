import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { neutralise, redactText, withoutEscapes } from '../../log/safe-text.ts';
import { planTick } from '../../plan/decide.ts';
import { type Activity, reportStatus, type StatusDocument } from '../../report/status-document.ts';
import { runsThatTell } from '../../report/usual-durations.ts';
import { filesOf, readEvidence } from '../../script/evidence.ts';
import { identify, isSame } from '../../script/process.ts';
import { secretsOf } from '../../script/redact.ts';
import { type HistoryLine, readNewest } from '../../state/history.ts';
import { describeHolder, isHeld } from '../../state/lock.ts';
import { readPulse } from '../../state/stamp.ts';
import { isoOf, type Lease, leaseOf } from '../../state/state-schema.ts';
import { readState } from '../../state/store.ts';
import { lanePath } from '../../tick/lane.ts';
import { settleState } from '../../tick/recover-orphan.ts';

/** So many bytes of the history's end are looked at: days of it, and few enough to be read in no time. */
const mostOfHistory = 1 << 20;
/** Only the ticks of this time before now, ms, tell how the trigger does. */
const tickSpan = 25 * 3_600_000;

/**
 * The lines of the history that a status is made of, newest first; read once, when they are first asked for.
 *
 * @param now ms
 */
export function openRecentHistory(outputs: string, now: number): Iterable<HistoryLine> {
  let lines: readonly HistoryLine[] | undefined;
  return {
    [Symbol.iterator]() {
      lines ??= readRecent(outputs, isoOf(now - tickSpan));
      return lines[Symbol.iterator]();
    },
  };
}

function readRecent(outputs: string, since: string): HistoryLine[] {
  const lines: HistoryLine[] = [];
  const successes = new Map<string, number>();
  const hasEnough = (group: string) => (successes.get(group) ?? 0) >= runsThatTell;
  let hasTick = false;
  // Most lines are not needed; to see that in their JSON is faster than to parse it.
  const isWanted = (json: string) => {
    if (json.includes('"type":"tick"')) return !hasTick || json >= `{"at":"${since}`;
    return json.includes('"type":"run-end"') && !hasEnough(/"group":"([^"]*)"/.exec(json)?.[1] ?? '');
  };
  for (const line of readNewest(outputs, { maxBytes: mostOfHistory, isWanted })) {
    lines.push(line);
    if (line.type === 'tick') hasTick = true;
    if (line.type !== 'run-end' || line.run.outcome !== 'succeeded') continue;
    successes.set(line.group, (successes.get(line.group) ?? 0) + 1);
  }
  return lines;
}

/** How everything is at `now` (ms). StorageError where the state or the history can't be read. */
export function surveyStatus(config: Config, newestFirst: Iterable<HistoryLine>, now: number): StatusDocument {
  const held = (lane: string) => isHeld(lanePath(config.outputs, lane), (holder) => identify(holder.pid) !== null);
  const configured = [...new Set(config.groups.map(({ lane }) => lane))];
  // Before the state is read and after it: else a tick that begins or ends just then would seem to have died.
  const heldBefore = new Set(configured.filter(held));
  const { state, notices } = readState(config.outputs);
  const lanes = [...new Set([...configured, ...Object.keys(state.leases ?? {})])];
  const heldLanes = new Set(lanes.filter((lane) => heldBefore.has(lane) || held(lane)));

  const activities = lanes.flatMap((lane): Activity[] => {
    const lease = leaseOf(state, lane) ?? null;
    if (heldLanes.has(lane))
      return [{ lane, lease, holder: holderOf(lane, config), isOrphan: false, ...follow(lease, config) }];
    const isOrphan = lease !== null && runsOn(lease, config);
    return isOrphan ? [{ lane, lease, holder: null, isOrphan, ...follow(lease, config) }] : [];
  });
  const occupied = new Map([...heldLanes].map((lane) => [lane, leaseOf(state, lane)?.group ?? null]));
  const plan = planTick(
    config,
    settleState(state, config, (lane) => heldLanes.has(lane)),
    now,
    occupied,
  );
  return reportStatus({ config, state, notices, plan, activities, newestFirst, pulse: readPulse(config.outputs) });
}

function holderOf(lane: string, { outputs }: Config): Activity['holder'] {
  const holder = describeHolder(lanePath(outputs, lane));
  if (holder === null) return null;
  const since = Date.parse(holder.since);
  if (Number.isNaN(since)) return null;
  return { pid: holder.pid, since, tick: typeof holder.tick === 'string' ? holder.tick : null };
}

function folderOf(lease: Lease, { outputs }: Config): { folder: string; number: number } {
  return { folder: join(outputs, lease.folder ?? ''), number: typeof lease.number === 'number' ? lease.number : 0 };
}

/** Whether the script of a run whose tick died is still running. */
function runsOn(lease: Lease, config: Config): boolean {
  if (lease.script == null) return false;
  const { folder, number } = folderOf(lease, config);
  const { exit, leader } = readEvidence(folder, number, lease.script);
  return exit === null && leader !== null && isSame(leader);
}

/** Since when a run's script has been running, and what it printed last. */
function follow(lease: Lease | null, config: Config): Pick<Activity, 'scriptStartedAt' | 'lastLine'> {
  if (lease?.script == null) return { scriptStartedAt: null, lastLine: null };
  const { folder, number } = folderOf(lease, config);
  const group = config.groups.find(({ name }) => name === lease.group);
  const script = group?.scripts.find(({ name }) => name === lease.script);
  const secrets = secretsOf(config.redact, process.env, script?.env ?? {});
  return {
    scriptStartedAt: readEvidence(folder, number, lease.script).startedAt,
    lastLine: readLastLine(filesOf(folder, number, lease.script).log, secrets),
  };
}

const tailSize = 8192;

/** The last line of an output file that is not blank, made safe; null where there is none, or where it can't be read. */
function readLastLine(file: string, secrets: readonly string[]): string | null {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const { size } = fstatSync(descriptor);
    const from = Math.max(0, size - tailSize);
    const bytes = Buffer.alloc(Math.min(size, tailSize));
    const text = bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, bytes.length, from));
    const lines = text.split('\n');
    // What is left of a long line may begin in the midst of a secret.
    if (from > 0 && (lines.length > 1 || secrets.length > 0)) lines.shift();
    for (const line of lines.reverse()) {
      const shown = neutralise(redactText(withoutEscapes(line), secrets), 500).trim();
      if (shown !== '') return shown;
    }
    return null;
  } catch {
    // Its script has not begun to write, or belongs to another user.
    return null;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Nothing that a configuration, a reason or an old record holds does anything to a terminal. */
export function neutraliseAll<T>(value: T): T {
  if (typeof value === 'string') return neutralise(value) as T;
  if (Array.isArray(value)) return value.map(neutraliseAll) as T;
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) copy[key] = neutraliseAll((value as Record<string, unknown>)[key]);
  return copy as T;
}
