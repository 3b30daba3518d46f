import type { Config, Group } from '../../config/config.ts';
import { forecast } from '../../plan/forecast.ts';
import { latestBeat } from '../../schedule/beats.ts';
import { type Entry, nameOrigin } from '../entry.ts';
import type { Member } from '../grouping/group-entries.ts';
import { offsetsOf } from '../rhythm.ts';
import { type Replay, replay } from './replay.ts';

/** Comparing what used to start with what rhythm plans, beat by beat. */

/**
 * Why a beat differs. `next-tick`: it starts with the first tick after it. `grouped`: it starts with its group.
 * `coalesced`: several beats between two ticks are one run. `daylight-saving`: the clock was changed nearby, and the two
 * follow different rules there. `phase`: what it is counted from is not written anywhere. `approximated`: its form was
 * not to be had, and the import said so. `unexplained`: a defect.
 */
export const differenceKinds = [
  'next-tick',
  'grouped',
  'coalesced',
  'daylight-saving',
  'phase',
  'approximated',
  'unexplained',
] as const;
export type DifferenceKind = (typeof differenceKinds)[number];

export interface Difference {
  /** When it used to start; null where it starts now and did not before. ISO 8601. */
  readonly before: string | null;
  /** When it starts now; null where it does not any more. ISO 8601. */
  readonly after: string | null;
  readonly why: DifferenceKind;
}

export interface Verification {
  readonly entry: string;
  readonly group: string;
  /** What evaluated the old schedule. */
  readonly by: readonly Replay['by'][];
  readonly beats: number;
  readonly same: number;
  readonly differences: readonly Difference[];
}

const day = 86_400_000;

/** The forecast of a configuration in which every group is switched on and has just run. */
export function planRuns(
  config: Config,
  from: number,
  until: number,
): Map<string, readonly { beat: number; at: number }[]> {
  const groups = config.groups.map((group): Group => ({ ...group, enabled: true }));
  const known = groups.map((group) => {
    const beat = new Date(latestBeat(group.schedule, from) ?? from).toISOString();
    const lastRun = { beat, startedAt: beat, finishedAt: beat, outcome: 'succeeded' as const };
    return [group.name, { firstSeenAt: beat, lastBeat: beat, lastRun }] as const;
  });
  const state = { schemaVersion: 1 as const, groups: Object.fromEntries(known), leases: {} };
  const runs = new Map<string, { beat: number; at: number }[]>(groups.map(({ name }) => [name, []]));
  // One tick more, for what comes after the last one within the span.
  for (const { at, decisions } of forecast({ ...config, groups }, state, from, until + config.tickEvery, new Map())) {
    for (const { group, decision, beat } of decisions) {
      if (decision === 'run' && beat !== null && beat > from) runs.get(group)?.push({ beat, at });
    }
  }
  return runs;
}

