/** Likely mistakes in a valid configuration. The codes are stable: users may filter by them. */
export type LintCode =
  /** Daylight saving moves a beat to another time of day. */
  | 'dst-moves-beat'
  /** Daylight saving leaves a beat out. */
  | 'dst-drops-beat'
  /** Daylight saving has a beat twice. */
  | 'dst-doubles-beat'
  /** A step of a cron line that does not divide its cycle. */
  | 'uneven-step'
  /** A day of the month that some months lack. */
  | 'month-lacks-day'
  /** An interval that does not divide the day. */
  | 'interval-drifts'
  /** Several beats between two ticks. */
  | 'faster-than-tick'
  /** A dependency that has fewer beats than its dependent. */
  | 'slower-dependency'
  /** A dependency whose outcome is too old at some beats of its dependent. */
  | 'within-too-short'
  /** A dependency that runs only by hand. */
  | 'manual-dependency'
  /** A dependency that is switched off. */
  | 'disabled-dependency'
  /** `catchUp: 'none'` where a beat can never be too late. */
  | 'catch-up-none-idle'
  /** `catchUpWithin` beside `catchUp: 'none'`, which ignores it. */
  | 'catch-up-within-ignored'
  /** `catchUpWithin` that may pass between two ticks. */
  | 'catch-up-within-too-short'
  /** A retry whose time comes after the next beat. */
  | 'retry-never-reached'
  | 'script-missing'
  | 'script-not-executable'
  /** A file in the folder of scripts that no group runs. */
  | 'script-unused';

/** A likely mistake. */
export interface Lint {
  readonly code: LintCode;
  /** Where: `groups.backup.daily`. */
  readonly path: string;
  /** One sentence: what happens, and what to do. */
  readonly message: string;
}

/** Makes a finding about a group. */
export type Say = (code: LintCode, steps: readonly PropertyKey[], message: string) => Lint;
