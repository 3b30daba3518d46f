import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countBeats, latestBeat, nextBeat } from '../../src/schedule/beats.ts';
import { parseCron, parseDaily } from '../../src/schedule/cron.ts';
import type { Schedule } from '../../src/schedule/schedule.ts';
import { calendarOf, drawnLine, findBeatsByForce, readClockAround } from './oracle.ts';

const minute = 60_000;
const hour = 3_600_000;
const day = 86_400_000;

const iso = (instant: number | null) => (instant === null ? null : `${new Date(instant).toISOString().slice(0, 16)}Z`);

function listBeats(schedule: Schedule, after: number, upTo: number): number[] {
  const beats: number[] = [];
  let beat = nextBeat(schedule, after);
  while (beat !== null && beat <= upTo) {
    beats.push(beat);
    beat = nextBeat(schedule, beat);
  }
  return beats;
}

function listBeatsBackwards(schedule: Schedule, after: number, upTo: number): number[] {
  const beats: number[] = [];
  let beat = latestBeat(schedule, upTo);
  while (beat !== null && beat > after) {
    beats.unshift(beat);
    beat = latestBeat(schedule, beat - 1);
  }
  return beats;
}

describe('an interval', () => {
  const every10m: Schedule = { kind: 'interval', every: 10 * minute, offset: 0 };

  it.each([
    { every: 10 * minute, offset: 0, at: 0, latest: 0, next: 10 * minute },
    { every: 10 * minute, offset: 0, at: 1, latest: 0, next: 10 * minute },
    { every: 10 * minute, offset: 0, at: -1, latest: -10 * minute, next: 0 },
    { every: 10 * minute, offset: 3 * minute, at: 0, latest: -7 * minute, next: 3 * minute },
    { every: 10 * minute, offset: 3 * minute, at: 3 * minute, latest: 3 * minute, next: 13 * minute },
    { every: 10 * minute, offset: 13 * minute, at: 3 * minute - 1, latest: -7 * minute, next: 3 * minute },
    { every: 7 * day, offset: 0, at: day, latest: 0, next: 7 * day },
    { every: 1_000, offset: 0, at: -1_500, latest: -2_000, next: -1_000 },
  ])('every $every, offset $offset, seen at $at', ({ every, offset, at, latest, next }) => {
    const schedule: Schedule = { kind: 'interval', every, offset };
    expect([latestBeat(schedule, at), nextBeat(schedule, at)]).toEqual([latest, next]);
  });

  it('lies on the grid of the epoch whatever the trigger does', () => {
    const late = Date.parse('2026-11-22T16:04:59.999Z');
    expect(iso(latestBeat(every10m, late))).toBe('2026-11-22T16:00Z');
    expect(iso(nextBeat(every10m, late))).toBe('2026-11-22T16:10Z');
  });

  it('counts by arithmetic, and stops at the limit', () => {
    expect(countBeats(every10m, 0, 10 * minute)).toBe(1);
    expect(countBeats(every10m, -1, 10 * minute)).toBe(2);
    expect(countBeats(every10m, 0, 10 * minute - 1)).toBe(0);
    expect(countBeats(every10m, 0, 0)).toBe(0);
    expect(countBeats(every10m, hour, 0)).toBe(0);
    expect(countBeats(every10m, 0, 365 * day)).toBe(1_000);
    expect(countBeats(every10m, 0, 365 * day, 7)).toBe(7);
    expect(countBeats(every10m, Number.NEGATIVE_INFINITY, 0)).toBe(1_000);
  });
});

describe('a manual schedule', () => {
  it('has no beats', () => {
    const manual: Schedule = { kind: 'manual' };
    expect([latestBeat(manual, 0), nextBeat(manual, 0), countBeats(manual, 0, 1e15)]).toEqual([null, null, 0]);
  });
});

