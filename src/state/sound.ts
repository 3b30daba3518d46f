import * as z from 'zod';
import { outcomes, stateVersion } from './schema.ts';

const instant = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not an ISO 8601 instant');

const outcome = z.enum(outcomes);

const scriptRecord = z.looseObject({
  name: z.string(),
  outcome: outcome.nullish(),
  /** Null where a signal ended it or it never started. */
  exitCode: z.number().nullish(),
  signal: z.string().nullish(),
  attempts: z.number().nullish(),
  startedAt: instant.nullish(),
  finishedAt: instant.nullish(),
  /** By a monotonic clock. */
  durationMs: z.number().nullish(),
  /** The file that holds its whole output, relative to the outputs folder. */
  outputFile: z.string().nullish(),
  /** Why it failed, for people: a missing file, a missing interpreter, a timeout. */
  message: z.string().nullish(),
});
/** What is known of one script of a run. */
export type ScriptRecord = z.infer<typeof scriptRecord>;

const runRecord = z.looseObject({
  id: z.string().nullish(),
  /** The beat that it consumed; null for a run by hand. */
  beat: instant.nullish(),
  startedAt: instant.nullish(),
  finishedAt: instant.nullish(),
  durationMs: z.number().nullish(),
  outcome: outcome.nullish(),
  missedBeats: z.number().nullish(),
  scripts: z.array(scriptRecord).nullish(),
});
/** The last run of a group, ended. */
export type RunRecord = z.infer<typeof runRecord>;

/** A group's schedule as last seen; `since` is the tick that first saw it. */
const seenSchedule = z.looseObject({
  every: z.string().nullish(),
  offset: z.string().nullish(),
  daily: z.union([z.string(), z.array(z.string())]).nullish(),
  cron: z.union([z.string(), z.array(z.string())]).nullish(),
  timezone: z.string().nullish(),
  manual: z.boolean().nullish(),
  enabled: z.boolean().nullish(),
  since: instant.nullish(),
});
export type SeenSchedule = z.infer<typeof seenSchedule>;

const groupState = z.looseObject({
  firstSeenAt: instant.nullish(),
  /** The last beat that was consumed. */
  lastBeat: instant.nullish(),
  lastRun: runRecord.nullish(),
  lastSuccessAt: instant.nullish(),
  consecutiveFailures: z.number().nullish(),
  /** How often the run for the last beat was interrupted. */
  interruptions: z.number().nullish(),
  retry: z.looseObject({ at: instant.nullish(), attempt: z.number().nullish() }).nullish(),
  pausedAt: instant.nullish(),
  pausedUntil: instant.nullish(),
  pauseReason: z.string().nullish(),
  schedule: seenSchedule.nullish(),
});
export type GroupState = z.infer<typeof groupState>;

const lease = z.looseObject({
  group: z.string(),
  runId: z.string(),
  beat: instant.nullish(),
  missedBeats: z.number().nullish(),
  /** Why the run was started, as in a plan. */
  reason: z.string().nullish(),
  /** The tick that holds it. */
  tick: z.string().nullish(),
  pid: z.number().nullish(),
  /** Start time of that process, as the system tells it, and the boot it belongs to: a pid alone proves nothing. */
  processStartedAt: z.string().nullish(),
  boot: z.string().nullish(),
  since: instant.nullish(),
  /** The latest end: the sum of all timeouts, retries and kill delays from here. */
  until: instant.nullish(),
  /** The folder of the run's files, relative to the outputs folder. */
  folder: z.string().nullish(),
  /** The scripts that have ended, in order. */
  scripts: z.array(scriptRecord).nullish(),
  /** The script that runs now. */
  script: z.string().nullish(),
});
/** The record of a run in progress. */
export type Lease = z.infer<typeof lease>;

const tickRecord = z.looseObject({
  id: z.string().nullish(),
  pid: z.number().nullish(),
  startedAt: instant.nullish(),
  finishedAt: instant.nullish(),
  outcome: z.string().nullish(),
});

/**
 * The state file, as it is read: every field but `schemaVersion` may be missing or null, and unknown fields survive a
 * rewrite. Instants are ISO 8601 text in UTC with milliseconds; on reading, whatever `Date.parse` understands will do.
 */
export const stateSchema = z.looseObject({
  schemaVersion: z.literal(stateVersion),
  lastTick: tickRecord.nullish(),
  groups: z.record(z.string(), groupState).nullish(),
  leases: z.record(z.string(), lease).nullish(),
});
export type State = z.infer<typeof stateSchema>;
