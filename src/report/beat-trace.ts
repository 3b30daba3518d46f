import type { Config, Group } from '../config/config.ts';
import { judgeLastRun } from '../plan/decide.ts';
import { describeSeen } from '../plan/observe.ts';
import { latestBeat, nextBeat } from '../schedule/beats.ts';
import { parseCron, parseDaily } from '../schedule/cron.ts';
import { parseDuration } from '../schedule/duration.ts';
import type { CalendarLine, Schedule } from '../schedule/schedule.ts';
import type { HeldLine, HistoryLine, RunEndLine, RunStartLine } from '../state/history.ts';
import { type GroupState, instantOf, isoOf, type SeenSchedule } from '../state/state-schema.ts';
import type { DependencyReport, Records } from './explanation.ts';
import { itemOfRun, type RunItem } from './run-history.ts';

/** What the history knows of a group at an instant. */
export interface Known {
  /** Its entry, without its last run; null where no tick had seen it. */
  readonly entry: GroupState | null;
  /** The run that was in progress, or the last one that had ended. */
  readonly run: RunItem | null;
  /** Why it was held back then. */
  readonly hold: HeldLine | null;
}

/** Reads what was known of a group at an instant (ms). */
export function knownAt(group: string, at: number, records: Records): Known {
  let entry: GroupState | null | undefined;
  let hold: HeldLine | null | undefined;
  let end: RunEndLine | undefined;
  let run: RunItem | null = null;
  for (const line of records.newest({ until: at, group })) {
    if (hold === undefined && line.type === 'held') hold = line;
    if (hold === undefined && (line.type === 'released' || (line.type === 'run-start' && line.entry))) hold = null;
    if (entry === undefined && line.entry !== undefined) {
      entry = line.entry;
      hold = hold === undefined ? readHold(line, line.entry) : hold;
    }
    if (line.type === 'run-end' && line.entry && end === undefined) end = line;
    const isStart = line.type === 'run-start' && line.entry !== undefined;
    // A start that is newer than any end is that of a run in progress.
    if (isStart && (end === undefined || end.run.id === line.run)) run ??= itemOfRun(line, end ?? null);
    if (entry !== undefined && (run !== null || (isStart && end !== undefined))) break;
  }
  if (run === null && end !== undefined) run = itemOfRun(null, end);
  return { entry: entry ?? null, run, hold: hold ?? null };
}

function readHold(line: HistoryLine, entry: GroupState | null): HeldLine | null {
  const { held } = entry ?? {};
  if (typeof held !== 'object' || held === null || !('since' in held) || typeof held.since !== 'string') return null;
  const { reason, blockedBy } = held as { reason?: unknown; blockedBy?: unknown };
  return {
    at: held.since,
    type: 'held',
    group: line.group ?? '',
    beat: null,
    reason: String(reason),
    blockedBy: Array.isArray(blockedBy) ? blockedBy.map(String) : [],
  };
}

/** The schedule that a group had by the records, where that is another than it has now. */
export function scheduleThen(entry: GroupState | null, group: Group): Schedule {
  const seen = entry?.schedule;
  if (seen == null) return group.schedule;
  const now = describeSeen(group);
  const bare = ({ every, offset, daily, cron, timezone, manual }: SeenSchedule) =>
    JSON.stringify([every, offset, daily, cron, timezone, manual]);
  return bare(seen) === bare(now) ? group.schedule : (readSchedule(seen) ?? group.schedule);
}

function readSchedule(seen: SeenSchedule): Schedule | null {
  if (seen.manual === true) return { kind: 'manual' };
  if (seen.every != null) {
    const every = parseDuration(seen.every);
    return every === null ? null : { kind: 'interval', every, offset: parseDuration(seen.offset ?? '0s') ?? 0 };
  }
  const lines = [
    ...[seen.cron ?? []].flat().map((text) => parseCron(text)),
    ...[seen.daily ?? []].flat().map((text) => parseDaily(text)),
  ].filter((line): line is CalendarLine => !('problem' in line));
  return lines.length === 0 ? null : { kind: 'calendar', timezone: seen.timezone ?? 'UTC', lines };
}

