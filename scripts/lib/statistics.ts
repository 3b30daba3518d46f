/** The middle value, or the mean of the two middle ones; null of nothing. */
export function median(values: readonly number[]): number | null {
  const sorted = Float64Array.from(values).sort();
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? null : (lower + upper) / 2;
}

/**
 * The median absolute deviation from `centre`, scaled by 1.4826 so that for normally distributed values it estimates
 * the standard deviation; unlike that it stays put however wild a few of the values are. 0 of nothing.
 */
export function deviation(values: readonly number[], centre: number): number {
  return 1.4826 * (median(values.map((value) => Math.abs(value - centre))) ?? 0);
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Line {
  readonly slope: number;
  readonly intercept: number;
}

/**
 * The Theil–Sen line: its slope is the median of the slopes between all pairs of points, so that up to 29 % of them may
 * be wild. Null where no two points differ in `x`. Takes time with the square of the points: thin them beyond some 500.
 */
export function fitLine(points: readonly Point[]): Line | null {
  const slopes: number[] = [];
  for (const [index, a] of points.entries()) {
    for (const b of points.slice(index + 1)) if (a.x !== b.x) slopes.push((b.y - a.y) / (b.x - a.x));
  }
  const slope = median(slopes);
  if (slope === null) return null;
  return { slope, intercept: median(points.map(({ x, y }) => y - slope * x)) ?? 0 };
}

/**
 * Mann and Kendall's test of a trend, over values in order of time: `tau`, from -1 (each falls) to 1 (each climbs), and
 * `z`, which beyond 3 says that chance alone hardly makes such an order. Ties count for neither side.
 */
export function testTrend(values: readonly number[]): { readonly tau: number; readonly z: number } {
  let balance = 0;
  for (const [index, a] of values.entries()) {
    for (const b of values.slice(index + 1)) balance += Math.sign(b - a);
  }
  const n = values.length;
  if (n < 2) return { tau: 0, z: 0 };
  const spread = Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  return { tau: balance / ((n * (n - 1)) / 2), z: (balance - Math.sign(balance)) / spread };
}

/** Thins points, in order of `x`, to at most `count`, each the median of its neighbours. */
export function thin(points: readonly Point[], count: number): Point[] {
  const size = Math.max(1, Math.ceil(points.length / count));
  const thinned: Point[] = [];
  for (let start = 0; start < points.length; start += size) {
    const part = points.slice(start, start + size);
    thinned.push({ x: median(part.map(({ x }) => x)) ?? 0, y: median(part.map(({ y }) => y)) ?? 0 });
  }
  return thinned;
}