/** After the first instant come exactly these beats; dates are repeated only where they change. */
const table: [timezone: string, lines: string[], after: string, beats: string[], why: string][] = [
  // Europe/Berlin: 29 March 2026 02:00 → 03:00 (01:00Z), 25 October 03:00 → 02:00 (01:00Z)
  ['Europe/Berlin', ['30 2 * * *'], '2026-03-28T12:00Z', ['2026-03-29T01:00Z', '2026-03-30T00:30Z'], 'gap, fixed'],
  ['Europe/Berlin', ['*/30 2 * * *'], '2026-03-28T12:00Z', ['2026-03-30T00:00Z', '2026-03-30T00:30Z'], 'gap, real'],
  ['Europe/Berlin', ['0,30 2 * * *'], '2026-03-28T12:00Z', ['2026-03-29T01:00Z', '2026-03-30T00:00Z'], 'two join'],
  [
    'Europe/Berlin',
    ['0 2,3 * * *'],
    '2026-03-28T12:00Z',
    ['2026-03-29T01:00Z', '2026-03-30T00:00Z'],
    'moved onto 3:00',
  ],
  [
    'Europe/Berlin',
    ['0 * * * *'],
    '2026-03-29T00:00Z',
    ['2026-03-29T01:00Z', '2026-03-29T02:00Z', '2026-03-29T03:00Z'],
    'hourly, real, gap',
  ],
  ['Europe/Berlin', ['30 2 * * *'], '2026-10-24T12:00Z', ['2026-10-25T00:30Z', '2026-10-26T01:30Z'], 'overlap, fixed'],
  [
    'Europe/Berlin',
    ['*/30 2 * * *'],
    '2026-10-24T12:00Z',
    ['2026-10-25T00:00Z', '2026-10-25T00:30Z', '2026-10-25T01:00Z', '2026-10-25T01:30Z', '2026-10-26T01:00Z'],
    'overlap, real',
  ],
  ['Europe/Berlin', ['30 2 * * *'], '2026-10-25T01:10Z', ['2026-10-26T01:30Z'], 'asked in the second pass, fixed'],
  ['Europe/Berlin', ['30 * * * *'], '2026-10-25T00:30Z', ['2026-10-25T01:30Z', '2026-10-25T02:30Z'], 'hourly, overlap'],
  [
    'Europe/Berlin',
    ['30 2 * * *', '30 * * * *'],
    '2026-03-29T00:00Z',
    ['2026-03-29T00:30Z', '2026-03-29T01:00Z', '2026-03-29T01:30Z'],
    'each line by its own rule',
  ],
  [
    'Europe/Berlin',
    ['0 3 * * *', '@daily', '0 3 * * 1-7'],
    '2026-06-01T00:00Z',
    ['2026-06-01T01:00Z', '2026-06-01T22:00Z'],
    'union',
  ],
  // America/New_York: 8 March 2026 07:00Z, 1 November 06:00Z
  ['America/New_York', ['30 2 * * *'], '2026-03-07T12:00Z', ['2026-03-08T07:00Z', '2026-03-09T06:30Z'], 'gap, fixed'],
  ['America/New_York', ['*/30 2 * * *'], '2026-03-07T12:00Z', ['2026-03-09T06:00Z'], 'gap, real'],
  [
    'America/New_York',
    ['30 1 * * *'],
    '2026-10-31T12:00Z',
    ['2026-11-01T05:30Z', '2026-11-02T06:30Z'],
    'overlap, fixed',
  ],
  [
    'America/New_York',
    ['*/30 1 * * *'],
    '2026-10-31T12:00Z',
    ['2026-11-01T05:00Z', '2026-11-01T05:30Z', '2026-11-01T06:00Z', '2026-11-01T06:30Z'],
    'overlap, real',
  ],
  // Australia/Lord_Howe shifts by half an hour: 4 April 2026 15:00Z back, 3 October 15:30Z forth
  [
    'Australia/Lord_Howe',
    ['45 1 * * *'],
    '2026-04-04T00:00Z',
    ['2026-04-04T14:45Z', '2026-04-05T15:15Z'],
    'overlap, fixed',
  ],
  [
    'Australia/Lord_Howe',
    ['*/15 1 * * *'],
    '2026-04-04T14:15Z',
    ['2026-04-04T14:30Z', '2026-04-04T14:45Z', '2026-04-04T15:00Z', '2026-04-04T15:15Z', '2026-04-05T14:30Z'],
    'overlap, real',
  ],
  [
    'Australia/Lord_Howe',
    ['15,30 2 * * *'],
    '2026-10-03T00:00Z',
    ['2026-10-03T15:30Z', '2026-10-04T15:15Z'],
    'gap, fixed',
  ],
  [
    'Australia/Lord_Howe',
    ['*/15 2 * * *'],
    '2026-10-03T00:00Z',
    ['2026-10-03T15:30Z', '2026-10-03T15:45Z'],
    'gap, real',
  ],
  // Midnight itself is in the gap: Cairo 24 April 2026 (23 April 22:00Z), Havana 8 March, Santiago 6 September, Beirut
  ['Africa/Cairo', ['0 0 * * *'], '2026-04-23T12:00Z', ['2026-04-23T22:00Z', '2026-04-24T21:00Z'], 'gap, fixed'],
  ['Africa/Cairo', ['*/30 0 * * *'], '2026-04-23T12:00Z', ['2026-04-24T21:00Z', '2026-04-24T21:30Z'], 'gap, real'],
  ['Africa/Cairo', ['30 23 * * *'], '2026-10-29T12:00Z', ['2026-10-29T20:30Z', '2026-10-30T21:30Z'], 'overlap, fixed'],
  ['Africa/Cairo', ['0 0 * * *'], '2026-10-29T12:00Z', ['2026-10-29T22:00Z', '2026-10-30T22:00Z'], 'after the overlap'],
  ['America/Havana', ['0 0 * * *'], '2026-03-07T12:00Z', ['2026-03-08T05:00Z', '2026-03-09T04:00Z'], 'gap, fixed'],
  ['America/Havana', ['0 0 * * *'], '2026-10-31T12:00Z', ['2026-11-01T04:00Z', '2026-11-02T05:00Z'], 'overlap, fixed'],
  [
    'America/Havana',
    ['*/30 0 * * *'],
    '2026-10-31T12:00Z',
    ['2026-11-01T04:00Z', '2026-11-01T04:30Z', '2026-11-01T05:00Z', '2026-11-01T05:30Z'],
    'overlap, real',
  ],
  ['America/Santiago', ['0 0 * * 0'], '2026-09-05T12:00Z', ['2026-09-06T04:00Z', '2026-09-13T03:00Z'], 'gap, fixed'],
  [
    'America/Santiago',
    ['30 23 * * *'],
    '2026-04-04T12:00Z',
    ['2026-04-05T02:30Z', '2026-04-06T03:30Z'],
    'overlap, fixed',
  ],
  // Pacific/Chatham, +12:45 and +13:45: 4 April 2026 14:00Z, 26 September 14:00Z
  ['Pacific/Chatham', ['0 3 * * *'], '2026-04-04T00:00Z', ['2026-04-04T13:15Z', '2026-04-05T14:15Z'], 'overlap, fixed'],
  ['Pacific/Chatham', ['0 3 * * *'], '2026-09-26T00:00Z', ['2026-09-26T14:00Z', '2026-09-27T13:15Z'], 'gap, fixed'],
  ['Pacific/Chatham', ['*/15 3 * * *'], '2026-09-26T00:00Z', ['2026-09-26T14:00Z', '2026-09-27T13:15Z'], 'gap, real'],
  // Pacific/Apia had no 30 December 2011 (30 December 10:00Z), Kwajalein no 21 August 1993 (21 August 12:00Z)
  [
    'Pacific/Apia',
    ['0 12 * * *'],
    '2011-12-29T00:00Z',
    ['2011-12-29T22:00Z', '2011-12-30T10:00Z', '2011-12-30T22:00Z'],
    'a day that never was, fixed',
  ],
  [
    'Pacific/Apia',
    ['0 9,12,15 30 12 *'],
    '2011-06-01T00:00Z',
    ['2011-12-30T10:00Z', '2012-12-29T19:00Z'],
    'three join',
  ],
  ['Pacific/Apia', ['* 12 30 12 *'], '2011-06-01T00:00Z', ['2012-12-29T22:00Z'], 'a day that never was, real'],
  [
    'Pacific/Kwajalein',
    ['0 12 * * *'],
    '1993-08-20T12:00Z',
    ['1993-08-21T00:00Z', '1993-08-21T12:00Z', '1993-08-22T00:00Z'],
    'a day that never was, fixed',
  ],
  // Antarctica/Troll shifts by two hours, at 01:00Z on the days of Berlin
  [
    'Antarctica/Troll',
    ['30 1 * * *', '30 2 * * *'],
    '2026-03-28T12:00Z',
    ['2026-03-29T01:00Z', '2026-03-29T23:30Z'],
    'gap',
  ],
  [
    'Antarctica/Troll',
    ['30 1 * * *'],
    '2026-10-24T12:00Z',
    ['2026-10-24T23:30Z', '2026-10-26T01:30Z'],
    'overlap, fixed',
  ],
  [
    'Antarctica/Troll',
    ['*/30 1 * * *'],
    '2026-10-24T12:00Z',
    ['2026-10-24T23:00Z', '2026-10-24T23:30Z', '2026-10-25T01:00Z', '2026-10-25T01:30Z'],
    'overlap, real',
  ],
  ['Asia/Kolkata', ['0 0 * * *'], '2026-01-01T00:00Z', ['2026-01-01T18:30Z', '2026-01-02T18:30Z'], 'half-hour offset'],
  // Africa/Monrovia kept -00:44:30 until 7 January 1972: wall-clock minutes began in the middle of those of UTC
  [
    'Africa/Monrovia',
    ['0 12 * * *'],
    '1972-01-05T13:00Z',
    ['1972-01-06T12:44Z', '1972-01-07T12:00Z'],
    'seconds, fixed',
  ],
  ['UTC', ['0 0 29 2 */7'], '2026-01-01T00:00Z', ['2032-02-29T00:00Z', '2060-02-29T00:00Z'], 'a leap day on a Sunday'],
  ['UTC', ['0 0 29 2 */7'], '2088-12-31T00:00Z', ['2128-02-29T00:00Z'], 'forty years, for 2100 has no leap day'],
  ['UTC', ['0 0 29 2 *'], '2096-03-01T00:00Z', ['2104-02-29T00:00Z'], '2100 is no leap year'],
  ['UTC', ['0 0 29 2 *'], '1996-03-01T00:00Z', ['2000-02-29T00:00Z'], '2000 is one'],
  ['UTC', ['0 0 L * *'], '2028-01-31T00:00Z', ['2028-02-29T00:00Z', '2028-03-31T00:00Z', '2028-04-30T00:00Z'], 'L'],
  ['UTC', ['0 0 * * 5L'], '2026-01-30T00:00Z', ['2026-02-27T00:00Z', '2026-03-27T00:00Z'], 'last Friday'],
  ['UTC', ['0 0 * * 5#3'], '2026-01-01T00:00Z', ['2026-01-16T00:00Z', '2026-02-20T00:00Z'], 'third Friday'],
  ['UTC', ['0 0 * * 1#5'], '2026-01-01T00:00Z', ['2026-03-30T00:00Z', '2026-06-29T00:00Z'], 'not every month has five'],
  [
    'UTC',
    ['0 0 13 * 5'],
    '2026-02-01T00:00Z',
    ['2026-02-06T00:00Z', '2026-02-13T00:00Z', '2026-02-20T00:00Z'],
    'either',
  ],
  ['UTC', ['0 0 13 4 5'], '2026-04-04T00:00Z', ['2026-04-10T00:00Z', '2026-04-13T00:00Z'], 'either'],
  [
    'UTC',
    ['0 0 */12 * 5'],
    '2026-01-01T00:00Z',
    ['2026-02-13T00:00Z', '2026-03-13T00:00Z', '2026-05-01T00:00Z'],
    'both',
  ],
  [
    'UTC',
    ['0 0 13 * */5'],
    '2026-02-01T00:00Z',
    ['2026-02-13T00:00Z', '2026-03-13T00:00Z', '2026-09-13T00:00Z'],
    'both',
  ],
  ['UTC', ['0 0 ? * 1'], '2026-11-22T00:00Z', ['2026-11-23T00:00Z', '2026-11-30T00:00Z'], '? is *'],
  ['UTC', ['0 0 30 2 1'], '2026-02-01T00:00Z', ['2026-02-02T00:00Z', '2026-02-09T00:00Z'], 'the weekday saves it'],
];

