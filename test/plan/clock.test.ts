import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Config, Group } from '../../src/config/config.ts';
import { planTick } from '../../src/plan/decide.ts';
import type { CalendarSchedule } from '../../src/schedule/schedule.ts';
import { entryAfterEnd, entryAfterExpiry, entryAfterStart } from '../../src/state/run-outcome.ts';
import type { GroupState, State } from '../../src/state/state-schema.ts';
import { at, cron, day, every, hour, iso, makeConfig, makeGroup, makeState, minute, ran } from '../builders.ts';

interface Ledger {
  readonly state: State;
  /** The beats that were run, in order, each with the beats that it stands for. */
  readonly runs: { readonly group: string; readonly beat: number; readonly missed: number }[];
  readonly resets: number;
}

/** Ticks at each of these instants, every run succeeding at once. */
function tickAt(instants: Iterable<number>, config: Config, first: State): Ledger {
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  let state = first;
  let resets = 0;
  const runs: Ledger['runs'] = [];
  for (const now of instants) {
    const plan = planTick(config, state, now);
    const entries = new Map(plan.entries);
    resets += [...plan.observations.values()].flat().filter(({ type }) => type === 'reset').length;
    for (const { group, decision, beat, missedBeats } of plan.decisions) {
      if (beat === null) continue;
      const entry = entries.get(group) as GroupState;
      if (decision === 'expire') entries.set(group, entryAfterExpiry(entry, beat));
      if (decision !== 'run') continue;
      runs.push({ group, beat, missed: missedBeats });
      const record = { id: 'r', beat: iso(beat), finishedAt: iso(now), outcome: 'succeeded' as const };
      entries.set(group, entryAfterEnd(entryAfterStart(entry, beat, false), record, groupOf.get(group) as Group));
    }
    state = makeState(Object.fromEntries(entries));
  }
  return { state, runs, resets };
}

function* minutes(from: number, upTo: number, step = minute): Generator<number> {
  for (let now = from; now <= upTo; now += step) yield now;
}

/** The wall-clock minutes of a zone that a fixed-time line means, told by Intl alone: each date once. */
function datesOf(from: number, upTo: number, timezone: string): Set<string> {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short' });
  return new Set([...minutes(from, upTo)].map((now) => format.format(now)));
}

describe('nights in which the clock changes, ticked through minute by minute', () => {
  it.each([
    ['Europe/Berlin', '2026-03-29T01:00:00Z', '30 2 * * *'],
    ['Europe/Berlin', '2026-10-25T01:00:00Z', '30 2 * * *'],
    ['America/New_York', '2026-03-08T07:00:00Z', '15 2 * * *'],
    ['America/New_York', '2026-11-01T06:00:00Z', '30 1 * * *'],
    ['Australia/Lord_Howe', '2026-04-04T15:00:00Z', '45 1 * * *'],
    ['Australia/Lord_Howe', '2026-10-03T15:30:00Z', '10 2 * * *'],
    ['Africa/Cairo', '2026-04-23T22:00:00Z', '30 0 * * *'],
    ['America/Santiago', '2026-09-06T04:00:00Z', '0 0 * * *'],
    ['Pacific/Chatham', '2026-09-26T14:00:00Z', '0 3 * * *'],
  ])('%s, %s: %s runs once for each date', (timezone, change, line) => {
    const from = Date.parse(change) - 2 * day;
    const upTo = Date.parse(change) + 2 * day;
    const config = makeConfig([makeGroup('g', { schedule: cron(line, timezone) })]);
    const { runs } = tickAt(minutes(from, upTo), config, makeState({ g: ran(from - 400 * day) }));
    // The first run stands for all that was missed before.
    const dates = datesOf(from, upTo, timezone);
    expect(new Set(runs.map(({ beat }) => beat)).size).toBe(runs.length);
    expect(runs.slice(1).every(({ missed }) => missed === 0)).toBe(true);
    expect(Math.abs(runs.length - dates.size)).toBeLessThanOrEqual(1);
    expect(runs.length).toBeGreaterThanOrEqual(4);
  });

  it.each([
    ['Europe/Berlin', '2026-03-29T00:00:00Z', 24 * 4],
    ['Europe/Berlin', '2026-10-25T00:00:00Z', 24 * 4],
    ['Australia/Lord_Howe', '2026-04-04T12:00:00Z', 24 * 4],
  ])('%s, %s: a line that follows real time runs at every one of its minutes', (timezone, from, count) => {
    const start = Date.parse(from);
    const schedule: CalendarSchedule = cron('*/15 * * * *', timezone);
    const config = makeConfig([makeGroup('g', { schedule })]);
    const { runs } = tickAt(minutes(start, start + day - minute), config, makeState({ g: ran(start - 15 * minute) }));
    expect(runs).toHaveLength(count);
  });
});

describe('gaps between ticks', () => {
  it.each([
    ['hours', 7 * hour + 3 * minute],
    ['days', 5 * day + 11 * minute],
  ])('of %s lose no beat: each is run, or missed and told of', (_, gap) => {
    const groups = [makeGroup('latest'), makeGroup('every', { catchUp: 'every' })];
    const instants = [...minutes(at, at + hour, 5 * minute), ...minutes(at + hour + gap, at + 8 * day, 5 * minute)];
    const first = makeState({ latest: ran(at - 10 * minute), every: ran(at - 10 * minute) });
    const { runs, state } = tickAt(instants, makeConfig(groups), first);
    const last = Date.parse(state.groups?.latest?.lastBeat as string);
    const counted = runs.filter(({ group }) => group === 'latest').reduce((sum, { missed }) => sum + missed + 1, 0);
    expect(counted).toBe((last - at) / (10 * minute) + 1);
    const caughtUp = runs.filter(({ group }) => group === 'every').map(({ beat }) => beat);
    expect(caughtUp).toEqual(caughtUp.map((__, index) => at + index * 10 * minute));
  });
});

describe('a clock that is set back and forth between ticks', () => {
  it('repeats no beat unless a reset is recorded, and starves no group', () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 6, arbitrary: fc.constant(5 * minute) },
        { weight: 2, arbitrary: fc.integer({ min: -90, max: 90 }).map((n) => n * minute) },
        { weight: 1, arbitrary: fc.constantFrom(-365 * day, 365 * day, -day, day, -6 * hour, 6 * hour) },
      ),
      { minLength: 20, maxLength: 120 },
    );
    const property = fc.property(steps, fc.constantFrom('latest' as const, 'none' as const), (lengths, catchUp) => {
      const config = makeConfig([makeGroup('g', { catchUp }), makeGroup('d', { schedule: every(day), catchUp })]);
      const instants: number[] = [];
      let now = at;
      for (const length of lengths) {
        now += length;
        instants.push(now);
      }
      const { runs, resets, state } = tickAt(instants, config, makeState({}));
      for (const name of ['g', 'd']) {
        const beats = runs.filter(({ group }) => group === name).map(({ beat }) => beat);
        const repeated = beats.length - new Set(beats).size;
        if (resets === 0) expect(repeated).toBe(0);
      }
      // Left alone, every group runs again within two of its beats.
      const calm = tickAt(minutes(now, now + 3 * day, 5 * minute), config, state);
      expect(new Set(calm.runs.map(({ group }) => group))).toEqual(new Set(['g', 'd']));
    });
    void fc.assert(property, { numRuns: 60 });
  });
});
