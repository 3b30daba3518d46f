/**
 * Calendars by brute force: every minute is looked at, by what a clock on the wall shows then. It shares nothing with
 * the program, so that the two can be held against each other.
 */

/** A group's beats, in ms since the epoch. */
export interface Beats {
  /** The first beat later than `instant`. */
  after(instant: number): number;
  /** The latest beat at or before `instant`. */
  upTo(instant: number): number;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Of most hours. */
const none: readonly number[] = [];

/** The beats of cron lines in a time zone; the lines are taken to be valid, and to match some day. */
export function calendarOf(texts: readonly string[], timezone: string): Beats {
  const lines = texts.map(readLine);
  const zone = zoneOf(timezone);
  const inHour = (index: number): readonly number[] => {
    const [first = none, ...others] = lines.map((line) => beatsInHour(line, zone, index)).filter((own) => own !== none);
    return others.length === 0 ? first : [...new Set([first, ...others].flat())].sort((a, b) => a - b);
  };
  return {
    after(instant) {
      for (let index = Math.floor(instant / hour); ; index++) {
        const found = inHour(index).find((beat) => beat > instant);
        if (found !== undefined) return found;
      }
    },
    upTo(instant) {
      for (let index = Math.floor(instant / hour); ; index--) {
        const found = inHour(index).findLast((beat) => beat <= instant);
        if (found !== undefined) return found;
      }
    },
  };
}

/** One text for all lists of lines that differ in spelling only. */
export function spellLines(texts: readonly string[]): string {
  return [...new Set(texts.map((text) => readLine(text).rule))].sort().join('; ');
}

/** One line of a calendar. */
interface Line {
  /** Follows real time: minute or hour begins with a star. */
  readonly real: boolean;
  /** Whether it asks for a minute of the wall clock, given as if the wall stood in UTC. */
  matches(wall: number): boolean;
  /** Whether it asks for any minute of the hour that such a minute lies in. */
  wantsHour(wall: number): boolean;
  /** The same text for lines that differ in spelling only. */
  readonly rule: string;
  /** The beats found so far, by hour. */
  readonly found: Map<Zone, Map<number, readonly number[]>>;
}

/**
 * The beats of one line from `index` hours after the epoch for an hour, minute by minute; an hour in whose surroundings
 * the offset stays may be looked through by its wall clock's readings alone.
 */
function beatsInHour(line: Line, zone: Zone, index: number): readonly number[] {
  const byHour = line.found.get(zone) ?? new Map<number, readonly number[]>();
  line.found.set(zone, byHour);
  const before = byHour.get(index);
  if (before) return before;
  const start = index * hour;
  const steady = zone.steady(index);
  const found: number[] = [];
  const isOut = steady !== null && !line.wantsHour(start + steady) && !line.wantsHour(start + steady + hour - minute);
  for (let instant = start; instant < start + hour && !isOut; instant += minute) {
    const wall = steady === null ? zone.wall(instant) : instant + steady;
    const previous = steady === null ? zone.wall(instant - minute) : wall - minute;
    let hit = line.matches(wall);
    if (!line.real && hit) hit = !zone.isRepeated(instant, wall);
    if (!line.real) {
      // The minutes that the wall clock has just leapt over happen now.
      for (let lost = previous + minute; lost < wall && !hit; lost += minute) hit = line.matches(lost);
    }
    if (hit) found.push(instant);
  }
  const beats = found.length === 0 ? none : found;
  byHour.set(index, beats);
  return beats;
}

/** The wall clocks of a time zone; a reading is given as if it were UTC. */
export interface Zone {
  wall(instant: number): number;
  /** The offset, if it is the same throughout an hour and at the last minute before it; else null. */
  steady(index: number): number | null;
  /** Whether the wall clock showed `wall` in the day before `instant` as well. */
  isRepeated(instant: number, wall: number): boolean;
}

const zones = new Map<string, Zone>();

export function zoneOf(name: string): Zone {
  const known = zones.get(name);
  if (known) return known;
  const clock = new Intl.DateTimeFormat('en-GB', {
    timeZone: name,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const wall = (instant: number): number => {
    const [date, month, year, hours, minutes, seconds] = (clock.format(instant).match(/\d+/g) ?? []).map(Number);
    return Date.UTC(year ?? 0, (month ?? 0) - 1, date, hours, minutes, seconds);
  };
  const offsets = new Map<number, number>();
  const readOffset = (index: number): number => {
    const offset = offsets.get(index) ?? wall(index * hour) - index * hour;
    offsets.set(index, offset);
    return offset;
  };
  const offsetAt = (index: number): number => {
    // Clocks are never put forward and back again within a day.
    const start = index - (index % 24);
    const offset = readOffset(start);
    return offset === readOffset(start + 24) ? offset : readOffset(index);
  };
  const zone: Zone = {
    wall,
    steady(index) {
      const offset = offsetAt(index);
      return offsetAt(index - 1) === offset && offsetAt(index + 1) === offset ? offset : null;
    },
    isRepeated(instant, reading) {
      const index = Math.floor(instant / hour);
      for (let back = 0; back <= 26; back++) {
        const earlier = reading - offsetAt(index - back);
        if (earlier < instant && wall(earlier) === reading) return true;
      }
      return false;
    },
  };
  zones.set(name, zone);
  return zone;
}

const macros = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
]);
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const known = new Map<string, Line>();

function readLine(text: string): Line {
  const before = known.get(text);
  if (before) return before;
  const fields = (macros.get(text) ?? text).split(' ');
  const [minutes = '', hours = '', dates = '', monthField = '', days = ''] = fields;
  const minuteSet = readField(minutes, 0, 59, []);
  const hourSet = readField(hours, 0, 23, []);
  const monthSet = readField(monthField, 1, 12, [undefined, ...months]);
  const both = dates.startsWith('*') || days.startsWith('*');
  const daysMatch = (wall: number): boolean => {
    const date = new Date(wall);
    const byDate = dates.split(',').some((part) =>
      part === 'L'
        ? // The last of its month: tomorrow is the first.
          new Date(wall + day).getUTCDate() === 1
        : readField(part, 1, 31, []).has(date.getUTCDate()),
    );
    const byDay = days.split(',').some((part) => {
      const weekday = (text: string): boolean => {
        const set = readField(text, 0, 7, weekdays);
        return set.has(date.getUTCDay()) || (set.has(7) && date.getUTCDay() === 0);
      };
      const [, lastOne] = /^(.+)L$/.exec(part) ?? [];
      if (lastOne) return weekday(lastOne) && new Date(wall + 7 * day).getUTCMonth() !== date.getUTCMonth();
      const [one = '', nth] = part.split('#');
      return weekday(one) && (nth === undefined || Math.ceil(date.getUTCDate() / 7) === Number(nth));
    });
    return both ? byDate && byDay : byDate || byDay;
  };
  const dayMatches = new Map<number, boolean>();
  const isDay = (wall: number): boolean => {
    const today = Math.floor(wall / day);
    const matches = dayMatches.get(today) ?? (monthSet.has(new Date(wall).getUTCMonth() + 1) && daysMatch(wall));
    dayMatches.set(today, matches);
    return matches;
  };
  const wantsHour = (wall: number): boolean => hourSet.has(Math.floor(wall / hour) % 24) && isDay(wall);
  const real = minutes.startsWith('*') || hours.startsWith('*');
  const spell = (set: Iterable<number>): string => [...new Set(set)].sort((a, b) => a - b).join();
  const spellDates = dates.includes('L') ? dates : spell(readField(dates, 1, 31, []));
  const spellWeekdays = /[#L]/.test(days) ? days : spell([...readField(days, 0, 7, weekdays)].map((n) => n % 7));
  const line: Line = {
    real,
    rule: [real, both, ...[minuteSet, hourSet, monthSet].map(spell), spellDates, spellWeekdays].join(' '),
    found: new Map(),
    wantsHour,
    matches: (wall) => minuteSet.has((wall / minute) % 60) && wantsHour(wall),
  };
  // What is remembered is let go now and then, for long trials meet lines without end.
  if (known.size > 500) known.clear();
  known.set(text, line);
  return line;
}

/** The numbers that a field of cron's asks for. */
function readField(field: string, least: number, most: number, names: readonly (string | undefined)[]): Set<number> {
  const read = (text: string): number => (/^\d+$/.test(text) ? Number(text) : names.indexOf(text.toLowerCase()));
  const found = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step = '1'] = part.split('/');
    const [from = '', to = from] = range === '*' ? [`${least}`, `${most}`] : range.split('-');
    for (let value = read(from); value <= read(to); value += Number(step)) found.add(value);
  }
  return found;
}
