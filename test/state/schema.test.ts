import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isoOf } from '../../src/state/schema.ts';

const largest = 8.64e15;
const edges = [
  ...[0, -1, 1, 999, 59_999, 86_399_999, -62_167_219_200_001, -62_167_219_200_000, -30_610_224_000_001],
  ...[
    -30_610_224_000_000,
    951_782_399_999,
    951_782_400_000,
    253_402_300_799_999,
    253_402_300_800_000,
    largest,
    -largest,
  ],
];

it('words every instant as the language does', () => {
  fc.assert(
    fc.property(fc.integer({ min: -largest, max: largest }), (instant) => {
      expect(isoOf(instant)).toBe(new Date(instant).toISOString());
    }),
    { examples: edges.map((instant): [number] => [instant]), numRuns: 1000 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5e12 }), (instant) => {
      expect(isoOf(instant)).toBe(new Date(instant).toISOString());
    }),
    { numRuns: 1000 },
  );
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, largest + 1])('%s is no instant', (instant) => {
  expect(() => isoOf(instant)).toThrow(RangeError);
});
