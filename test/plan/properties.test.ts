import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Config, type Group, priorities } from '../../src/config/config.ts';
import { planTick } from '../../src/plan/decide.ts';
import { consumedBeat } from '../../src/plan/due.ts';
import { entryAfterEnd, entryAfterExpiry, entryAfterStart } from '../../src/state/run-outcome.ts';
import { type GroupState, outcomes, type State } from '../../src/state/state-schema.ts';
import { at, cron, day, every, hour, iso, makeConfig, makeGroup, makeState, minute } from '../builders.ts';

const schedules = fc.oneof(
  fc
    .record({ every: fc.constantFrom(5, 7, 10, 30, 60, 90, 1440), offset: fc.constantFrom(0, 3) })
    .map((grid) => every(grid.every * minute, grid.offset * minute)),
  fc.constantFrom(cron('0 3 * * *'), cron('*/20 * * * *'), cron('30 2 * * *', 'Europe/Berlin')),
  fc.constant({ kind: 'manual' as const }),
);

/** Groups that depend only on groups generated before them, then shuffled: any acyclic graph. */
const configs: fc.Arbitrary<Config> = fc.integer({ min: 1, max: 9 }).chain((count) =>
  fc
    .tuple(
      ...Array.from({ length: count }, (_, index) => {
        const earlier = fc.subarray(Array.from({ length: index }, (_, other) => `g${other}`));
        return fc.record({
          name: fc.constant(`g${index}`),
          schedule: schedules,
          enabled: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
          dependsOn: fc
            .tuple(earlier, fc.constantFrom('succeeded' as const, 'finished' as const), fc.constantFrom(null, hour))
            .map(([names, when, within]) => names.map((group) => ({ group, when, within }))),
          after: earlier,
          priority: fc.constantFrom(...priorities),
          lane: fc.constantFrom('main', 'main', 'other'),
          catchUp: fc.constantFrom('latest' as const, 'every' as const, 'none' as const),
          catchUpWithin: fc.constantFrom(null, 2 * hour),
          retryAfter: fc.constantFrom([], [5 * minute, 15 * minute]),
          onInterrupt: fc.constantFrom('resume' as const, 'skip' as const),
        });
      }),
    )
    .chain((parts) => fc.shuffledSubarray(parts, { minLength: parts.length, maxLength: parts.length }))
    .map((parts) => makeConfig(parts.map(({ name, ...group }) => makeGroup(name, group as Partial<Group>)))),
);

const instants = fc.integer({ min: at - 3 * day, max: at + day });
const entries: fc.Arbitrary<GroupState> = fc
  .record({
    lastBeat: instants,
    outcome: fc.constantFrom(...outcomes),
    same: fc.boolean(),
    retryAt: fc.option(instants),
  })
  .map(({ lastBeat, outcome, same, retryAt }) => ({
    firstSeenAt: iso(at - 4 * day),
    lastBeat: iso(lastBeat),
    lastRun: { id: 'r', beat: iso(same ? lastBeat : lastBeat - minute), finishedAt: iso(lastBeat), outcome },
    retry: retryAt === null ? null : { at: iso(retryAt), attempt: 1 },
  }));
const states: fc.Arbitrary<State> = fc
  .dictionary(
    fc.integer({ min: 0, max: 8 }).map((index) => `g${index}`),
    entries,
  )
  .map((groups) => makeState(groups));

const situations = fc.record({
  config: configs,
  state: states,
  now: fc.integer({ min: at - day, max: at + day }),
  held: fc.constantFrom(new Map<string, string | null>(), new Map([['other', 'g0']])),
});

describe('every plan', () => {
  it('decides every group once, runs dependencies before dependents and is the same each time', () => {
    void fc.assert(
      fc.property(situations, ({ config, state, now, held }) => {
        const before = structuredClone(state);
        const plan = planTick(config, state, now, held);
        expect(state).toEqual(before);
        expect(planTick(config, state, now, held)).toEqual(plan);
        expect(plan.decisions.map(({ group }) => group).sort()).toEqual(config.groups.map(({ name }) => name).sort());
        const place = new Map(plan.decisions.map((decision, index) => [decision.group, index]));
        const runs = new Set(plan.decisions.filter(({ decision }) => decision === 'run').map(({ group }) => group));
        for (const group of config.groups.filter(({ name }) => runs.has(name))) {
          for (const earlier of [...group.dependsOn.map((dependency) => dependency.group), ...group.after]) {
            if (runs.has(earlier)) expect(place.get(earlier)).toBeLessThan(place.get(group.name) as number);
          }
        }
      }),
    );
  });

  it('leaves out no due group whose dependencies allow it, and names what blocks the others', () => {
    void fc.assert(
      fc.property(situations, ({ config, state, now, held }) => {
        const plan = planTick(config, state, now, held);
        const of = new Map(plan.decisions.map((decision) => [decision.group, decision]));
        for (const decision of plan.decisions) {
          const group = config.groups.find(({ name }) => name === decision.group) as Group;
          if (decision.decision === 'skip') {
            expect(decision.blockers.length).toBeGreaterThan(0);
            expect(decision.blockers[0]?.reason).toBe(decision.reason);
            for (const blocker of decision.blockers) {
              expect(group.dependsOn.map((dependency) => dependency.group)).toContain(blocker.group);
              expect(['run', 'disabled']).not.toContain(of.get(blocker.group)?.decision);
            }
          } else expect(decision.blockers).toEqual([]);
          if (held.has(group.lane)) expect(decision.decision).not.toBe('run');
          if (decision.decision === 'run' || decision.decision === 'skip') expect(decision.beat).not.toBeNull();
        }
      }),
    );
  });

  it('never has a consumed beat due again, and a skipped group keeps its beat', () => {
    void fc.assert(
      fc.property(situations, fc.integer({ min: 0, max: 3 * 60 }), ({ config, state, now }, minutes) => {
        const plan = planTick(config, state, now);
        const next = new Map(plan.entries);
        for (const decision of plan.decisions) {
          const entry = next.get(decision.group) as GroupState;
          const group = config.groups.find(({ name }) => name === decision.group) as Group;
          if (decision.decision === 'expire') next.set(group.name, entryAfterExpiry(entry, decision.beat));
          if (decision.decision !== 'run') continue;
          const again = decision.reason === 'retry-due' || decision.reason === 'resume-interrupted';
          if (!again) {
            const consumed = consumedBeat(entry);
            if (consumed !== null) expect(decision.beat).toBeGreaterThan(consumed);
          }
          const run = { id: 'n', beat: iso(decision.beat), finishedAt: iso(now), outcome: 'succeeded' as const };
          next.set(group.name, entryAfterEnd(entryAfterStart(entry, decision.beat, again), run, group));
        }
        const later = planTick(config, makeState(Object.fromEntries(next)), now + minutes * minute);
        for (const decision of later.decisions) {
          const before = plan.decisions.find(({ group }) => group === decision.group);
          const ranAlready = before?.decision === 'run' || before?.decision === 'expire';
          if (ranAlready && decision.beat !== null) expect(decision.beat).toBeGreaterThan(before.beat as number);
          if (minutes === 0 && ranAlready && !catchesUpEvery(config, decision.group)) expect(decision.beat).toBeNull();
          if (minutes === 0 && before?.decision === 'skip') expect(decision.beat).toBe(before.beat);
        }
      }),
    );
  });
});

function catchesUpEvery(config: Config, name: string): boolean {
  return config.groups.find((group) => group.name === name)?.catchUp === 'every';
}
