import { describe, expect, it } from 'vitest';
import { hasFaketime } from '../../rig.ts';
import { injected, minute } from './instruments.ts';
import { judgeWeek } from './verdicts.ts';
import { passWeek } from './week.ts';

/** The short form: six days and more are written down at once, the hours around the outage pass tick by tick. */
describe.skipIf(!hasFaketime)('a simulated week', () => {
  it('is reported with all injected problems and no others', { timeout: 240_000 }, async () => {
    const realFrom = injected.outage.from - 5 * minute;
    const week = await passWeek({ seed: 7, realFrom, isLeakReal: false, spikeMs: 0 });
    try {
      expect(judgeWeek(week)).toEqual({ missing: [], surplus: [] });
    } finally {
      week.close();
    }
  });
});
