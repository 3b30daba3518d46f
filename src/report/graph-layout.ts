/**
 * Where the boxes of a graph go. In layers, each box after all that lead to it (longest paths); within a layer in an
 * order with few crossings (barycenters, swept to and fro: Sugiyama, Tagawa and Toda, "Methods for Visual Understanding
 * of Hierarchical System Structures", 1981). Written in one direction, along which the layers follow each other;
 * `down` has it turned.
 */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Box extends Size {
  readonly x: number;
  readonly y: number;
}

export type Point = readonly [x: number, y: number];

export interface Layout extends Size {
  readonly direction: 'right' | 'down';
  /** In the order of the sizes that were given; no two touch. */
  readonly boxes: readonly Box[];
  /**
   * For each edge, in order: from the box it leaves to the one it enters. Points alternate: between the first and the
   * second the edge crosses a gap between layers, between the second and the third it runs straight through a layer.
   */
  readonly routes: readonly (readonly Point[])[];
}

/** Between layers, between neighbours in a layer, and between parts that nothing connects. */
const layerGap = 64;
const boxGap = 22;
const wireGap = 14;
const partGap = 36;
const sweeps = 12;
/** Long edges get a place in each layer that they pass, up to so many places; further ones go straight. */
const mostPoints = 20_000;

/** The edges lead from place to place in `sizes`; they have no cycle. */
export function layOut(sizes: readonly Size[], edges: readonly (readonly [number, number])[]): Layout {
  const right = arrange(sizes, edges, 'right');
  const down = arrange(sizes, edges, 'down');
  // A page is wider than high, and is scrolled down rather than to the right.
  const demand = ({ width, height }: Size): number => Math.max(width / 1_400, height / 1_600);
  return demand(down) < demand(right) * 0.8 ? down : right;
}

interface Part {
  readonly members: readonly number[];
  readonly edges: readonly number[];
}

/** Lays out each connected part by itself and puts the parts into rows. */
function arrange(
  sizes: readonly Size[],
  edges: readonly (readonly [number, number])[],
  direction: Layout['direction'],
): Layout {
  const parts = partsOf(sizes.length, edges);
  // What stands alone looks tidy where all of it is of one size.
  const alone = parts.filter(({ members }) => members.length === 1).map(({ members }) => sizes[members[0] as number]);
  const single = {
    width: Math.max(0, ...alone.map((size) => size?.width ?? 0)),
    height: Math.max(0, ...alone.map((size) => size?.height ?? 0)),
  };
  const drawn = parts.map(({ members, edges: inside }) => {
    const place = new Map(members.map((member, index) => [member, index]));
    const ends = inside.map((edge): [number, number] => {
      const [from, to] = edges[edge] ?? [0, 0];
      return [place.get(from) ?? 0, place.get(to) ?? 0];
    });
    const own = members.length === 1 ? [single] : members.map((member) => sizes[member] as Size);
    return direction === 'right' ? drawPart(own, ends) : turn(drawPart(own.map(turned), ends));
  });

  const area = drawn.reduce((sum, { width, height }) => sum + (width + partGap) * (height + partGap), 0);
  const limit = Math.max(Math.sqrt(area * 1.6), ...drawn.map(({ width }) => width));
  const boxes: Box[] = [];
  const routes: (readonly Point[])[] = [];
  let [x, y, rowHeight, width] = [0, 0, 0, 0];
  for (const [index, part] of drawn.entries()) {
    // Beside a much higher part there would be a void below.
    if (x > 0 && (x + part.width > limit || part.height * 3 < rowHeight)) {
      y += rowHeight + partGap;
      [x, rowHeight] = [0, 0];
    }
    const { members, edges: inside } = parts[index] as Part;
    for (const [place, box] of part.boxes.entries())
      boxes[members[place] as number] = { ...box, x: box.x + x, y: box.y + y };
    for (const [place, route] of part.routes.entries()) {
      routes[inside[place] as number] = route.map(([left, top]): Point => [left + x, top + y]);
    }
    width = Math.max(width, x + part.width);
    rowHeight = Math.max(rowHeight, part.height);
    x += part.width + partGap;
  }
  return { direction, boxes, routes, width, height: y + rowHeight };
}

/** The connected parts: those with edges first, each in the order of its first box. */
function partsOf(count: number, edges: readonly (readonly [number, number])[]): Part[] {
  const leader = Array.from({ length: count }, (_, index) => index);
  const find = (index: number): number => {
    let at = index;
    while (leader[at] !== at) {
      leader[at] = leader[leader[at] as number] as number;
      at = leader[at] as number;
    }
    return at;
  };
  for (const [from, to] of edges) {
    const [one, other] = [find(from), find(to)];
    leader[Math.max(one, other)] = Math.min(one, other);
  }
  const parts = new Map<number, { members: number[]; edges: number[] }>();
  const partOf = (index: number) => {
    const part = parts.get(find(index)) ?? { members: [], edges: [] };
    parts.set(find(index), part);
    return part;
  };
  for (let index = 0; index < count; index++) partOf(index).members.push(index);
  for (const [index, [from]] of edges.entries()) partOf(from).edges.push(index);
  const all = [...parts.values()];
  return [...all.filter(({ edges: own }) => own.length > 0), ...all.filter(({ edges: own }) => own.length === 0)];
}