describe('a calendar', () => {
  it.each(table)('%s %j after %s: %j (%s)', (timezone, lines, after, beats) => {
    const schedule = calendarOf(timezone, ...lines);
    const start = Date.parse(after);
    const last = Date.parse(beats.at(-1) ?? after) + minute - 1;
    expect(listBeats(schedule, start, last).map(iso)).toEqual(beats);
    expect(listBeatsBackwards(schedule, start, last).map(iso)).toEqual(beats);
    expect(countBeats(schedule, start, last)).toBe(beats.length);
  });

  it('puts the beats of an offset with seconds on the wall clock, not on the minutes of UTC', () => {
    expect(nextBeat(calendarOf('Africa/Monrovia', '0 12 * * *'), Date.parse('1972-01-06T00:00Z'))).toBe(
      Date.parse('1972-01-06T12:44:30Z'),
    );
  });

  it('reads daily times as the cron line of the same hour', () => {
    const line = parseDaily('2:30');
    if ('problem' in line) throw new Error(line.problem);
    const daily: Schedule = { kind: 'calendar', timezone: 'Europe/Berlin', lines: [line] };
    const cron = calendarOf('Europe/Berlin', '30 2 * * *');
    const [from, until] = [Date.parse('2026-01-01'), Date.parse('2027-01-01')];
    expect(listBeats(daily, from, until)).toEqual(listBeats(cron, from, until));
    expect(countBeats(daily, from, until)).toBe(365);
  });

  it('is total at both ends of time', () => {
    for (const timezone of ['UTC', 'Europe/Berlin', 'Pacific/Apia']) {
      for (const text of ['0 3 * * *', '* * * * *', '0 0 29 2 */7', '* 0 29 2 */7']) {
        const schedule = calendarOf(timezone, text);
        for (const at of [Number.NEGATIVE_INFINITY, -8.64e15, -1e13, 0, 1e13, 8.64e15, Number.POSITIVE_INFINITY]) {
          const [latest, next] = [latestBeat(schedule, at), nextBeat(schedule, at)];
          expect(() => [iso(latest), iso(next)]).not.toThrow();
          expect(latest).toBeLessThan(next ?? Number.NaN);
        }
      }
    }
  });

  it('has no beats where a line made by hand can never match', () => {
    const line = parseCron('0 0 29 2 *');
    if ('problem' in line) throw new Error(line.problem);
    for (const fixedTime of [true, false]) {
      const never = { ...line, days: { ...line.days, daysOfMonth: [30] }, fixedTime };
      const schedule: Schedule = { kind: 'calendar', timezone: 'Europe/Berlin', lines: [never] };
      expect([latestBeat(schedule, 0), nextBeat(schedule, 0), countBeats(schedule, 0, 1e13)]).toEqual([null, null, 0]);
    }
  });

  it('stops counting at the limit', () => {
    const schedule = calendarOf('Europe/Berlin', '* * * * *');
    expect(countBeats(schedule, 0, 30 * day)).toBe(1_000);
    expect(countBeats(schedule, 0, 30 * day, 5)).toBe(5);
    expect(countBeats(schedule, 0, hour)).toBe(60);
    expect(countBeats(schedule, hour, 0)).toBe(0);
  });
});

