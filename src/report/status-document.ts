import type { Config, Group } from '../config/config.ts';
import { explainBlocker, explainPlan } from '../plan/because.ts';
import type { Decision, Plan } from '../plan/decide.ts';
import { consumedBeat, decideDue } from '../plan/due.ts';
import { nextBeat } from '../schedule/beats.ts';
import { describeSchedule } from '../schedule/describe.ts';
import type { HistoryLine } from '../state/history.ts';
import { type GroupState, instantOf, isoOf, type Lease, type State } from '../state/state-schema.ts';
import { countOf } from './quantities.ts';
import { judgeTrigger, phraseGaps, phraseTrigger, type TriggerState } from './trigger-health.ts';
import { usualLengths, usualScriptLength } from './usual-durations.ts';

/**
 * What is up with a group: `running`; `late`, due for longer than two of the trigger's periods, with nothing recorded
 * that would hold it back; `due`, for the next tick; `waiting`, due and held back by what it depends on; `paused`;
 * `disabled`; `idle`, not due.
 */
export type GroupCondition = 'running' | 'late' | 'due' | 'waiting' | 'paused' | 'disabled' | 'idle';

/** `rhythm status --json`. Instants are ISO 8601 in UTC with milliseconds; what is not known is null. */
export interface StatusDocument {
  readonly schemaVersion: 1;
  readonly at: string;
  /** The verdict of `--check`. */
  readonly check: {
    /** 0: well; 1: a group failed or is late; 2: nothing ticks, or the state can't be read. */
    readonly exitCode: 0 | 1 | 2;
    /** One line that says why. */
    readonly text: string;
    /** The groups whose last run failed or timed out, in the order of the configuration. */
    readonly failed: readonly string[];
    /** The groups that are late. */
    readonly late: readonly string[];
  };
  /** What was wrong with the state, and what stands in for it; empty where it is sound. */
  readonly notices: readonly string[];
  readonly trigger: {
    readonly state: TriggerState;
    /** When it last showed a sign of life. */
    readonly lastAt: string | null;
    /** The median distance between the ticks of the last 24 hours; null where there are too few. */
    readonly everyMs: number | null;
    /** The distance that the configuration names, `tickEvery`. */
    readonly expectedEveryMs: number;
    /** How many ticks of the last 24 hours were looked at. */
    readonly ticks: number;
    /** Times of more than two periods without a tick, oldest first; `asleepMs` of them the machine slept or was off. */
    readonly gaps: readonly { readonly from: string; readonly to: string; readonly asleepMs: number | null }[];
    /** All this in one or two sentences. */
    readonly text: string;
  };
  readonly lastTick: {
    readonly id: string | null;
    readonly startedAt: string | null;
    readonly finishedAt: string | null;
    /** `nothing-due`, `lanes-held`, `succeeded`, `failed` or `interrupted`; null while it runs, and where it died. */
    readonly outcome: string | null;
    readonly isRunning: boolean;
  } | null;
  /** What runs now, one entry for each lane that is held. */
  readonly running: readonly RunningStatus[];
  /** In the order of the configuration. */
  readonly groups: readonly GroupStatus[];
}

/** A lane at work. */
export interface RunningStatus {
  readonly lane: string;
  /** Null between two runs. */
  readonly group: string | null;
  readonly runId: string | null;
  /** When the run began, or went on, in this tick; between two runs, when the lane was taken. */
  readonly since: string | null;
  readonly elapsedMs: number | null;
  /** The script that runs. */
  readonly script: string | null;
  readonly scriptElapsedMs: number | null;
  /** What it usually takes: the median of its newest successful runs. */
  readonly scriptUsualMs: number | null;
  /** The newest line of its output, made safe and without secrets. */
  readonly lastLine: string | null;
  /** The process that holds the lane. */
  readonly pid: number | null;
  /** Its tick died, and the script goes on: the next tick waits for it. */
  readonly isOrphan: boolean;
}

export interface GroupStatus {
  readonly group: string;
  readonly description: string | null;
  readonly schedule: string;
  readonly state: GroupCondition;
  /** Why, in a sentence. */
  readonly because: string;
  /** Since when it has been due. */
  readonly dueSince: string | null;
  /** The dependencies that hold it back. */
  readonly blockedBy: readonly string[];
  /** What it waits for, in a clause. */
  readonly waitsFor: string | null;
  readonly lastRun: {
    readonly id: string | null;
    readonly outcome: string | null;
    readonly startedAt: string | null;
    readonly finishedAt: string | null;
    readonly durationMs: number | null;
  } | null;
  /** What a run usually takes: the median of the newest successful ones. */
  readonly usualMs: number | null;
  readonly consecutiveFailures: number;
  readonly nextBeat: string | null;
  /** When a failed run is tried again. */
  readonly retryAt: string | null;
  readonly pausedAt: string | null;
  readonly pausedUntil: string | null;
  readonly pauseReason: string | null;
}

