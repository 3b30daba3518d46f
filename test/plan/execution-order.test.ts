import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Group } from '../../src/config/config.ts';
import { buildGraph } from '../../src/config/group-graph.ts';
import { planTick } from '../../src/plan/decide.ts';
import { countTransitiveDependents } from '../../src/plan/execution-order.ts';
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

  it('covers 10,000 groups in a chain, and 10,000 that are ready at once', { timeout: 20_000 }, () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `g${index}`);
    const row = names.map((name, index) => makeGroup(name, { dependsOn: index === 0 ? [] : [on(`g${index - 1}`)] }));
    expect(order(...row.reverse())).toBe(names.join(' '));
    expect(order(...names.map((name) => makeGroup(name)))).toBe(names.join(' '));
  });
});

/** The order by the words of the rule: each time the best of those that wait for nothing that has yet to run. */
function orderByRule(groups: readonly Group[]): string[] {
  const runs = new Set(groups.filter(({ name }) => name.startsWith('g')));
  const earlier = new Map(groups.map((group) => [group, groups.filter(({ name }) => comesAfter(group, name))]));
  const waitsFor = (group: Group): Group[] =>
    (earlier.get(group) ?? []).flatMap((other) => (runs.has(other) ? [other] : waitsFor(other)));
  const ranks = ['critical', 'high', 'normal', 'low'];
  const rankOf = (group: Group): [number, number, number] => {
    const index = groups.indexOf(group);
    return [ranks.indexOf(group.priority), -walkDependents(groups, group.name), index];
  };
  const done: Group[] = [];
  while (done.length < runs.size) {
    const free = [...runs].filter(
      (group) => !done.includes(group) && waitsFor(group).every((other) => done.includes(other)),
    );
    free.sort((one, other) => {
      const [a, b] = [rankOf(one), rankOf(other)];
      return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
    });
    done.push(free[0] as Group);
  }
  return done.map(({ name }) => name);
}

function comesAfter({ dependsOn, after }: Group, name: string): boolean {
  return after.includes(name) || dependsOn.some(({ group }) => group === name);
}

describe('the order of any tick', () => {
  const some = fc.record({
    isIdle: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    priority: fc.constantFrom(
      'normal' as const,
      'normal' as const,
      'high' as const,
      'critical' as const,
      'low' as const,
    ),
    needs: fc.uniqueArray(fc.nat({ max: 11 }), { maxLength: 3 }),
    follows: fc.array(fc.nat({ max: 11 }), { maxLength: 2 }),
    place: fc.nat(),
  });

  it('follows the rule of priority, transitive dependents and configuration order', () => {
    fc.assert(
      fc.property(fc.array(some, { maxLength: 12 }), (parts) => {
        const names = parts.map(({ isIdle }, index) => `${isIdle ? 'idle' : 'g'}${index}`);
        const earlier = (places: number[], index: number) =>
          places.filter((place) => place < index).map((place) => names[place] as string);
        const groups = parts.map(({ priority, needs, follows, place }, index) => {
          const links = { dependsOn: earlier(needs, index).map((name) => on(name)), after: earlier(follows, index) };
          return { place, group: makeGroup(names[index] as string, { priority, ...links }) };
        });
        // Not in the order in which they depend on one another.
        const listed = groups.sort((one, other) => one.place - other.place).map(({ group }) => group);
        const entries = Object.fromEntries(
          names.filter((name) => name.startsWith('idle')).map((name) => [name, ran(at)]),
        );
        const { decisions } = planTick(makeConfig(listed), makeState(entries), at);
        const order = decisions.filter(({ decision }) => decision === 'run').map(({ group }) => group);
        expect(order).toEqual(orderByRule(listed));
      }),
      { numRuns: 500 },
    );
  });
});

/** By walking from a group to all that depend on it. */
function walkDependents(groups: readonly Group[], name: string): number {
  const { dependents } = buildGraph(groups);
  const seen = new Set<string>();
  const stack = [name];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    for (const dependent of dependents(next)) {
      if (seen.has(dependent)) continue;
      seen.add(dependent);
      stack.push(dependent);
    }
  }
  return seen.size;
}

describe('the number of transitive dependents', () => {
  // `reach` says from how far before a group its dependencies come.
  const shapes = fc.record({
    size: fc.integer({ min: 1, max: 200 }),
    most: fc.integer({ min: 0, max: 6 }),
    reach: fc.constantFrom(2, 40, 5_000),
    seed: fc.infiniteStream(fc.nat({ max: 1e9 })),
    isReversed: fc.boolean(),
  });

  it('equals the count of a walk to each of them', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(shapes, ({ size, most, reach, seed, isReversed }) => {
        const groups = Array.from({ length: size }, (_, index) => {
          const before = new Set<string>();
          for (let edge = 0; edge < Math.min(most, index); edge++) {
            before.add(`g${index - 1 - ((seed.next().value as number) % Math.min(index, reach))}`);
          }
          return makeGroup(`g${index}`, { dependsOn: [...before].map((name) => on(name)) });
        });
        if (isReversed) groups.reverse();
        const counts = countTransitiveDependents(buildGraph(groups));
        for (const { name } of groups) expect([name, counts.get(name)]).toEqual([name, walkDependents(groups, name)]);
      }),
      { numRuns: 30 },
    );
  });

  it('is right for a chain of 10,000 groups', { timeout: 20_000 }, () => {
    const groups = Array.from({ length: 10_000 }, (_, index) =>
      makeGroup(`g${index}`, { dependsOn: index === 0 ? [] : [on(`g${index - 1}`)] }),
    );
    const counts = countTransitiveDependents(buildGraph(groups));
    expect(['g0', 'g5000', 'g9999'].map((name) => counts.get(name))).toEqual([9_999, 4_999, 0]);
  });
});
