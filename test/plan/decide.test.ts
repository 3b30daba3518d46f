import { describe, expect, it } from 'vitest';
import type { Config, Group } from '../../src/config/config.ts';
import { type Decision, type HeldLanes, planTick } from '../../src/plan/decide.ts';
import type { GroupState } from '../../src/state/state-schema.ts';
import {
  at,
  cron,
  day,
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

function decide(
  groups: readonly Group[],
  entries: Record<string, GroupState> = {},
  { now = at, held, ...config }: { now?: number; held?: HeldLanes } & Partial<Config> = {},
): Record<string, Decision> {
  const plan = planTick(makeConfig(groups, config), makeState(entries), now, held);
  return Object.fromEntries(plan.decisions.map((decision) => [decision.group, decision]));
}

/** One group, one entry: what is decided, in a word or two. */
function decideOne(group: Partial<Group>, entry?: GroupState, now = at) {
  const { g } = decide([makeGroup('g', group)], entry ? { g: entry } : {}, { now });
  const { decision, reason, beat, missedBeats } = g as Decision;
  return [decision, reason, beat === null ? null : iso(beat), missedBeats];
}

const sixteen = iso(at);

describe('first sight', () => {
  it.each([
    ['an interval group is due at once, for its latest beat', {}, at + 3 * minute, ['run', 'first-run', sixteen, 0]],
    ['a calendar group waits', { schedule: cron('0 3 * * *') }, at, ['wait', 'first-beat-ahead', null, 0]],
    [
      'even for a beat at that very instant',
      { schedule: cron('0 16 * * *') },
      at,
      ['wait', 'first-beat-ahead', null, 0],
    ],
    [
      'firstRun: now overrides',
      { schedule: cron('0 3 * * *'), firstRun: 'now' as const },
      at,
      ['run', 'first-run', '2026-11-22T03:00:00.000Z', 0],
    ],
    ['firstRun: wait overrides', { firstRun: 'wait' as const }, at + minute, ['wait', 'first-beat-ahead', null, 0]],
    ['a manual group waits to be asked', { schedule: { kind: 'manual' as const } }, at, ['wait', 'manual', null, 0]],
    ['a disabled group stays out', { enabled: false }, at, ['disabled', 'disabled', null, 0]],
  ])('%s', (_, group, now, expected) => {
    expect(decideOne(group, undefined, now)).toEqual(expected);
  });

  it('lasts until a beat is consumed: an interval group takes its newest beat, with no missed ones', () => {
    expect(decideOne({}, { firstSeenAt: iso(at - day) })).toEqual(['run', 'first-run', sixteen, 0]);
  });

  it('is never too late', () => {
    expect(decideOne({ schedule: every(day), catchUp: 'none' }, { firstSeenAt: iso(at - day) })).toEqual([
      'run',
      'first-run',
      '2026-11-22T00:00:00.000Z',
      0,
    ]);
  });

  it('a calendar group that waited runs for the first beat after it was seen', () => {
    const daily = { schedule: cron('0 3 * * *') };
    expect(decideOne(daily, { firstSeenAt: '2026-11-22T03:00:00.000Z' })).toEqual([
      'wait',
      'first-beat-ahead',
      null,
      0,
    ]);
    expect(decideOne(daily, { firstSeenAt: '2026-11-22T02:59:59.999Z' })).toEqual([
      'run',
      'beat-due',
      '2026-11-22T03:00:00.000Z',
      0,
    ]);
  });
});

describe('beats', () => {
  it.each([
    ['not due before the next beat', {}, ran(at), at + 10 * minute - 1, ['wait', 'not-due', null, 0]],
    ['due at the beat', {}, ran(at - 10 * minute), at, ['run', 'beat-due', sixteen, 0]],
    ['the latest stands for all that were missed', {}, ran(at - hour), at, ['run', 'beat-due', sixteen, 5]],
    ['counting stops at 1000', {}, ran(at - 365 * day), at, ['run', 'beat-due', sixteen, 1000]],
    [
      'every beat runs, oldest first',
      { catchUp: 'every' as const },
      ran(at - hour),
      at,
      ['run', 'beat-due', iso(at - 50 * minute), 0],
    ],
    [
      'none: within two trigger periods it starts',
      { schedule: every(hour), catchUp: 'none' as const },
      ran(at - hour),
      at + 10 * minute,
      ['run', 'beat-due', sixteen, 0],
    ],
    [
      'none: later it expires',
      { schedule: every(hour), catchUp: 'none' as const },
      ran(at - 2 * hour),
      at + 10 * minute + 1,
      ['expire', 'too-late', sixteen, 1],
    ],
    [
      'catchUpWithin bounds the latest',
      { schedule: every(day), catchUpWithin: 2 * hour },
      ran(at - 3 * day),
      at,
      ['expire', 'too-late', '2026-11-22T00:00:00.000Z', 2],
    ],
    [
      'catchUpWithin and every: what is too late is passed over, the oldest in time runs',
      { catchUp: 'every' as const, catchUpWithin: 25 * minute },
      ran(at - hour),
      at,
      ['run', 'beat-due', iso(at - 20 * minute), 3],
    ],
    [
      'catchUpWithin and every: all too late',
      { schedule: every(hour), catchUp: 'every' as const, catchUpWithin: 10 * minute },
      ran(at - 4 * hour),
      at + 11 * minute,
      ['expire', 'too-late', sixteen, 3],
    ],
  ])('%s', (_, group, entry, now, expected) => {
    expect(decideOne(group, entry, now)).toEqual(expected);
  });

  it('names like the properties of every object are names like any other', () => {
    const groups = [makeGroup('constructor'), makeGroup('toString', { dependsOn: [on('constructor')] })];
    const { decisions } = planTick(makeConfig(groups), makeState({}), at);
    expect(decisions.map(({ group, reason }) => [group, reason])).toEqual([
      ['constructor', 'first-run'],
      ['toString', 'first-run'],
    ]);
  });
});

describe('retries and resumed runs', () => {
  const retry = (inMs: number) => ({ retry: { at: iso(at + inMs), attempt: 1 } });
  const hourly = { schedule: every(hour), retryAfter: [5 * minute] };
  it.each([
    ['a retry waits for its time', ranAndEnded(at, 'failed', retry(2 * minute)), ['wait', 'not-due', null, 0]],
    ['a retry whose time has come', ranAndEnded(at, 'failed', retry(minute)), ['run', 'retry-due', sixteen, 0]],
    ['after a time-out too', ranAndEnded(at, 'timed-out', retry(minute)), ['run', 'retry-due', sixteen, 0]],
    ['an interrupted run goes on', ranAndEnded(at, 'interrupted'), ['run', 'resume-interrupted', sixteen, 0]],
    [
      'an expired later beat ends a retry',
      { ...ranAndEnded(at - hour, 'failed', retry(minute)), lastBeat: sixteen },
      ['wait', 'not-due', null, 0],
    ],
    [
      'an expired later beat ends a resume',
      { ...ranAndEnded(at - hour, 'interrupted'), lastBeat: sixteen },
      ['wait', 'not-due', null, 0],
    ],
    [
      'a later beat takes the place of a retry',
      ranAndEnded(at - hour, 'failed', retry(-hour)),
      ['run', 'beat-due', sixteen, 0],
    ],
    [
      'a later beat takes the place of a resume',
      ranAndEnded(at - hour, 'interrupted'),
      ['run', 'beat-due', sixteen, 0],
    ],
    [
      'an interrupted run by hand is not resumed',
      { ...ran(at), lastRun: { id: 'r2', beat: null, outcome: 'interrupted' as const } },
      ['wait', 'not-due', null, 0],
    ],
  ])('%s', (_, entry, expected) => {
    expect(decideOne(hourly, entry, at + minute)).toEqual(expected);
  });

  it('onInterrupt: skip leaves it', () => {
    const entry = ranAndEnded(at, 'interrupted');
    expect(decideOne({ ...hourly, onInterrupt: 'skip' }, entry, at + minute)).toEqual(['wait', 'not-due', null, 0]);
  });

  it('neither is ever too late', () => {
    const entry = ranAndEnded(at, 'interrupted');
    const never = { schedule: every(day, 16 * hour), catchUp: 'none' as const };
    expect(decideOne(never, entry, at + 20 * hour)).toEqual(['run', 'resume-interrupted', sixteen, 0]);
  });
});

describe('the clock went back', () => {
  it('nothing runs before a beat later than the last one, not even a resume', () => {
    const entry = ranAndEnded(at, 'interrupted');
    expect(decideOne({}, entry, at - minute)).toEqual(['wait', 'not-due', null, 0]);
    expect(decideOne({}, entry, at)).toEqual(['run', 'resume-interrupted', sixteen, 0]);
  });

  it('waits for the second beat at most: up to there nothing is reset', () => {
    const plan = planTick(makeConfig([makeGroup('g')]), makeState({ g: ran(at) }), at - 20 * minute + 1);
    expect(plan.observations.get('g')?.map(({ type }) => type)).toEqual(['seen']);
    expect(plan.entries.get('g')?.lastBeat).toBe(sixteen);
  });

  it('beyond it the last beat is set to the latest one, so that the next beat runs', () => {
    const now = at - 20 * minute - 1;
    const plan = planTick(makeConfig([makeGroup('g')]), makeState({ g: ran(at) }), now);
    expect(plan.observations.get('g')).toContainEqual({ type: 'reset', from: at, to: at - 30 * minute });
    expect(plan.decisions[0]).toMatchObject({ decision: 'wait', reason: 'not-due' });
    const later = planTick(
      makeConfig([makeGroup('g')]),
      makeState({ g: plan.entries.get('g') as GroupState }),
      now + 1,
    );
    expect(later.decisions[0]).toMatchObject({ decision: 'run', reason: 'beat-due', beat: at - 20 * minute });
  });

  it('a calendar group first seen in a far future does not wait for it', () => {
    const daily = makeGroup('g', { schedule: cron('0 3 * * *') });
    const plan = planTick(makeConfig([daily]), makeState({ g: { firstSeenAt: iso(at + 365 * day) } }), at);
    expect(plan.entries.get('g')?.firstSeenAt).toBe(sixteen);
  });
});

describe('an edited schedule', () => {
  const seen = { schedule: { every: '10m' } };
  it('counts no beat from before the tick that first sees it', () => {
    const entry = ran(at - 3 * hour, seen);
    expect(decideOne({ schedule: every(hour) }, entry, at + minute)).toEqual(['wait', 'not-due', null, 0]);
    expect(decideOne({ schedule: every(hour) }, entry, at)).toEqual(['run', 'beat-due', sixteen, 0]);
  });

  it('and remembers since when', () => {
    const config = makeConfig([makeGroup('g', { schedule: every(hour) })]);
    const { entries } = planTick(config, makeState({ g: ran(at - 3 * hour, seen) }), at + minute);
    expect(entries.get('g')?.schedule).toEqual({ every: '1h', since: iso(at + minute) });
    const later = planTick(config, makeState({ g: entries.get('g') as GroupState }), at + hour + minute);
    expect(later.decisions[0]).toMatchObject({ reason: 'beat-due', beat: at + hour, missedBeats: 0 });
  });

  it.each([
    ['the same length in other words', { every: '600s' }],
    ['an offset that comes to nothing', { every: '10m', offset: '10m' }],
    ['a schedule in a form that nobody knows', { rrule: 'FREQ=MINUTELY' }],
  ])('is not one: %s', (_, schedule) => {
    expect(decideOne({}, ran(at - hour, { schedule }))).toEqual(['run', 'beat-due', sixteen, 5]);
  });

  it.each([
    ['daily and cron say the same', { daily: '16:00' }, ['run', 'beat-due', sixteen, 1]],
    [
      'another time zone is another schedule',
      { cron: ['0 16 * * *'], timezone: 'Asia/Tokyo' },
      ['wait', 'not-due', null, 0],
    ],
  ])('%s', (_, schedule, expected) => {
    const entry = ran(at - 2 * day, { schedule });
    expect(decideOne({ schedule: cron('0 16 * * *') }, entry, at + minute)).toEqual(expected);
  });

  it('a group that was disabled collected no beats', () => {
    const config = makeConfig([makeGroup('g', { enabled: false })]);
    const { entries } = planTick(config, makeState({ g: ran(at - hour, seen) }), at - 30 * minute);
    expect(decideOne({}, entries.get('g'), at + minute)).toEqual(['wait', 'not-due', null, 0]);
  });
});

describe('pauses', () => {
  it('hold a group back', () => {
    expect(decideOne({}, ran(at - hour, { pausedAt: iso(at - hour) }))).toEqual(['paused', 'paused', null, 0]);
  });

  it('that have run out count what passed as consumed, but not the beat at their end', () => {
    const paused = (until: number) => ran(at - hour, { pausedAt: iso(at - hour), pausedUntil: iso(until) });
    expect(decideOne({}, paused(at + minute), at + 2 * minute)).toEqual(['wait', 'not-due', null, 0]);
    expect(decideOne({}, paused(at), at + 2 * minute)).toEqual(['run', 'beat-due', sixteen, 0]);
  });

  it('leave what was due before them due', () => {
    const entry = ran(at - 10 * minute, { pausedAt: iso(at + minute), pausedUntil: iso(at + 3 * minute) });
    expect(decideOne({}, entry, at + 4 * minute)).toEqual(['run', 'beat-due', sixteen, 0]);
  });
});

describe('dependencies', () => {
  const first = makeGroup('first', { schedule: every(hour) });
  const second = (...dependsOn: Group['dependsOn']) => makeGroup('second', { dependsOn });
  const resting = ran(at - hour, { lastBeat: sixteen });
  const due = ran(at - 10 * minute);

  it.each([
    ['runs in this tick', {}, on('first'), null],
    ['succeeded last time', { first: resting }, on('first'), null],
    ['never ran', { first: { lastBeat: sixteen } }, on('first'), 'dependency-never-ran'],
    [
      'failed last time',
      { first: { ...ranAndEnded(at - hour, 'failed'), lastBeat: sixteen } },
      on('first'),
      'dependency-failed',
    ],
    [
      'timed out last time',
      { first: { ...ranAndEnded(at - hour, 'timed-out'), lastBeat: sixteen } },
      on('first'),
      'dependency-failed',
    ],
    [
      'failed, which is finished',
      { first: { ...ranAndEnded(at - hour, 'failed'), lastBeat: sixteen } },
      on('first', { when: 'finished' }),
      null,
    ],
    ['finished just in time', { first: resting }, on('first', { within: hour }), null],
    ['finished too long ago', { first: resting }, on('first', { within: hour - 1 }), 'dependency-stale'],
    [
      'failed comes before stale',
      { first: { ...ranAndEnded(at - hour, 'failed'), lastBeat: sixteen } },
      on('first', { within: minute }),
      'dependency-failed',
    ],
    ['is paused: its last outcome counts', { first: { ...resting, pausedAt: iso(at - hour) } }, on('first'), null],
  ])('%s', (_, entries, dependency, reason) => {
    const decided = decide([first, second(dependency)], { second: due, ...entries });
    expect(decided.second).toMatchObject(
      reason === null
        ? { decision: 'run' }
        : { decision: 'skip', reason, beat: at, blockers: [{ group: 'first', reason }] },
    );
  });

  it('a disabled dependency is satisfied', () => {
    const decided = decide([{ ...first, enabled: false }, second(on('first'))], { second: due });
    expect(decided.second?.decision).toBe('run');
  });

  it('a dependency that is due and skipped itself skips its dependents', () => {
    const groups = [
      makeGroup('never', { schedule: { kind: 'manual' } }),
      { ...first, dependsOn: [on('never')] },
      second(on('first')),
    ];
    const decided = decide(groups, { second: due });
    expect(decided.first).toMatchObject({ decision: 'skip', reason: 'dependency-never-ran' });
    expect(decided.second).toMatchObject({ decision: 'skip', reason: 'dependency-skipped' });
  });

  it('an expired beat of a dependency leaves its last outcome to count', () => {
    const late = { ...first, schedule: every(day), catchUpWithin: minute };
    const decided = decide([late, second(on('first'))], { first: ran(at - 3 * day), second: due });
    expect(decided.first?.decision).toBe('expire');
    expect(decided.second?.decision).toBe('run');
  });

  it('all that block are named, and the first as listed gives the reason', () => {
    const groups = [
      makeGroup('a', { schedule: every(day) }),
      makeGroup('b', { schedule: every(day) }),
      second(on('b'), on('a')),
    ];
    const midnight = Date.parse('2026-11-22T00:00:00.000Z');
    const decided = decide(groups, { a: { lastBeat: iso(midnight) }, b: ranAndEnded(midnight, 'failed'), second: due });
    expect(decided.second).toMatchObject({
      reason: 'dependency-failed',
      blockers: [
        { group: 'b', reason: 'dependency-failed' },
        { group: 'a', reason: 'dependency-never-ran' },
      ],
    });
  });

  it('a held lane: its due groups wait, those that depend on them in other lanes are skipped', () => {
    const groups = [
      makeGroup('running', { lane: 'slow' }),
      makeGroup('due', { lane: 'slow' }),
      makeGroup('needs_running', { dependsOn: [on('running')] }),
      makeGroup('needs_due', { dependsOn: [on('due')] }),
    ];
    const decided = decide(groups, { running: ran(at) }, { held: new Map([['slow', 'running']]) });
    expect(Object.values(decided).map(({ decision, reason }) => [decision, reason])).toEqual([
      ['wait', 'not-due'],
      ['wait', 'lane-held'],
      ['skip', 'dependency-running'],
      ['skip', 'dependency-skipped'],
    ]);
  });
});
