import type { Schedule } from '../schedule/schedule.ts';

/** A checked configuration: defaults filled in, durations in milliseconds, paths absolute, every name known. */
export interface Config {
  /** The folder that holds the configuration file; every relative path starts there. */
  readonly workspace: string;
  /** The configuration file. */
  readonly file: string;
  readonly outputs: string;
  readonly scriptsDir: string;
  readonly timezone: string;
  /** How often the trigger starts a tick, in ms. */
  readonly tickEvery: number;
  readonly log: LogSettings;
  /** How long records are stored: ages in ms, size in bytes. */
  readonly keep: { readonly history: number; readonly runs: number; readonly runsSize: number };
  /** Names of environment variables whose values appear in no file of ours. */
  readonly redact: readonly string[];
  /** In the order of the configuration. */
  readonly groups: readonly Group[];
}

export interface LogSettings {
  /** What of the scripts' output is copied into the central log: the end of what failed, every line, or nothing. */
  readonly output: 'failed' | 'all' | 'none';
  readonly format: 'text' | 'json';
  /** Bytes at which the central log is rotated. */
  readonly maxSize: number;
  /** Files in all, the current one included. */
  readonly maxFiles: number;
}

export const priorities = ['critical', 'high', 'normal', 'low'] as const;
export type Priority = (typeof priorities)[number];

export interface Group {
  readonly name: string;
  readonly description: string | null;
  readonly enabled: boolean;
  readonly schedule: Schedule;
  readonly dependsOn: readonly Dependency[];
  /** Groups that only go first: they order and never block. */
  readonly after: readonly string[];
  readonly priority: Priority;
  readonly lane: string;
  readonly catchUp: 'latest' | 'every' | 'none';
  /** How late a beat may start, in ms; null: however late. */
  readonly catchUpWithin: number | null;
  /** What happens at first sight; null: `now` for an interval, `wait` for a calendar. */
  readonly firstRun: 'now' | 'wait' | null;
  readonly onScriptFailure: 'continue' | 'stop';
  readonly onInterrupt: 'resume' | 'skip';
  /** Delays in ms after the first, second, … failed run of a beat. */
  readonly retryAfter: readonly number[];
  readonly scripts: readonly Script[];
}

export interface Dependency {
  readonly group: string;
  readonly when: 'succeeded' | 'finished';
  /** How long ago the dependency may have finished, in ms; null: however long. */
  readonly within: number | null;
}

export interface Script {
  /** Unique within its group. */
  readonly name: string;
  /** The program and its arguments, ready to be spawned; the program may still have to be found on PATH. */
  readonly argv: readonly string[];
  /** Windows: the arguments are quoted already and have to reach the program as they are. */
  readonly verbatim?: boolean;
  /** A TypeScript file run through tsx, which may start from a bundle instead. */
  readonly bundles?: boolean;
  /** The file of a `run` script, absolute; null for `command` and `shell`. */
  readonly file: string | null;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Per attempt, in ms. */
  readonly timeout: number;
  /** Between SIGTERM and SIGKILL, in ms. */
  readonly killAfter: number;
  /** Further attempts after a failed one, within the tick. */
  readonly retries: number;
  /** Before the first retry, in ms; doubles with each further one. */
  readonly retryDelay: number;
  readonly optional: boolean;
  readonly successExitCodes: readonly number[];
}

/** The name of the only lane, unless the configuration names more. */
export const mainLane = 'main';
