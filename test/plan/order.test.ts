import { describe, expect, it } from 'vitest';
import type { Group } from '../../src/config/config.ts';
import { planTick } from '../../src/plan/decide.ts';
import { buildGraph, topologicalOrder } from '../../src/plan/graph.ts';
import { at, makeConfig, makeGroup, makeState, on, ran } from '../builders.ts';

function order(...groups: Group[]): string {
  const idle = groups.filter(({ name }) => name.startsWith('idle'));
  const entries = Object.fromEntries(idle.map(({ name }) => [name, ran(at)]));
  const plan = planTick(makeConfig(groups), makeState(entries), at);
  return plan.decisions.map(({ group }) => group).join(' ');
}

describe('the order of a tick', () => {
  it.each<[string, Group[], string]>([
    ['the configuration decides where nothing else does', [makeGroup('b'), makeGroup('a')], 'b a'],
    ['dependencies first', [makeGroup('b', { dependsOn: [on('a')] }), makeGroup('a')], 'a b'],
    ['after orders as well', [makeGroup('b', { after: ['a'] }), makeGroup('a')], 'a b'],
    [
      'higher priorities first',
      [
        makeGroup('l', { priority: 'low' }),
        makeGroup('n'),
        makeGroup('h', { priority: 'high' }),
        makeGroup('c', { priority: 'critical' }),
      ],
      'c h n l',
    ],
    [
      'a priority counts once the group is free to go',
      [
        makeGroup('a', { priority: 'low' }),
        makeGroup('b', { priority: 'critical', dependsOn: [on('a')] }),
        makeGroup('c'),
      ],
      'c a b',
    ],
    [
      'then who unblocks more, through others too',
      [
        makeGroup('lone'),
        makeGroup('root'),
        makeGroup('mid', { dependsOn: [on('root')] }),
        makeGroup('leaf', { dependsOn: [on('mid')] }),
      ],
      'root mid lone leaf',
    ],
    ['after unblocks nothing', [makeGroup('a'), makeGroup('b'), makeGroup('c', { after: ['b'] })], 'a b c'],
    [
      'a group that does not run passes its order on',
      [
        makeGroup('z', { priority: 'critical', after: ['idle'] }),
        makeGroup('idle', { after: ['a'] }),
        makeGroup('a'),
        makeGroup('b'),
      ],
      'a z b idle',
    ],
    [
      'those that do not run come last, in configuration order',
      [makeGroup('idle2'), makeGroup('a'), makeGroup('idle1', { dependsOn: [on('a')] })],
      'a idle2 idle1',
    ],
  ])('%s', (_, groups, expected) => {
    expect(order(...groups)).toBe(expected);
  });

  it('is found for chains far longer than the stack is deep', () => {
    const groups = Array.from({ length: 20_000 }, (_, index) =>
      makeGroup(`g${index}`, index === 0 ? {} : { dependsOn: [on(`g${index - 1}`)] }),
    ).reverse();
    const graph = buildGraph({ groups });
    expect(
      topologicalOrder(graph)
        .map((index) => graph.groups[index]?.name)
        .slice(0, 3),
    ).toEqual(['g0', 'g1', 'g2']);
  });
});
