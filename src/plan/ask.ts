import type { Config, Group } from '../config/config.ts';
import { type Blocker, type HeldLanes, judgeLastRun, type Plan } from './decide.ts';
import { executionOrder } from './execution-order.ts';

/** What a person asks for: a group, and what is to be done about what it depends on. */
export interface Request {
  readonly group: string;
  /** `check`: run only if they allow it; `run`: run them first, too; `ignore`: run whatever they say. */
  readonly dependencies: 'check' | 'run' | 'ignore';
}

/** A run that a person asked for. */
export interface AskedRun {
  readonly group: Group;
  /** The beat that it consumes, ms; null where none is due. */
  readonly beat: number | null;
  readonly missedBeats: number;
}

/** Either the runs, in order, or what stands against them. */
export type Answer = { readonly runs: readonly AskedRun[] } | { readonly blockers: readonly Blocker[] };

/**
 * Decides what to run for a person, on the plan that a tick would follow now. A beat that is due is consumed, be it held
 * back or too late; a group that is paused or disabled runs all the same, since a person asks for it by name.
 */
export function decideRequest(request: Request, plan: Plan, config: Config, held: HeldLanes): Answer {
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  const chosen = new Set([request.group]);
  if (request.dependencies === 'run') {
    // The set grows while it is walked.
    for (const name of chosen) {
      for (const { group } of groupOf.get(name)?.dependsOn ?? []) if (groupOf.get(group)?.enabled) chosen.add(group);
    }
  }
  if (request.dependencies === 'check') {
    const blockers = findBlockers(groupOf.get(request.group) as Group, plan, config, held);
    if (blockers.length > 0) return { blockers };
  }
  const decisions = new Map(plan.decisions.map((decision) => [decision.group, decision]));
  const runs = executionOrder(config, chosen).map((name): AskedRun => {
    const group = groupOf.get(name) as Group;
    const decision = decisions.get(group.name);
    const again = decision?.reason === 'retry-due' || decision?.reason === 'resume-interrupted';
    const consumed = again || decision?.beat == null;
    return { group, beat: consumed ? null : decision.beat, missedBeats: consumed ? 0 : decision.missedBeats };
  });
  return { runs };
}

function findBlockers(group: Group, plan: Plan, config: Config, held: HeldLanes): Blocker[] {
  const running = new Set(held.values());
  const enabled = new Set(config.groups.filter((other) => other.enabled).map(({ name }) => name));
  return group.dependsOn.flatMap((dependency): Blocker[] => {
    const name = dependency.group;
    if (!enabled.has(name)) return [];
    if (running.has(name)) return [{ group: name, reason: 'dependency-running' }];
    const reason = judgeLastRun(dependency, plan.entries.get(name) ?? {}, plan.at);
    return reason === null ? [] : [{ group: name, reason }];
  });
}
