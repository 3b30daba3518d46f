import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCycles } from '../../src/config/cycle.ts';

/** `a: b c, b: c` → the graph in which a waits for b and c, and b for c. */
function read(text: string): Map<string, string[]> {
  return new Map(
    text.split(', ').map((entry) => {
      const [node = '', targets = ''] = entry.split(':');
      return [node, targets.split(' ').filter(Boolean)];
    }),
  );
}

describe('findCycles', () => {
  it.each<[string, string[]]>([
    ['a:, b: a, c: a b', []],
    ['a: b, b: c, c: a', ['a b c']],
    ['a: a', ['a']],
    ['x: a, a: b, b: a', ['a b']],
    ['a: b, b: a, c: d, d: c', ['a b', 'c d']],
    ['a: b c, b: a, c: a', ['a b', 'a c']],
    ['a: b, b: c d, c: a, d: b', ['a b c', 'b d']],
    ['a: b, b: c a, c: a', ['a b']],
    ['constructor: __proto__, __proto__: constructor', ['constructor __proto__']],
    ['a: nowhere', []],
  ])('%s', (text, cycles) => {
    expect(findCycles(read(text)).map((cycle) => cycle.join(' '))).toEqual(cycles);
  });

  it('walks chains that no call stack could hold, and quickly', () => {
    const nodes = Array.from({ length: 20_000 }, (_, index) => `n${index}`);
    const chain = new Map(nodes.map((node, index) => [node, index === 0 ? [] : [`n${index - 1}`]]));
    expect(findCycles(chain)).toEqual([]);
    chain.set('n0', ['n19999']);
    const started = performance.now();
    const [cycle, ...others] = findCycles(chain);
    expect(cycle).toHaveLength(20_000);
    expect(cycle?.slice(0, 2)).toEqual(['n0', 'n19999']);
    expect(others).toEqual([]);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('stops at a hundred in a tangle', () => {
    const nodes = Array.from({ length: 60 }, (_, index) => `n${index}`);
    expect(findCycles(new Map(nodes.map((node) => [node, nodes])))).toHaveLength(100);
  });

  it('returns real cycles that share no edge, and leaves none behind', () => {
    const graph = fc.uniqueArray(fc.tuple(fc.nat(7), fc.nat(7)), {
      selector: ([from, to]) => from * 8 + to,
      maxLength: 30,
    });
    fc.assert(
      fc.property(graph, (pairs) => {
        const edges = new Map(Array.from({ length: 8 }, (_, node) => [`${node}`, [] as string[]]));
        for (const [from, to] of pairs) edges.get(`${from}`)?.push(`${to}`);
        for (const cycle of findCycles(edges)) {
          cycle.forEach((node, index) => {
            const target = cycle[(index + 1) % cycle.length] as string;
            const targets = edges.get(node) ?? [];
            expect(targets).toContain(target);
            edges.set(
              node,
              targets.filter((other) => other !== target),
            );
          });
        }
        // What is left can be taken apart by removing, again and again, the nodes that wait for nothing.
        for (let left = edges.size + 1; left > edges.size; ) {
          left = edges.size;
          for (const [node, targets] of edges) if (!targets.some((target) => edges.has(target))) edges.delete(node);
        }
        expect([...edges.keys()]).toEqual([]);
      }),
    );
  });
});