interface Drawing extends Size {
  readonly boxes: readonly Box[];
  readonly routes: readonly (readonly Point[])[];
}

function turned({ width, height }: Size): Size {
  return { width: height, height: width };
}

function turn({ width, height, boxes, routes }: Drawing): Drawing {
  return {
    width: height,
    height: width,
    boxes: boxes.map((box) => ({ x: box.y, y: box.x, width: box.height, height: box.width })),
    routes: routes.map((route) => route.map(([x, y]): Point => [y, x])),
  };
}

/** A place in a layer: a box, or where a long edge passes. */
interface Item {
  readonly box: number | null;
  readonly before: Item[];
  readonly after: Item[];
  readonly layer: number;
  /** Its place in its layer. */
  order: number;
  /** The middle of it, across. */
  middle: number;
}

/** Draws one connected part to the right. */
function drawPart(sizes: readonly Size[], edges: readonly (readonly [number, number])[]): Drawing {
  const layerOf = assignLayers(sizes.length, edges);
  const layers: Item[][] = Array.from({ length: Math.max(...layerOf) + 1 }, () => []);
  const place = (box: number | null, layer: number): Item => {
    const into = layers[layer] as Item[];
    const item = { box, before: [], after: [], layer, order: into.length, middle: 0 };
    into.push(item);
    return item;
  };
  const items = sizes.map((_, index) => place(index, layerOf[index] ?? 0));
  let places = 0;
  const chains = edges.map(([from, to]) => {
    const chain = [items[from] as Item];
    const [start, end] = [layerOf[from] ?? 0, layerOf[to] ?? 0];
    places += end - start - 1;
    if (places <= mostPoints) for (let layer = start + 1; layer < end; layer++) chain.push(place(null, layer));
    chain.push(items[to] as Item);
    for (let index = 1; index < chain.length; index++) {
      chain[index - 1]?.after.push(chain[index] as Item);
      chain[index]?.before.push(chain[index - 1] as Item);
    }
    return chain;
  });
  orderLayers(layers);
  const heightOf = ({ box }: Item): number => (box === null ? 0 : (sizes[box]?.height ?? 0));
  positionAcross(layers, heightOf);

  const top = Math.min(...layers.flat().map((item) => item.middle - heightOf(item) / 2));
  const bottom = Math.max(...layers.flat().map((item) => item.middle + heightOf(item) / 2));
  const starts: number[] = [];
  const widths: number[] = [];
  let x = 0;
  for (const layer of layers) {
    const width = layer.reduce((most, { box }) => Math.max(most, box === null ? 0 : (sizes[box]?.width ?? 0)), 0);
    starts.push(x);
    widths.push(width);
    x += width + layerGap;
  }
  const startOf = ({ layer }: Item): number => starts[layer] ?? 0;
  const endOf = ({ layer }: Item): number => (starts[layer] ?? 0) + (widths[layer] ?? 0);
  return {
    width: x - layerGap,
    height: bottom - top,
    boxes: items.map((item) => ({
      x: startOf(item),
      y: item.middle - heightOf(item) / 2 - top,
      width: widths[item.layer] ?? 0,
      height: heightOf(item),
    })),
    routes: chains.map((chain) =>
      chain.flatMap((item, index): Point[] => {
        const y = item.middle - top;
        if (index === 0) return [[endOf(item), y]];
        if (index === chain.length - 1) return [[startOf(item), y]];
        return [
          [startOf(item), y],
          [endOf(item), y],
        ];
      }),
    ),
  };
}

/** The layer of each box: after all that lead to it; what nothing leads to stands right before what it leads to. */
function assignLayers(count: number, edges: readonly (readonly [number, number])[]): number[] {
  const after: number[][] = Array.from({ length: count }, () => []);
  const waiting = new Array<number>(count).fill(0);
  for (const [from, to] of edges) {
    after[from]?.push(to);
    waiting[to] = (waiting[to] ?? 0) + 1;
  }
  const layers = new Array<number>(count).fill(0);
  const order = waiting.flatMap((number, index) => (number === 0 ? [index] : []));
  const sources = new Set(order);
  for (let done = 0; done < order.length; done++) {
    const index = order[done] as number;
    for (const next of after[index] ?? []) {
      layers[next] = Math.max(layers[next] ?? 0, (layers[index] ?? 0) + 1);
      waiting[next] = (waiting[next] ?? 0) - 1;
      if (waiting[next] === 0) order.push(next);
    }
  }
  for (const index of sources) {
    const nearest = (after[index] ?? []).reduce((least, next) => Math.min(least, layers[next] ?? 0), count);
    if (nearest < count) layers[index] = nearest - 1;
  }
  const first = Math.min(...layers);
  return layers.map((layer) => layer - first);
}