/** Days that hold a change of the wall clock, all kinds of it, and two that hold none. */
const windows: [timezone: string, around: string][] = [
  ['Europe/Berlin', '2026-03-29T00:00Z'],
  ['Europe/Berlin', '2026-10-25T00:00Z'],
  ['America/New_York', '2026-03-08T00:00Z'],
  ['America/New_York', '2026-11-01T00:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T12:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T12:00Z'],
  ['Africa/Cairo', '2026-04-23T12:00Z'],
  ['Africa/Cairo', '2026-10-29T12:00Z'],
  ['Africa/Casablanca', '2026-02-15T00:00Z'],
  ['Africa/Monrovia', '1972-01-07T00:00Z'],
  ['America/Havana', '2026-03-08T00:00Z'],
  ['America/Havana', '2026-11-01T00:00Z'],
  ['America/Santiago', '2026-04-05T00:00Z'],
  ['America/Santiago', '2026-09-06T00:00Z'],
  ['Asia/Beirut', '2026-03-29T00:00Z'],
  ['Asia/Kolkata', '2026-12-31T00:00Z'],
  ['Asia/Pyongyang', '2015-08-14T12:00Z'],
  ['Atlantic/Azores', '2026-03-29T00:00Z'],
  ['Antarctica/Troll', '2026-03-29T00:00Z'],
  ['Antarctica/Troll', '2026-10-25T00:00Z'],
  ['Pacific/Chatham', '2026-04-04T12:00Z'],
  ['Pacific/Chatham', '2026-09-26T12:00Z'],
  ['Pacific/Apia', '2011-12-30T00:00Z'],
  ['Pacific/Kwajalein', '1993-08-21T00:00Z'],
  ['UTC', '2028-02-29T00:00Z'],
];

