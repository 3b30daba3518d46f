import { spawnSync } from 'node:child_process';
import { Cron } from 'croner';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextBeat } from '../../src/schedule/beats.ts';
import { parseCron } from '../../src/schedule/cron.ts';
import { calendarOf, drawnLine } from './oracle.ts';

/*
 * Other programs' answers, where their rules are the same as rhythm's: away from daylight saving, and without what they
 * read in their own way.
 */

const iso = (instant: number | null) => (instant === null ? null : new Date(instant).toISOString());

function listNext(timezone: string, text: string, after: number, count: number): (string | null)[] {
  const schedule = calendarOf(timezone, text);
  const beats: (string | null)[] = [];
  let beat: number | null = after;
  while (beats.length < count && beat !== null) {
    beat = nextBeat(schedule, beat);
    beats.push(iso(beat));
  }
  return beats;
}

describe('croner', () => {
  /** A field that begins with a star and restricts the days all the same makes croner match either day field. */
  const agreed = drawnLine.filter(({ text }) => {
    const [, , date = '', , weekday = ''] = text.split(' ');
    return date === '*' || weekday === '*' || !(date.startsWith('*') || weekday.startsWith('*'));
  });
  const start = fc.date({ min: new Date('2000-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });

  it('says the same of zones without daylight saving', () => {
    fc.assert(
      fc.property(agreed, start, fc.constantFrom('UTC', 'Asia/Tokyo', 'Africa/Nairobi'), ({ text }, from, timezone) => {
        const theirs = new Cron(text, { timezone, paused: true }).nextRuns(5, from);
        const ours = listNext(timezone, text, from.getTime(), 5);
        expect(ours.slice(0, theirs.length)).toEqual(theirs.map((date) => date.toISOString()));
      }),
      { numRuns: 200 },
    );
  });
});

/** A schedule in both languages. Systemd wants date and weekday both, as cron does if one begins with a star. */
const bilingual = fc
  .record({
    minutes: fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 4 }),
    hours: fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 4 }),
    months: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 3 }),
    dates: fc.oneof(
      fc.uniqueArray(fc.integer({ min: 1, max: 31 }), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 2, max: 15 }),
    ),
    weekdays: fc.uniqueArray(fc.constantFrom('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'), { maxLength: 4 }),
    // With daylight saving systemd 252 gives up now and then: "Resource deadlock avoided".
    timezone: fc.constantFrom('UTC', 'Asia/Kolkata', 'Asia/Tokyo', 'America/Bogota', 'Pacific/Apia'),
  })
  .map(({ minutes, hours, months, dates, weekdays, timezone }) => {
    const stepped = typeof dates === 'number';
    // Written out, for systemd 252 misses 1 January when it comes to a step (`*-*-1/12`) from December.
    const listed = stepped
      ? Array.from({ length: 31 }, (_, index) => index + 1).filter((date) => date % dates === 1)
      : dates;
    const onWeekdays = stepped ? weekdays : [];
    return {
      timezone,
      cron: [
        minutes.join(','),
        hours.join(','),
        stepped ? `*/${dates}` : dates.join(','),
        months.join(',') || '*',
        onWeekdays.join(',') || '*',
      ].join(' '),
      onCalendar: [
        ...(onWeekdays.length > 0 ? [onWeekdays.join(',')] : []),
        `*-${months.join(',') || '*'}-${listed.join(',')}`,
        `${hours.join(',')}:${minutes.join(',')}:00`,
        timezone,
      ].join(' '),
    };
  })
  .filter(({ cron }) => !('problem' in parseCron(cron)));

function askSystemd(expressions: readonly string[], after: string, iterations: number): string[][] {
  const options = [`--iterations=${iterations}`, `--base-time=${after}`];
  const run = spawnSync('systemd-analyze', ['calendar', ...options, ...expressions], {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' },
  });
  if (run.status !== 0) return [];
  return run.stdout
    .split('Normalized form:')
    .slice(1)
    .map((answer) =>
      [...answer.matchAll(/^\s*(?:Next elapse|Iter\S* #\d+): \w{3} (\S+) (\S+) UTC$/gm)].map(
        ([, date, time]) => `${date}T${time}.000Z`,
      ),
    );
}

describe('systemd', () => {
  const missing = askSystemd(['daily'], '2026-01-01 00:00:00 UTC', 2).length !== 1;

  it.skipIf(missing)('says the same', () => {
    const drawn = fc.sample(bilingual, 100);
    const answers = askSystemd(
      drawn.map(({ onCalendar }) => onCalendar),
      '2026-01-01 00:00:00 UTC',
      20,
    );
    expect(answers).toHaveLength(drawn.length);
    for (const [index, { timezone, cron, onCalendar }] of drawn.entries()) {
      const theirs = answers[index] ?? [];
      const ours = listNext(timezone, cron, Date.parse('2026-01-01'), 20);
      expect(theirs.length, onCalendar).toBeGreaterThan(0);
      expect(ours.slice(0, theirs.length), `${cron} and ${onCalendar}`).toEqual(theirs);
    }
  });
});
