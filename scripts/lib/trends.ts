import { isSame } from './processes.ts';
import { formatDuration, formatInstant } from './quantity.ts';
import { deviation, fitLine, median, type Point, testTrend, thin } from './statistics.ts';

/** A measured value. */
export interface Sample {
  /** Ms since the epoch. */
  readonly at: number;
  readonly value: number;
}

/**
 * What counts as a change. A jump: the median of the newest `recent` samples is off the median of those before by
 * `deviations` of these and by the share `change`. A drift: Mann and Kendall's z is beyond `z`, and the line of Theil and
 * Sen climbs by the share `change` from end to end.
 */
export const trendRule = { minimum: 24, recent: 6, deviations: 4, change: 0.2, z: 4, points: 400 } as const;

export interface Trend {
  readonly verdict: 'too-few' | 'steady' | 'jumped' | 'dropped' | 'climbs' | 'falls';
  readonly samples: number;
  /** The median before the newest samples, and of these; null of too few. */
  readonly usual: number | null;
  readonly recent: number | null;
  /** By how much the line climbs from end to end, as a share of where it begins; null of too few. */
  readonly drift: number | null;
  readonly z: number | null;
}

/** Judges a series of samples, oldest first. */
export function judgeTrend(samples: readonly Sample[]): Trend {
  const nothing = { samples: samples.length, usual: null, recent: null, drift: null, z: null };
  if (samples.length < trendRule.minimum) return { verdict: 'too-few', ...nothing };
  const earlier = samples.slice(0, -trendRule.recent).map(({ value }) => value);
  const usual = median(earlier);
  const recent = median(samples.slice(-trendRule.recent).map(({ value }) => value));
  const points = thin(
    samples.map(({ at, value }) => ({ x: at, y: value })),
    trendRule.points,
  );
  const line = fitLine(points);
  if (usual === null || recent === null || line === null) return { verdict: 'too-few', ...nothing };

  const { z } = testTrend(points.map(({ y }) => y));
  const begin = valueAt(line, points[0]);
  const drift = begin > 0 ? valueAt(line, points.at(-1)) / begin - 1 : 0;
  const jump = recent - usual;
  const isJump =
    Math.abs(jump) > trendRule.deviations * deviation(earlier, usual) && Math.abs(jump) > trendRule.change * usual;
  const isDrift = Math.abs(z) > trendRule.z && Math.abs(drift) > trendRule.change;
  const figures = { samples: samples.length, usual, recent, drift, z };
  // A drift comes to jump over its own past in the end; where both hold, it is told by its cause.
  if (isDrift && Math.sign(drift) === Math.sign(jump)) return { verdict: drift > 0 ? 'climbs' : 'falls', ...figures };
  if (isJump) return { verdict: jump > 0 ? 'jumped' : 'dropped', ...figures };
  return { verdict: 'steady', ...figures };
}

function valueAt({ slope, intercept }: { slope: number; intercept: number }, point: Point | undefined): number {
  return slope * (point?.x ?? 0) + intercept;
}

/** Says a trend of a length of time, of which more is worse, in words; null of too few samples. */
export function describeTrend(label: string, trend: Trend, days: number): string | null {
  if (trend.usual === null || trend.recent === null || trend.drift === null) return null;
  const percent = (share: number) => `${Math.round(Math.abs(share) * 100)} %`;
  const lengths = `${formatDuration(trend.usual)} before, ${formatDuration(trend.recent)} now`;
  switch (trend.verdict) {
    case 'jumped':
      return `${label} has become ${percent(trend.recent / trend.usual - 1)} slower (${lengths})`;
    case 'dropped':
      return `${label} has become ${percent(trend.recent / trend.usual - 1)} faster (${lengths})`;
    case 'climbs':
      return `${label} gets slower, by ${percent(trend.drift)} within ${days} d (${lengths})`;
    case 'falls':
      return `${label} gets faster, by ${percent(trend.drift)} within ${days} d (${lengths})`;
    default:
      return `${label} is steady at ${formatDuration(trend.usual)}`;
  }
}

/** A process as one line of the metrics tells of it. */
export interface ProcessSample {
  readonly pid: number;
  readonly name: string;
  readonly startedAt: number;
  readonly at: number;
  readonly memory: number;
}

export interface Leak {
  readonly pid: number;
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Bytes at the beginning and at the end, and how many an hour. */
  readonly first: number;
  readonly last: number;
  readonly perHour: number;
}

/** What counts as a leak: so many samples, hardly ever less memory than before, growth by half and by 64 MB. */
export const leakRule = { minimum: 8, tau: 0.9, growth: 0.5, bytes: 64 * 1024 ** 2, pace: 0.3 } as const;

/**
 * Finds processes that grow and grow: those of the newest look, over the looks before, oldest first. One that has
 * stopped growing is none: its second half must have grown at no less than `pace` of the whole's rate.
 */
export function findLeaks(samples: readonly ProcessSample[], newest: number): Leak[] {
  const leaks = [...trackProcesses(samples)].flatMap((own): Leak[] => {
    const [first, last, middle] = [own[0], own.at(-1), own[own.length >> 1]];
    if (!first || !last || !middle || last.at !== newest || own.length < leakRule.minimum) return [];
    const growth = last.memory - first.memory;
    const { tau } = testTrend(own.map(({ memory }) => memory));
    const goesOn = last.memory - middle.memory > (leakRule.pace * growth) / 2;
    if (tau < leakRule.tau || growth < leakRule.growth * first.memory || growth < leakRule.bytes || !goesOn) return [];
    const perHour = (fitLine(own.map(({ at, memory }) => ({ x: at, y: memory })))?.slope ?? 0) * 3_600_000;
    const { pid, name } = last;
    return [{ pid, name, from: first.at, to: last.at, first: first.memory, last: last.memory, perHour }];
  });
  return leaks.toSorted((a, b) => b.perHour - a.perHour);
}

function trackProcesses(samples: readonly ProcessSample[]): Iterable<ProcessSample[]> {
  const tracks: ProcessSample[][] = [];
  for (const sample of samples) {
    const track = tracks.find(([first]) => first !== undefined && isSame(first, sample));
    if (track === undefined) tracks.push([sample]);
    else track.push(sample);
  }
  return tracks;
}

/** When a growing use reaches its limit, in ms since the epoch, along the line of Theil and Sen; null if it does not. */
export function foreseeFull(samples: readonly Sample[], limit: number): number | null {
  if (samples.length < trendRule.minimum) return null;
  const points = thin(
    samples.map(({ at, value }) => ({ x: at, y: value })),
    trendRule.points,
  );
  const line = fitLine(points);
  const { z } = testTrend(points.map(({ y }) => y));
  return line === null || line.slope <= 0 || z < trendRule.z ? null : (limit - line.intercept) / line.slope;
}

/** When a disk that fills is full, for people. */
export function describeFull(at: number): string {
  return `at this pace the disk is full on ${formatInstant(at).slice(0, 10)}`;
}
