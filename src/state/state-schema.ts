import * as z from 'zod/mini';

/** The version of the state that this program writes, and the newest that it reads. */
export const stateVersion = 1;

export const outcomes = ['succeeded', 'failed', 'timed-out', 'interrupted'] as const;
/** How a run, or a script of it, ended. */
export type Outcome = (typeof outcomes)[number];

const text = z.nullish(z.string());
const texts = z.nullish(z.union([z.string(), z.array(z.string())]));
const number = z.nullish(z.number());
const flag = z.nullish(z.boolean());
const outcome = z.nullish(z.enum(outcomes));
const instant = z.nullish(z.string().check(z.refine((value) => !Number.isNaN(Date.parse(value)))));

const scriptSchema = z.looseObject({
  name: z.string(),
  outcome,
  /** Null where a signal ended it or it never started. */
  exitCode: number,
  signal: text,
  attempts: number,
  startedAt: instant,
  finishedAt: instant,
  /** By a monotonic clock. */
  durationMs: number,
  /** The file that holds its whole output, relative to the outputs folder. */
  outputFile: text,
  /** Why it failed, for people: a missing file, a missing interpreter, a timeout. */
  message: text,
});
/** What is known of one script of a run. */
export type ScriptRecord = z.infer<typeof scriptSchema>;

const runSchema = z.looseObject({
  id: text,
  /** The beat that it consumed; null for a run by hand. */
  beat: instant,
  startedAt: instant,
  finishedAt: instant,
  durationMs: number,
  outcome,
  missedBeats: number,
  scripts: z.nullish(z.array(scriptSchema)),
});
/** The last run of a group, ended. */
export type RunRecord = z.infer<typeof runSchema>;

/** A group's schedule as last seen; `since` is the tick that first saw it. */
const scheduleSchema = z.looseObject({
  every: text,
  offset: text,
  daily: texts,
  cron: texts,
  timezone: text,
  manual: flag,
  enabled: flag,
  since: instant,
});
export type SeenSchedule = z.infer<typeof scheduleSchema>;

export const groupSchema = z.looseObject({
  firstSeenAt: instant,
  /** The last beat that was consumed. */
  lastBeat: instant,
  lastRun: z.nullish(runSchema),
  lastSuccessAt: instant,
  consecutiveFailures: number,
  /** How often the run for the last beat was interrupted. */
  interruptions: number,
  retry: z.nullish(z.looseObject({ at: instant, attempt: number })),
  pausedAt: instant,
  pausedUntil: instant,
  pauseReason: text,
  schedule: z.nullish(scheduleSchema),
});
export type GroupState = z.infer<typeof groupSchema>;

export const leaseSchema = z.looseObject({
  group: z.string(),
  runId: z.string(),
  beat: instant,
  missedBeats: number,
  /** Why the run was started, as in a plan. */
  reason: text,
  /** The tick that holds it. */
  tick: text,
  pid: number,
  /** Start time of that process as the system reports it, and the boot it belongs to: a pid alone proves nothing. */
  processStartedAt: text,
  boot: text,
  since: instant,
  /** The latest end: the sum of all timeouts, retries and kill delays from here. */
  until: instant,
  /** The folder of the run's files, relative to the outputs folder. */
  folder: text,
  /** The scripts that have ended, in order. */
  scripts: z.nullish(z.array(scriptSchema)),
  /** The script that runs now. */
  script: text,
});
/** The record of a run in progress. */
export type Lease = z.infer<typeof leaseSchema>;

/**
 * The state file, as it is read: every field but `schemaVersion` may be missing or null, and unknown fields survive a
 * rewrite. Instants are ISO 8601 text in UTC with milliseconds; on reading, anything that `Date.parse` understands will do.
 */
export const stateSchema = z.looseObject({
  schemaVersion: z.literal(stateVersion),
  lastTick: z.nullish(z.looseObject({ id: text, pid: number, startedAt: instant, finishedAt: instant, outcome: text })),
  groups: z.nullish(z.record(z.string(), groupSchema)),
  leases: z.nullish(z.record(z.string(), leaseSchema)),
});
export type State = z.infer<typeof stateSchema>;

/** A state in which nothing has been seen yet. */
export function emptyState(): State {
  return { schemaVersion: stateVersion, lastTick: null, groups: {}, leases: {} };
}

/**
 * A group's entry; undefined at first sight. Asks for own properties only, because a group may be called `constructor`.
 */
export function entryOf(state: State, group: string): GroupState | undefined {
  const groups = state.groups;
  return groups && Object.hasOwn(groups, group) ? groups[group] : undefined;
}

/** A lane's lease, if a run is in progress there. */
export function leaseOf(state: State, lane: string): Lease | undefined {
  const leases = state.leases;
  return leases && Object.hasOwn(leases, lane) ? leases[lane] : undefined;
}

/** An instant of the state in ms since the epoch; null where it is missing. */
export function instantOf(text: string | null | undefined): number | null {
  return text == null ? null : Date.parse(text);
}

/**
 * An instant (ms since the epoch) as the state and the JSON of the commands write it: ISO 8601, UTC, milliseconds.
 * RangeError where it is none.
 */
export function isoOf(instant: number): string {
  return new Date(instant).toISOString();
}
