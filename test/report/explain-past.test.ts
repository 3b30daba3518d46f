import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { explainPast } from '../../src/report/explain-past.ts';
import { type Records, renderExplanation } from '../../src/report/explanation.ts';
import type { HistoryLine } from '../../src/state/history.ts';
import type { GroupState, Outcome, ScriptRecord } from '../../src/state/state-schema.ts';
import { cron, every, hour, makeConfig, makeGroup, minute, on } from '../builders.ts';

const instant = (time: string) => `2026-11-22T${time.length === 5 ? `${time}:00` : time}.000Z`;
const tickId = (time: string) => `20261122T${time.replaceAll(':', '').padEnd(6, '0')}-abcdef`;

function recordsOf(lines: readonly HistoryLine[]): Records {
  const isOf = (group: string | undefined) => (line: HistoryLine) => group === undefined || line.group === group;
  return {
    newest: ({ until = Number.POSITIVE_INFINITY, group }) =>
      lines
        .filter(isOf(group))
        .filter(({ at }) => Date.parse(at) <= until)
        .toReversed(),
    onward: (since, { group }) => lines.filter(isOf(group)).filter(({ at }) => Date.parse(at) >= since),
  };
}

/** What groups' lines say, one after the other; each tells the group's entry as it is from then on. */
function tell() {
  const lines: HistoryLine[] = [];
  const entries = new Map<string, GroupState>();
  const entry = (group: string, more: GroupState = {}) => {
    const next = { firstSeenAt: instant('00:00'), ...entries.get(group), ...more };
    entries.set(group, next);
    return next;
  };
  const it = {
    lines,
    tick: (time: string) =>
      lines.push({
        at: instant(time),
        type: 'tick',
        tick: tickId(time),
        outcome: 'nothing-due',
        durationMs: 0,
        ran: 0,
        failed: 0,
        skipped: 0,
      }),
    seen: (group: string, time: string, more: GroupState = {}) =>
      lines.push({ at: instant(time), type: 'seen', tick: tickId(time), group, entry: entry(group, more) }),
    held: (group: string, time: string, reason: string, blockedBy: string[]) =>
      lines.push({ at: instant(time), type: 'held', tick: tickId(time), group, beat: null, reason, blockedBy }),
    start: (group: string, time: string, beat: string | null, reason = 'beat-due', lane = 'main') =>
      lines.push({
        at: instant(time),
        type: 'run-start',
        tick: tickId(time),
        group,
        lane,
        run: `${group}-${beat}`,
        missedBeats: 0,
        reason,
        beat: beat === null ? null : instant(beat),
        entry: entry(group, beat === null ? {} : { lastBeat: instant(beat) }),
        lease: { group, runId: `${group}-${beat}` },
      }),
    end: (
      group: string,
      time: string,
      beat: string | null,
      outcome: Outcome = 'succeeded',
      scripts: ScriptRecord[] = [],
    ) =>
      lines.push({
        at: instant(time),
        type: 'run-end',
        tick: tickId(time),
        group,
        lane: 'main',
        entry: entry(group),
        run: {
          id: `${group}-${beat}`,
          beat: beat === null ? null : instant(beat),
          finishedAt: instant(time),
          outcome,
          durationMs: 60_000,
          scripts,
        },
      }),
    run: (group: string, time: string, beat: string, outcome: Outcome = 'succeeded') => {
      it.start(group, time, beat);
      it.end(group, time, beat, outcome);
    },
  };
  return it;
}

function explain(config: Config, lines: readonly HistoryLine[], at: string, more: object = {}) {
  const group = config.groups.at(-1) as Config['groups'][number];
  return explainPast({
    config,
    group,
    at: Date.parse(instant(at)),
    now: Date.parse(instant('23:00')),
    records: recordsOf(lines),
    isRunning: () => false,
    stillDue: 'It is due still.',
    reachesBackTo: null,
    ...more,
  });
}

const backup = makeGroup('backup', { schedule: cron('0 3 * * *') });
const alone = makeConfig([backup]);

