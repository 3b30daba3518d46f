import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  adoptSegments,
  findInstantReaching,
  findLatestReading,
  isTimeZone,
  segmentAt,
  surveyZone,
} from '../../src/schedule/zone.ts';
import { readClock } from './oracle.ts';

const day = 86_400_000;
const iso = (instant: number) => new Date(instant).toISOString();

describe('the names of time zones', () => {
  it.each(['UTC', 'Etc/UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Asia/Kolkata', 'Asia/Calcutta'])(
    '%s is a time zone',
    (name) => expect(isTimeZone(name)).toBe(true),
  );

  it.each(['', 'Berlin', 'Europe/Atlantis', '+01:00', '-0330', 'constructor', 'local', ' UTC'])(
    '%j is not a time zone',
    (name) => expect(isTimeZone(name)).toBe(false),
  );

  it('throw a RangeError where an unknown one is used', () => {
    expect(() => segmentAt('Europe/Atlantis', 0)).toThrow(RangeError);
  });
});

describe('segments', () => {
  it('contain the instant and agree with the wall clock of every zone', () => {
    const instant = fc.integer({ min: Date.parse('1970-01-01'), max: Date.parse('2200-01-01') });
    const timezone = fc.constantFrom(...Intl.supportedValuesOf('timeZone'), 'UTC');
    fc.assert(
      fc.property(timezone, instant, (name, drawn) => {
        const at = Math.floor(drawn / 1_000) * 1_000;
        const { from, until, offset } = segmentAt(name, at);
        expect(from).toBeLessThanOrEqual(at);
        expect(until).toBeGreaterThan(at);
        expect(readClock(name, at, at).rows[0]?.wall).toBe(at + offset);
      }),
      { numRuns: 1_000 },
    );
  });

  it('follow one another without a hole, and change at the second', () => {
    const changes: string[] = [];
    const start = Date.parse('2000-01-01');
    let segment = segmentAt('America/Recife', start);
    while (segment.until < Date.parse('2001-01-01')) {
      const next = segmentAt('America/Recife', segment.until);
      expect(next.from).toBe(segment.until);
      if (next.offset !== segment.offset) changes.push(iso(next.from));
      segment = next;
    }
    // Summer time was called off in Recife after a week.
    expect(changes).toEqual(['2000-02-27T02:00:00.000Z', '2000-10-08T03:00:00.000Z', '2000-10-15T02:00:00.000Z']);
  });

  it('have offsets with seconds, and end at the right second', () => {
    const before = segmentAt('Africa/Monrovia', Date.parse('1972-01-07T00:00:00Z'));
    expect([before.offset, iso(before.until)]).toEqual([-2_670_000, '1972-01-07T00:44:30.000Z']);
  });

  it('need no Intl for UTC', () => {
    expect(segmentAt('UTC', 0)).toEqual({ from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY, offset: 0 });
  });
});