describe('against brute force', () => {
  it.each(windows)('%s around %s', (timezone, around) => {
    const readings = readClockAround(timezone, around);
    const { from, until } = readings;
    fc.assert(
      fc.property(
        fc.array(drawnLine, { minLength: 1, maxLength: 2 }),
        fc.integer({ min: from, max: until }),
        (lines, at) => {
          const schedule = calendarOf(timezone, ...lines.map(({ text }) => text));
          const forced = new Set(lines.flatMap((line) => findBeatsByForce(line, readings)));
          const expected = [...forced].sort((a, b) => a - b);
          expect(listBeats(schedule, from, until)).toEqual(expected);
          expect(listBeatsBackwards(schedule, from, until)).toEqual(expected);

          const next = expected.find((beat) => beat > at);
          if (next !== undefined) expect(nextBeat(schedule, at)).toBe(next);
          const latest = expected.findLast((beat) => beat <= at);
          if (latest !== undefined) expect(latestBeat(schedule, at)).toBe(latest);
          const between = expected.filter((beat) => beat > from && beat <= at).length;
          expect(countBeats(schedule, from, at)).toBe(Math.min(1_000, between));
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe('whatever the schedule and the instant', () => {
  const instant = fc.integer({ min: Date.parse('1970-01-01'), max: Date.parse('2200-01-01') });
  const interval = fc
    .tuple(fc.integer({ min: 1, max: 40_000_000 }), fc.integer({ min: 0, max: 40_000_000 }))
    .map(([every, offset]): Schedule => ({ kind: 'interval', every: every * 1_000, offset: offset * 1_000 }));
  const timezones = [...new Set(windows.map(([timezone]) => timezone))];
  const calendar = fc
    .tuple(fc.constantFrom(...timezones), fc.array(drawnLine, { minLength: 1, maxLength: 3 }))
    .map(([timezone, lines]): Schedule => calendarOf(timezone, ...lines.map(({ text }) => text)));
  const schedules = fc.oneof({ weight: 1, arbitrary: interval }, { weight: 3, arbitrary: calendar });

  it('the latest and the next beat embrace the instant, with none between, and each leads to the other', () => {
    fc.assert(
      fc.property(schedules, instant, (schedule, at) => {
        const latest = latestBeat(schedule, at) ?? Number.NaN;
        const next = nextBeat(schedule, at) ?? Number.NaN;
        expect(latest).toBeLessThanOrEqual(at);
        expect(next).toBeGreaterThan(at);
        expect(nextBeat(schedule, latest)).toBe(next);
        expect(latestBeat(schedule, next - 1)).toBe(latest);
        expect(latestBeat(schedule, next)).toBe(next);
        expect(countBeats(schedule, latest, next)).toBe(1);
        expect(countBeats(schedule, latest, next - 1)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('a later question never gets an earlier answer', () => {
    fc.assert(
      fc.property(schedules, instant, fc.integer({ min: 0, max: 3 * day }), (schedule, at, more) => {
        expect(latestBeat(schedule, at + more)).toBeGreaterThanOrEqual(latestBeat(schedule, at) ?? Number.NaN);
        expect(nextBeat(schedule, at + more)).toBeGreaterThanOrEqual(nextBeat(schedule, at) ?? Number.NaN);
      }),
      { numRuns: 500 },
    );
  });

  it('asking from any instant between two beats gives the same beat', () => {
    fc.assert(
      fc.property(
        schedules,
        instant,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (schedule, at, part) => {
          const latest = latestBeat(schedule, at) ?? Number.NaN;
          const next = nextBeat(schedule, at) ?? Number.NaN;
          const between = Math.min(next - 1, Math.floor(latest + part * (next - latest)));
          expect([latestBeat(schedule, between), nextBeat(schedule, between)]).toEqual([latest, next]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('counting agrees with walking', () => {
    fc.assert(
      fc.property(schedules, instant, fc.integer({ min: 0, max: 2 * day }), (schedule, at, span) => {
        const walked = listBeats(schedule, at, at + span);
        expect(countBeats(schedule, at, at + span, 200)).toBe(Math.min(200, walked.length));
      }),
      { numRuns: 200 },
    );
  });
});
