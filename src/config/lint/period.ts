import { nextBeat } from '../../schedule/beats.ts';
import { formatDuration } from '../../schedule/duration.ts';
import type { Schedule } from '../../schedule/schedule.ts';

const day = 86_400_000;
/** How many beats of a calendar are looked at: more would show nothing new about the distances between them. */
export const sampled = 60;

/** How far the beats of a group lie apart by the wall clock, ms; null for one that has none. */
export type Rhythm = { readonly mean: number; readonly least: number; readonly most: number } | null;

/**
 * Measures how far the coming beats of a schedule lie apart.
 *
 * @param now ms
 */
export function measure(schedule: Schedule, now: number): Rhythm {
  if (schedule.kind === 'manual') return null;
  if (schedule.kind === 'interval') return { mean: schedule.every, least: schedule.every, most: schedule.every };
  // In UTC, because the two days of the year that are longer or shorter say nothing about a schedule.
  const nominal = { ...schedule, timezone: 'UTC' };
  const beats: number[] = [];
  for (let beat = nextBeat(nominal, now); beat !== null && beats.length <= sampled; beat = nextBeat(nominal, beat)) {
    beats.push(beat);
  }
  const gaps = beats.slice(1).map((beat, index) => beat - (beats[index] ?? beat));
  if (gaps.length === 0) return null;
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  return { mean, least: Math.min(...gaps), most: Math.max(...gaps) };
}

/** A mean distance, in words that are not more exact than it is. */
export function formatPeriod(length: number): string {
  const unit = length >= 2 * day ? day / 10 : length >= day ? 3_600_000 : length >= 7_200_000 ? 60_000 : 1_000;
  const rounded = Math.round(length / unit) * unit;
  return rounded >= 2 * day && rounded % day !== 0 ? `${rounded / day} days` : formatDuration(rounded);
}