describe('the first instant that reaches a wall-clock time', () => {
  it.each([
    ['Europe/Berlin', '2026-03-29T01:59Z', '2026-03-29T00:59Z', 'before the gap'],
    ['Europe/Berlin', '2026-03-29T02:00Z', '2026-03-29T01:00Z', 'the gap begins'],
    ['Europe/Berlin', '2026-03-29T02:59Z', '2026-03-29T01:00Z', 'the gap ends'],
    ['Europe/Berlin', '2026-03-29T03:00Z', '2026-03-29T01:00Z', 'after the gap'],
    ['Europe/Berlin', '2026-03-29T03:01Z', '2026-03-29T01:01Z', 'after the gap'],
    ['Europe/Berlin', '2026-10-25T02:00Z', '2026-10-25T00:00Z', 'the overlap begins'],
    ['Europe/Berlin', '2026-10-25T02:59Z', '2026-10-25T00:59Z', 'the overlap ends'],
    ['Europe/Berlin', '2026-10-25T03:00Z', '2026-10-25T02:00Z', 'after the overlap'],
    ['Pacific/Apia', '2011-12-30T12:00Z', '2011-12-30T10:00Z', 'a day that never was'],
    ['Pacific/Kwajalein', '1969-09-30T12:00Z', '1969-09-30T01:00Z', 'a day that was twice'],
    ['Pacific/Kwajalein', '1969-10-01T00:00Z', '1969-10-01T12:00Z', 'after it'],
    ['UTC', '2026-03-29T02:30Z', '2026-03-29T02:30Z', 'no daylight saving'],
  ])('%s %s is %s (%s)', (timezone, wall, instant) => {
    expect(iso(findInstantReaching(timezone, Date.parse(wall)))).toBe(iso(Date.parse(instant)));
  });

  it('undoes the latest reading, except where the clock was set back', () => {
    const timezone = fc.constantFrom('Europe/Berlin', 'Australia/Lord_Howe', 'Pacific/Apia', 'Antarctica/Troll', 'UTC');
    fc.assert(
      fc.property(timezone, fc.integer({ min: 0, max: 80_000 * day }), (name, at) => {
        const reading = findLatestReading(name, at);
        const reached = findInstantReaching(name, reading);
        expect(reached).toBeLessThanOrEqual(at);
        if (reading === at + segmentAt(name, at).offset) expect(findLatestReading(name, reached)).toBe(reading);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the latest reading', () => {
  it.each([
    ['2026-10-25T00:59:59.999Z', '2026-10-25T02:59:59.999Z', 'before the clock is set back'],
    ['2026-10-25T01:00:00.000Z', '2026-10-25T02:59:59.999Z', 'just set back'],
    ['2026-10-25T01:59:59.999Z', '2026-10-25T02:59:59.999Z', 'about to catch up'],
    ['2026-10-25T02:00:00.000Z', '2026-10-25T03:00:00.000Z', 'caught up'],
  ])('Europe/Berlin %s has shown %s (%s)', (instant, reading) => {
    expect(iso(findLatestReading('Europe/Berlin', Date.parse(instant)))).toBe(reading);
  });
});

describe('adopted segments', () => {
  const from = Date.parse('2026-01-01');
  const until = Date.parse('2028-01-01');

  it('are merged, so that neighbours differ in their offsets', () => {
    const segments = surveyZone('Europe/Berlin', from, until);
    expect(segments.map((segment) => [iso(segment.until), segment.offset / 3_600_000]).slice(0, -1)).toEqual([
      ['2026-03-29T01:00:00.000Z', 1],
      ['2026-10-25T01:00:00.000Z', 2],
      ['2027-03-28T01:00:00.000Z', 1],
      ['2027-10-31T01:00:00.000Z', 2],
    ]);
    expect(segments[0]?.from).toBeLessThanOrEqual(from);
    expect(segments.at(-1)?.until).toBeGreaterThanOrEqual(until);
  });

  it('give the same offsets as Intl, in their range and beyond', () => {
    const zones = ['Europe/Berlin', 'America/Santiago', 'Pacific/Chatham', 'Africa/Casablanca', 'Asia/Kolkata'];
    const years = { min: Date.parse('2020-01-01'), max: Date.parse('2034-01-01') };
    for (const zone of zones) {
      const instants = fc.sample(fc.integer(years), 300);
      const survey = surveyZone(zone, from, until);
      const changes = survey.flatMap((segment) => [segment.from - 1, segment.from, segment.until - 1, segment.until]);
      const read = () => [...instants, ...changes].map((instant) => [iso(instant), segmentAt(zone, instant).offset]);
      const expected = read();
      adoptSegments(zone, JSON.parse(JSON.stringify(survey)));
      expect(read()).toEqual(expected);
    }
  });

  it('need no Intl within their range', () => {
    const survey = surveyZone('Asia/Tokyo', from, until);
    adoptSegments('Asia/Tokyo', survey);
    const { DateTimeFormat } = Intl;
    Intl.DateTimeFormat = class {
      constructor() {
        throw new Error('Intl was asked');
      }
    } as never;
    try {
      expect(isTimeZone('Asia/Tokyo')).toBe(true);
      expect(segmentAt('Asia/Tokyo', Date.parse('2027-05-05')).offset).toBe(9 * 3_600_000);
      expect(() => segmentAt('Asia/Tokyo', Date.parse('2040-05-05'))).toThrow('Intl was asked');
    } finally {
      Intl.DateTimeFormat = DateTimeFormat;
    }
  });
});
