import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chaos } from './chaos.ts';
import { script } from './work.ts';
import { makeWorld, type Setup, type World } from './world.ts';

/** Groups of every kind: chained, failing, retried, in lanes of their own, each beat run or only the latest. */
export const busyConfig: Setup = {
  timezone: 'UTC',
  killAfter: '1s',
  redact: ['CHAOS_SECRET'],
  groups: {
    first: {
      every: '10m',
      scripts: [script('one', 'main', 0.01), script('two', 'main', 0.05), script('three', 'main', 0.01)],
    },
    second: {
      every: '10m',
      dependsOn: ['first'],
      scripts: [script('flaky', 'main', 0.02, 'flaky', { retries: 1, retryDelay: '0s' })],
    },
    each: { every: '5m', lane: 'side', catchUp: 'every', scripts: [script('only', 'side', 0.03)] },
    failing: {
      every: '30m',
      lane: 'side',
      after: ['each'],
      retryAfter: ['5m'],
      onScriptFailure: 'stop',
      scripts: [script('good', 'side', 0.02), script('bad', 'side', 0.02, 'fails'), script('never', 'side', 0)],
    },
  },
};

export const noon = Date.parse('2026-11-22T12:00:30Z');
export const minute = 60_000;
/** A tick of the busy configuration takes about so long, ms; kills fall within it and a little beyond. */
const usualLength = 900;

/**
 * Kills ticks at random instants, alone or together with their scripts, sometimes several in a row, and lets the next
 * ones recover.
 */
export async function killAtRandom(chaos: Chaos, kills: number): Promise<void> {
  chaos.enter('random kills');
  // All that has been recorded is compared after each recovery, so a world that grows old makes it slow.
  for (let left = kills; left > 0; left -= killsEach) await killIn(chaos, Math.min(left, killsEach));
}

const killsEach = 50;

async function killIn(chaos: Chaos, kills: number): Promise<void> {
  const world = makeWorld(chaos, busyConfig);
  const { random } = chaos;
  let at = noon;
  let length = usualLength;
  for (let done = 0; done < kills; ) {
    for (let row = random.pick([1, 1, 1, 2, 2, 3]); row > 0 && done < kills; row--) {
      const delay = random.int(0, length);
      const how = random.pick(['tick', 'tick', 'tick, then scripts', 'scripts, then tick'] as const);
      world.step = `kill ${done + 1}: ${how}, after ${delay} ms, at ${new Date(at).toISOString()}`;
      const { code } = await world.tick({
        at,
        meanwhile: (child, ended) => killAfter(delay, how, child, ended, world),
      });
      chaos.count(code === null ? `kills of the ${how}` : 'ticks that were quicker than their kill');
      // A tick that was quicker is no kill.
      if (code === null) done++;
      if (code !== null) length = Math.max(300, length - 50);
      else length = Math.min(usualLength, length + 25);
      at += random.pick([15_000, 15_000, 5 * minute]);
    }
    at = (await world.recover(at)) ?? at;
    world.verify(at);
    at += random.pick([5, 10, 10, 40]) * minute;
  }
  world.close();
}

async function killAfter(
  delay: number,
  how: 'tick' | 'tick, then scripts' | 'scripts, then tick',
  child: ChildProcess,
  ended: AbortSignal,
  world: World,
): Promise<void> {
  await sleep(delay, undefined, { signal: ended }).catch(() => undefined);
  if (how === 'scripts, then tick') await world.killScripts();
  child.kill('SIGKILL');
  if (how === 'tick, then scripts') await world.killScripts();
}
