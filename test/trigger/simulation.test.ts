import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Config, Group } from '../../src/config/config.ts';
import { planTick } from '../../src/plan/decide.ts';
import { nextWakeup } from '../../src/plan/next-wakeup.ts';
import { entryAfterEnd, entryAfterExpiry, entryAfterStart } from '../../src/state/run-outcome.ts';
import { type GroupState, outcomes, type State } from '../../src/state/state-schema.ts';
import { pauseGroups, resumeGroups } from '../../src/tick/pause-groups.ts';
import { at, day, every, hour, iso, makeConfig, minute } from '../builders.ts';
import { groups } from '../plan/worlds.ts';

/*
 * The same firings of the trigger, with a guard and without: what runs, and for which beat, is the same, through retries,
 * pauses, edits, commands and clocks that are set.
 */

type Event =
  | { readonly kind: 'fire'; readonly after: number }
  | { readonly kind: 'clock'; readonly by: number }
  | { readonly kind: 'pause'; readonly group: number; readonly length: number | null }
  | { readonly kind: 'resume'; readonly group: number }
  | { readonly kind: 'edit'; readonly group: number; readonly minutes: number }
  | { readonly kind: 'die' };

const index = fc.integer({ min: 0, max: 2 });
const events: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 40,
    arbitrary: fc.record({ kind: fc.constant('fire' as const), after: fc.integer({ min: 1_000, max: 6 * minute }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clock' as const), by: fc.integer({ min: -5 * hour, max: 5 * hour }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('pause' as const),
      group: index,
      length: fc.option(fc.integer({ min: 1, max: 3 * hour })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resume' as const), group: index }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('edit' as const), group: index, minutes: fc.constantFrom(5, 20, 90) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'die' as const }) },
);

/** Outcomes that depend on the beat and on how often it was tried, not on when or by which tick. */
function outcomeOf(group: string, beat: number, attempt: number, salt: number) {
  const draw = (beat / minute + group.length + group.charCodeAt(1) + attempt * 7 + salt) % 6;
  return draw < 4 ? ('succeeded' as const) : outcomes[draw === 4 ? 1 : 3];
}

interface Stamp {
  readonly at: number;
  readonly next: number;
}

function simulate(all: readonly Group[], script: readonly Event[], salt: number, isGuarded: boolean) {
  let config: Config = makeConfig(all);
  let state: State = { schemaVersion: 1, groups: {}, leases: {} };
  let now = at - 2 * day;
  let stamp: Stamp | null = null;
  let nodes = 0;
  const ledger: string[] = [];
  const attempts = new Map<string, number>();

  for (const event of script) {
    switch (event.kind) {
      case 'clock':
        now += event.by;
        break;
      case 'pause':
      case 'resume': {
        const group = config.groups[event.group];
        if (group === undefined) break;
        const until = event.kind === 'pause' && event.length !== null ? now + event.length : null;
        const change =
          event.kind === 'pause'
            ? pauseGroups(state, [group], now, { until, reason: null })
            : resumeGroups(state, [group], now);
        state = change.state;
        stamp = null;
        break;
      }
      case 'edit':
        // The file is newer than the stamp.
        config = makeConfig(
          config.groups.map((group, place) =>
            place === event.group ? { ...group, schedule: every(event.minutes * minute) } : group,
          ),
        );
        stamp = null;
        break;
      case 'die':
        // A tick changed the state, and was killed before it left a stamp.
        stamp = null;
        break;
      case 'fire': {
        now += event.after;
        if (isGuarded && stamp !== null && now < stamp.next && now > stamp.at) break;
        nodes++;
        tickAt(now);
        // As state/stamp.ts does it.
        const until = nextWakeup(config, state, now);
        const next = until === null ? 0 : Math.floor((Math.min(until - 2_000, now + hour) - 1) / 1_000) * 1_000;
        stamp = next > now ? { at: now, next } : null;
      }
    }
  }
  return { ledger, nodes };

  function tickAt(instant: number): void {
    const plan = planTick(config, state, instant);
    const entries = new Map(plan.entries);
    const failed = new Set<string>();
    for (const decision of plan.decisions) {
      const group = config.groups.find(({ name }) => name === decision.group) as Group;
      const entry = entries.get(group.name) as GroupState;
      if (decision.decision === 'expire') {
        entries.set(group.name, entryAfterExpiry(entry, decision.beat));
        ledger.push(`${iso(instant)} ${group.name} expires ${iso(decision.beat)}`);
      }
      if (decision.decision !== 'run' || group.dependsOn.some(({ group: name }) => failed.has(name))) continue;
      const again = decision.reason === 'retry-due' || decision.reason === 'resume-interrupted';
      const key = `${group.name} ${decision.beat}`;
      const attempt = (attempts.get(key) ?? 0) + 1;
      attempts.set(key, attempt);
      const outcome = attempt > 4 ? 'succeeded' : (outcomeOf(group.name, decision.beat, attempt, salt) ?? 'succeeded');
      if (outcome !== 'succeeded') failed.add(group.name);
      const run = { id: 'r', beat: iso(decision.beat), startedAt: iso(instant), finishedAt: iso(instant), outcome };
      entries.set(group.name, entryAfterEnd(entryAfterStart(entry, decision.beat, again), run, group));
      ledger.push(`${iso(instant)} ${group.name} runs ${iso(decision.beat)} ${decision.reason} ${outcome}`);
    }
    state = { ...state, groups: Object.fromEntries(entries) };
  }
}

it('the guard does not change which beats run at which firings of the trigger', () => {
  let [with_, without] = [0, 0];
  void fc.assert(
    fc.property(
      groups,
      fc.array(events, { minLength: 20, maxLength: 200 }),
      fc.nat({ max: 5 }),
      (all, script, salt) => {
        const plain = simulate(all, script, salt, false);
        const guarded = simulate(all, script, salt, true);
        expect(guarded.ledger).toEqual(plain.ledger);
        with_ += guarded.nodes;
        without += plain.nodes;
      },
    ),
    { numRuns: 400 },
  );
  // Else this would prove nothing.
  expect(with_).toBeLessThan(without * 0.8);
});
