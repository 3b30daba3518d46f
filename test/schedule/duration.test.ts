import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../src/schedule/duration.ts';

describe('parseDuration', () => {
  it.each([
    ['0s', 0],
    ['1s', 1_000],
    ['90s', 90_000],
    ['10m', 600_000],
    ['1h30m', 5_400_000],
    ['1h90m', 9_000_000],
    ['0h5m', 300_000],
    ['36h', 129_600_000],
    ['14d', 1_209_600_000],
    ['1w2d3h4m5s', 788_645_000],
    ['9007199254740s', 9_007_199_254_740_000],
  ])('%s is %i ms', (text, length) => expect(parseDuration(text)).toBe(length));

  it.each([
    ['', 'empty'],
    ['10', 'no unit'],
    ['m', 'no number'],
    ['1.5h', 'not whole'],
    ['-5m', 'negative'],
    ['5M', 'no such unit'],
    ['500ms', 'no such unit'],
    ['1y', 'no such unit'],
    ['30m1h', 'the longest comes first'],
    ['5m5m', 'a unit twice'],
    ['10 m', 'a blank'],
    [' 10m', 'a blank'],
    ['10m\n', 'a line break'],
    ['0m', 'zero is 0s'],
    ['0h0s', 'zero is 0s'],
    ['00s', 'zero is 0s'],
    ['9007199254741s', 'no safe integer'],
    ['99999999999999999999w', 'no safe integer'],
    [`${'9'.repeat(400)}s`, 'infinite'],
  ])('%j is none (%s)', (text) => expect(parseDuration(text)).toBeNull());
});

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [0.4, '0s'],
    [1, '1ms'],
    [850, '850ms'],
    [999.7, '1s'],
    [1_000, '1s'],
    [1_040, '1s'],
    [2_345, '2.3s'],
    [59_900, '59.9s'],
    [59_960, '1m'],
    [60_000, '1m'],
    [61_499, '1m1s'],
    [5_400_000, '1h30m'],
    [86_400_000, '1d'],
    [129_600_000, '1d12h'],
    [604_800_000, '1w'],
    [1_209_600_000, '2w'],
    [7_776_000_000, '90d'],
    [605_400_000, '7d10m'],
    [-300_000, '-5m'],
  ])('%d ms is %s', (length, text) => expect(formatDuration(length)).toBe(text));

  it('is read back to the same number, for whole seconds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_007_199_254_740 }), (seconds) => {
        expect(parseDuration(formatDuration(seconds * 1_000))).toBe(seconds * 1_000);
      }),
    );
  });
});
