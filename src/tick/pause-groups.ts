import type { Group } from '../config/config.ts';
import { endPause, observe } from '../plan/observe.ts';
import type { HistoryLine } from '../state/history.ts';
import { entryOf, isoOf, type State } from '../state/state-schema.ts';
import { noteObservations } from './hold.ts';
import type { Change } from './session.ts';

/** What a pause or its end did to a group. */
export interface PauseResult {
  readonly group: string;
  /** False where it was paused already, or was not paused. */
  readonly changed: boolean;
  /** The beats that passed during the pause and count as consumed; 0 for a pause that begins. */
  readonly passedBeats: number;
}

/**
 * Holds groups back: they collect no beats until they are resumed, or until `until`. A group that is paused already takes
 * the new end and the new reason, and stays paused since when it was.
 *
 * @param now ms
 * @param until ms; null for a pause without an end
 */
export function pauseGroups(
  state: State,
  groups: readonly Group[],
  now: number,
  { until, reason }: { readonly until: number | null; readonly reason: string | null },
): Change & { readonly results: readonly PauseResult[] } {
  return change(state, groups, now, 'pause', (_, entry) => ({
    entry: {
      ...entry,
      pausedAt: entry.pausedAt ?? isoOf(now),
      pausedUntil: until === null ? null : isoOf(until),
      pauseReason: reason,
    },
    changed: entry.pausedAt == null,
    passedBeats: 0,
  }));
}

/** Resumes groups: beats that passed during the pause count as consumed. */
export function resumeGroups(
  state: State,
  groups: readonly Group[],
  now: number,
): Change & { readonly results: readonly PauseResult[] } {
  return change(state, groups, now, 'resume', (group, entry) =>
    entry.pausedAt == null
      ? { entry, changed: false, passedBeats: 0 }
      : { ...endPause(group.schedule, entry, now), changed: true },
  );
}

type Entry = ReturnType<typeof observe>['entry'];

function change(
  state: State,
  groups: readonly Group[],
  now: number,
  type: 'pause' | 'resume',
  alter: (group: Group, entry: Entry) => { entry: Entry; changed: boolean; passedBeats: number },
) {
  const entries: Record<string, Entry> = { ...state.groups };
  const lines: HistoryLine[] = [];
  const results: PauseResult[] = [];
  for (const group of groups) {
    // A group that no tick has seen yet is seen now: its entry has to say more than that it is paused.
    const { entry: observed, observations } = observe(group, entryOf(state, group.name), now);
    const { entry, changed, passedBeats } = alter(group, observed);
    results.push({ group: group.name, changed, passedBeats });
    if (entry === observed) continue;
    entries[group.name] = entry;
    lines.push(...noteObservations(group.name, observations, observed, now, null));
    lines.push({ at: isoOf(now), type, group: group.name, entry });
  }
  return { state: { ...state, groups: entries }, lines, results };
}
