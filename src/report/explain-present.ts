import type { Config, Dependency, Group } from '../config/config.ts';
import { explainPlan } from '../plan/because.ts';
import { type Decision, type HeldLanes, judgeLastRun, type Plan, planTick } from '../plan/decide.ts';
import { forecast } from '../plan/forecast.ts';
import { latestBeat, nextBeat } from '../schedule/beats.ts';
import { type GroupState, instantOf, isoOf, type Lease, type State } from '../state/state-schema.ts';
import { isoOrNull, knownAt, pickRun } from './beat-trace.ts';
import {
  type Change,
  type DependencyReport,
  describeBeats,
  type Explanation,
  type Fate,
  latestStart,
  phraseRun,
  type Records,
  sayer,
} from './explanation.ts';
import { formatLength } from './quantities.ts';
import { itemOfRun, type RunItem } from './run-history.ts';

export interface PresentFacts {
  readonly config: Config;
  readonly group: Group;
  readonly now: number;
  /** As a tick would find it (`settleState`). */
  readonly state: State;
  readonly held: HeldLanes;
  /** The runs in progress, by lane. */
  readonly leases: ReadonlyMap<string, Lease>;
  readonly records: Records;
  /** How long the group usually takes, ms; null if that is not known. Called only if it is shown. */
  readonly readUsual: () => number | null;
}

/** Explains what a tick would do now, and until when that holds. */
export function explainPresent(facts: PresentFacts): Explanation {
  const { config, group, now, state, held, records } = facts;
  const plan = planTick(config, state, now, held);
  const decision = decisionOf(plan, group);
  const entry = plan.entries.get(group.name) ?? {};
  const lease = facts.leases.get(group.lane);
  const own = lease?.group === group.name ? lease : undefined;
  const because = explainPlan(plan, config)(decision);
  // The records say why it ran, which the state does not; of what never ran they need not be asked.
  const hasRun = own !== undefined || entry.lastRun != null;
  const last = (hasRun ? knownAt(group.name, now, records).run : null) ?? readLastRun(group.name, entry);
  const say = sayer(now, config);
  const lastTick = instantOf(state.lastTick?.startedAt);
  const findings = { ...facts, plan, decision, entry, own, because, last, lastTick };
  return {
    ...frameOf(group, config, now, entry, decision.beat),
    tense: 'present',
    summary: sumUp(findings, say),
    fate: own !== undefined ? 'running' : fateOf(decision),
    reason: decision.reason,
    beat: own === undefined ? isoOrNull(decision.beat) : (own.beat ?? null),
    runs: last === null ? [] : [own !== undefined && last.runId === own.runId ? { ...last, outcome: 'running' } : last],
    dependencies: group.dependsOn.map((dependency) => reportDependency(dependency, plan, decision, facts)),
    holds: holdOf(entry, decision, because),
    lane: {
      name: group.lane,
      heldBy: held.has(group.lane) ? (held.get(group.lane) ?? 'another tick') : null,
      since: held.has(group.lane) ? (lease?.since ?? null) : null,
    },
    ticks: { before: isoOrNull(lastTick), after: null },
    changes: changesAhead(findings),
  };
}

/** So far ahead of an instant in the future, ms, the ticks before it are played through; what is earlier is taken at once. */
const runUp = 2 * 86_400_000;

