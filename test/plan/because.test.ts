import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatInstant } from '../../src/plan/because.ts';

describe('an instant in words', () => {
  it('is what the wall clock of any zone shows', () => {
    const timezone = fc.constantFrom(...Intl.supportedValuesOf('timeZone'), 'UTC');
    const instant = fc.integer({ min: Date.parse('1970-01-01'), max: Date.parse('2200-01-01') });
    fc.assert(
      fc.property(timezone, instant, (name, at) => {
        const format = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: name });
        expect(formatInstant(at, null, name)).toBe(format.format(at).replace(/:00$/, ''));
      }),
      { numRuns: 500 },
    );
  });

  it('has seconds only where there are some, and the date only on another day', () => {
    const noon = Date.parse('2026-11-22T11:00:00Z');
    const midnight = Date.parse('2026-11-22T23:00:00Z');
    expect(formatInstant(noon, noon, 'Europe/Berlin')).toBe('12:00');
    expect(formatInstant(noon + 1_999, noon, 'Europe/Berlin')).toBe('12:00:01');
    expect(formatInstant(midnight - 1, noon, 'Europe/Berlin')).toBe('23:59:59');
    expect(formatInstant(midnight, noon, 'Europe/Berlin')).toBe('2026-11-23 00:00');
  });
});
