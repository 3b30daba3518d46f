import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSleep, judgeTrigger, phraseGaps, phraseTrigger } from '../../src/report/trigger-health.ts';
import type { HistoryLine } from '../../src/state/history.ts';
import { day, hour, iso, minute, at as now } from '../builders.ts';

/** The line of a tick that started so long ago; `awake` is the monotonic clock at its end. */
function tick(ago: number, { length = 100, awake }: { length?: number; awake?: number } = {}): HistoryLine {
  const at = iso(now - ago + length);
  const counts = { ran: 0, failed: 0, skipped: 0 };
  const awakeMs = awake === undefined ? {} : { awakeMs: awake };
  return { at, type: 'tick', tick: at, outcome: 'nothing-due', durationMs: length, ...counts, ...awakeMs };
}

/** Ticks that started so many minutes ago, the newest first. */
const ticks = (...minutes: number[]) => minutes.map((ago) => tick(ago * minute));

const judge = (lines: readonly HistoryLine[], more: object = {}) =>
  judgeTrigger(lines, { now, tickEvery: 5 * minute, ...more });
const say = (lines: readonly HistoryLine[], more: object = {}) => {
  const quality = judge(lines, more);
  const gaps = phraseGaps(quality);
  return `${quality.state}: ${phraseTrigger(quality, now)}${gaps === null ? '' : `; ${gaps}`}`;
};

describe('the report on the trigger', () => {
  it.each([
    [[], 'never: no tick has come yet: is the trigger installed? `rhythm doctor`'],
    [[2, 7, 12, 17], 'comes: the trigger comes every 5 min; last 2 min ago'],
    [[2], 'comes: too few ticks yet to tell how often the trigger comes; last 2 min ago'],
    [[10, 15, 20, 25], 'comes: the trigger comes every 5 min; last 10 min ago'],
    [[11, 16, 21, 26], 'silent: no tick for 11 min: is the trigger installed? `rhythm doctor`'],
    [[47, 52, 57, 62], 'silent: no tick for 47 min: is the trigger installed? `rhythm doctor`'],
    [[3000], 'silent: no tick for 2 d: is the trigger installed? `rhythm doctor`'],
    // Slower than configured is not silent.
    [
      [20, 35, 50, 65, 80],
      'comes: the trigger comes every 15 min (the configuration says every 5 min); last 20 min ago',
    ],
    [[1, 2, 3, 4, 5], 'comes: the trigger comes every 1 min (the configuration says every 5 min); last 1 min ago'],
    [
      [2, 7, 12, 52, 57, 62, 67],
      'comes: the trigger comes every 5 min; last 2 min ago; in the last 24 h no tick for 40 min',
    ],
    [
      [2, 7, 32, 37, 42, 82, 87, 92, 97],
      'comes: the trigger comes every 5 min; last 2 min ago; in the last 24 h no tick 2 times, at most for 40 min',
    ],
  ])('for ticks %j minutes ago is "%s"', (minutes, sentence) => {
    expect(say(ticks(...minutes))).toBe(sentence);
  });

  it('covers one day, and reads no further back', () => {
    const lines = Array.from({ length: 1000 }, (_, index) => tick((2 + index * 5) * minute));
    let read = 0;
    const quality = judge(
      (function* () {
        for (const line of lines) {
          read++;
          yield line;
        }
      })() as unknown as HistoryLine[],
    );
    expect([quality.ticks, read]).toEqual([288, 289]);
  });

  it('distinguishes sleep from missing ticks by the monotonic clock', () => {
    const asleep = [
      tick(2 * minute, { awake: 20 * minute }),
      tick(7 * minute, { awake: 15 * minute }),
      tick(8 * hour, { awake: 14 * minute }),
      tick(8 * hour + 5 * minute, { awake: 9 * minute }),
    ];
    expect(say(asleep)).toContain('; in the last 24 h the machine slept or was off for 7 h 53 min');
    const [gap] = judge(asleep).gaps;
    expect(gap && isSleep(gap)).toBe(true);

    const rebooted = [tick(2 * minute, { awake: minute }), tick(3 * hour, { awake: 90 * day })];
    expect(judge(rebooted).gaps.map(isSleep)).toEqual([true]);
    const awake = [tick(2 * minute, { awake: 180 * minute }), tick(3 * hour, { awake: 2 * minute })];
    expect(judge(awake).gaps).toMatchObject([{ asleepMs: 0 }]);
  });

  it('uses the newest of the pulse, the last tick and the history as sign of life', () => {
    expect(say(ticks(47), { pulse: now - minute })).toBe('comes: the trigger comes; last 1 min ago');
    // A guard starts ticks only when they are needed: a distance between two is no gap.
    expect(judge(ticks(2, 62, 122, 182, 400), { pulse: now - minute }).gaps).toEqual([]);
    expect(say(ticks(2, 7, 12, 17), { pulse: now - 20 * minute })).toContain('last 2 min ago');
    expect(judge(ticks(47), { lastTick: now - minute }).state).toBe('comes');
    expect(judge([], { pulse: now - 20 * minute }).state).toBe('silent');
  });

  it('does not blame the trigger while a long tick runs, or after one', () => {
    expect(judge(ticks(47), { isBusy: true }).state).toBe('comes');
    const long = [tick(2 * minute), tick(7 * minute), tick(60 * minute, { length: 50 * minute }), tick(65 * minute)];
    expect(judge(long).gaps).toEqual([]);
  });

  it('says that the clock was set back', () => {
    expect(say(ticks(-60))).toBe('silent: the last tick is later than now: was the clock set back? `rhythm doctor`');
    expect(judge(ticks(2, -60)).state).toBe('comes');
  });

  it('does not depend on the order in which ticks of several lanes ended', () => {
    const starts = fc.uniqueArray(fc.integer({ min: 1, max: 1400 }), { maxLength: 40 });
    fc.assert(
      fc.property(starts, fc.infiniteStream(fc.integer({ min: 0, max: 30 })), (minutes, lengths) => {
        const lines = minutes.map((ago) => tick(ago * minute, { length: lengths.next().value * minute }));
        const byEnd = lines.toSorted((a, b) => b.at.localeCompare(a.at)).filter(({ at }) => Date.parse(at) <= now);
        const quality = judge(byEnd);
        expect(quality.ticks).toBe(byEnd.length);
        for (const { from, to } of quality.gaps) expect(to - from).toBeGreaterThan(10 * minute);
        const inGaps = byEnd.filter(({ at }) =>
          quality.gaps.some(({ from, to }) => Date.parse(at) > from && Date.parse(at) < to),
        );
        expect(inGaps).toEqual([]);
      }),
    );
  });
});
