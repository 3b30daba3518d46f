import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { planTick } from '../../src/plan/decide.ts';
import { type Activity, reportStatus, type StatusFacts } from '../../src/report/status-document.ts';
import { renderStatus } from '../../src/report/status-text.ts';
import type { HistoryLine } from '../../src/state/history.ts';
import type { GroupState, Lease, State } from '../../src/state/state-schema.ts';
import {
  cron,
  day,
  every,
  hour,
  iso,
  makeConfig,
  makeGroup,
  makeScript,
  makeState,
  minute,
  at as now,
  on,
  ran,
  ranAndEnded,
} from '../builders.ts';

function tick(ago: number): HistoryLine {
  const at = iso(now - ago);
  return { at, type: 'tick', tick: at, outcome: 'succeeded', durationMs: 0, ran: 1, failed: 0, skipped: 0 };
}

function runEnd(group: string, ago: number, durationMs: number): HistoryLine {
  const at = iso(now - ago);
  const script = { name: 'script.js', outcome: 'succeeded' as const, durationMs };
  const run = { id: at, beat: at, finishedAt: at, outcome: 'succeeded' as const, durationMs, scripts: [script] };
  return { at, type: 'run-end', tick: at, group, lane: 'main', run };
}

const ticks = [2, 7, 12, 17].map((ago) => tick(ago * minute));
const history = [...ticks, runEnd('backup', 9 * hour, 125_000), runEnd('health_check', 12 * minute, 4_000)];

/** The entry of a group whose last run ended so long ago, for the newest beat before that. */
function ended(ago: number, durationMs: number, outcome: 'succeeded' | 'failed' = 'succeeded', more: GroupState = {}) {
  const entry = ranAndEnded(now - ago, 'failed', more);
  const finishedAt = iso(now - ago);
  return { ...entry, lastRun: { ...entry.lastRun, outcome, finishedAt, durationMs } } satisfies GroupState;
}

function report(config: Config, state: State, more: Partial<StatusFacts> = {}) {
  const activities = more.activities ?? [];
  const held = new Map(activities.map(({ lane, lease }) => [lane, lease?.group ?? null]));
  const plan = planTick(config, state, now, held);
  const facts = { config, state, notices: [], plan, activities, newestFirst: history, pulse: null, ...more };
  return reportStatus(facts);
}

function running(group: string, more: Partial<Lease> = {}): Activity {
  const since = now - 3 * minute;
  const lease = { group, runId: 'r9', since: iso(since), script: 'script.js', number: 1, tick: 't9', ...more };
  const holder = { pid: 4711, since, tick: 't9' };
  return { lane: 'main', lease, holder, isOrphan: false, scriptStartedAt: since, lastLine: '写入 3 / 10 …' };
}

/** One group for each state, one whose retry is ahead, one that runs when asked to. */
const config = makeConfig([
  makeGroup('health_check', { lane: 'quick' }),
  makeGroup('backup', { schedule: cron('0 3 * * *'), description: '夜间备份', lane: 'quick' }),
  makeGroup('upload', { dependsOn: [on('backup', { within: hour })], lane: 'quick' }),
  makeGroup('performance_analysis', { schedule: every(30 * minute), scripts: [makeScript('script.js')] }),
  makeGroup('queued', { schedule: every(30 * minute) }),
  makeGroup('neglected', { lane: 'quick' }),
  makeGroup('weekly', { schedule: cron('0 4 * * 1'), lane: 'quick' }),
  makeGroup('yearly', { schedule: cron('0 4 1 1 *'), lane: 'quick' }),
  makeGroup('held_back', { lane: 'quick' }),
  makeGroup('on_demand', { schedule: { kind: 'manual' }, lane: 'quick' }),
  makeGroup('old', { enabled: false }),
]);
const state: State = {
  ...makeState({
    health_check: ended(0, 4_000),
    backup: ended(9 * hour, 125_000, 'succeeded', { lastBeat: iso(now - 13 * hour), schedule: { cron: '0 3 * * *' } }),
    upload: ended(50 * minute, 70_000, 'failed', {
      consecutiveFailures: 3,
      held: { reason: 'dependency-stale', blockedBy: ['backup'], since: iso(now - 40 * minute) },
    }),
    performance_analysis: ran(now - 30 * minute),
    queued: ended(30 * minute, 900, 'failed', { consecutiveFailures: 1 }),
    neglected: ended(40 * minute, 12_345),
    weekly: ended(6 * day, 3 * hour, 'failed', {
      lastBeat: iso(now - 6 * day - 12 * hour),
      lastRun: { beat: iso(now - 6 * day - 12 * hour) },
      consecutiveFailures: 1,
    }),
    yearly: ran(now - 40 * day),
    held_back: {
      ...ended(0, 1_000),
      pausedAt: iso(now),
      pausedUntil: iso(now + 2 * hour),
      pauseReason: '磁盘正在更换',
    },
    on_demand: {},
  }),
  lastTick: { id: 't9', pid: 4711, startedAt: iso(now - 3 * minute), finishedAt: null },
};
const status = report(config, state, { activities: [running('performance_analysis')] });
const board = (width?: number) => renderStatus(status, { timezone: 'UTC', ...(width === undefined ? {} : { width }) });

