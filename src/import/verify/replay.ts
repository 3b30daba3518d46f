import { spawnSync } from 'node:child_process';
import { Cron } from 'croner';
import type { DatePattern, Original } from '../entry.ts';
import type { TaskTrigger, TriggerDays } from '../schtasks/task-trigger.ts';
import { type CalendarSpec, matchesPart } from '../systemd/calendar-event.ts';

/**
 * The old schedules, evaluated by others than rhythm: cron lines by croner, systemd's calendars by systemd-analyze, and
 * what has neither by looking at the wall clock of every minute (Intl) and asking whether it matches.
 */

const minute = 60_000;
const day = 86_400_000;

/** The beats after `from` and up to `until`, ms; null in `phase` where only their distance is known. */
export interface Replay {
  readonly beats: readonly number[];
  /** By what they were found. */
  readonly by: 'croner' | 'systemd-analyze' | 'minute by minute' | 'arithmetic';
  /** When the first one comes is nowhere written: it was taken to be `from`. */
  readonly isLoose: boolean;
}

export function replay(original: Original, from: number, until: number): Replay {
  const key = JSON.stringify([original, from, until]);
  let found = replays.get(key);
  if (found === undefined) {
    found = evaluate(original, from, until);
    replays.set(key, found);
  }
  return found;
}

/** Many jobs have the same schedule, and a report asks for what a verification asked for. */
const replays = new Map<string, Replay>();

function evaluate(original: Original, from: number, until: number): Replay {
  switch (original.kind) {
    case 'cron':
      return { beats: replayCron(original.line, original.timezone, from, until), by: 'croner', isLoose: false };
    case 'period': {
      const start = original.start ?? from;
      const beats: number[] = [];
      const first = start + Math.ceil((from + 1 - start) / original.every) * original.every;
      for (let beat = first; beat <= until; beat += original.every) beats.push(beat);
      return { beats, by: 'arithmetic', isLoose: original.start === null };
    }
    case 'dates': {
      const matches = (wall: Wall) => original.dates.some((date) => matchesDate(date, wall));
      return { beats: readMinutes(original.timezone, from, until, matches), by: 'minute by minute', isLoose: false };
    }
    case 'calendar':
      return replayCalendar(original, from, until);
    case 'task':
      return replayTask(original.trigger, original.timezone, from, until);
  }
}

function replayCron(line: string, timezone: string, from: number, until: number): number[] {
  // The rule for fixed times is cronie's: lists and ranges count as fixed, only a star does not.
  const cron = new Cron(line, { timezone, paused: true, fixedTimeRule: 'no-wildcard', mode: '5-part' });
  const beats: number[] = [];
  for (let beat = cron.nextRun(new Date(from)); beat !== null && beat.getTime() <= until; beat = cron.nextRun(beat)) {
    // Around a change of the clock croner may come back to where it was.
    if (beat.getTime() <= (beats.at(-1) ?? from)) break;
    beats.push(beat.getTime());
  }
  return beats;
}

let hasAnalyzer: boolean | null = null;

function replayCalendar(original: Extract<Original, { kind: 'calendar' }>, from: number, until: number): Replay {
  const found = askSystemd(original, from, until);
  if (found !== null) return { beats: found, by: 'systemd-analyze', isLoose: false };
  const seconds = Array.from({ length: 60 }, (_, second) => second).filter((second) =>
    matchesPart(original.spec.seconds, second),
  );
  const minutes = readMinutes(original.timezone, from - minute, until, (wall) => matchesCalendar(original.spec, wall));
  const beats = minutes.flatMap((at) => seconds.map((second) => at + second * 1_000));
  return { beats: beats.filter((beat) => beat > from && beat <= until), by: 'minute by minute', isLoose: false };
}