/** Explains what will happen around a future instant (ms), every run taken to succeed. */
export function explainFuture(facts: PresentFacts, at: number): Explanation {
  const { config, group, now, state } = facts;
  const part: Config = { ...config, groups: withDependencies(group, config) };
  const beat = group.enabled ? latestBeat(group.schedule, at) : null;
  const say = sayer(at, config);
  const from = Math.max(now, at - runUp);
  const ticks = forecast(part, { ...state, leases: {} }, from, at + 2 * config.tickEvery, new Map());
  const found = ticks.flatMap((tick) =>
    tick.decisions
      .filter((decision) => decision.group === group.name && decision.beat !== null && decision.beat === beat)
      .map((decision) => ({ at: tick.at, decision })),
  )[0];
  const plan = planTick(part, state, at);
  const decision = decisionOf(plan, group);
  const entry = plan.entries.get(group.name) ?? {};
  const consumed = instantOf(entry.lastBeat);
  const next = group.enabled ? nextBeat(group.schedule, at) : null;
  const name = group.name;
  const afterwards = next === null ? '' : ` Its next beat after that is ${say(next)}.`;
  const because = explainPlan(plan, part)(decision);
  let fate: Fate;
  let summary: string;
  if (found !== undefined) {
    const verb = found.decision.decision === 'expire' ? 'will expire' : 'will run';
    fate = found.decision.decision === 'expire' ? 'will-expire' : 'will-run';
    summary =
      fate === 'will-run'
        ? `${name} ${verb} for its ${say(found.decision.beat as number)} beat with the tick of about ${say(found.at)}, if all runs until then succeed.${afterwards}`
        : `${name} will not run: its ${say(found.decision.beat as number)} beat ${verb}, being too late, with the tick of about ${say(found.at)}.${afterwards}`;
  } else if (beat === null || (consumed !== null && consumed >= beat) || decision.decision === 'wait') {
    fate = decision.reason === 'manual' ? 'manual' : 'waiting';
    summary =
      decision.reason === 'manual'
        ? `${name} will not run by itself: it runs only when asked to.`
        : `${name} will have nothing to run for at ${say(at)}.${next === null ? '' : ` Its next beat is ${say(next)}.`}`;
  } else {
    fate = fateOf(decision);
    summary = `${name} will not run at ${say(at)}, as things stand: ${because}.`;
  }
  return {
    ...frameOf(group, config, at, entry, beat),
    tense: 'future',
    summary,
    fate,
    reason: found?.decision.reason ?? decision.reason,
    beat: isoOrNull(beat),
    runs: [],
    dependencies: group.dependsOn.map((dependency) => {
      const report = reportDependency(dependency, plan, decision, facts);
      const runsThen = ticks.some(
        (tick) => tick.at <= (found?.at ?? at) && tick.decisions.some((other) => other.group === dependency.group),
      );
      return runsThen ? { ...report, satisfied: true, reason: null } : report;
    }),
    holds: [],
    lane: { name: group.lane, heldBy: null, since: null },
    ticks: { before: isoOrNull(instantOf(state.lastTick?.startedAt)), after: isoOrNull(found?.at ?? null) },
    changes: next === null ? [] : [{ at: isoOf(next), what: 'its next beat comes' }],
  };
}

function withDependencies(group: Group, config: Config): Group[] {
  const groupOf = new Map(config.groups.map((other) => [other.name, other]));
  const needed = new Set([group.name]);
  for (const name of needed) for (const dependency of groupOf.get(name)?.dependsOn ?? []) needed.add(dependency.group);
  return config.groups
    .filter(({ name }) => needed.has(name))
    .map((other) => ({ ...other, after: other.after.filter((name) => needed.has(name)) }));
}

function decisionOf(plan: Plan, group: Group): Decision {
  return plan.decisions.find((decision) => decision.group === group.name) as Decision;
}

/** What holds whatever the answer is. */
function frameOf(group: Group, config: Config, at: number, entry: GroupState, beat: number | null) {
  const within = latestStart(group, config.tickEvery);
  const isPaused = entry.pausedAt != null;
  return {
    schemaVersion: 1 as const,
    group: group.name,
    at: isoOf(at),
    schedule: describeBeats(group.schedule, at),
    lastBeat: entry.lastBeat ?? null,
    pause: isPaused
      ? { since: entry.pausedAt as string, until: entry.pausedUntil ?? null, reason: entry.pauseReason ?? null }
      : null,
    retry: entry.retry?.at == null ? null : { at: entry.retry.at, attempt: entry.retry.attempt ?? 1 },
    lateness: {
      catchUp: group.catchUp,
      withinMs: within,
      until: beat === null || within === null ? null : isoOf(beat + within),
    },
  };
}

function fateOf({ decision, reason }: Decision): Fate {
  switch (decision) {
    case 'run':
      return 'will-run';
    case 'expire':
      return 'will-expire';
    case 'skip':
      return 'held';
    case 'paused':
    case 'disabled':
      return decision;
    case 'wait':
      return reason === 'lane-held' ? 'held' : reason === 'manual' ? 'manual' : 'waiting';
  }
}

interface Findings extends PresentFacts {
  readonly plan: Plan;
  readonly decision: Decision;
  readonly entry: GroupState;
  /** Of the group's own run in progress. */
  readonly own: Lease | undefined;
  readonly because: string;
  readonly last: RunItem | null;
  readonly lastTick: number | null;
}

function sumUp(findings: Findings, say: (instant: number) => string): string {
  const { group, own, decision, because, last, lastTick, now, config } = findings;
  const { name } = group;
  if (own !== undefined) {
    const beat = own.beat == null ? '' : ` for its ${say(Date.parse(own.beat))} beat`;
    const since = own.since == null ? '' : ` since ${say(Date.parse(own.since))}`;
    const usualMs = findings.readUsual();
    const usual = usualMs === null ? '' : ` (it usually takes ${formatLength(usualMs)})`;
    return `${name} is running${beat}${since}${usual}${own.script == null ? '' : `, ${own.script} at present`}.`;
  }
  const isSilent = lastTick === null || now - lastTick > 2 * config.tickEvery;
  const since = lastTick === null ? 'No tick has come yet' : `No tick has come since ${say(lastTick)}`;
  const silence =
    isSilent && decision.beat !== null && now - decision.beat > 2 * config.tickEvery
      ? ` ${since}: is the trigger installed? rhythm doctor tells.`
      : '';
  const before =
    last === null
      ? ' It has not run yet.'
      : ` It last ran at ${say(Date.parse(last.startedAt))}${last.beat === null ? '' : ` for its ${say(Date.parse(last.beat))} beat`} and ${phraseRun(last)}.`;
  const answers: Record<Decision['decision'], string> = {
    run: `${name} runs with the next tick: ${because}.`,
    wait: because.startsWith('waits ') ? `${name} ${because}.` : `${name} waits: ${because}.`,
    skip: `${name} is held back: ${because}.`,
    expire: `${name} does not run: ${because}; the next tick lets it expire.`,
    paused: `${name} does not run: it is ${because}.`,
    disabled: `${name} does not run: it is ${because}.`,
  };
  return `${answers[decision.decision]}${silence}${before}`;
}