/** How a beat came to be consumed. */
export type Consumption =
  | { readonly kind: 'ran' | 'passed-over' | 'reset' }
  | { readonly kind: 'expired' | 'paused' | 'edited'; readonly at: number };

/** What happened to a beat from when it came on. */
export interface Story {
  /** Null while it is due. */
  readonly consumption: Consumption | null;
  /** For it, the oldest first, with retries and resumed ones; or the one that stood in for it. */
  readonly runs: readonly RunItem[];
  readonly holds: readonly (Pick<HeldLine, 'reason' | 'blockedBy'> & {
    readonly from: number;
    readonly until: number | null;
  })[];
  /** The pause, or the last of several, that fell into its time, ms. */
  readonly pause: { readonly since: number; readonly until: number | null; readonly reason: string | null } | null;
}

/**
 * Follows a beat (ms) through the records of its group, from when it came to when what it led to had ended.
 *
 * @param isRunning whether a tick is at a run
 */
export function followBeat(
  group: string,
  beat: number,
  before: Known,
  records: Records,
  isRunning: (run: string) => boolean,
): Story {
  let consumption: Consumption | null = null;
  const starts: RunStartLine[] = [];
  const ends = new Map<RunStartLine, RunEndLine>();
  const holds: { reason: string; blockedBy: readonly string[]; from: number; until: number | null }[] = [];
  let pause: Story['pause'] = null;
  const { hold, entry } = before;
  if (hold !== null) holds.push({ ...hold, from: Date.parse(hold.at), until: null });
  if (entry?.pausedAt != null) pause = pauseOf(entry);

  for (const line of records.onward(beat, { group })) {
    const at = Date.parse(line.at);
    const open = holds.at(-1)?.until === null ? holds.at(-1) : undefined;
    const consumed = instantOf(line.entry?.lastBeat);
    if (line.type === 'run-end') {
      const start = starts.findLast((known) => known.run === line.run.id && !ends.has(known));
      if (start !== undefined) ends.set(start, line);
      continue;
    }
    if (line.type === 'run-start') {
      if (line.entry === undefined) continue;
      const started = instantOf(line.beat);
      if (started !== null && started < beat) continue;
      if (open !== undefined && consumption === null) open.until = at;
      if (started === null) continue;
      if (consumption === null) consumption = { kind: started === beat ? 'ran' : 'passed-over' };
      else if (started !== beat) break;
      starts.push(line);
      continue;
    }
    if (consumption !== null) {
      if (line.type === 'expire') break;
      continue;
    }
    if (line.type === 'held') {
      if (open !== undefined) open.until = at;
      holds.push({ reason: line.reason, blockedBy: line.blockedBy, from: at, until: null });
    } else if (line.type === 'released' && open !== undefined) open.until = at;
    else if (line.type === 'expire' && Date.parse(line.beat) >= beat) {
      if (open !== undefined) open.until = at;
      consumption = { kind: 'expired', at };
    } else if (line.type === 'pause' && line.entry) pause = pauseOf(line.entry);
    else if (line.type === 'reset' && Date.parse(line.from) >= beat) consumption = { kind: 'reset' };
    else if (line.type === 'resume' || line.type === 'seen') {
      const ended = pause !== null && line.entry?.pausedAt == null;
      if (ended && pause !== null) pause = { ...pause, until: at };
      if (ended && consumed !== null && consumed >= beat) consumption = { kind: 'paused', at };
      else if ((instantOf(line.entry?.schedule?.since) ?? beat) > beat) consumption = { kind: 'edited', at };
    }
  }
  const runs = starts.map((start): RunItem => {
    const end = ends.get(start) ?? null;
    const item = itemOfRun(start, end);
    return end === null && isRunning(start.run) ? { ...item, outcome: 'running' } : item;
  });
  return { consumption, runs, holds, pause };
}