describe('the explanation of a past beat', () => {
  it('names the holder of its lane', () => {
    const story = tell();
    story.seen('backup', '00:00');
    story.start('slow', '02:10', '02:10');
    story.held('backup', '03:00', 'lane-held', []);
    story.end('slow', '04:00', '02:10');
    story.start('backup', '04:05', '03:00');
    story.end('backup', '04:06', '03:00');
    const { summary, lane } = explain(alone, story.lines, '03:30');
    expect(summary).toBe(
      'backup ran for its 03:00 beat: it started at 04:05, 1h5m late, and succeeded after 1m. Before that, it was held back from 03:00 until 04:05: slow, running since 02:10, held the lane main.',
    );
    expect(lane).toEqual({ name: 'main', heldBy: 'slow', since: instant('02:10') });
  });

  it('lists several holds in order, and what ended them', () => {
    const config = makeConfig([
      makeGroup('a'),
      makeGroup('b'),
      { ...backup, dependsOn: [on('a'), on('b', { within: hour })] },
    ]);
    const story = tell();
    story.seen('backup', '00:00');
    story.run('a', '02:50', '02:50', 'timed-out');
    story.run('b', '01:00', '01:00');
    story.tick('03:00');
    story.held('backup', '03:00', 'dependency-failed', ['a', 'b']);
    story.run('a', '03:10', '03:10');
    story.held('backup', '03:10', 'dependency-stale', ['b']);
    const told = explain(config, story.lines, '03:05');
    expect(told.summary).toBe(
      'backup has not run for its 03:00 beat, for it was held back from 03:00 until 03:10: a had timed out (02:50), and b had finished too long ago (01:00); it was held back from 03:10: b had finished too long ago (01:00). It is due still.',
    );
    expect(told.dependencies.map(({ group, reason }) => [group, reason])).toEqual([
      ['a', null],
      ['b', 'dependency-stale'],
    ]);
    expect(told.changes[0]).toEqual({ at: instant('03:10'), what: 'it was held back (dependency-stale)' });
  });

  it('covers a run that was interrupted and resumed', () => {
    const story = tell();
    story.seen('backup', '00:00');
    story.start('backup', '03:00', '03:00');
    story.end('backup', '03:20', '03:00', 'interrupted');
    story.start('backup', '03:25', '03:00', 'resume-interrupted');
    story.end('backup', '03:30', '03:00');
    const told = explain(alone, story.lines, '03:10');
    expect(told.summary).toBe(
      'backup ran for its 03:00 beat: it started at 03:00 and was interrupted after 1m; resumed at 03:25 it succeeded after 1m.',
    );
    expect(told.runs).toHaveLength(2);
  });

  it('covers a run whose tick died, and a manual run that consumed the beat', () => {
    const died = tell();
    died.seen('backup', '00:00');
    died.start('backup', '03:00', '03:00');
    expect(explain(alone, died.lines, '03:10').summary).toBe(
      'backup ran for its 03:00 beat: it started at 03:00 and ended in a way that is not recorded yet.',
    );
    const hand = tell();
    hand.seen('backup', '00:00');
    hand.start('backup', '03:01', '03:00', 'by-hand');
    hand.end('backup', '03:02', '03:00');
    expect(explain(alone, hand.lines, '03:10').summary).toBe(
      'backup ran by hand for its 03:00 beat: it started at 03:01 and succeeded after 1m.',
    );
  });

  it('uses the schedule that the group had at the time', () => {
    const config = makeConfig([makeGroup('backup', { schedule: every(10 * minute) })]);
    const story = tell();
    story.seen('backup', '00:00', { schedule: { daily: ['02:00'], timezone: 'UTC' } });
    story.start('backup', '02:00', '02:00');
    story.end('backup', '02:01', '02:00');
    story.seen('backup', '04:00', { schedule: { every: '10m', since: instant('04:00') } });
    const told = explain(config, story.lines, '03:00');
    expect(told.schedule.text).toBe('daily at 02:00 (UTC)');
    expect(told.summary).toMatch(/^backup ran for its 02:00 beat: it started at 02:00 /);
  });

  it('admits that the history was pruned', () => {
    const story = tell();
    story.seen('backup', '10:00');
    expect(explain(alone, story.lines, '03:10', { reachesBackTo: Date.parse(instant('09:00')) })).toMatchObject({
      fate: 'unknown',
      summary: 'What became of backup then is not known: the history reaches back to 09:00 only.',
    });
  });

  it.each([
    ['succeeded', 'succeeded after 1m'],
    ['timed-out', 'timed out after 1m'],
    ['failed', 'failed after 1m'],
  ] as const)('states the outcome of a run that %s', (outcome, words) => {
    const story = tell();
    story.seen('backup', '00:00');
    story.run('backup', '03:00', '03:00', outcome);
    expect(explain(alone, story.lines, '03:00').summary).toBe(
      `backup ran for its 03:00 beat: it started at 03:00 and ${words}.`,
    );
  });
});

describe('an explanation', () => {
  it('fits into 80 columns and starts with the answer', () => {
    const config = makeConfig([
      makeGroup('dump'),
      { ...backup, dependsOn: [on('dump', { within: 6 * hour })], catchUpWithin: 4 * hour },
    ]);
    const story = tell();
    story.seen('backup', '00:00');
    story.run('dump', '02:00', '02:00', 'failed');
    story.tick('02:55');
    story.tick('03:35');
    story.held('backup', '03:35', 'dependency-failed', ['dump']);
    story.run('dump', '05:00', '05:00');
    story.start('backup', '05:00', '03:00');
    story.end('backup', '05:12', '03:00', 'failed', [
      { name: 'copy.sh', outcome: 'failed', exitCode: 3, attempts: 2, message: 'exited with code 3\x1b[2J' },
    ]);
    const told = explain(config, story.lines, '04:00');
    const text = renderExplanation(told, config, Date.parse(instant('23:00')), 80);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(`${text}\n`).toMatchInlineSnapshot(`
      "backup ran for its 03:00 beat: it started at 05:00, 2h late, and failed after 1m
      (copy.sh: exited with code 3, 2 attempts). Before that, no tick came between
      02:55 and 03:35; it was held back from 03:35 until 05:00: dump had failed
      (02:00).

      backup at 2026-11-22 04:00 (UTC)
        schedule      cron 0 3 * * * (UTC)
        beats before  2026-11-20 03:00, 2026-11-21 03:00, 03:00
        beats after   2026-11-23 03:00, 2026-11-24 03:00, 2026-11-25 03:00
        run           for 03:00 (beat-due): started 05:00, failed after 1m (copy.sh:
                      exited with code 3, 2 attempts); run backup-03:00
        depends on    dump (has to have succeeded within 6h): succeeded at 05:00 (run
                      dump-05:00)
        held back     from 03:35 until 05:00 (dependency-failed): dump had failed
                      (02:00)
        lateness      a beat starts 4h late at most; this beat until 07:00
        ticks         last at 02:55, next at 03:35
        changes       05:00: it was no longer held back
                      05:00: it started (beat-due)
                      05:12: it failed after 1m (copy.sh: exited with code 3, 2
                      attempts)
                      2026-11-23 03:00: its next beat comes
      "
    `);
  });
});
