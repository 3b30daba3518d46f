import fc from 'fast-check';
import { parseCron } from '../../src/schedule/cron.ts';
import type { CalendarSchedule } from '../../src/schedule/schedule.ts';

/*
 * Beats by brute force: draw a cron line together with what it means, ask Intl what the wall clock shows at every half
 * minute of some days, and apply the rules to that list. Slow, and shares neither parser nor arithmetic with rhythm.
 */

const minute = 60_000;
const day = 86_400_000;

/** A cron line and its meaning, made side by side. */
export interface DrawnLine {
  readonly text: string;
  readonly fixedTime: boolean;
  /** Whether a wall-clock time (as if UTC showed it) matches. */
  readonly matches: (wall: number) => boolean;
}

interface Drawn<Value> {
  readonly text: string;
  readonly matches: (value: Value) => boolean;
}

interface DayOf {
  readonly date: number;
  readonly length: number;
  readonly weekday: number;
}

function drawItem(min: number, max: number): fc.Arbitrary<Drawn<number>> {
  const value = fc.integer({ min, max });
  const step = fc.integer({ min: 1, max: Math.ceil((max - min) / 2) });
  return fc.oneof(
    { weight: 4, arbitrary: value.map((one) => ({ text: `${one}`, matches: (v: number) => v === one })) },
    {
      weight: 2,
      arbitrary: fc.tuple(value, value).map(([a, b]) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        return { text: `${low}-${high}`, matches: (v: number) => v >= low && v <= high };
      }),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(value, value, step).map(([a, b, by]) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        return { text: `${low}-${high}/${by}`, matches: (v: number) => v >= low && v <= high && (v - low) % by === 0 };
      }),
    },
  );
}

function joinList<Value>(items: readonly Drawn<Value>[]): Drawn<Value> {
  return {
    text: items.map(({ text }) => text).join(','),
    matches: (value) => items.some(({ matches }) => matches(value)),
  };
}

function drawList(min: number, max: number): fc.Arbitrary<Drawn<number>> {
  return fc.array(drawItem(min, max), { minLength: 1, maxLength: 3 }).map(joinList);
}

function drawField(min: number, max: number, starWeight: number): fc.Arbitrary<Drawn<number>> {
  const step = fc.integer({ min: 2, max: Math.ceil((max - min) / 2) });
  return fc.oneof(
    { weight: starWeight, arbitrary: fc.constant({ text: '*', matches: () => true }) },
    {
      weight: 1,
      arbitrary: step.map((by) => ({ text: `*/${by}`, matches: (v: number) => (v - min) % by === 0 })),
    },
    { weight: 4, arbitrary: drawList(min, max) },
  );
}

const dateField: fc.Arbitrary<Drawn<DayOf>> = fc.oneof(
  {
    weight: 6,
    arbitrary: drawField(1, 31, 8).map(({ text, matches }) => ({ text, matches: ({ date }: DayOf) => matches(date) })),
  },
  { weight: 1, arbitrary: fc.constant({ text: 'L', matches: ({ date, length }: DayOf) => date === length }) },
);

const weekday = fc.integer({ min: 0, max: 7 });
const weekdayField: fc.Arbitrary<Drawn<DayOf>> = fc.oneof(
  {
    weight: 6,
    arbitrary: drawField(0, 7, 8).map(({ text, matches }) => ({
      text,
      matches: (on: DayOf) => matches(on.weekday) || (on.weekday === 0 && matches(7)),
    })),
  },
  {
    weight: 1,
    arbitrary: weekday.map((one) => ({
      text: `${one}L`,
      matches: (on: DayOf) => on.weekday === one % 7 && on.date + 7 > on.length,
    })),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(weekday, fc.integer({ min: 1, max: 5 })).map(([one, nth]) => ({
      text: `${one}#${nth}`,
      matches: (on: DayOf) => on.weekday === one % 7 && on.date > (nth - 1) * 7 && on.date <= nth * 7,
    })),
  },
);

