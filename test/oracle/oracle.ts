import type { GroupInput } from '../../src/config/resolve/config-schema.ts';
import type { GroupState, SeenSchedule, State } from '../../src/state/state-schema.ts';
import { type Beats, calendarOf, spellLines } from './calendar.ts';

export type { Beats } from './calendar.ts';

/**
 * A second reading of rhythm's rules, to hold the program against: from a configuration and a state as they are written
 * to the plan, in the plainest way that could be right. It shares types with the program and not a line of code; where
 * the two disagree, one of them has misread a rule. Nothing here is fast, and only what is valid is understood.
 */

/** A configuration as it is written, as far as a plan depends on it. */
export interface WrittenConfig {
  readonly timezone?: string;
  readonly tickEvery?: string;
  readonly groups: Readonly<Record<string, GroupInput>>;
}

/** What a plan says of one group, in the words of `tick --dry-run --json`. */
export interface Verdict {
  readonly group: string;
  readonly decision: 'run' | 'wait' | 'skip' | 'expire' | 'paused' | 'disabled';
  readonly reason: string;
  readonly blockedBy: readonly string[];
  readonly beat: string | null;
  readonly missedBeats: number;
  readonly nextBeat: string | null;
}

type Dependency = Exclude<NonNullable<GroupInput['dependsOn']>[number], string>;

