import type { HistoryLine } from '../state/history.ts';

/** So many runs of a group tell how long it usually takes. */
export const runsThatTell = 20;

/**
 * How long groups usually run: the median of their newest successful runs, ms, by name.
 *
 * @param newestFirst lines of the history; read no further than is needed
 * @param groups the groups that are asked for
 */
export function usualLengths(newestFirst: Iterable<HistoryLine>, groups: Iterable<string>): Map<string, number> {
  const lengths = new Map<string, number[]>([...groups].map((group) => [group, []]));
  let wanting = lengths.size;
  for (const line of newestFirst) {
    if (wanting === 0) break;
    if (line.type !== 'run-end' || line.run.outcome !== 'succeeded' || line.run.durationMs == null) continue;
    const known = lengths.get(line.group);
    if (known === undefined || known.length >= runsThatTell) continue;
    known.push(line.run.durationMs);
    if (known.length === runsThatTell) wanting--;
  }
  const measured = [...lengths].filter(([, known]) => known.length > 0);
  return new Map(measured.map(([group, known]) => [group, median(known)]));
}

/** How long a script of a group usually takes: the median of its newest successful runs, ms; null where there are none. */
export function usualScriptLength(newestFirst: Iterable<HistoryLine>, group: string, script: string): number | null {
  const known: number[] = [];
  for (const line of newestFirst) {
    if (known.length === runsThatTell) break;
    if (line.type !== 'run-end' || line.group !== group || !Array.isArray(line.run.scripts)) continue;
    const length = line.run.scripts.find(({ name, outcome }) => name === script && outcome === 'succeeded')?.durationMs;
    if (length != null) known.push(length);
  }
  return known.length === 0 ? null : median(known);
}

/** The middle one of some numbers; 0 where there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