function readLastRun(group: string, { lastRun, ...entry }: GroupState): RunItem | null {
  if (lastRun == null) return null;
  return itemOfRun(null, { at: lastRun.finishedAt ?? '', type: 'run-end', group, lane: '', run: lastRun, entry });
}

function holdOf(entry: GroupState, decision: Decision, because: string): Explanation['holds'] {
  if (fateOf(decision) !== 'held') return [];
  const { held } = entry;
  const since = typeof held === 'object' && held !== null && 'since' in held ? held.since : null;
  if (typeof since !== 'string') return [];
  const blockedBy = decision.blockers.map((blocker) => blocker.group);
  return [{ since, until: null, reason: decision.reason, blockedBy, because }];
}

function reportDependency(
  dependency: Dependency,
  plan: Plan,
  decision: Decision,
  facts: PresentFacts,
): DependencyReport {
  const { config, now, leases } = facts;
  const other = config.groups.find(({ name }) => name === dependency.group) as Group;
  const theirs = plan.decisions.find(({ group }) => group === other.name);
  const entry = plan.entries.get(other.name) ?? {};
  const blocker = decision.blockers.find(({ group }) => group === other.name);
  const runsFirst = theirs?.decision === 'run' || !other.enabled;
  const reason = blocker?.reason ?? (runsFirst ? null : judgeLastRun(dependency, entry, plan.at));
  const lease = leases.get(other.lane);
  const last = readLastRun(other.name, entry);
  return {
    group: other.name,
    when: dependency.when,
    withinMs: dependency.within,
    satisfied: reason === null,
    reason,
    run: lease?.group === other.name ? pickLease(lease) : last === null ? null : pickRun(last),
    nextBeat: isoOrNull(other.enabled ? nextBeat(other.schedule, now) : null),
  };
}

function pickLease({ runId, since }: Lease): DependencyReport['run'] {
  return { runId, outcome: 'running', startedAt: since ?? '', finishedAt: null };
}

/** What will change the answer, the soonest first; what a tick changes, it changes with the first one from then on. */
function changesAhead({ config, group, now, decision, entry, own, plan, leases }: Findings): Change[] {
  const changes: { at: number; what: string }[] = [];
  const note = (instant: number | null, what: string) => {
    if (instant !== null && instant > now) changes.push({ at: instant, what });
  };
  if (decision.decision === 'run' || decision.decision === 'expire') {
    note((Math.floor(now / config.tickEvery) + 1) * config.tickEvery, 'the next tick, where the trigger comes');
  }
  if (decision.decision !== 'disabled') note(decision.nextBeat, 'its next beat comes');
  if (decision.decision === 'paused') note(instantOf(entry.pausedUntil), 'its pause ends');
  if (decision.decision === 'wait') note(instantOf(entry.retry?.at), 'its retry is due');
  const within = latestStart(group, config.tickEvery);
  if (decision.beat !== null && within !== null && decision.reason !== 'first-run') {
    note(decision.beat + within, 'its beat becomes too late to start');
  }
  const lease = leases.get(group.lane);
  if (own !== undefined || decision.reason === 'lane-held') {
    note(instantOf(lease?.until), `the run of ${lease?.group} ends, at the latest`);
  }
  for (const dependency of group.dependsOn) {
    const theirs = plan.entries.get(dependency.group) ?? {};
    const other = config.groups.find(({ name }) => name === dependency.group) as Group;
    if (decision.blockers.some((blocker) => blocker.group === other.name)) {
      note(nextBeat(other.schedule, now), `the next beat of ${other.name} comes`);
      note(instantOf(theirs.retry?.at), `the retry of ${other.name} is due`);
      note(instantOf(theirs.pausedUntil), `the pause of ${other.name} ends`);
    } else if (dependency.within !== null && (decision.decision === 'skip' || decision.reason === 'lane-held')) {
      const finished = instantOf(theirs.lastRun?.finishedAt);
      note(finished === null ? null : finished + dependency.within, `the last run of ${other.name} becomes too old`);
    }
  }
  changes.sort((a, b) => a.at - b.at);
  return changes.map((change) => ({ at: isoOf(change.at), what: change.what }));
}