describe('status', () => {
  it('has a line for each group', () => {
    expect(`\n${board()}\n`).toMatchInlineSnapshot(`
      "
      Status at 2026-11-22 16:00 (UTC)
      Last tick 15:57: it runs. The trigger comes every 5 min; last 2 min ago.
      Running: performance_analysis/script.js for 3 min (lane main, pid 4711)
        | 写入 3 / 10 …

      GROUP                 STATE     LAST       AGE  TOOK   USUAL  NEXT
      health_check          idle      succeeded  0s   4s     4s     16:10 in 10 min
      backup                idle      succeeded  9h   2m5s   2m5s   Mon 03:00 in 11 h
      upload                waiting   failed 3x  50m  1m10s  -      16:10 in 10 min; backup finished too long ago (07:00)
      performance_analysis  running   succeeded  30m  -      -      16:30 in 30 min; script.js for 3 min
      queued                due       failed     30m  900ms  -      16:30 in 30 min; due now, lane main is held: performance_analysis runs
      neglected             late      succeeded  40m  12s    -      16:10 in 10 min; due for 30 min
      weekly                idle      failed     6d   3h     -      Mon 04:00 in 12 h
      yearly                idle      succeeded  40d  -      -      2027-01-01 in 40 d
      held_back             paused    succeeded  0s   1s     -      until 18:00 in 2 h; 磁盘正在更换
      on_demand             idle      -          -    -      -      when asked to
      old                   disabled  -          -    -      -
      "
    `);
  });

  it('fits 80 columns', () => {
    expect(`\n${board(80)}\n`).toMatchInlineSnapshot(`
      "
      Status at 2026-11-22 16:00 (UTC)
      Last tick 15:57: it runs. The trigger comes every 5 min; last 2 min ago.
      Running: performance_analysis/script.js for 3 min (lane main, pid 4711)
        | 写入 3 / 10 …

      GROUP                 STATE     LAST       AGE  TOOK   USUAL  NEXT
      health_check          idle      succeeded  0s   4s     4s     16:10 in 10 min
      backup                idle      succeeded  9h   2m5s   2m5s   Mon 03:00 in 11 h
      upload                waiting   failed 3x  50m  1m10s  -      16:10 in 10 min
          backup finished too long ago (07:00)
      performance_analysis  running   succeeded  30m  -      -      16:30 in 30 min
          script.js for 3 min
      queued                due       failed     30m  900ms  -      16:30 in 30 min
          due now, lane main is held: performance_analysis runs
      neglected             late      succeeded  40m  12s    -      16:10 in 10 min
          due for 30 min
      weekly                idle      failed     6d   3h     -      Mon 04:00 in 12 h
      yearly                idle      succeeded  40d  -      -      2027-01-01 in 40 d
      held_back             paused    succeeded  0s   1s     -      until 18:00 in 2 h
          磁盘正在更换
      on_demand             idle      -          -    -      -      when asked to
      old                   disabled  -          -    -      -
      "
    `);
    expect(
      Math.max(
        ...board(80)
          .split('\n')
          .map((line) => stringWidth(line)),
      ),
    ).toBeLessThanOrEqual(80);
  });

  it('truncates lines to a terminal of 30 columns', () => {
    const lines = board(30).split('\n');
    expect(Math.max(...lines.map((line) => stringWidth(line)))).toBeLessThanOrEqual(30);
  });

  it('fits 60 columns by omitting durations', () => {
    expect(`\n${board(60)}\n`).toMatchInlineSnapshot(`
      "
      Status at 2026-11-22 16:00 (UTC)
      Last tick 15:57: it runs. The trigger comes every 5 min;
      last 2 min ago.
      Running: performance_analysis/script.js for 3 min (lane mai…
        | 写入 3 / 10 …

      GROUP                 STATE      AGE  NEXT
      health_check          succeeded  0s   16:10 in 10 min
      backup                succeeded  9h   Mon 03:00 in 11 h
      upload                waiting    50m  16:10 in 10 min
          backup finished too long ago (07:00)
      performance_analysis  running    30m  16:30 in 30 min
          script.js for 3 min
      queued                due        30m  16:30 in 30 min
          due now, lane main is held: performance_analysis runs
      neglected             late       40m  16:10 in 10 min
          due for 30 min
      weekly                failed     6d   Mon 04:00 in 12 h
      yearly                succeeded  40d  2027-01-01 in 40 d
      held_back             paused     0s   until 18:00 in 2 h
          磁盘正在更换
      on_demand             idle       -    when asked to
      old                   disabled   -
      "
    `);
    expect(
      Math.max(
        ...board(60)
          .split('\n')
          .map((line) => stringWidth(line)),
      ),
    ).toBeLessThanOrEqual(60);
  });

  it('shows times in the zone of the configuration', () => {
    const text = renderStatus(status, { timezone: 'Asia/Tokyo' });
    expect(text).toContain('Status at 2026-11-23 01:00 (Asia/Tokyo)');
    expect(text).toMatch(/^backup .* 12:00 in 11 h$/m);
  });

  it('colours failures', () => {
    const text = renderStatus(status, { timezone: 'UTC', paint: (word, tone) => `<${tone}:${word}>` });
    expect(text).toContain('<expire:failed 3x>');
    expect(text).toContain('<expire:late>');
    expect(text).toContain('<run:running>');
  });

  it('has the same content as JSON', () => {
    expect(status.groups.find(({ group }) => group === 'upload')).toEqual({
      group: 'upload',
      description: null,
      schedule: 'every 10m',
      state: 'waiting',
      because: 'its 16:00 beat is due, but backup finished too long ago (07:00)',
      dueSince: iso(now - 40 * minute),
      blockedBy: ['backup'],
      waitsFor: 'backup finished too long ago (07:00)',
      lastRun: {
        id: 'r1',
        outcome: 'failed',
        startedAt: iso(now - 50 * minute),
        finishedAt: iso(now - 50 * minute),
        durationMs: 70_000,
      },
      usualMs: null,
      consecutiveFailures: 3,
      nextBeat: iso(now + 10 * minute),
      retryAt: null,
      pausedAt: null,
      pausedUntil: null,
      pauseReason: null,
    });
    expect(status.running).toEqual([
      {
        lane: 'main',
        group: 'performance_analysis',
        runId: 'r9',
        since: iso(now - 3 * minute),
        elapsedMs: 3 * minute,
        script: 'script.js',
        scriptElapsedMs: 3 * minute,
        scriptUsualMs: null,
        lastLine: '写入 3 / 10 …',
        pid: 4711,
        isOrphan: false,
      },
    ]);
    expect(Object.keys(status)).toEqual([
      'schemaVersion',
      'at',
      'check',
      'notices',
      'trigger',
      'lastTick',
      'running',
      'groups',
    ]);
  });
});