/** A lane that is held, or in which the script of a dead tick goes on. */
export interface Activity {
  readonly lane: string;
  readonly lease: Lease | null;
  /** The tick or run that holds the lane. */
  readonly holder: { readonly pid: number; readonly since: number; readonly tick: string | null } | null;
  readonly isOrphan: boolean;
  /** When the script that runs was started, ms. */
  readonly scriptStartedAt: number | null;
  readonly lastLine: string | null;
}

export interface StatusFacts {
  readonly config: Config;
  /** As it is on disk. */
  readonly state: State;
  /** What had to be said about reading it. */
  readonly notices: readonly string[];
  /** Of the state as the next tick will find it, for `now`. */
  readonly plan: Plan;
  readonly activities: readonly Activity[];
  /** `tick` and `run-end` lines; may be gone through several times, and is read no further than is needed. */
  readonly newestFirst: Iterable<HistoryLine>;
  /** When the trigger last left its pulse, ms; null where it leaves none. */
  readonly pulse: number | null;
}

/** Says how every group, the last tick and the trigger are, at the plan's instant. */
export function reportStatus(facts: StatusFacts): StatusDocument {
  const { config, state, notices, plan, activities, newestFirst, pulse } = facts;
  const now = plan.at;
  const lastTick = reportLastTick(state, activities);
  const quality = judgeTrigger(newestFirst, {
    now,
    tickEvery: config.tickEvery,
    pulse,
    lastTick: instantOf(state.lastTick?.startedAt),
    isBusy: activities.some((activity) => isTick(activity, state)),
  });
  const usual = usualLengths(
    newestFirst,
    config.groups.map(({ name }) => name),
  );
  const groups = reportGroups(facts, usual);
  const phrased = phraseTrigger(quality, now);
  const gaps = phraseGaps(quality);
  return {
    schemaVersion: 1,
    at: isoOf(now),
    check: judge(groups, quality.state, phrased, notices),
    notices,
    trigger: {
      state: quality.state,
      lastAt: isoOrNull(quality.lastAt),
      everyMs: quality.every,
      expectedEveryMs: quality.expectedEvery,
      ticks: quality.ticks,
      gaps: quality.gaps.map(({ from, to, asleepMs }) => ({ from: isoOf(from), to: isoOf(to), asleepMs })),
      text: gaps === null ? phrased : `${phrased}; ${gaps}`,
    },
    lastTick,
    running: activities.map((activity) => reportRunning(activity, newestFirst, now)),
    groups,
  };
}

function reportGroups({ config, plan, activities }: StatusFacts, usual: ReadonlyMap<string, number>): GroupStatus[] {
  const explain = explainPlan(plan, config);
  const decisionOf = new Map(plan.decisions.map((decision) => [decision.group, decision]));
  const atWork = new Map(activities.map(({ lane, lease }) => [lane, lease?.group ?? null]));
  const running = new Set(atWork.values());
  return config.groups.map((group): GroupStatus => {
    const decision = decisionOf.get(group.name) as Decision;
    const entry = plan.entries.get(group.name) ?? {};
    const dueSince = decision.beat === null ? null : findDueSince(group, entry, plan.at, config.tickEvery);
    const state = running.has(group.name) ? 'running' : conditionOf(decision, entry, dueSince, plan.at, config);
    const { lastRun } = entry;
    return {
      group: group.name,
      description: group.description,
      schedule: describeSchedule(group.schedule),
      state,
      because: state === 'running' ? 'it runs now' : explain(decision),
      dueSince: isoOrNull(state === 'running' ? null : dueSince),
      blockedBy: decision.blockers.map((blocker) => blocker.group),
      waitsFor: state === 'running' ? null : phraseWait(decision, group, atWork, plan, config),
      lastRun:
        lastRun == null
          ? null
          : {
              id: lastRun.id ?? null,
              outcome: lastRun.outcome ?? null,
              startedAt: lastRun.startedAt ?? null,
              finishedAt: lastRun.finishedAt ?? null,
              durationMs: lastRun.durationMs ?? null,
            },
      usualMs: usual.get(group.name) ?? null,
      consecutiveFailures: entry.consecutiveFailures ?? 0,
      nextBeat: isoOrNull(decision.nextBeat),
      retryAt: decision.decision === 'wait' && decision.beat === null ? (entry.retry?.at ?? null) : null,
      pausedAt: entry.pausedAt ?? null,
      pausedUntil: entry.pausedUntil ?? null,
      pauseReason: entry.pauseReason ?? null,
    };
  });
}

function conditionOf(
  { decision }: Decision,
  entry: GroupState,
  dueSince: number | null,
  now: number,
  { tickEvery }: Config,
): GroupCondition {
  if (decision === 'paused' || decision === 'disabled') return decision;
  if (dueSince === null) return 'idle';
  const isOverdue = now - dueSince > 2 * tickEvery;
  // Only a tick records what holds a group back: where none has, nobody has looked after it.
  if (decision === 'skip' && (entry.held != null || !isOverdue)) return 'waiting';
  return isOverdue ? 'late' : 'due';
}

