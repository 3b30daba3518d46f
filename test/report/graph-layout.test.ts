import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Box, type Layout, layOut } from '../../src/report/graph-layout.ts';

const size = fc.record({ width: fc.integer({ min: 40, max: 300 }), height: fc.integer({ min: 30, max: 120 }) });
/** Sizes, and edges that lead from lower to higher places only. */
const graph = fc.array(size, { minLength: 2, maxLength: 30 }).chain((sizes) => {
  const place = fc.nat(sizes.length - 1);
  const edge = fc.tuple(place, place).filter(([one, other]) => one !== other);
  return fc.tuple(
    fc.constant(sizes),
    fc
      .uniqueArray(edge, {
        maxLength: 60,
        selector: ([one, other]) => `${Math.min(one, other)} ${Math.max(one, other)}`,
      })
      .map((edges) => edges.map(([one, other]): [number, number] => [Math.min(one, other), Math.max(one, other)])),
  );
});

function touch(one: Box, other: Box): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

/** The straight parts of the routes, in which they pass a layer, as boxes without breadth. */
function passages({ routes }: Layout): Box[] {
  return routes.flatMap((route) =>
    route.flatMap(([x, y], index) => {
      const next = route[index + 1];
      if (index % 2 === 0 || next === undefined) return [];
      return [{ x, y, width: next[0] - x, height: next[1] - y }];
    }),
  );
}

describe('a graph layout', () => {
  it('has no touching boxes and no edge through a box, and fits its bounds', () => {
    fc.assert(
      fc.property(graph, ([sizes, edges]) => {
        const layout = layOut(sizes, edges);
        const { boxes } = layout;
        const lines = passages(layout);
        const wrong = boxes.filter(
          (box, index) =>
            box.width < (sizes[index]?.width ?? 0) ||
            box.height < (sizes[index]?.height ?? 0) ||
            box.x < 0 ||
            box.y < 0 ||
            box.x + box.width > layout.width ||
            box.y + box.height > layout.height ||
            boxes.some((other, place) => place > index && touch(box, other)) ||
            lines.some((line) => touch(box, line)),
        );
        expect(wrong).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('has edges that leave one box, enter the other and never turn back', () => {
    fc.assert(
      fc.property(graph, ([sizes, edges]) => {
        const { boxes, routes, direction } = layOut(sizes, edges);
        for (const [index, [from, to]] of edges.entries()) {
          const route = routes[index] ?? [];
          const [start, end] = [boxes[from] as Box, boxes[to] as Box];
          const middle = (box: Box) => [box.x + box.width / 2, box.y + box.height / 2] as const;
          const expected =
            direction === 'right'
              ? [
                  [start.x + start.width, middle(start)[1]],
                  [end.x, middle(end)[1]],
                ]
              : [
                  [middle(start)[0], start.y + start.height],
                  [middle(end)[0], end.y],
                ];
          expect([route[0], route.at(-1)]).toEqual(expected);
          const along = route.map(([x, y]) => (direction === 'right' ? x : y));
          expect(along).toEqual(along.toSorted((one, other) => one - other));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('is deterministic', () => {
    fc.assert(
      fc.property(graph, ([sizes, edges]) => {
        expect(layOut(sizes, edges)).toEqual(layOut(sizes, edges));
      }),
    );
  });

  it('avoids needless crossings', () => {
    const sizes = Array.from({ length: 6 }, () => ({ width: 100, height: 40 }));
    const { boxes, direction } = layOut(sizes, [
      [0, 5],
      [1, 4],
      [2, 3],
      [0, 4],
      [1, 3],
    ]);
    const across = (index: number) => (direction === 'right' ? boxes[index]?.y : boxes[index]?.x) ?? 0;
    expect(Math.sign(across(0) - across(1))).toBe(Math.sign(across(5) - across(4)));
    expect(Math.sign(across(1) - across(2))).toBe(Math.sign(across(4) - across(3)));
  });

  it.each([
    ['a chain', 3_000, (index: number): [number, number][] => (index > 0 ? [[index - 1, index]] : [])],
    ['a star', 3_000, (index: number): [number, number][] => (index > 0 ? [[0, index]] : [])],
    ['unconnected boxes', 3_000, (): [number, number][] => []],
    [
      'a chain in which all depend on the first as well',
      1_000,
      (index: number): [number, number][] =>
        index > 1
          ? [
              [index - 1, index],
              [0, index],
            ]
          : [],
    ],
  ])('handles %s', (_, count, edgesOf) => {
    const sizes = Array.from({ length: count }, () => ({ width: 100, height: 40 }));
    const edges = sizes.flatMap((_, index) => edgesOf(index));
    const start = performance.now();
    expect(layOut(sizes, edges).boxes).toHaveLength(count);
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});