/** What a group does, at first as if it stood alone. */
interface Alone {
  readonly decision: Verdict['decision'];
  readonly reason: string;
  readonly beat?: number;
  readonly missedBeats?: number;
  readonly blockedBy?: readonly string[];
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/**
 * What a tick at `at` does, the groups that run first and in order, then the others as they stand in the configuration.
 * `held` names the lanes that another tick holds, each with the group that it runs. The system's zone is taken for UTC.
 */
export function foretell(
  config: WrittenConfig,
  state: State,
  at: number,
  held: ReadonlyMap<string, string | null> = new Map(),
): Verdict[] {
  const names = Object.keys(config.groups);
  const groupOf = new Map(Object.entries(config.groups));
  const get = (name: string): GroupInput => groupOf.get(name) as GroupInput;
  const entries = new Map(Object.entries(state.groups ?? {}));
  const alone = new Map(names.map((name) => [name, judgeAlone(get(name), entries.get(name), at, config)]));
  const laneOf = (name: string): string => get(name).lane ?? 'main';

  const known = new Map<string, Alone>();
  const judge = (name: string): Alone => {
    const before = known.get(name);
    if (before) return before;
    const own = alone.get(name) as Alone;
    let verdict = own;
    if (own.beat !== undefined && held.has(laneOf(name))) {
      verdict = { ...own, decision: 'wait', reason: 'lane-held' };
    } else if (own.decision === 'run') {
      const blockers = (get(name).dependsOn ?? []).flatMap((written) => {
        const dependency = typeof written === 'string' ? { group: written } : written;
        const reason = block(dependency);
        return reason === null ? [] : [{ group: dependency.group, reason }];
      });
      const [first] = blockers;
      if (first) {
        verdict = { ...own, decision: 'skip', reason: first.reason, blockedBy: blockers.map(({ group }) => group) };
      }
    }
    known.set(name, verdict);
    return verdict;
  };

  const block = ({ group, when, within }: Dependency): string | null => {
    if (get(group).enabled === false) return null;
    const { decision, reason } = judge(group);
    if (decision === 'run') return null;
    if (held.get(laneOf(group)) === group) return 'dependency-running';
    if (decision === 'skip' || reason === 'lane-held') return 'dependency-skipped';
    const last = entries.get(group)?.lastRun;
    if (!last?.outcome) return 'dependency-never-ran';
    if (when !== 'finished' && last.outcome !== 'succeeded') return 'dependency-failed';
    const finished = readInstant(last.finishedAt);
    if (within !== undefined && (finished === null || at - finished > readDuration(within))) return 'dependency-stale';
    return null;
  };

  const verdicts = names.map((name): Verdict => {
    const { decision, reason, beat, missedBeats = 0, blockedBy = [] } = judge(name);
    const beats = get(name).enabled === false ? null : beatsOf(get(name), config);
    return {
      group: name,
      decision,
      reason,
      blockedBy,
      beat: beat === undefined ? null : new Date(beat).toISOString(),
      missedBeats,
      nextBeat: beats === null ? null : new Date(beats.after(at)).toISOString(),
    };
  });
  const running = order(
    names,
    groupOf,
    verdicts.filter(({ decision }) => decision === 'run').map(({ group }) => group),
  );
  return [
    ...running.map((name) => verdicts.find(({ group }) => group === name) as Verdict),
    ...verdicts.filter(({ decision }) => decision !== 'run'),
  ];
}

function judgeAlone(group: GroupInput, entry: GroupState | undefined, at: number, config: WrittenConfig): Alone {
  if (group.enabled === false) return { decision: 'disabled', reason: 'disabled' };
  const pausedAt = readInstant(entry?.pausedAt);
  const pausedUntil = readInstant(entry?.pausedUntil);
  if (pausedAt !== null && (pausedUntil === null || at < pausedUntil)) return { decision: 'paused', reason: 'paused' };
  const beats = beatsOf(group, config);
  if (beats === null) return { decision: 'wait', reason: 'manual' };

  const notDue: Alone = { decision: 'wait', reason: 'not-due' };
  let consumed = readInstant(entry?.lastBeat) ?? readInstant(entry?.lastRun?.beat);
  // A clock that went back: whether the group waits for its beat or is set back to the latest, nothing is due now.
  if (consumed !== null && consumed > at) return notDue;
  if (pausedAt !== null && pausedUntil !== null) {
    // What passed during a pause that has ended by itself is consumed.
    const passed = beats.upTo(pausedUntil - 1);
    if (passed > pausedAt) consumed = Math.max(consumed ?? passed, passed);
  }

  const firstSeen = readInstant(entry?.firstSeenAt) ?? at;
  const firstRun = group.firstRun ?? (group.every === undefined ? 'wait' : 'now');
  if (consumed === null && firstRun === 'now') {
    return { decision: 'run', reason: 'first-run', beat: beats.upTo(at) };
  }
  // Beats of an edited schedule that lie before the tick that first saw it do not count.
  // A record that lacks the rule itself says nothing.
  const seen = entry?.schedule && ruleOf(entry.schedule) !== null ? entry.schedule : null;
  let since = seen ? (isSame(seen, group, config) ? readInstant(seen.since) : at) : null;
  // As with a last beat that lies ahead because the clock went back: later than the second beat from now, it is let go.
  if (since !== null && since > beats.after(beats.after(at))) since = at;
  const from = Math.max(consumed ?? firstSeen, since === null ? Number.NEGATIVE_INFINITY : since - 1);
  const due: number[] = [];
  for (let beat = beats.upTo(at); beat > from; beat = beats.upTo(beat - 1)) {
    due.push(beat);
    // Enough to tell that counting has stopped; the oldest ones matter only where each is run.
    if (due.length > 1_001 && group.catchUp !== 'every') break;
  }
  due.reverse();
  if (due.length === 0) {
    if (consumed === null) return { decision: 'wait', reason: 'first-beat-ahead' };
    return judgeLastRun(group, entry, consumed, at) ?? notDue;
  }

  const patience = group.catchUp === 'none' ? 2 * readDuration(config.tickEvery ?? '5m') : readWithin(group);
  const late = due.filter((beat) => at - beat > patience);
  const fresh = due.filter((beat) => at - beat <= patience);
  const chosen = group.catchUp === 'every' ? (fresh[0] ?? late.at(-1)) : due.at(-1);
  const beat = chosen as number;
  const missedBeats = Math.min(due.indexOf(beat), 1_000);
  if (fresh.length === 0) return { decision: 'expire', reason: 'too-late', beat, missedBeats };
  return { decision: 'run', reason: 'beat-due', beat, missedBeats };
}

/** A resume or a retry, which live only while the last run's beat is the last consumed one. */
function judgeLastRun(group: GroupInput, entry: GroupState | undefined, consumed: number, at: number): Alone | null {
  const last = entry?.lastRun;
  if (!last || readInstant(last.beat) !== consumed) return null;
  if (last.outcome === 'interrupted') {
    if (group.onInterrupt === 'skip') return null;
    return { decision: 'run', reason: 'resume-interrupted', beat: consumed };
  }
  const retryAt = readInstant(entry?.retry?.at);
  if (last.outcome === 'succeeded' || retryAt === null || retryAt > at) return null;
  return { decision: 'run', reason: 'retry-due', beat: consumed };
}

/** What runs, in order; whoever does not run passes its order on. */
function order(
  names: readonly string[],
  groupOf: ReadonlyMap<string, GroupInput>,
  running: readonly string[],
): string[] {
  const needs = (name: string): string[] =>
    (groupOf.get(name)?.dependsOn ?? []).map((other) => (typeof other === 'string' ? other : other.group));
  const follows = (name: string): string[] => [...needs(name), ...(groupOf.get(name)?.after ?? [])];
  const reach = (name: string, step: (name: string) => string[], found = new Set<string>()): Set<string> => {
    for (const other of step(name)) if (!found.has(other)) reach(other, step, found.add(other));
    return found;
  };
  const dependents = (name: string): number => names.filter((other) => reach(other, needs).has(name)).length;
  const rank = (name: string): number =>
    ['critical', 'high', 'normal', 'low'].indexOf(groupOf.get(name)?.priority ?? 'normal');

  const left = [...running];
  const done: string[] = [];
  while (left.length > 0) {
    const free = left.filter((name) => !left.some((other) => reach(name, follows).has(other)));
    free.sort((a, b) => rank(a) - rank(b) || dependents(b) - dependents(a) || names.indexOf(a) - names.indexOf(b));
    const [next] = free;
    if (next === undefined) throw new Error('the groups form a cycle');
    done.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return done;
}

/** A schedule as a tick records it, without the tick that first saw it. */
export function recordSchedule(group: GroupInput, config: WrittenConfig): SeenSchedule {
  const enabled = group.enabled === false ? { enabled: false } : {};
  if (group.manual) return { manual: true, ...enabled };
  if (group.every !== undefined) {
    return { every: group.every, ...(group.offset === undefined ? {} : { offset: group.offset }), ...enabled };
  }
  const lines = group.daily === undefined ? { cron: [group.cron ?? []].flat() } : { daily: [group.daily].flat() };
  return { ...lines, timezone: group.timezone ?? config.timezone ?? 'UTC', ...enabled };
}

/** Whether a recorded schedule is still the group's: a time zone that the record lacks is no sign of an edit. */
function isSame(seen: SeenSchedule, group: GroupInput, config: WrittenConfig): boolean {
  const now = recordSchedule(group, config);
  const sameZone = seen.timezone == null || now.timezone == null || seen.timezone === now.timezone;
  return (seen.enabled ?? true) === (now.enabled ?? true) && ruleOf(seen) === ruleOf(now) && sameZone;
}

/** The rule of a recorded schedule; null for a record that holds none. */
function ruleOf({ manual, every, offset, daily, cron }: SeenSchedule): string | null {
  if (manual) return 'manual';
  if (every != null) return `every ${readDuration(every)} ${readDuration(offset ?? '0s') % readDuration(every)}`;
  if (daily == null && cron == null) return null;
  return spellLines(listLines({ daily, cron }));
}

/** The beats of a group; null for one that has none. */
export function beatsOf(group: GroupInput, config: WrittenConfig): Beats | null {
  if (group.manual) return null;
  if (group.every !== undefined) {
    const every = readDuration(group.every);
    const offset = readDuration(group.offset ?? '0s');
    const upTo = (instant: number): number => Math.floor((instant - offset) / every) * every + offset;
    return { upTo, after: (instant) => upTo(instant) + every };
  }
  return calendarOf(listLines(group), group.timezone ?? config.timezone ?? 'UTC');
}

/** The lines of a calendar as cron's. */
function listLines({ daily, cron }: Pick<SeenSchedule, 'daily' | 'cron'>): string[] {
  const times = [daily ?? []].flat().map((time) => `${time.split(':')[1]} ${time.split(':')[0]} * * *`);
  return [...times, ...[cron ?? []].flat()];
}

function readWithin(group: GroupInput): number {
  return group.catchUpWithin === undefined ? Number.POSITIVE_INFINITY : readDuration(group.catchUpWithin);
}

function readDuration(text: string): number {
  const units: Readonly<Record<string, number>> = { s: 1_000, m: minute, h: hour, d: day, w: 7 * day };
  return [...text.matchAll(/(\d+)([smhdw])/g)].reduce(
    (sum, [, n, unit]) => sum + Number(n) * (units[unit ?? ''] ?? 0),
    0,
  );
}

function readInstant(text: string | null | undefined): number | null {
  return text == null ? null : Date.parse(text);
}
