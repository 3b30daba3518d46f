/**
 * What a schedule is, as values. All times here are instants in milliseconds since the Unix epoch (UTC) and all lengths
 * are milliseconds; nothing in this folder reads a clock, a file or the environment.
 */

/** Beats lie on a fixed grid: the instants `t` with `(t - offset) mod every = 0`, counted from the Unix epoch in UTC. */
export interface IntervalSchedule {
  readonly kind: 'interval';
  readonly every: number;
  readonly offset: number;
}

/** Beats are wall-clock times of a time zone; the union of its lines, equal instants being one beat. */
export interface CalendarSchedule {
  readonly kind: 'calendar';
  readonly timezone: string;
  readonly lines: readonly CalendarLine[];
}

/** No beats: the group runs only when asked to. */
export interface ManualSchedule {
  readonly kind: 'manual';
}

export type Schedule = IntervalSchedule | CalendarSchedule | ManualSchedule;

/** One cron line, read. Numbers are sorted and unique; weekdays run from 0 (Sunday) to 6. */
export interface CalendarLine {
  /** The line as written, blanks normalised. */
  readonly text: string;
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly months: readonly number[];
  readonly days: DayRule;
  /**
   * True where the minute or hour field does not begin with `*`: then daylight saving moves or joins its beats so that
   * each happens once (cronie's rule for fixed-time jobs). False: it follows real time.
   */
  readonly fixedTime: boolean;
}

/** Which days of a month match. */
export interface DayRule {
  readonly daysOfMonth: readonly number[];
  /** `L` in the day-of-month field. */
  readonly lastDayOfMonth: boolean;
  readonly weekdays: readonly number[];
  /** `5#3`: the third Friday. */
  readonly nthWeekdays: readonly { readonly weekday: number; readonly nth: number }[];
  /** `5L`: the last Friday. */
  readonly lastWeekdays: readonly number[];
  /** True where neither field begins with `*`: either may match. False: both must (cron's rule). */
  readonly either: boolean;
}
