import { explainPlan } from '../plan/because.ts';
import type { Decision, Plan } from '../plan/decide.ts';
import type { HistoryLine } from '../state/history.ts';
import { entryAfterExpiry } from '../state/run-outcome.ts';
import { type GroupState, isoOf, type State } from '../state/state-schema.ts';
import { noteHold, noteObservations } from './hold.ts';
import type { Change, Session } from './session.ts';

/** What a plan itself changes: first sight, edited schedules, resets, expired beats, holds. */
export function applyPlan(state: State, plan: Plan, tick: string): Change {
  const groups: Record<string, GroupState> = { ...state.groups };
  const lines: HistoryLine[] = [];
  const at = isoOf(plan.at);
  for (const decision of plan.decisions) {
    const { group } = decision;
    let entry = plan.entries.get(group) as GroupState;
    lines.push(...noteObservations(group, plan.observations.get(group) ?? [], entry, plan.at, tick));
    if (decision.decision === 'expire') {
      const { missedBeats } = decision;
      entry = entryAfterExpiry(entry, decision.beat);
      lines.push({ at, type: 'expire', tick, group, beat: isoOf(decision.beat), missedBeats, entry });
    }
    // What runs is released when it starts, for a dependency may yet fail before.
    if (decision.decision !== 'run') {
      const noted = noteHold(group, entry, holdOf(decision), plan.at, tick);
      entry = noted.entry;
      if (noted.line !== null) lines.push(noted.line);
    }
    groups[group] = entry;
  }
  return { state: { ...state, groups }, lines };
}

/** What holds a group back that is due and does not run; null for any other. */
export function holdOf(decision: Decision) {
  const { reason, beat, blockers } = decision;
  if (decision.decision !== 'skip' && reason !== 'lane-held') return null;
  return { reason, beat, blockedBy: blockers.map(({ group }) => group) };
}

/** Logs what the plan noticed and does not run; a hold that continues was logged when it began. */
export function logPlan(plan: Plan, { config, logger: { emit } }: Session): void {
  const explain = explainPlan(plan, config);
  for (const decision of plan.decisions) {
    const { group } = decision;
    for (const observation of plan.observations.get(group) ?? []) {
      if (observation.type === 'pause-ended')
        emit({ kind: 'pause-ended', group, passedBeats: observation.passedBeats });
      if (observation.type !== 'reset') continue;
      const to = observation.to === null ? 'none' : isoOf(observation.to);
      emit({ kind: 'clock-reset', group, from: isoOf(observation.from), to });
    }
    if (decision.decision === 'expire') emit({ kind: 'beat-expired', group, because: explain(decision) });
    const hold = holdOf(decision);
    const entry = plan.entries.get(group) ?? {};
    if (hold !== null && decision.reason !== 'lane-held' && noteHold(group, entry, hold, plan.at, '').line !== null) {
      emit({ kind: 'held-back', group, reason: hold.reason, because: explain(decision) });
    }
  }
}