/** Compares one entry's old beats with the runs of its group. */
export function verifyMember(
  { entry, shift }: Member,
  group: string,
  runs: readonly { readonly beat: number; readonly at: number }[],
  {
    from,
    until,
    tickEvery,
    timezone,
  }: { readonly from: number; readonly until: number; readonly tickEvery: number; readonly timezone: string },
): Verification {
  const replays = entry.originals.map((original) => replay(original, from, until));
  const beats = [...new Set(replays.flatMap((one) => one.beats))].sort((a, b) => a - b);
  const isLoose = replays.some((one) => one.isLoose);
  const differences: Difference[] = [];
  const used = new Set<number>();
  let same = 0;
  const zone = entry.rhythm.kind === 'calendar' ? entry.rhythm.timezone : timezone;
  const reason = (instant: number): DifferenceKind => {
    if (entry.approximation !== null) return 'approximated';
    if (isLoose && entry.originals.length > 1) return 'phase';
    return nearChange(zone, instant) ? 'daylight-saving' : 'unexplained';
  };
  const aligned = isLoose ? alignBeats(entry, beats, runs, shift, until) : beats;
  const expected = new Set(aligned);
  const hasRun = new Set(runs.map((run) => run.beat));
  let place = 0;
  for (const [index, beat] of beats.entries()) {
    const here = aligned[index];
    // Counted from the first run, the last one lies behind the span.
    if (here === undefined) break;
    const wanted = here - shift;
    while (place < runs.length && (runs[place]?.beat ?? 0) < wanted) place += 1;
    // Seconds that were left out: the beat before is the one that stands for it.
    const cut = entry.approximation === null ? wanted : Math.floor(wanted / 60_000) * 60_000;
    if (cut !== wanted && place > 0 && runs[place]?.beat !== wanted && runs[place - 1]?.beat === cut) place -= 1;
    const run = runs[place];
    const write = (why: DifferenceKind, after: number | null) =>
      differences.push({ before: iso(beat), after: after === null ? null : iso(after), why });
    if (
      run === undefined ||
      run.at - wanted >= 2 * tickEvery ||
      (run.beat !== wanted && run.at - wanted >= tickEvery)
    ) {
      // The first ones may have been due before the span began, the last ones after it ends.
      if (wanted <= from) write('grouped', null);
      else if (wanted + tickEvery > until) write('next-tick', null);
      else write(reason(beat), null);
      continue;
    }
    used.add(place);
    if (run.beat === cut && cut !== wanted) write(reason(beat), run.at);
    else if (run.beat === wanted && isLoose) write('phase', run.at);
    else if (run.beat !== wanted) {
      // A later beat of the same job stands for it, in the tick that would have run it.
      const isCoalesced = expected.has(run.beat + shift) && (hasRun.has(wanted) || run.at - wanted < tickEvery);
      write(isCoalesced ? 'coalesced' : reason(beat), run.at);
    } else if (run.at === beat) same += 1;
    else write(shift !== 0 ? 'grouped' : run.at > beat ? 'next-tick' : reason(beat), run.at);
  }
  for (const [index, run] of runs.entries()) {
    if (used.has(index) || run.beat + shift > until || run.beat + shift <= from) continue;
    // The old beat lies within the first or the last minute of the span, and was cut off with it.
    if (entry.approximation !== null && (until - run.beat < 60_000 || run.beat - from < 60_000)) continue;
    differences.push({ before: null, after: iso(run.at), why: reason(run.beat) });
  }
  return {
    entry: nameOrigin(entry.origin),
    group,
    by: [...new Set(replays.map(({ by }) => by))],
    beats: beats.length,
    same,
    differences,
  };
}

/** Of what is counted from nobody knows when, the first beat is taken to be that of the first run. */
function alignBeats(
  { originals }: Entry,
  beats: readonly number[],
  runs: readonly { readonly beat: number }[],
  shift: number,
  until: number,
): number[] {
  const [first] = runs;
  const periods = originals.flatMap((original) => (original.kind === 'period' ? [original.every] : []));
  const [every] = periods;
  if (first === undefined || every === undefined || originals.length > 1) return [...beats];
  return beats.map((_, index) => first.beat + shift + index * every).filter((beat) => beat <= until);
}

/** Whether the zone's clock is changed within a day and an hour. */
function nearChange(timezone: string, instant: number): boolean {
  if (offsetsOf(timezone, instant).length === 1 && offsetsOf(timezone, instant - 400 * day).length === 1) return false;
  const formatter = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' });
  const offsetAt = (at: number) => /GMT.*$/.exec(formatter.format(at))?.[0];
  return offsetAt(instant - 25 * 3_600_000) !== offsetAt(instant + 25 * 3_600_000);
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}

/** Entries by what their differences come to. */
export function countDifferences(verifications: readonly Verification[]): Record<DifferenceKind, number> {
  const counts = Object.fromEntries(differenceKinds.map((kind) => [kind, 0])) as Record<DifferenceKind, number>;
  for (const { differences } of verifications) for (const { why } of differences) counts[why] += 1;
  return counts;
}

/** What an entry would start without any group, for counting. */
export function replayEntry(entry: Entry, from: number, until: number): number[] {
  return [...new Set(entry.originals.flatMap((original) => replay(original, from, until).beats))];
}