describe('the status of a group', () => {
  const stateOf = (entry: GroupState | undefined, more: object = {}, facts: Partial<StatusFacts> = {}) => {
    const other = makeGroup('other', { schedule: { kind: 'manual' } });
    const groups = [makeGroup('g', more), other];
    return report(makeConfig(groups), makeState(entry === undefined ? {} : { g: entry }), facts).groups[0]?.state;
  };
  const blocked = { dependsOn: [on('other')] };
  const held = { held: { reason: 'dependency-never-ran', blockedBy: ['other'], since: iso(now - 30 * minute) } };

  it.each([
    ['at first sight', undefined, 'due'],
    ['whose beat was consumed', ran(now), 'idle'],
    ['whose beat is due', ran(now - 10 * minute), 'due'],
    ['whose oldest open beat is ten minutes old', ran(now - 20 * minute), 'due'],
    ['whose oldest open beat is older than two periods', ran(now - 30 * minute), 'late'],
    ['that was seen for long and never ran', { firstSeenAt: iso(now - hour) }, 'late'],
    [
      'with a retry that is overdue',
      { ...ranAndEnded(now, 'failed'), retry: { at: iso(now - 11 * minute), attempt: 1 } },
      'late',
    ],
    ['with a retry ahead', { ...ranAndEnded(now, 'failed'), retry: { at: iso(now + minute), attempt: 1 } }, 'idle'],
    ['that is paused', { ...ran(now - hour), pausedAt: iso(now - hour) }, 'paused'],
    [
      'whose schedule was edited a minute ago',
      { ...ran(now - hour), schedule: { every: '10m', since: iso(now - minute) } },
      'due',
    ],
  ])('%s is $2', (_, entry, expected) => {
    expect(stateOf(entry)).toBe(expected);
  });

  it('is waiting if a tick recorded that its dependencies block it, and late otherwise', () => {
    expect(stateOf({ ...ran(now - hour), ...held }, blocked)).toBe('waiting');
    expect(stateOf(ran(now - 10 * minute), blocked)).toBe('waiting');
    expect(stateOf(ran(now - hour), blocked)).toBe('late');
  });

  it('is nothing but disabled if the group is disabled', () => {
    expect(stateOf(ran(now - hour), { enabled: false })).toBe('disabled');
  });

  it('is late while another group runs in its lane, and running while it runs itself', () => {
    expect(stateOf(ran(now - hour), {}, { activities: [running('other')] })).toBe('late');
    expect(stateOf(ran(now - hour), {}, { activities: [running('g')] })).toBe('running');
    expect(stateOf(ran(now - hour), {}, { activities: [{ ...running('g'), holder: null, isOrphan: true }] })).toBe(
      'running',
    );
  });

  it('is right for groups named like inherited object properties', () => {
    const groups = ['constructor', 'toString'].map((name) => makeGroup(name));
    expect(report(makeConfig(groups), makeState({})).groups.map(({ lastRun }) => lastRun)).toEqual([null, null]);
  });
});

