import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Group } from '../../src/config/config.ts';
import { planTick } from '../../src/plan/decide.ts';
import { nextWakeup } from '../../src/plan/next-wakeup.ts';
import {
  at,
  cron,
  every,
  hour,
  iso,
  makeConfig,
  makeGroup,
  makeState,
  minute,
  on,
  ran,
  ranAndEnded,
} from '../builders.ts';
import { worlds } from './worlds.ts';

const grid = makeGroup('grid', { schedule: every(10 * minute) });
const wakeupOf = (groups: readonly Group[], entries: Parameters<typeof makeState>[0], now = at + minute) =>
  nextWakeup(makeConfig(groups), makeState(settled(groups, entries)), now);

/** Entries as a tick leaves them: with the schedule that it saw. */
function settled(groups: readonly Group[], entries: Parameters<typeof makeState>[0]) {
  const seen = planTick(makeConfig(groups), makeState(entries), at + minute).entries;
  return Object.fromEntries([...seen].filter(([name]) => Object.hasOwn(entries, name)));
}

describe('the next instant at which something can be due', () => {
  it.each([
    ['the next beat', [grid], { grid: ran(at) }, at + 10 * minute],
    [
      'a retry before it',
      [grid],
      { grid: ranAndEnded(at, 'failed', { retry: { at: iso(at + 3 * minute), attempt: 1 } }) },
      at + 3 * minute,
    ],
    [
      'the first of several groups’',
      [grid, makeGroup('other', { schedule: every(4 * minute) })],
      { grid: ran(at), other: ran(at) },
      at + 4 * minute,
    ],
    [
      'the end of a pause, not the beats in it',
      [grid],
      { grid: ran(at, { pausedAt: iso(at), pausedUntil: iso(at + 2 * hour) }) },
      at + 2 * hour,
    ],
    ['never, while a pause has no end', [grid], { grid: ran(at, { pausedAt: iso(at) }) }, Number.POSITIVE_INFINITY],
    [
      'never, where there is nothing but manual groups',
      [makeGroup('m', { schedule: { kind: 'manual' } })],
      { m: ran(at) },
      Number.POSITIVE_INFINITY,
    ],
    [
      'a calendar’s',
      [makeGroup('c', { schedule: cron('0 3 * * *') })],
      { c: ran(at) },
      Date.parse('2026-11-23T03:00:00Z'),
    ],
    [
      'the consumed beat, after the clock went back a little',
      [grid],
      { grid: ran(at + 10 * minute) },
      at + 10 * minute,
    ],
    ['at once: a beat is due', [grid], { grid: ran(at - 10 * minute) }, null],
    ['at once: a group that was never seen', [grid], {}, null],
    [
      'at once: a group that waits for its first beat, and was never seen',
      [makeGroup('c', { schedule: cron('0 3 * * *') })],
      {},
      null,
    ],
    ['at once: an interrupted run', [grid], { grid: ranAndEnded(at, 'interrupted') }, null],
    [
      'at once: a due group that its dependency holds back',
      [grid, makeGroup('after', { dependsOn: [on('grid')] })],
      { grid: ranAndEnded(at, 'failed'), after: ran(at - 10 * minute) },
      null,
    ],
  ] as const)('is %s', (_, groups, entries, expected) => {
    expect(wakeupOf(groups, entries)).toBe(expected);
  });

  it('is not known while a run is in progress, because its tick may die', () => {
    const state = makeState(settled([grid], { grid: ran(at) }));
    const leases = { other: { group: 'gone', runId: 'r' } };
    expect(nextWakeup(makeConfig([grid]), { ...state, leases }, at + minute)).toBe(null);
  });

  it('is never later than the first tick that would do something', () => {
    let told = 0;
    void fc.assert(
      fc.property(worlds, fc.double({ min: 0, max: 1, noNaN: true }), ({ config, state, now }, share) => {
        // As a tick leaves it that has noticed what there is to notice.
        const seen = Object.fromEntries(planTick(config, state, now).entries);
        const until = nextWakeup(config, makeState(seen), now);
        if (until === null) return;
        told++;
        expect(until).toBeGreaterThan(now);
        const end = Math.min(until, now + 30 * 24 * hour);
        for (const instant of [now, Math.floor(now + (end - now - 1) * share), end - 1]) {
          const plan = planTick(config, makeState(seen), instant);
          const acting = plan.decisions.filter(({ decision }) => ['run', 'skip', 'expire'].includes(decision));
          expect(acting, iso(instant)).toEqual([]);
          expect(plan.observations.size).toBe(0);
        }
      }),
      { numRuns: 2_000 },
    );
    expect(told).toBeGreaterThan(100);
  });
});
