import { afterEach, describe, expect, it } from 'vitest';
import { breakCalls } from './calls.ts';
import { type Chaos, chooseSeed, describeViolation, makeChaos } from './chaos.ts';
import { night, passDays } from './days.ts';
import { canMount, fillDisks } from './disk.ts';
import { flood } from './floods.ts';
import { killAtRandom } from './kills.ts';
import { faketime, hasProgram } from './launch.ts';
import { stopAtRandom } from './signals.ts';

/** The short form of `npm run chaos`, with choices of its own each time; SEED repeats those of an earlier run. */
const isLinux = process.platform === 'linux' && hasProgram('flock');
const canMoveClocks = isLinux && faketime !== null;
let chaos: Chaos = makeChaos(chooseSeed(process.env));

afterEach(() => {
  chaos = makeChaos(chooseSeed(process.env));
});

function expectNone(): void {
  expect(chaos.violations.map(describeViolation), `SEED=${chaos.seed}`).toEqual([]);
}

describe('nothing is lost and nothing runs twice', { timeout: 120_000 }, () => {
  it.skipIf(!canMoveClocks)('when ticks and scripts are killed at random instants', async () => {
    await killAtRandom(chaos, 6);
    expectNone();
  });

  it.skipIf(!canMoveClocks || !hasProgram('strace'))(
    'when a tick dies at a call that writes, or the call fails',
    async () => {
      await breakCalls(chaos, { situations: 3, kills: 6, failures: 3 });
      expectNone();
    },
  );

  it.skipIf(!isLinux)('when many ticks start at once', async () => {
    await flood(chaos, 1, 40);
    expectNone();
  });

  it.skipIf(!canMoveClocks)('over stormy hours with clocks that are set', async () => {
    await passDays(chaos, night);
    expectNone();
  });

  it.skipIf(!canMoveClocks || !canMount())('on disks that are full', async () => {
    await fillDisks(chaos, 30);
    expectNone();
  });

  it.skipIf(!canMoveClocks)('when ticks are told to stop at random instants', async () => {
    await stopAtRandom(chaos, 4);
    expectNone();
  });
});
