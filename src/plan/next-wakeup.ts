import type { Config } from '../config/config.ts';
import { nextBeat } from '../schedule/beats.ts';
import { instantOf, type State } from '../state/state-schema.ts';
import { planTick } from './decide.ts';
import { consumedBeat } from './due.ts';

/**
 * The first instant after `now`, in ms, at which a tick could have something to do, if the configuration and the state
 * do not change before; infinite if there is none. Null where a tick may have something to do at once: a group is due,
 * also if something holds it back; something about a group has yet to be noticed; or a run is recorded as in progress,
 * whose tick may die.
 */
export function nextWakeup(config: Config, state: State, now: number): number | null {
  if (Object.keys(state.leases ?? {}).length > 0) return null;
  const { decisions, entries, observations } = planTick(config, state, now);
  if (observations.size > 0) return null;
  if (decisions.some(({ decision }) => decision === 'run' || decision === 'skip' || decision === 'expire')) return null;

  let earliest = Number.POSITIVE_INFINITY;
  for (const { name, schedule, enabled } of config.groups) {
    const entry = entries.get(name) ?? {};
    // The end of a hold has not been recorded yet.
    if (entry.held != null) return null;
    const isPaused = entry.pausedAt != null;
    const wakes = [
      enabled && !isPaused ? nextBeat(schedule, now) : null,
      instantOf(entry.pausedUntil),
      instantOf(entry.retry?.at),
      // After the clock went back a group owes nothing before the beat that it consumed last.
      consumedBeat(entry),
    ];
    for (const wake of wakes) if (wake !== null && wake > now) earliest = Math.min(earliest, wake);
  }
  return earliest;
}
