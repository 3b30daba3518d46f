import type { Run } from './history.ts';
import { deviation, median } from './statistics.ts';

/** A run, or one script of it, that took far longer than usual. Lengths are ms, `at` is ms since the epoch. */
export interface Spike {
  readonly group: string;
  /** Null where the group's run as a whole stands out and no script of it does. */
  readonly script: string | null;
  readonly run: string;
  readonly at: number;
  readonly durationMs: number;
  readonly usualMs: number;
  readonly thresholdMs: number;
}

export interface SpikeAnalysis {
  /** The largest first, as a multiple of the usual length. */
  readonly spikes: readonly Spike[];
  /** How many groups and scripts had enough runs to be judged, and how many had not. */
  readonly judged: number;
  readonly tooFew: number;
}

/** What counts as a spike: longer than the median by five deviations, by half of it, and by a second. */
export const spikeRule = { minimumRuns: 8, deviations: 5, share: 0.5, floorMs: 1000 } as const;

interface Lengths {
  readonly group: string;
  readonly script: string | null;
  readonly samples: { run: Run; durationMs: number; outcome: string }[];
}

/**
 * Finds the spikes among runs. What is usual is the median of those that succeeded, for a script that fails at once is
 * not fast; a run that failed or timed out can be a spike all the same. An interrupted one has no length of its own.
 */
export function findSpikes(runs: readonly Run[]): SpikeAnalysis {
  const spikes: Spike[] = [];
  let judged = 0;
  let tooFew = 0;
  for (const lengths of lengthsOf(runs)) {
    const usual = lengths.samples.filter(({ outcome }) => outcome === 'succeeded').map(({ durationMs }) => durationMs);
    const usualMs = median(usual);
    if (usualMs === null || usual.length < spikeRule.minimumRuns) {
      tooFew += 1;
      continue;
    }
    judged += 1;
    const margin = Math.max(
      spikeRule.deviations * deviation(usual, usualMs),
      spikeRule.share * usualMs,
      spikeRule.floorMs,
    );
    for (const { run, durationMs } of lengths.samples) {
      if (durationMs <= usualMs + margin) continue;
      const { group, script } = lengths;
      spikes.push({ group, script, run: run.id, at: run.at, durationMs, usualMs, thresholdMs: usualMs + margin });
    }
  }
  const explained = new Set(spikes.filter(({ script }) => script !== null).map(({ run }) => run));
  const kept = spikes.filter(({ script, run }) => script !== null || !explained.has(run));
  return { spikes: kept.toSorted((a, b) => timesUsual(b) - timesUsual(a)), judged, tooFew };
}

/** How many times its usual length a spike took. */
export function timesUsual(spike: { durationMs: number; usualMs: number }): number {
  return spike.durationMs / Math.max(1, spike.usualMs);
}

function lengthsOf(runs: readonly Run[]): Iterable<Lengths> {
  const all = new Map<string, Lengths>();
  const add = (run: Run, script: string | null, durationMs: number | null, outcome: string) => {
    if (durationMs === null || outcome === 'interrupted') return;
    // A group's name holds no slash, so no script of one group can be taken for another's.
    const key = script === null ? run.group : `${run.group}/${script}`;
    const lengths = all.get(key) ?? { group: run.group, script, samples: [] };
    all.set(key, lengths);
    lengths.samples.push({ run, durationMs, outcome });
  };
  for (const run of runs) {
    add(run, null, run.durationMs, run.outcome);
    for (const script of run.scripts) add(run, script.name, script.durationMs, script.outcome);
  }
  return all.values();
}