/** When a due group became so: its oldest beat that is not consumed, its retry, the end of the run that goes on. */
function findDueSince(group: Group, entry: GroupState, now: number, tickEvery: number): number {
  const due = decideDue(group, entry, now, tickEvery);
  const firstSeen = instantOf(entry.firstSeenAt) ?? now;
  const reason = due.kind === 'run' ? due.reason : due.kind;
  if (reason === 'first-run') return firstSeen;
  if (reason === 'retry-due') return instantOf(entry.retry?.at) ?? now;
  if (reason === 'resume-interrupted') return instantOf(entry.lastRun?.finishedAt) ?? now;
  const edited = instantOf(entry.schedule?.since) ?? Number.NEGATIVE_INFINITY;
  return nextBeat(group.schedule, Math.max(consumedBeat(entry) ?? firstSeen, edited - 1)) ?? now;
}

function phraseWait(
  decision: Decision,
  group: Group,
  atWork: ReadonlyMap<string, string | null>,
  plan: Plan,
  config: Config,
): string | null {
  if (decision.blockers.length > 0) {
    return decision.blockers.map((blocker) => explainBlocker(blocker, plan, config)).join(', and ');
  }
  if (decision.reason !== 'lane-held') return null;
  const occupant = atWork.get(group.lane);
  return occupant == null ? `lane ${group.lane} is held` : `lane ${group.lane} is held: ${occupant} runs`;
}

function reportRunning(activity: Activity, newestFirst: Iterable<HistoryLine>, now: number): RunningStatus {
  const { lane, lease, holder, isOrphan, scriptStartedAt, lastLine } = activity;
  const since = instantOf(lease?.since) ?? holder?.since ?? null;
  const script = lease?.script ?? null;
  return {
    lane,
    group: lease?.group ?? null,
    runId: lease?.runId ?? null,
    since: isoOrNull(since),
    elapsedMs: since === null ? null : Math.max(0, now - since),
    script,
    scriptElapsedMs: script === null || scriptStartedAt === null ? null : Math.max(0, now - scriptStartedAt),
    scriptUsualMs: lease == null || script === null ? null : usualScriptLength(newestFirst, lease.group, script),
    lastLine,
    pid: holder?.pid ?? null,
    isOrphan,
  };
}

function reportLastTick(state: State, activities: readonly Activity[]): StatusDocument['lastTick'] {
  const { lastTick } = state;
  if (lastTick == null) return null;
  return {
    id: lastTick.id ?? null,
    startedAt: lastTick.startedAt ?? null,
    finishedAt: lastTick.finishedAt ?? null,
    outcome: lastTick.outcome ?? null,
    isRunning:
      lastTick.finishedAt == null &&
      activities.some(({ holder }) => holder?.tick != null && holder.tick === lastTick.id),
  };
}

/** A tick, and no run by hand, which says nothing about the trigger: that leaves the last tick as it is. */
function isTick({ lease, holder }: Activity, { lastTick }: State): boolean {
  if (holder === null) return false;
  // A tick that waits for what a dead one left has a lane whose lease is not its own.
  return holder.tick === lastTick?.id || (lease !== null && lease.tick !== holder.tick);
}

/** More than these are only counted: monitoring shows no long lines. */
const mostTroubles = 5;

function judge(
  groups: readonly GroupStatus[],
  trigger: TriggerState,
  phrased: string,
  notices: readonly string[],
): StatusDocument['check'] {
  // Who paused a group knows of it.
  const watched = groups.filter(({ state }) => state !== 'paused' && state !== 'disabled');
  const late = watched.filter(({ state }) => state === 'late');
  const failed = watched.filter(({ lastRun }) => hasFailed(lastRun?.outcome ?? null));
  const troubles = [
    ...failed.map(({ group, lastRun, consecutiveFailures }) => {
      const times = consecutiveFailures > 1 ? ` ${consecutiveFailures} times in a row` : '';
      return `${group} ${lastRun?.outcome === 'timed-out' ? 'timed out' : 'failed'}${times}`;
    }),
    ...late.map(({ group }) => `${group} is late`),
  ];
  const hidden = troubles.splice(mostTroubles).length;
  if (hidden > 0) troubles.push(`and ${hidden} more`);
  const comes = trigger === 'comes';
  const exitCode = notices.length > 0 || !comes ? 2 : troubles.length > 0 ? 1 : 0;
  const verdict = exitCode === 0 ? `well: ${countOf(groups.length, 'group')}` : exitCode === 1 ? 'unwell' : 'unknown';
  const parts = comes ? [...notices, ...troubles, phrased] : [...notices, phrased, ...troubles];
  return {
    exitCode,
    text: `${verdict}${exitCode === 0 ? '; ' : ': '}${parts.join('; ')}`,
    failed: failed.map(({ group }) => group),
    late: late.map(({ group }) => group),
  };
}

/** Whether an outcome is one of those that raise the count of failures. */
export function hasFailed(outcome: string | null): boolean {
  return outcome === 'failed' || outcome === 'timed-out';
}

function isoOrNull(instant: number | null): string | null {
  return instant === null ? null : isoOf(instant);
}
