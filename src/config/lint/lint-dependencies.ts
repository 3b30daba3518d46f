import { latestBeat, nextBeat } from '../../schedule/beats.ts';
import { formatDuration } from '../../schedule/duration.ts';
import type { Dependency, Group } from '../config.ts';
import type { Lint, Say } from './lint-codes.ts';
import { formatPeriod, type Rhythm, sampled } from './period.ts';

/**
 * What is odd about what a group waits for: that it never comes, comes more rarely than the group itself, or is too old by
 * then.
 *
 * @param rhythms how far the beats of each group lie apart
 * @param now the coming beats are those after it, ms
 */
export function lintDependencies(
  group: Group,
  groupOf: ReadonlyMap<string, Group>,
  rhythms: ReadonlyMap<string, Rhythm>,
  now: number,
  say: Say,
): Lint[] {
  return group.dependsOn.flatMap((dependency, index): Lint[] => {
    const other = groupOf.get(dependency.group);
    const name = dependency.group;
    const steps = ['dependsOn', index];
    if (other === undefined) return [];
    if (!other.enabled) {
      const message = `${name} is disabled, which counts as satisfied: ${group.name} does not wait for it; remove the dependency, or enable ${name}`;
      return [say('disabled-dependency', steps, message)];
    }
    const ours = rhythms.get(group.name) ?? null;
    if (ours === null) return [];
    if (other.schedule.kind === 'manual') {
      const message = `${name} runs only when asked to, so ${group.name} is held back until somebody has run it (rhythm run ${name}); give ${name} a schedule, or order them by after`;
      return [say('manual-dependency', steps, message)];
    }
    const stale = dependency.within === null ? null : findStaleBeat(group, other, dependency.within, now);
    if (stale !== null) return [say('within-too-short', steps, describeStale(group, dependency, stale))];
    const theirs = rhythms.get(name) ?? null;
    // Who bounds how old an outcome may be, and by enough, has thought of it.
    if (theirs === null || dependency.within !== null || theirs.mean <= ours.mean) return [];
    const message = `${name} runs more rarely (every ${formatPeriod(theirs.mean)}) than ${group.name} (every ${formatPeriod(ours.mean)}), which so runs several times on one outcome, and after a failure waits for the next; say by within how old it may be, or run ${name} as often`;
    return [say('slower-dependency', steps, message)];
  });
}

interface StaleBeat {
  readonly beat: number;
  /** How long before it the dependency has its latest beat, ms. */
  readonly age: number;
  /** The most that this is at any of the coming beats, ms. */
  readonly worst: number;
}

/**
 * The first of the coming beats at which what the dependency did for its latest beat is too old. At a beat that both
 * have, the dependency runs first: `within` may well be shorter than its period where the beats are in step.
 */
function findStaleBeat(group: Group, other: Group, within: number, now: number): StaleBeat | null {
  let beat = nextBeat(group.schedule, now);
  let first: { beat: number; age: number } | null = null;
  let worst = 0;
  for (let count = 0; beat !== null && count < 3 * sampled; count++) {
    const age = beat - (latestBeat(other.schedule, beat) ?? beat);
    if (age > within) first ??= { beat, age };
    worst = Math.max(worst, age);
    beat = nextBeat(group.schedule, beat);
  }
  return first === null ? null : { ...first, worst };
}

function describeStale(group: Group, { group: name, within }: Dependency, { beat, age, worst }: StaleBeat): string {
  const when = `${new Date(beat).toISOString().slice(0, 16)}Z`;
  return `within ${formatDuration(within ?? 0)} is too short for the beats of ${name}: at the ${when} beat of ${group.name} the latest lies ${formatDuration(age)} back, so ${group.name} is held back until ${name} has run again; allow more than ${formatDuration(worst)}, or run ${name} more often`;
}
