import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildGraph, type GroupGraph } from '../../src/config/group-graph.ts';
import { on } from '../builders.ts';

/** `a: b c, b: c` → the graph in which a depends on b and comes after c, and b depends on c. */
function read(text: string): GroupGraph {
  return buildGraph(
    text.split(', ').map((entry) => {
      const [name = '', others = ''] = entry.split(':');
      const [first, ...after] = others.split(' ').filter(Boolean);
      return { name, dependsOn: first === undefined ? [] : [on(first)], after };
    }),
  );
}

function connect(edges: ReadonlyMap<string, readonly string[]>): GroupGraph {
  return buildGraph(
    [...edges].map(([name, others]) => ({ name, dependsOn: others.map((other) => on(other)), after: [] })),
  );
}

describe('the graph of groups', () => {
  it('tells dependencies from pure order', () => {
    const graph = read('a:, b: a, c: b a, d: a a');
    expect(graph.names).toEqual(['a', 'b', 'c', 'd']);
    expect(graph.successors('a')).toEqual(['b', 'c', 'd']);
    expect(graph.dependents('a')).toEqual(['b', 'd']);
    expect([...graph.predecessors('c')].sort()).toEqual(['a', 'b']);
  });

  it('takes any name, and ignores names that no group has', () => {
    const graph = read('constructor: __proto__, __proto__: 1, 1: nowhere, 0: constructor');
    expect(graph.names).toEqual(['constructor', '__proto__', '1', '0']);
    expect(graph.sorted).toEqual(['1', '__proto__', 'constructor', '0']);
    expect(graph.findCycles()).toEqual([]);
  });
});

describe('findCycles', () => {
  it.each<[string, string[]]>([
    ['a:, b: a, c: a b', []],
    ['a: b, b: c, c: a', ['a b c']],
    ['x: a, a: b, b: a', ['a b']],
    ['c: b, b: a, a: b', ['b a']],
    ['a: b, b: a, c: d, d: c', ['a b', 'c d']],
    ['a: b c, b: a, c: a', ['a b', 'a c']],
    ['a: b, b: c d, c: a, d: b', ['a b c', 'b d']],
    ['a: b, b: c a, c: a', ['a b']],
    ['constructor: __proto__, __proto__: constructor', ['constructor __proto__']],
    ['a: nowhere', []],
  ])('in %j finds %j', (text, cycles) => {
    expect(
      read(text)
        .findCycles()
        .map((cycle) => cycle.join(' ')),
    ).toEqual(cycles);
  });

  it('finds a cycle of 10,000 groups, whole and within seconds', { timeout: 20_000 }, () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `n${index}`);
    const row = new Map(names.map((name, index) => [name, index === 0 ? [] : [`n${index - 1}`]]));
    expect(connect(row).findCycles()).toEqual([]);
    row.set('n0', ['n9999']);
    const started = performance.now();
    const [cycle, ...others] = connect(row).findCycles();
    expect(cycle).toHaveLength(10_000);
    expect(cycle?.slice(0, 2)).toEqual(['n0', 'n9999']);
    expect(others).toEqual([]);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('finds at most a hundred cycles', () => {
    const names = Array.from({ length: 60 }, (_, index) => `n${index}`);
    expect(connect(new Map(names.map((name) => [name, names]))).findCycles()).toHaveLength(100);
  });

  it('finds real cycles that share no edge, and leaves no other behind', () => {
    const pair = fc.tuple(fc.nat(7), fc.nat(7)).filter(([from, to]) => from !== to);
    const graph = fc.uniqueArray(pair, { selector: ([from, to]) => from * 8 + to, maxLength: 30 });
    fc.assert(
      fc.property(graph, (pairs) => {
        const edges = new Map(Array.from({ length: 8 }, (_, node) => [`${node}`, [] as string[]]));
        for (const [from, to] of pairs) edges.get(`${from}`)?.push(`${to}`);
        for (const cycle of connect(edges).findCycles()) {
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
