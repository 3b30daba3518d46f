import * as fc from 'fast-check';
import type { Group } from '../../src/config/config.ts';
import { outcomes } from '../../src/state/state-schema.ts';
import { at, cron, day, every, hour, iso, makeConfig, makeGroup, makeState, minute } from '../builders.ts';

/** Configurations, states and instants in which ticks often have nothing to do. */

const schedules = fc.oneof(
  fc.constantFrom(5, 10, 30, 60, 240, 1440).map((minutes) => every(minutes * minute, minute)),
  fc.constantFrom(cron('0 3 * * *'), cron('30 2 * * *', 'Europe/Berlin'), cron('*/20 * * * *', 'Asia/Kathmandu')),
  fc.constant({ kind: 'manual' as const }),
);

export const groups: fc.Arbitrary<Group[]> = fc.integer({ min: 1, max: 3 }).chain((count) =>
  fc.tuple(
    ...Array.from({ length: count }, (_, index) =>
      fc
        .record({
          schedule: schedules,
          enabled: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
          dependsOn: fc.constantFrom(
            [],
            index === 0 ? [] : [{ group: 'g0', when: 'succeeded' as const, within: null }],
          ),
          catchUp: fc.constantFrom('latest' as const, 'every' as const, 'none' as const),
          catchUpWithin: fc.constantFrom(null, 2 * hour),
          firstRun: fc.constantFrom(null, 'now' as const, 'wait' as const),
          retryAfter: fc.constantFrom([], [3 * minute, 50 * minute]),
          onInterrupt: fc.constantFrom('resume' as const, 'skip' as const),
        })
        .map((more) => makeGroup(`g${index}`, more)),
    ),
  ),
);

const now = fc.integer({ min: at - day, max: at + day });

export const worlds = fc.record({ groups, now }).chain(({ groups: all, now: instant }) =>
  fc
    .tuple(
      ...all.map(() =>
        fc.record({
          age: fc.integer({ min: -3 * hour, max: 20 * minute }),
          outcome: fc.constantFrom('succeeded' as const, 'succeeded' as const, ...outcomes),
          retryIn: fc.option(fc.integer({ min: -hour, max: hour })),
          pausedFor: fc.option(fc.integer({ min: -hour, max: 3 * hour }), { freq: 5 }),
          isPaused: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
        }),
      ),
    )
    .map((parts) => ({
      config: makeConfig(all),
      now: instant,
      state: makeState(
        Object.fromEntries(
          parts.map(({ age, outcome, retryIn, pausedFor, isPaused }, index) => [
            `g${index}`,
            {
              firstSeenAt: iso(instant - 4 * day),
              lastBeat: iso(instant + age),
              lastRun: { id: 'r', beat: iso(instant + age), finishedAt: iso(instant + age), outcome },
              retry: retryIn === null ? null : { at: iso(instant + retryIn), attempt: 1 },
              pausedAt: isPaused ? iso(instant - hour) : null,
              pausedUntil: isPaused && pausedFor !== null ? iso(instant + pausedFor) : null,
            },
          ]),
        ),
      ),
    })),
);
