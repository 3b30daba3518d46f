/** The middle value, or the mean of the two middle ones; null of nothing. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
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
