import { instantOf } from '../state/schema.ts';
import type { Plan } from './decide.ts';

/** However far the next beat is: what a tick can't see, such as new time zone data, is seen after so long, ms. */
const longestRest = 3_600_000;

/**
 * Until when ticks on the same configuration and state would do and note as little as this one, ms: before the next beat
 * of any group, a retry, and the end of a pause, and within the hour. Null where this one has something to do or to note.
 */
export function restUntil(plan: Plan): number | null {
  let until = plan.at + longestRest;
  const consider = (instant: number | null) => {
    if (instant !== null && instant > plan.at) until = Math.min(until, instant);
  };
  for (const { group, decision, reason, nextBeat } of plan.decisions) {
    const entry = plan.entries.get(group) ?? {};
    const isQuiet = decision === 'disabled' || decision === 'paused' || (decision === 'wait' && reason !== 'lane-held');
    if (!isQuiet || plan.observations.has(group) || entry.held != null) return null;
    consider(nextBeat);
    consider(instantOf(entry.retry?.at));
    consider(instantOf(entry.pausedUntil));
  }
  return until;
}