function orderLayers(layers: readonly Item[][]): void {
  let best = layers.map((layer) => [...layer]);
  let least = countCrossings(layers);
  for (let sweep = 0; sweep < sweeps && least > 0; sweep++) {
    const isForward = sweep % 2 === 0;
    for (const layer of isForward ? layers : layers.toReversed()) {
      const wish = new Map(layer.map((item) => [item, barycenter(item, isForward ? item.before : item.after)]));
      layer.sort((one, other) => (wish.get(one) ?? 0) - (wish.get(other) ?? 0) || one.order - other.order);
      for (const [order, item] of layer.entries()) item.order = order;
    }
    const crossings = countCrossings(layers);
    if (crossings >= least) continue;
    least = crossings;
    best = layers.map((layer) => [...layer]);
  }
  for (const [index, layer] of layers.entries()) {
    layer.splice(0, layer.length, ...(best[index] ?? []));
    for (const [order, item] of layer.entries()) item.order = order;
  }
}

function barycenter(item: Item, neighbours: readonly Item[]): number {
  if (neighbours.length === 0) return item.order;
  return neighbours.reduce((sum, { order }) => sum + order, 0) / neighbours.length;
}

/** Edges between two layers cross where their ends are in another order than their starts: inversions, by a Fenwick tree. */
function countCrossings(layers: readonly (readonly Item[])[]): number {
  let crossings = 0;
  for (const [index, layer] of layers.entries()) {
    const tree = new Array<number>((layers[index + 1]?.length ?? 0) + 1).fill(0);
    let known = 0;
    for (const item of layer) {
      const ends = item.after.map(({ order }) => order).sort((one, other) => one - other);
      for (const end of ends) {
        let notAfter = 0;
        for (let at = end + 1; at > 0; at -= at & -at) notAfter += tree[at] ?? 0;
        crossings += known - notAfter;
      }
      for (const end of ends) {
        for (let at = end + 1; at < tree.length; at += at & -at) tree[at] = (tree[at] ?? 0) + 1;
        known++;
      }
    }
  }
  return crossings;
}

/**
 * Puts each item as near to its neighbours in other layers as its own layer lets it: the order stays, and so do the
 * distances. Long edges pull harder, so that they run straight.
 */
function positionAcross(layers: readonly (readonly Item[])[], heightOf: (item: Item) => number): void {
  const distance = (one: Item, other: Item): number => {
    const gap = one.box !== null && other.box !== null ? boxGap : wireGap;
    return (heightOf(one) + heightOf(other)) / 2 + gap;
  };
  for (const layer of layers) settle(layer, () => 0, distance);
  for (let sweep = 0; sweep < 4 * sweeps; sweep++) {
    const isForward = sweep % 2 === 0;
    for (const layer of isForward ? layers : layers.toReversed()) {
      const wish = (item: Item): number => {
        const near = isForward ? item.before : item.after;
        // At the end both sides count, so that nothing hangs on one of them.
        const neighbours = sweep >= sweeps || near.length === 0 ? [...item.before, ...item.after] : near;
        if (neighbours.length === 0) return item.middle;
        return neighbours.reduce((sum, { middle }) => sum + middle, 0) / neighbours.length;
      };
      settle(layer, wish, distance);
    }
  }
}

/**
 * The places nearest to the wished ones (least squares) that keep the order and the distances: isotonic regression by
 * pooling adjacent violators (Barlow et al., "Statistical Inference under Order Restrictions", 1972).
 */
function settle(
  layer: readonly Item[],
  wish: (item: Item) => number,
  distance: (one: Item, other: Item) => number,
): void {
  const pools: { sum: number; weight: number; count: number }[] = [];
  const shifts: number[] = [];
  let shift = 0;
  for (const [index, item] of layer.entries()) {
    const last = layer[index - 1];
    if (last !== undefined) shift += distance(last, item);
    shifts.push(shift);
    const weight = item.box === null ? 4 : 1;
    pools.push({ sum: (wish(item) - shift) * weight, weight, count: 1 });
    for (let pool = pools.at(-1), before = pools.at(-2); pool && before; pool = pools.at(-1), before = pools.at(-2)) {
      if (before.sum / before.weight <= pool.sum / pool.weight) break;
      pools.splice(-2, 2, {
        sum: before.sum + pool.sum,
        weight: before.weight + pool.weight,
        count: before.count + pool.count,
      });
    }
  }
  let index = 0;
  for (const { sum, weight, count } of pools) {
    for (let done = 0; done < count; done++, index++) {
      const item = layer[index] as Item;
      // Whole pixels look sharp; rounding the places before they are shifted keeps them in order.
      item.middle = Math.round(sum / weight) + (shifts[index] ?? 0);
    }
  }
}