function pauseOf(entry: GroupState): NonNullable<Story['pause']> {
  const reason = typeof entry.pauseReason === 'string' ? entry.pauseReason : null;
  return { since: instantOf(entry.pausedAt) ?? 0, until: instantOf(entry.pausedUntil), reason };
}

/** The last sign of a tick up to an instant (ms), and the first tick that began then or later, before `end`. */
export function ticksAround(
  at: number,
  end: number,
  records: Records,
): { readonly before: number | null; readonly after: number | null } {
  let before: number | null = null;
  for (const line of records.newest({ until: at })) {
    if (!isOfTick(line)) continue;
    before = Date.parse(line.at);
    break;
  }
  for (const line of records.onward(at, {})) {
    if (Date.parse(line.at) > end) break;
    const began = isOfTick(line) ? beginOf(line) : null;
    // Its id tells seconds only.
    if (began !== null && began >= Math.floor(at / 1000) * 1000) return { before, after: Math.max(began, at) };
  }
  return { before, after: null };
}

function isOfTick(line: HistoryLine): boolean {
  return typeof line.tick === 'string' && !(line.type === 'run-start' && line.reason === 'by-hand');
}

function beginOf(line: HistoryLine): number {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/.exec(line.tick ?? '') ?? [];
  return s === undefined ? Date.parse(line.at) : Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
}

/** Which run of a lane was in progress at an instant (ms), or began then. */
export function holderOf(lane: string, at: number, records: Records): { group: string; since: number } | null {
  const ended = new Set<string>();
  // What began in the same tick has its line a moment later.
  for (const line of records.newest({ until: at + 1000 })) {
    if (line.type === 'run-end' && Date.parse(line.at) <= at) ended.add(line.run.id ?? '');
    if (line.type !== 'run-start' || line.lane !== lane) continue;
    return ended.has(line.run) ? null : { group: line.group, since: Date.parse(line.at) };
  }
  return null;
}

/**
 * What each dependency had come to at an instant (ms), and whether that let the group go.
 *
 * @param hold what was recorded then of those that did not: it gives the reason of the first
 */
export function dependenciesAt(
  group: Group,
  at: number,
  config: Config,
  records: Records,
  hold: Pick<HeldLine, 'reason' | 'blockedBy'> | null = null,
): DependencyReport[] {
  const groupOf = new Map(config.groups.map((other) => [other.name, other]));
  return group.dependsOn.map((dependency): DependencyReport => {
    const other = groupOf.get(dependency.group) as Group;
    const { run } = knownAt(other.name, at, records);
    const isOpen = run !== null && run.finishedAt === null;
    const lastRun =
      run === null || isOpen ? {} : { lastRun: { outcome: run.outcome as never, finishedAt: run.finishedAt } };
    const judged = isOpen ? 'dependency-running' : judgeLastRun(dependency, lastRun, at);
    const isBlocking = hold?.blockedBy.includes(other.name) === true;
    const recorded = hold?.blockedBy[0] === other.name ? hold.reason : null;
    const known = other.enabled ? judged : null;
    const reason = isBlocking ? (recorded ?? judged ?? 'dependency-skipped') : known;
    return {
      group: other.name,
      when: dependency.when,
      withinMs: dependency.within,
      satisfied: reason === null,
      reason,
      run: run === null ? null : pickRun(run),
      nextBeat: isoOrNull(other.enabled ? nextBeat(other.schedule, at) : null),
    };
  });
}

export function pickRun({ runId, outcome, startedAt, finishedAt }: RunItem): DependencyReport['run'] {
  return { runId, outcome, startedAt, finishedAt };
}

export function isoOrNull(instant: number | null): string | null {
  return instant === null ? null : isoOf(instant);
}

/** The beat that an instant is about, ms: the last one up to it that counts. */
export function beatOf(schedule: Schedule, entry: GroupState | null, at: number): number | null {
  const beat = latestBeat(schedule, at);
  const since = instantOf(entry?.schedule?.since);
  return beat !== null && since !== null && beat < since ? null : beat;
}
