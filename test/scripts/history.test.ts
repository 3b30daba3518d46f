import { describe, expect, it } from 'vitest';
import { findNewestTick, readHistory } from '../../scripts/lib/history.ts';
import { iso, runEnd, temporaryFolder, writeHistory } from './workspace.ts';

const now = Date.parse('2026-11-22T16:00:00Z');
const hour = 3_600_000;
const tick = (at: number) => ({ at: iso(at), type: 'tick', outcome: 'done' });
const filler = { at: iso(now), type: 'run-end', group: 'a', run: { note: 'x'.repeat(100_000) } };

describe('findNewestTick', () => {
  it.each<[string, object[], number | null]>([
    ['an empty history', [], null],
    ['a history without ticks', [filler, filler], null],
    ['a long history with the newest tick at its end', [tick(now - hour), filler, tick(now)], now],
    [
      'a long history with many lines after the newest tick',
      [tick(now - hour), tick(now), filler, filler, filler],
      now,
    ],
  ])('reads %s', async (_, lines, expected) => {
    const outputs = temporaryFolder();
    writeHistory(outputs, lines);
    expect(await findNewestTick(outputs)).toBe(expected);
  });

  it('finds nothing without a history', async () => {
    expect(await findNewestTick(temporaryFolder())).toBeNull();
  });
});

describe('readHistory', () => {
  it('omits runs that ended before the given instant, and includes a hold that lasted beyond it', async () => {
    const outputs = temporaryFolder();
    const held = (group: string, at: number) => ({
      at: iso(at),
      type: 'held',
      group,
      reason: 'lane-held',
      blockedBy: [],
    });
    writeHistory(outputs, [
      tick(now - 3 * hour),
      held('over', now - 3 * hour),
      held('reaching', now - 3 * hour),
      runEnd('old', now - 3 * hour),
      { at: iso(now - 2.5 * hour), type: 'expire', group: 'old', missedBeats: 1 },
      { at: iso(now - 2 * hour), type: 'released', group: 'over' },
      { at: iso(now - 0.5 * hour), type: 'run-start', group: 'reaching', run: 'r' },
      runEnd('young', now - 0.5 * hour),
    ]);
    const { runs, holds, expiries, ticks } = await readHistory(outputs, now - hour);
    expect(runs.map(({ group }) => group)).toEqual(['young']);
    expect(holds).toMatchObject([{ group: 'reaching', from: now - 3 * hour, until: now - 0.5 * hour }]);
    expect([expiries, ticks]).toEqual([[], []]);
  });

  it('ignores malformed lines and fields', async () => {
    const outputs = temporaryFolder();
    const at = iso(now);
    const odd = [null, 5, 'text', [], {}, { outcome: 7 }].map((run) => ({ at, type: 'run-end', group: 'a', run }));
    const run = {
      outcome: 'failed',
      beat: 'soon',
      durationMs: 'long',
      missedBeats: null,
      scripts: [null, { name: 3 }],
    };
    writeHistory(outputs, [...odd, { at, type: 'run-end', group: 7, run }, { at, type: 'run-end', group: 'b', run }]);
    const { runs } = await readHistory(outputs, 0);
    expect(runs).toMatchObject([{ group: 'b', beat: null, durationMs: null, missedBeats: 0, outcome: 'failed' }]);
    expect(runs[0]?.scripts.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'unnamed interrupted',
      'unnamed interrupted',
    ]);
  });
});