/** Lines that meet daylight saving often: their hours are mostly those of the night. */
export const drawnLine: fc.Arbitrary<DrawnLine> = fc
  .tuple(
    drawField(0, 59, 2),
    fc.oneof(drawField(0, 23, 3), drawList(0, 4), drawList(22, 23)),
    dateField,
    fc.oneof({ weight: 5, arbitrary: fc.constant({ text: '*', matches: () => true }) }, drawField(1, 12, 1)),
    weekdayField,
  )
  .map(([minutes, hours, dates, months, weekdays]) => {
    const text = [minutes, hours, dates, months, weekdays].map((field) => field.text).join(' ');
    const either = !dates.text.startsWith('*') && !weekdays.text.startsWith('*');
    return {
      text,
      fixedTime: !minutes.text.startsWith('*') && !hours.text.startsWith('*'),
      matches: (wall: number) => {
        const shown = new Date(wall);
        if (!minutes.matches(shown.getUTCMinutes()) || !hours.matches(shown.getUTCHours())) return false;
        if (!months.matches(shown.getUTCMonth() + 1)) return false;
        const length = new Date(Date.UTC(shown.getUTCFullYear(), shown.getUTCMonth() + 1, 0)).getUTCDate();
        const on = { date: shown.getUTCDate(), length, weekday: shown.getUTCDay() };
        const [byDate, byWeekday] = [dates.matches(on), weekdays.matches(on)];
        return either ? byDate || byWeekday : byDate && byWeekday;
      },
    };
  })
  .filter(({ text }) => !('problem' in parseCron(text)));

/** What the wall clock of a zone shows at every half minute from one instant to another. */
export interface Readings {
  readonly timezone: string;
  readonly from: number;
  readonly until: number;
  readonly rows: readonly { readonly instant: number; readonly wall: number }[];
}

/** Half minutes, because offsets such as -00:44:30 have been in use. */
export function readClock(timezone: string, from: number, until: number): Readings {
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const rows: { instant: number; wall: number }[] = [];
  for (let instant = from; instant <= until; instant += minute / 2) {
    const [month = 0, date = 0, year = 0, hour = 0, minutes = 0, seconds = 0] =
      formatter.format(instant).match(/\d+/g)?.map(Number) ?? [];
    rows.push({ instant, wall: Date.UTC(year, month - 1, date, hour, minutes, seconds) });
  }
  return { timezone, from, until, rows };
}

/** The beats of the line after the first and up to the last reading. */
export function findBeatsByForce(line: DrawnLine, readings: Readings): readonly number[] {
  const { rows } = readings;
  const beats = new Set<number>();
  if (line.fixedTime) {
    const walls = rows.map(({ wall }) => wall);
    const first = walls[0] ?? 0;
    const last = walls.reduce((a, b) => Math.max(a, b));
    const firstShown = new Map<number, number>();
    for (const { instant, wall } of rows) if (!firstShown.has(wall)) firstShown.set(wall, instant);
    for (let wall = Math.ceil(first / minute) * minute; wall <= last; wall += minute) {
      if (!line.matches(wall)) continue;
      const shown = firstShown.get(wall) ?? rows.find((row) => row.wall > wall)?.instant;
      if (shown !== undefined) beats.add(shown);
    }
  } else {
    for (const { instant, wall } of rows) if (wall % minute === 0 && line.matches(wall)) beats.add(instant);
  }
  return [...beats].filter((beat) => beat > readings.from).sort((a, b) => a - b);
}

/** A calendar of cron lines; throws where one is refused. */
export function calendarOf(timezone: string, ...texts: readonly string[]): CalendarSchedule {
  const lines = texts.map((text) => {
    const line = parseCron(text);
    if ('problem' in line) throw new Error(line.problem);
    return line;
  });
  return { kind: 'calendar', timezone, lines };
}

/** Some days around an instant. */
export function readClockAround(timezone: string, instant: string, days = 2): Readings {
  const middle = Date.parse(instant);
  return readClock(timezone, middle - days * day, middle + days * day);
}
