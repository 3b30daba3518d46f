import type { Chaos } from './chaos.ts';
import { script } from './work.ts';
import { makeWorld, type Setup } from './world.ts';

/** A beat so long ago that the next one does not come while the test runs. */
const every = '520w';
const config: Setup = {
  groups: {
    first: { every, scripts: [script('one', 'main', 0.2), script('two', 'main', 0.2)] },
    second: { every, dependsOn: ['first'], scripts: [script('only', 'main', 0.1)] },
    aside: { every, lane: 'side', scripts: [script('only', 'side', 0.3)] },
  },
};

/** Starts many ticks at once: each due group runs exactly once, and whoever has nothing to do says so and leaves. */
export async function flood(chaos: Chaos, floods: number, ticks: number): Promise<void> {
  chaos.enter('floods');
  for (let number = 1; number <= floods; number++) {
    const world = makeWorld(chaos, config);
    world.step = `flood ${number} of ${ticks} ticks`;
    const ends = await Promise.all(Array.from({ length: ticks }, () => world.tick({ isInCrowd: true })));
    chaos.count('ticks at once', ticks);
    for (const { code, signal, stderr } of ends) {
      if (code !== 0) world.violate(`a tick ended with ${code ?? signal}: ${stderr}`);
      else if (stderr !== '') world.violate(`a tick complained: ${stderr}`);
    }
    const starts = world.ledger().filter(({ kind }) => kind === 'start');
    const names = starts.map(({ group, script: name }) => `${group}/${name}`).sort();
    const wanted = ['aside/only', 'first/one', 'first/two', 'second/only'];
    // Who finds the other lane taken does not wait for the dependencies there: then the next tick runs it.
    if (`${names}` !== `${wanted}`) world.violate(`these scripts ran: ${names.join(', ')}`);
    const ran = ends.filter(({ plan }) => plan?.groups.some(({ decision }) => decision === 'run'));
    const idle = ends.filter((end) => !ran.includes(end));
    chaos.count('ticks that ran something', ran.length);
    chaos.count('ticks that had nothing to do', idle.length);
    await world.recover();
    world.verify();
    world.close();
  }
}
