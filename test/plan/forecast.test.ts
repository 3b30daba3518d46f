import { describe, expect, it } from 'vitest';
import { forecast } from '../../src/plan/forecast.ts';
import type { State } from '../../src/state/state-schema.ts';
import {
  at,
  cron,
  day,
  every,
  hour,
  makeConfig,
  makeGroup,
  makeState,
  minute,
  on,
  ran,
  ranAndEnded,
} from '../builders.ts';

function foresee(
  groups: ReturnType<typeof makeGroup>[],
  state: State,
  until: number,
  expected: [string, number][] = [],
) {
  return forecast(makeConfig(groups), state, at, until, new Map(expected)).map((tick) => [
    (tick.at - at) / minute,
    tick.decisions.map(({ group, decision }) => (decision === 'run' ? group : `${group} ${decision}`)).join(' '),
    ...(tick.overruns ? ['overruns'] : []),
  ]);
}

describe('the forecast', () => {
  it('lists every tick that would do something', () => {
    const groups = [
      makeGroup('health'),
      makeGroup('trend', { schedule: every(30 * minute), dependsOn: [on('health')] }),
    ];
    const state = makeState({ health: ran(at - 10 * minute), trend: ran(at) });
    expect(foresee(groups, state, at + 30 * minute)).toEqual([
      [0, 'health'],
      [10, 'health'],
      [20, 'health'],
      [30, 'health trend'],
    ]);
  });

  it('moves a beat between two ticks to the later one', () => {
    expect(
      foresee([makeGroup('g', { schedule: every(hour, 7 * minute) })], makeState({ g: ran(at) }), at + hour),
    ).toEqual([[10, 'g']]);
  });

  it('takes every run to succeed, so that what depends on a failed group runs after its next one', () => {
    const groups = [makeGroup('a', { schedule: every(30 * minute) }), makeGroup('b', { dependsOn: [on('a')] })];
    const state = makeState({ a: ranAndEnded(at, 'failed'), b: ran(at - 10 * minute) });
    expect(foresee(groups, state, at + 30 * minute)).toEqual([[30, 'a b']]);
  });

  it('knows retries, the end of pauses, what expires and what catches up beat by beat', () => {
    const groups = [
      makeGroup('retried', { schedule: every(day) }),
      makeGroup('paused', { schedule: every(hour) }),
      makeGroup('late', { schedule: every(day), catchUp: 'none' }),
      makeGroup('behind', { schedule: every(day, 16 * hour), catchUp: 'every' }),
    ];
    const midnight = at - 16 * hour;
    const state = makeState({
      retried: ranAndEnded(midnight, 'failed', { retry: { at: new Date(at + 7 * minute).toISOString(), attempt: 1 } }),
      paused: ran(at, { pausedAt: new Date(at).toISOString(), pausedUntil: new Date(at + hour).toISOString() }),
      late: ran(midnight - day),
      behind: ran(at - 2 * day),
    });
    expect(foresee(groups, state, at + hour)).toEqual([
      [0, 'behind late expire'],
      [5, 'behind'],
      [10, 'retried'],
      [60, 'paused'],
    ]);
  });

  it('points out where the work would not fit before the next tick, lane by lane', () => {
    const groups = [makeGroup('a'), makeGroup('b'), makeGroup('c', { lane: 'other' })];
    const lengths = (b: number): [string, number][] => [
      ['a', 3 * minute],
      ['b', b],
      ['c', 4 * minute],
    ];
    expect(foresee(groups, makeState({}), at, lengths(2 * minute))).toEqual([[0, 'a b c']]);
    expect(foresee(groups, makeState({}), at, lengths(2 * minute + 1))).toEqual([[0, 'a b c', 'overruns']]);
  });

  it('ends for groups without beats, and at the given end', () => {
    expect(foresee([makeGroup('g', { schedule: { kind: 'manual' } })], makeState({}), at + 365 * day)).toEqual([]);
    expect(foresee([makeGroup('g', { schedule: cron('0 3 * * *') })], makeState({}), at + 3 * day)).toHaveLength(3);
  });
});
