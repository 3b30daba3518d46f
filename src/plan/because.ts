import type { Config, Group } from '../config/config.ts';
import { formatDuration } from '../schedule/duration.ts';
import { segmentAt } from '../schedule/zone.ts';
import { type GroupState, instantOf, isoOf } from '../state/schema.ts';
import type { Blocker, Decision, Plan, SkipReason } from './decide.ts';
import { consumedBeat } from './due.ts';
import { buildGraph, type Graph } from './graph.ts';

/** Says in a sentence why a group is decided so. */
export type Explain = (decision: Decision) => string;

/**
 * Makes what explains the decisions of a plan, for people. Times are wall-clock times of the configuration's time zone,
 * with the date where it is not the plan's.
 */
export function explainPlan(plan: Plan, config: Config): Explain {
  const graph = buildGraph(config);
  const runs: string[] = [];
  const turns = new Int32Array(config.groups.length).fill(-1);
  for (const { group, place, decision } of plan.decisions) if (decision === 'run') turns[place] = runs.push(group) - 1;
  const say = recallLast((instant) => formatInstant(instant, plan.at, config.timezone));
  const nameWaitedFor = waitedForNamer(graph, turns, runs);
  return (decision) => {
    const group = config.groups[decision.place] as Group;
    switch (decision.decision) {
      case 'run':
        return `${explainRun(decision, plan, say)}${nameWaitedFor(decision.place)}`;
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

/** Neighbours of a plan mostly tell of the same instant. */
function recallLast(say: Say): Say {
  let known: number | null = null;
  let said = '';
  return (instant) => {
    if (instant !== known) said = say(instant);
    known = instant;
    return said;
  };
}

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

/**
 * Makes what names the groups that run before one because it comes after them, in the order of the plan; `turns` are the
 * places among the runs, by the groups' places.
 */
function waitedForNamer({ precedents: { from, to } }: Graph, turns: Int32Array, runs: readonly string[]) {
  const found: number[] = [];
  return (index: number): string => {
    let count = 0;
    const end = from[index + 1] as number;
    for (let at = from[index] as number; at < end; at++) {
      const turn = turns[to[at] as number] as number;
      if (turn === -1) continue;
      // Few as they are, each is put where it belongs at once.
      let later = count;
      while (later > 0 && (found[later - 1] as number) > turn) later--;
      if (later > 0 && found[later - 1] === turn) continue;
      for (let place = count; place > later; place--) found[place] = found[place - 1] as number;
      found[later] = turn;
      count++;
    }
    if (count === 0) return '';
    let names = `; ${runs[found[0] as number]}`;
    for (let place = 1; place < count; place++) names += `, ${runs[found[place] as number]}`;
    return count === 1 ? `${names} runs first` : `${names} run first`;
  };
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

/** Says in a clause why a dependency holds its dependents back. */
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
