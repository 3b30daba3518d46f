import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chaos } from './chaos.ts';
import { minute, noon } from './kills.ts';
import { script } from './work.ts';
import { makeWorld, type Setup } from './world.ts';

const config: Setup = {
  timezone: 'UTC',
  killAfter: '1s',
  groups: {
    first: { every: '10m', scripts: [script('one', 'main', 0.3, 'stubborn'), script('two', 'main', 0.1)] },
    second: { every: '10m', dependsOn: ['first'], scripts: [script('only', 'main', 0.1)] },
    aside: { every: '10m', lane: 'side', scripts: [script('only', 'side', 0.4, 'stubborn')] },
  },
};
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** A tick takes about so long, ms. */
const usualLength = 1_300;

/**
 * Tells ticks to stop at random instants, while scripts run that ignore signals and have children in sessions of their
 * own: nothing of them survives, the exit code says which signal it was, and the next tick goes on.
 */
export async function stopAtRandom(chaos: Chaos, stops: number): Promise<void> {
  chaos.enter('signals');
  const { random } = chaos;
  const world = makeWorld(chaos, config);
  let at = noon;
  for (let number = 1; number <= stops; number++) {
    const name = random.pick(signals);
    const delay = random.int(0, usualLength);
    world.step = `stop ${number}: ${name} after ${delay} ms, at ${new Date(at).toISOString()}`;
    const { code, signal, stderr } = await world.tick({
      at,
      meanwhile: async (child, ended) => {
        await sleep(delay, undefined, { signal: ended }).catch(() => undefined);
        if (ended.aborted) return;
        world.note('signal');
        child.kill(name);
      },
    });
    world.note('over');
    const survivors = world.scripts();
    if (survivors.length > 0) world.violate(`these survived: ${survivors.join(', ')}`);
    // Before it listens, and after it has done everything, a tick is ended by the signal itself.
    if (code === 128 + constants.signals[name]) chaos.count(`ticks that ended with ${code}`);
    else if (signal === name || code === 0) chaos.count('ticks that had not begun, or had ended');
    else world.violate(`it ended with ${code ?? signal}: ${stderr}`);
    const leases = Object.keys(world.state()?.leases ?? {});
    if (leases.length > 0) world.violate(`leases are left: ${leases.join(', ')}`);
    at = (await world.recover(at + 15_000)) ?? at;
    world.verify(at);
    at += 10 * minute;
  }
  world.close();
}
