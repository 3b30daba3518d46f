import type { Observation } from '../plan/observe.ts';
import type { HistoryLine } from '../state/history.ts';
import { type GroupState, isoOf } from '../state/state-schema.ts';

/** Why a due group does not run. */
export interface Hold {
  readonly reason: string;
  readonly blockedBy: readonly string[];
  /** ms; null where a retry or a resumed run is what is held back. */
  readonly beat: number | null;
}

/**
 * Notes in a group's entry that it begins to be held back, for another reason than before, or that this ends; and says
 * so to the history. Nothing changes while the same hold continues.
 *
 * @param now ms
 */
export function noteHold(
  group: string,
  entry: GroupState,
  hold: Hold | null,
  now: number,
  tick: string,
): { readonly entry: GroupState; readonly line: HistoryLine | null } {
  const before = readHold(entry);
  const at = isoOf(now);
  if (hold === null) {
    if (before === null) return { entry, line: null };
    const { held, ...released } = entry;
    return { entry: released, line: { at, type: 'released', tick, group } };
  }
  const isSame = before?.reason === hold.reason && `${before.blockedBy}` === `${hold.blockedBy}`;
  if (isSame) return { entry, line: null };
  const beat = hold.beat === null ? null : isoOf(hold.beat);
  const { reason, blockedBy } = hold;
  return {
    entry: { ...entry, held: { reason, blockedBy, since: at } },
    line: { at, type: 'held', tick, group, beat, reason, blockedBy },
  };
}

function readHold(entry: GroupState): { reason: unknown; blockedBy: unknown } | null {
  const { held } = entry;
  return typeof held === 'object' && held !== null ? { reason: null, blockedBy: [], ...held } : null;
}

/**
 * What was noticed about a group, for the history: that its entry changed, and a clock that was reset.
 *
 * @param entry what the notice made of the group's entry
 * @param now ms
 * @param tick null where no tick noticed it
 */
export function noteObservations(
  group: string,
  observations: readonly Observation[],
  entry: GroupState,
  now: number,
  tick: string | null,
): HistoryLine[] {
  const line = { at: isoOf(now), ...(tick !== null && { tick }), group, entry };
  const resets = observations.flatMap((observation): HistoryLine[] => {
    if (observation.type !== 'reset') return [];
    const to = observation.to === null ? '' : isoOf(observation.to);
    return [{ ...line, type: 'reset', from: isoOf(observation.from), to }];
  });
  return observations.length > resets.length ? [{ ...line, type: 'seen' }, ...resets] : resets;
}
