import type { Config, Group } from '../config/config.ts';
import { nextBeat } from '../schedule/beats.ts';
import { entryAfterEnd, entryAfterExpiry, entryAfterStart } from '../state/run-outcome.ts';
import { type GroupState, instantOf, isoOf, type State } from '../state/state-schema.ts';
import { type Decision, planTick } from './decide.ts';

/** A tick that would do something. */
export interface ForecastTick {
  /** ms */
  readonly at: number;
  /** The groups that run or expire, in order. */
  readonly decisions: readonly Decision[];
  /** How long its longest lane is expected to take, ms; groups of which nothing is known count as nothing. */
  readonly expectedMs: number;
  /** Its work is not expected to be done when the next tick comes. */
  readonly overruns: boolean;
}

/**
 * Forecasts every tick from `from` up to `until` (inclusive) that would do something, every run taken to succeed. The
 * first is at `from`; the others come with the trigger, on the grid of `tickEvery` from the Unix epoch.
 *
 * @param expectedMs how long a group usually runs, ms, from its history
 */
export function forecast(
  config: Config,
  state: State,
  from: number,
  until: number,
  expectedMs: ReadonlyMap<string, number>,
): ForecastTick[] {
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  const ticks: ForecastTick[] = [];
  let current: State = state;
  for (let at: number | null = from; at !== null && at <= until; ) {
    const plan = planTick(config, current, at);
    const decisions = plan.decisions.filter(({ decision }) => decision === 'run' || decision === 'expire');
    const entries = new Map(plan.entries);
    for (const decision of decisions) {
      const group = groupOf.get(decision.group) as Group;
      entries.set(group.name, applyDecision(entries.get(group.name) ?? {}, decision, group, at));
    }
    if (decisions.length > 0) {
      const expected = sumLanes(decisions, groupOf, expectedMs);
      ticks.push({ at, decisions, expectedMs: expected, overruns: expected > config.tickEvery });
    }
    current = { ...current, groups: Object.fromEntries(entries), leases: {} };
    at = nextTick(config, entries, at);
  }
  return ticks;
}

/** What a tick leaves behind in a group's entry, its run taken to succeed at once. */
function applyDecision(entry: GroupState, decision: Decision, group: Group, at: number): GroupState {
  if (decision.decision === 'expire') return entryAfterExpiry(entry, decision.beat);
  const again = decision.reason === 'retry-due' || decision.reason === 'resume-interrupted';
  const started = entryAfterStart(entry, decision.beat, again);
  const now = isoOf(at);
  const beat = decision.beat === null ? null : isoOf(decision.beat);
  return entryAfterEnd(started, { beat, startedAt: now, finishedAt: now, outcome: 'succeeded' }, group);
}

function sumLanes(
  decisions: readonly Decision[],
  groupOf: ReadonlyMap<string, Group>,
  expectedMs: ReadonlyMap<string, number>,
): number {
  const lanes = new Map<string, number>();
  for (const { group: name, decision } of decisions) {
    const lane = groupOf.get(name)?.lane ?? '';
    if (decision === 'run') lanes.set(lane, (lanes.get(lane) ?? 0) + (expectedMs.get(name) ?? 0));
  }
  return Math.max(0, ...lanes.values());
}

/** The first tick after `at` in which anything can change: one at or after the next beat, retry or end of a pause. */
function nextTick(config: Config, entries: ReadonlyMap<string, GroupState>, at: number): number | null {
  let earliest = Number.POSITIVE_INFINITY;
  for (const group of config.groups) {
    if (!group.enabled) continue;
    const entry = entries.get(group.name) ?? {};
    const wakes = [nextBeat(group.schedule, at), instantOf(entry.retry?.at), instantOf(entry.pausedUntil)];
    // Where every beat runs, oldest first, the next one may have passed already.
    if (group.catchUp === 'every') wakes.push(nextBeat(group.schedule, instantOf(entry.lastBeat) ?? at));
    for (const wake of wakes) if (wake !== null) earliest = Math.min(earliest, Math.max(wake, at + 1));
  }
  if (earliest === Number.POSITIVE_INFINITY) return null;
  return Math.ceil(earliest / config.tickEvery) * config.tickEvery;
}