function askSystemd(
  { text, timezone, spec }: Extract<Original, { kind: 'calendar' }>,
  from: number,
  until: number,
): number[] | null {
  if (hasAnalyzer === false) return null;
  const beats: number[] = [];
  let base = from;
  // In portions: how many there are is what is being asked.
  for (let portion = 64; ; portion = 4_096) {
    const words = spec.timezone === null && timezone !== 'UTC' ? `${text} ${timezone}` : text;
    const result = spawnSync(
      'systemd-analyze',
      ['calendar', `--iterations=${portion}`, `--base-time=@${Math.floor(base / 1_000)}`, words],
      { encoding: 'utf8', env: { ...process.env, TZ: 'UTC', LC_ALL: 'C', SYSTEMD_COLORS: '0' }, maxBuffer: 1 << 26 },
    );
    hasAnalyzer = result.error === undefined;
    if (result.error !== undefined || result.status !== 0) return null;
    const found = [
      ...result.stdout.matchAll(/(?:Next elapse|Iter\. #\d+): \w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) UTC/g),
    ].map(([, date, time]) => Date.parse(`${date}T${time}Z`));
    for (const beat of found) if (beat > (beats.at(-1) ?? from) && beat <= until) beats.push(beat);
    const last = found.at(-1);
    if (last === undefined || last >= until || found.length < portion || last <= base) return beats;
    base = last;
  }
}

/** What a clock on the wall shows. Weekdays from 0 (Sunday). */
interface Wall {
  readonly year: number;
  readonly month: number;
  readonly date: number;
  readonly hour: number;
  readonly minute: number;
  readonly weekday: number;
  /** The length of the month. */
  readonly days: number;
  /** As the instant at which UTC shows it. */
  readonly at: number;
}

/** Each minute after `from` and up to `until` whose wall clock matches. */
function readMinutes(timezone: string, from: number, until: number, matches: (wall: Wall) => boolean): number[] {
  const beats: number[] = [];
  for (let start = Math.floor(from / day) * day; start <= until; start += day) {
    for (const [index, wall] of readDay(timezone, start).entries()) {
      const instant = start + index * minute;
      if (instant > from && instant <= until && matches(wall)) beats.push(instant);
    }
  }
  return beats;
}

/** Days of UTC by zone: asking Intl for a minute takes microseconds, and every schedule asks for the same ones. */
const readings = new Map<string, readonly Wall[]>();

/** What the clock shows at each minute of a day of UTC. */
function readDay(timezone: string, start: number): readonly Wall[] {
  const key = `${timezone} ${start}`;
  const known = readings.get(key);
  if (known !== undefined) return known;
  const formatter = formatterFor(timezone);
  const walls: Wall[] = [];
  for (let instant = start; instant < start + day; instant += minute) {
    const [month = 1, date = 1, year = 1970, hour = 0, past = 0] = (formatter.format(instant).match(/\d+/g) ?? []).map(
      Number,
    );
    const at = Date.UTC(year, month - 1, date, hour, past);
    const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
    walls.push({ year, month, date, hour, minute: past, weekday: new Date(at).getUTCDay(), days, at });
  }
  if (readings.size > 400) readings.clear();
  readings.set(key, walls);
  return walls;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterFor(timeZone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timeZone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
    formatters.set(timeZone, formatter);
  }
  return formatter;
}

function matchesDate({ Minute, Hour, Day, Weekday, Month }: DatePattern, wall: Wall): boolean {
  const agrees = (wanted: number | undefined, shown: number) => wanted === undefined || wanted === shown;
  if (!agrees(Minute, wall.minute) || !agrees(Hour, wall.hour) || !agrees(Month, wall.month)) return false;
  const weekday = Weekday === undefined ? undefined : Weekday % 7;
  if (Day !== undefined && weekday !== undefined) return Day === wall.date || weekday === wall.weekday;
  return agrees(Day, wall.date) && agrees(weekday, wall.weekday);
}

function matchesCalendar(spec: CalendarSpec, wall: Wall): boolean {
  const fromEnd = wall.days - wall.date + 1;
  return (
    matchesPart(spec.minutes, wall.minute) &&
    matchesPart(spec.hours, wall.hour) &&
    matchesPart(spec.months, wall.month) &&
    matchesPart(spec.years, wall.year) &&
    (spec.fromEnd ? matchesPart(spec.days, fromEnd, true) : matchesPart(spec.days, wall.date)) &&
    (spec.weekdays === null || spec.weekdays.includes(wall.weekday === 0 ? 7 : wall.weekday))
  );
}

function replayTask(trigger: TaskTrigger, timezone: string, from: number, until: number): Replay {
  const { repetition, days } = trigger;
  const zone = trigger.offset === null ? timezone : 'UTC';
  const start = trigger.start - (trigger.offset ?? 0);
  if (days === null) {
    // Its first minute is looked for on the clock, and counted from.
    const around = trigger.offset === null ? findMinute(zone, start) : start;
    if (repetition === null) return { beats: [], by: 'arithmetic', isLoose: false };
    const end = repetition.duration === null ? until : Math.min(until, around + repetition.duration - 1);
    const beats: number[] = [];
    const skipped = Math.max(0, Math.ceil((from + 1 - around) / repetition.every));
    for (let beat = around + skipped * repetition.every; beat <= end; beat += repetition.every) beats.push(beat);
    return { beats, by: 'arithmetic', isLoose: false };
  }
  const span = repetition === null ? 0 : (repetition.duration ?? 400 * day);
  const offset = trigger.offset ?? 0;
  const matches = (wall: Wall) => {
    // The days are those of the place that the boundary names.
    const local = wall.at + (trigger.offset === null ? 0 : offset);
    return (
      wall.at >= start &&
      modDay(wall.at) === modDay(Math.floor(start / minute) * minute) &&
      isDay(days, local, trigger.start)
    );
  };
  const back = Math.min(span, 32 * day);
  const starts = readMinutes(zone, from - back - minute, until, matches);
  const beats = new Set<number>();
  for (const [index, first] of starts.entries()) {
    const every = repetition?.every ?? 0;
    const next = starts[index + 1] ?? Number.POSITIVE_INFINITY;
    for (let past = 0; past === 0 || (every > 0 && past < span && first + past < next); past += every) {
      if (first + past > until) break;
      if (first + past > from) beats.add(first + past);
      if (every === 0) break;
    }
  }
  return { beats: [...beats].sort((a, b) => a - b), by: 'minute by minute', isLoose: false };
}

function modDay(wall: number): number {
  return ((wall % day) + day) % day;
}

/** Whether a trigger names the day of a wall-clock time. */
function isDay(days: TriggerDays, wall: number, start: number): boolean {
  const shown = new Date(wall);
  const passed = Math.round(Math.floor(wall / day) - Math.floor(start / day));
  switch (days.kind) {
    case 'day':
      return passed % days.interval === 0;
    case 'week': {
      const sinceSunday = passed + new Date(start).getUTCDay();
      return days.weekdays.includes(shown.getUTCDay()) && Math.floor(sinceSunday / 7) % days.interval === 0;
    }
    case 'month': {
      const length = new Date(Date.UTC(shown.getUTCFullYear(), shown.getUTCMonth() + 1, 0)).getUTCDate();
      const date = shown.getUTCDate();
      return (
        days.months.includes(shown.getUTCMonth() + 1) && (days.dates.includes(date) || (days.last && date === length))
      );
    }
    case 'weekday-of-month': {
      const length = new Date(Date.UTC(shown.getUTCFullYear(), shown.getUTCMonth() + 1, 0)).getUTCDate();
      const date = shown.getUTCDate();
      const isWeek =
        days.weeks.includes(Math.ceil(date / 7) === 5 ? 0 : Math.ceil(date / 7)) ||
        (days.weeks.includes(5) && date > length - 7);
      return days.months.includes(shown.getUTCMonth() + 1) && days.weekdays.includes(shown.getUTCDay()) && isWeek;
    }
  }
}

/** The instant at which a zone's clock shows a time, by trying the offsets that there are around it. */
function findMinute(timezone: string, wall: number): number {
  const formatter = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' });
  const offsetAt = (instant: number): number => {
    const [, sign, hours = '0', minutes = '0'] = /GMT(?:([+-])(\d+):(\d+))?/.exec(formatter.format(instant)) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * minute;
  };
  const before = wall - offsetAt(wall - day);
  return wall - offsetAt(before) === before ? before : wall - offsetAt(wall + day);
}
