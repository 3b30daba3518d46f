import type { Config, Group } from '../config/config.ts';
import { buildGraph } from '../config/group-graph.ts';
import { formatDuration } from '../schedule/duration.ts';
import { segmentAt } from '../schedule/zone.ts';
import { type GroupState, instantOf, isoOf } from '../state/state-schema.ts';
import type { Blocker, Decision, Plan, SkipReason } from './decide.ts';
import { consumedBeat } from './due.ts';

/** Explains a decision in a sentence. */
export type Explain = (decision: Decision) => string;

/**
 * Returns a function that explains the decisions of a plan, for people. Times are wall-clock times of the configuration's time zone,
 * with the date where it is not the plan's.
 */
export function explainPlan(plan: Plan, config: Config): Explain {
  const graph = buildGraph(config.groups);
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  const runs = plan.decisions.filter(({ decision }) => decision === 'run').map(({ group }) => group);
  const turns = new Map(runs.map((name, turn) => [name, turn]));
  const turnOf = (name: string): number => turns.get(name) ?? 0;
  const say: Say = (instant) => formatInstant(instant, plan.at, config.timezone);
  const nameEarlierRuns = (name: string): string => {
    const earlier = graph.predecessors(name).filter((other) => turns.has(other));
    if (earlier.length === 0) return '';
    const names = earlier.sort((one, other) => turnOf(one) - turnOf(other)).join(', ');
    return `; ${names} ${earlier.length === 1 ? 'runs' : 'run'} first`;
  };
  return (decision) => {
    const group = groupOf.get(decision.group) as Group;
    switch (decision.decision) {
      case 'run':
        return `${explainRun(decision, plan, say)}${nameEarlierRuns(decision.group)}`;
      case 'wait':
        return explainWait(decision, group, plan, say);
      case 'skip':
        return `${explainBeat(decision, say)}, but ${decision.blockers.map((blocker) => phraseBlocker(blocker, plan, say)).join(', and ')}`;
      case 'expire': {
        const late = formatDuration(Math.floor((plan.at - decision.beat) / 1000) * 1000);
        return `its ${say(decision.beat)} beat is ${late} late, which is too late to start${countMissed(decision.missedBeats)}`;
      }
      case 'paused': {
        const entry = entryIn(plan, decision);
        const since = instantOf(entry.pausedAt);
        const until = instantOf(entry.pausedUntil);
        const reason = entry.pauseReason ? `: ${entry.pauseReason}` : '';
        return `paused${since === null ? '' : ` since ${say(since)}`}${until === null ? '' : `, until ${say(until)}`}${reason}`;
      }
      case 'disabled':
        return 'disabled in the configuration';
    }
  };
}

type Say = (instant: number) => string;

function entryIn(plan: Plan, { group }: Decision): GroupState {
  return plan.entries.get(group) ?? {};
}

function explainRun(decision: Extract<Decision, { decision: 'run' }>, plan: Plan, say: Say): string {
  const beat = say(decision.beat);
  switch (decision.reason) {
    case 'first-run':
      return `first run, for its ${beat} beat`;
    case 'beat-due':
      return `its ${beat} beat is due${countMissed(decision.missedBeats)}`;
    case 'retry-due': {
      const { retry, lastRun } = entryIn(plan, decision);
      return `retry ${retry?.attempt ?? 1} for its ${beat} beat, which ${lastRun?.outcome ?? 'failed'}`;
    }
    case 'resume-interrupted':
      return `its run for the ${beat} beat was interrupted and goes on`;
  }
}

function explainBeat(decision: Decision, say: Say): string {
  return decision.beat === null ? 'it is due' : `its ${say(decision.beat)} beat is due`;
}

function countMissed(missed: number): string {
  if (missed === 0) return '';
  return missed === 1 ? ' (1 earlier beat was missed)' : ` (${missed} earlier beats were missed)`;
}

function explainWait(decision: Extract<Decision, { decision: 'wait' }>, group: Group, plan: Plan, say: Say): string {
  const next = decision.nextBeat === null ? 'no beat ahead' : `next beat ${say(decision.nextBeat)}`;
  switch (decision.reason) {
    case 'manual':
      return 'runs only when asked to';
    case 'lane-held':
      return `${explainBeat(decision, say)}, but another tick holds the lane ${group.lane}`;
    case 'first-beat-ahead':
      return `waits for its first beat${decision.nextBeat === null ? '' : `, ${say(decision.nextBeat)}`}`;
    case 'not-due': {
      const entry = entryIn(plan, decision);
      const consumed = consumedBeat(entry);
      if (consumed !== null && consumed > plan.at) {
        return `the clock went back: its ${say(consumed)} beat is consumed already, and it waits for a later one`;
      }
      const retry = instantOf(entry.retry?.at);
      return retry !== null && retry > plan.at ? `retry at ${say(retry)}, ${next}` : next;
    }
  }
}

/** Explains in a clause why a dependency holds its dependents back. */
export function explainBlocker(blocker: Blocker, plan: Plan, config: Config): string {
  return phraseBlocker(blocker, plan, (instant) => formatInstant(instant, plan.at, config.timezone));
}

function phraseBlocker({ group, reason }: Blocker, plan: Plan, say: Say): string {
  const lastRun = plan.entries.get(group)?.lastRun;
  const finishedAt = instantOf(lastRun?.finishedAt);
  const when = finishedAt === null ? '' : ` (${say(finishedAt)})`;
  const texts: Record<SkipReason, string> = {
    'dependency-failed': `${group} last ${phraseOutcome(lastRun?.outcome)}${when}`,
    'dependency-skipped': `${group} is due and held back itself`,
    'dependency-running': `${group} is still running`,
    'dependency-never-ran': `${group} has never run`,
    'dependency-stale': `${group} finished too long ago${when}`,
  };
  return texts[reason];
}

function phraseOutcome(outcome: string | null | undefined): string {
  if (outcome === 'timed-out') return 'timed out';
  if (outcome === 'interrupted') return 'was interrupted';
  return outcome ?? 'failed';
}

/**
 * An instant as the wall clock of a zone shows it: `16:00`, with seconds where it has any, with the date unless that is
 * the date of `reference`, too.
 */
export function formatInstant(instant: number, reference: number | null, timezone: string): string {
  const [date, time] = wallClock(instant, timezone);
  const today = reference === null ? null : wallClock(reference, timezone)[0];
  const short = time.endsWith(':00') ? time.slice(0, 5) : time;
  return date === today ? short : `${date} ${short}`;
}

function wallClock(instant: number, timezone: string): [date: string, time: string] {
  const [date = '', time = ''] = isoOf(instant + segmentAt(timezone, instant).offset).split('T');
  return [date, time.slice(0, 8)];
}
