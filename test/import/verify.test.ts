import { describe, expect, it } from 'vitest';
import { groupEntries } from '../../src/import/grouping/group-entries.ts';
import type { Rhythm } from '../../src/import/rhythm.ts';

import { differenceKinds, planRuns, verifyMember } from '../../src/import/verify/verify.ts';
import { parseCron } from '../../src/schedule/cron.ts';
import type { CalendarLine, Schedule } from '../../src/schedule/schedule.ts';
import { makeConfig, makeGroup } from '../builders.ts';
import { read } from './corpus.ts';

const from = Date.parse('2026-11-23T00:00:00Z');
const until = from + 3 * 86_400_000;

function scheduleOf(rhythm: Rhythm): Schedule {
  if (rhythm.kind === 'interval') return rhythm;
  return { ...rhythm, lines: rhythm.lines.map((line) => parseCron(line) as CalendarLine) };
}

/** The differences of a table's only job, its group having that schedule. */
function compare(
  table: string,
  alter: (schedule: Schedule) => Schedule = (schedule) => schedule,
  at = from,
  end = until,
) {
  const { entries } = read('crontab', [{ name: 'table', text: table }]);
  const { groups } = groupEntries(entries, { applies: false });
  return groups.flatMap((group) => {
    const config = makeConfig([makeGroup(group.name, { schedule: alter(scheduleOf(group.rhythm)) })]);
    const runs = planRuns(config, at, end).get(group.name) ?? [];
    return group.members.map((member) => {
      const span = { from: at, until: end, tickEvery: config.tickEvery, timezone: 'UTC' };
      const { beats, same, differences } = verifyMember(member, group.name, runs, span);
      const counts = differenceKinds.map(
        (kind) => [kind, differences.filter(({ why }) => why === kind).length] as const,
      );
      return { beats, same, ...Object.fromEntries(counts.filter(([, count]) => count > 0)) };
    });
  });
}

describe('the verification of an import', () => {
  it.each<[string, string, object[]]>([
    ['counts a beat on the grid of ticks as the same', '*/10 * * * * /usr/bin/a', [{ beats: 432, same: 432 }]],
    ['counts a beat off the grid for the next tick', '3 * * * * /usr/bin/a', [{ beats: 72, same: 0, 'next-tick': 72 }]],
    [
      'counts several beats in one tick as coalesced',
      '* 4 * * * /usr/bin/a',
      [{ beats: 180, same: 36, 'next-tick': 3, coalesced: 141 }],
    ],
    [
      'counts the beat of a later script of a group with its group',
      '0 4 * * * /usr/bin/a\n10 4 * * * /usr/bin/b',
      [
        { beats: 3, same: 3 },
        { beats: 3, same: 0, grouped: 3 },
      ],
    ],
  ])('%s', (_, table, expected) => {
    expect(compare(table)).toEqual(expected);
  });

  it.each<[string, string, (schedule: Schedule) => Schedule]>([
    ['an interval too long', '*/10 * * * * /usr/bin/a', () => ({ kind: 'interval', every: 1_200_000, offset: 0 })],
    ['an interval too short', '*/20 * * * * /usr/bin/a', () => ({ kind: 'interval', every: 600_000, offset: 0 })],
    ['a wrong offset', '0 * * * * /usr/bin/a', () => ({ kind: 'interval', every: 3_600_000, offset: 1_800_000 })],
    ['no schedule', '0 * * * * /usr/bin/a', () => ({ kind: 'manual' })],
    [
      'a wrong hour',
      '0 4 * * * /usr/bin/a',
      () => scheduleOf({ kind: 'calendar', timezone: 'UTC', lines: ['0 5 * * *'] }),
    ],
    [
      'a wrong zone',
      '0 4 * * * /usr/bin/a',
      () => scheduleOf({ kind: 'calendar', timezone: 'Asia/Tokyo', lines: ['0 4 * * *'] }),
    ],
    [
      'a beat too many',
      '0 4 * * * /usr/bin/a',
      () => scheduleOf({ kind: 'calendar', timezone: 'UTC', lines: ['0 4,16 * * *'] }),
    ],
    [
      'a weekday too few',
      '0 4 * * * /usr/bin/a',
      () => scheduleOf({ kind: 'calendar', timezone: 'UTC', lines: ['0 4 * * 1,2'] }),
    ],
  ])('leaves %s unexplained', (_, table, alter) => {
    const [found] = compare(table, alter) as unknown as [{ unexplained?: number }];
    expect(found.unexplained ?? 0).toBeGreaterThan(0);
  });

  it('blames a change of the clock only for beats near one', () => {
    const table = 'CRON_TZ=Europe/Berlin\n30 2 * * * /usr/bin/a';
    const wrong = () => scheduleOf({ kind: 'calendar', timezone: 'UTC', lines: ['30 1 * * *'] });
    const spring = Date.parse('2027-03-26T00:00:00Z');
    const [found] = compare(table, wrong, spring, spring + 7 * 86_400_000);
    // Right in winter, wrong in summer: of the four wrong days only those next to the change are excused.
    expect(found).toMatchObject({ unexplained: expect.any(Number) });
    expect((found as unknown as { unexplained: number }).unexplained).toBeGreaterThanOrEqual(6);
  });
});