describe('status --check', () => {
  const one = makeConfig([makeGroup('g')]);
  const check = (entry: GroupState, more: Partial<StatusFacts> = {}) => {
    const { exitCode, text } = report(one, makeState({ g: entry }), more).check;
    return `${exitCode} ${text}`;
  };
  const well = 'the trigger comes every 5 min; last 2 min ago';
  const silent = 'no tick for 47 min: is the trigger installed? `rhythm doctor`';

  it.each([
    [ran(now), {}, `0 well: 1 group; ${well}`],
    [ranAndEnded(now, 'failed'), {}, `1 unwell: g failed; ${well}`],
    [ranAndEnded(now, 'timed-out', { consecutiveFailures: 3 }), {}, `1 unwell: g timed out 3 times in a row; ${well}`],
    [ranAndEnded(now, 'interrupted'), {}, `0 well: 1 group; ${well}`],
    [ran(now - hour), {}, `1 unwell: g is late; ${well}`],
    [ranAndEnded(now - hour, 'failed'), {}, `1 unwell: g failed; g is late; ${well}`],
    [ranAndEnded(now - hour, 'failed', { pausedAt: iso(now) }), {}, `0 well: 1 group; ${well}`],
    [ran(now), { newestFirst: [tick(47 * minute)] }, `2 unknown: ${silent}`],
    [ranAndEnded(now, 'failed'), { newestFirst: [tick(47 * minute)] }, `2 unknown: ${silent}; g failed`],
    [ran(now), { newestFirst: [] }, '2 unknown: no tick has come yet: is the trigger installed? `rhythm doctor`'],
    [ran(now), { notices: ['The state is damaged.'] }, `2 unknown: The state is damaged.; ${well}`],
  ])('answers $2', (entry, facts, expected) => {
    expect(check(entry, facts)).toBe(expected);
  });

  it('counts the findings that do not fit into a line', () => {
    const names = Array.from({ length: 42 }, (_, index) => `g${index}`);
    const { check } = report(
      makeConfig(names.map((name) => makeGroup(name))),
      makeState(Object.fromEntries(names.map((name) => [name, ran(now - hour)]))),
    );
    expect(check.text).toContain('g4 is late; and 37 more; the trigger');
    expect(check.late).toEqual(names);
  });

  it('counts a tick that waits for an orphan as a sign of the trigger, and a manual run not', () => {
    const hand = { ...running('g'), holder: { pid: 1, since: now, tick: 'hand' } };
    const lines = { newestFirst: [tick(47 * minute)] };
    expect(
      check(ran(now), { ...lines, activities: [{ ...hand, lease: { ...hand.lease, tick: 'hand' } as Lease }] }),
    ).toMatch(/^2/);
    expect(check(ran(now), { ...lines, activities: [hand] })).toMatch(/^0/);
  });
});
