import { findSilences, type History, type Hold, type Run, type ScriptRun, silence } from './history.ts';
import { count, formatDuration, formatInstant } from './quantity.ts';

/** Something that happens to a group again and again. Instants are ms since the epoch. */
export interface Pattern {
  readonly group: string;
  readonly kind: 'held-back' | 'retried' | 'moved' | 'expired' | 'interrupted';
  /** How often; of a group that is held back, at how many ticks. */
  readonly times: number;
  readonly first: number;
  readonly last: number;
  /** Whether it goes on now. */
  readonly isOngoing: boolean;
  /** The likely cause, for people. */
  readonly cause: string;
  /** The output of the script that is likely at fault. */
  readonly outputFile: string | null;
}

/**
 * What counts as a pattern: three times, and of a group that is held back so many ticks in all; less is a bad hour. A run
 * is moved where it starts later after its beat than this (ms), two periods of the usual trigger.
 */
export const patternRule = { times: 3, heldTicks: 12, lateMs: 10 * 60_000 } as const;

type Cause = Pick<Pattern, 'cause' | 'outputFile'>;

/** Finds the patterns of a history, the most frequent first. */
export function findPatterns(history: History, now: number): Pattern[] {
  const groups = new Set([...history.runs, ...history.holds, ...history.expiries].map(({ group }) => group));
  const patterns = [...groups].flatMap((group) => {
    const runs = history.runs.filter((run) => run.group === group);
    return [
      findHolds(group, history, now),
      patternOf('retried', runs.filter(isRetried), (some) =>
        blameScript(some, ({ attempts, outcome }) => attempts > 1 || outcome !== 'succeeded'),
      ),
      patternOf(
        'moved',
        runs.filter((run) => isMoved(run, history, now)),
        (some) => blameDelay(some, history, now),
      ),
      patternOf(
        'interrupted',
        runs.filter(({ outcome }) => outcome === 'interrupted'),
        (some) => blameScript(some, ({ outcome }) => outcome === 'interrupted'),
      ),
      patternOf(
        'expired',
        history.expiries.filter((expiry) => expiry.group === group),
        () => ({ cause: 'ticks come later than its catchUp or catchUpWithin allows', outputFile: null }),
      ),
    ].filter((pattern) => pattern !== null);
  });
  return patterns.toSorted((a, b) => Number(b.isOngoing) - Number(a.isOngoing) || b.times - a.times);
}

function patternOf<T extends { readonly group: string; readonly at: number }>(
  kind: Pattern['kind'],
  events: readonly T[],
  blame: (events: readonly T[]) => Cause,
): Pattern | null {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined || events.length < patternRule.times) return null;
  const { group } = first;
  return { group, kind, times: events.length, first: first.at, last: last.at, isOngoing: false, ...blame(events) };
}

function findHolds(group: string, history: History, now: number): Pattern | null {
  const holds = history.holds.filter((hold) => hold.group === group);
  const endOf = ({ until }: Hold) => until ?? now;
  const ticksIn = (hold: Hold) => history.ticks.filter((at) => at >= hold.from && at < endOf(hold)).length;
  const longest = holds.toSorted((a, b) => ticksIn(b) - ticksIn(a))[0];
  const first = holds[0];
  const times = holds.reduce((sum, hold) => sum + ticksIn(hold), 0);
  if (longest === undefined || first === undefined || times < patternRule.heldTicks) return null;
  return {
    group,
    kind: 'held-back',
    times,
    first: first.from,
    last: Math.max(...holds.map(endOf)),
    isOngoing: holds.some(({ until }) => until === null),
    ...blameHold(longest, history, endOf(longest), new Set([group])),
  };
}

/** Follows what holds a group back to the group where it begins, and there to the script. */
function blameHold(hold: Hold, history: History, until: number, seen: Set<string>): Cause {
  const culprit = hold.blockedBy[0];
  if (culprit === undefined) return { cause: hold.reason, outputFile: null };
  if (hold.reason === 'dependency-never-ran') return { cause: `${culprit} has never run`, outputFile: null };
  if (hold.reason === 'dependency-running')
    return { cause: `${culprit} was still running in another tick`, outputFile: null };
  if (hold.reason === 'dependency-stale')
    return { cause: `${culprit} ends too seldom for what \`within\` asks`, outputFile: null };
  const deeper = history.holds.find(
    (other) => other.group === culprit && other.from <= until && (other.until ?? until) >= hold.from,
  );
  if (hold.reason === 'dependency-skipped' && deeper !== undefined && !seen.has(culprit))
    return blameHold(deeper, history, until, seen.add(culprit));
  const failed = history.runs.filter(
    (run) => run.group === culprit && run.outcome !== 'succeeded' && run.at >= hold.from - 1000 && run.at <= until,
  );
  if (failed.length === 0) return { cause: `${culprit} did not succeed`, outputFile: null };
  const { cause, outputFile } = blameScript(failed, ({ outcome }) => outcome !== 'succeeded');
  return { cause: `${culprit} failed ${count(failed.length, 'time')}: ${cause}`, outputFile };
}

function isRetried(run: Run): boolean {
  return run.reasons.includes('retry-due') || run.scripts.some(({ attempts }) => attempts > 1);
}

/** The script that is at fault in most of the runs, and how it ended last. */
function blameScript(runs: readonly Run[], isAtFault: (script: ScriptRun) => boolean): Cause {
  const faults = new Map<string, ScriptRun[]>();
  for (const script of runs.flatMap(({ scripts }) => scripts).filter(isAtFault)) {
    faults.set(script.name, [...(faults.get(script.name) ?? []), script]);
  }
  const [name, scripts] = [...faults].toSorted(([, a], [, b]) => b.length - a.length)[0] ?? [];
  const last = scripts?.at(-1);
  if (name === undefined || last === undefined)
    return { cause: 'no script of it is known to have failed', outputFile: null };
  return { cause: `${name}, ${describeEnd(last)}`, outputFile: last.outputFile };
}

/** How a script ended, for people. */
export function describeEnd({ message, signal, exitCode, outcome, attempts }: ScriptRun): string {
  // The message tells how it ended, where there is one.
  const end = message || (signal ? `signal ${signal}` : exitCode === null ? outcome : `exit code ${exitCode}`);
  return attempts > 1 ? `${end}, ${attempts} attempts` : end;
}

/** Whether a run started late, or passed beats over, for another reason than that it was held back, retried or resumed. */
function isMoved(run: Run, { holds, ticks }: History, now: number): boolean {
  const again = run.reasons.some((reason) => reason === 'retry-due' || reason === 'resume-interrupted');
  if (run.beat === null || run.startedAt === null || again) return false;
  const { group, beat, startedAt } = run;
  const wasHeld = holds.some((hold) => hold.group === group && hold.from <= startedAt && (hold.until ?? now) >= beat);
  // At first sight a group runs for a beat of before there was any tick.
  const isFirst = beat < (ticks[0] ?? now) - patternRule.lateMs;
  return !wasHeld && !isFirst && (startedAt - beat > patternRule.lateMs || run.missedBeats > 0);
}

/** What went on between a moved run's beat and its start: a silence of the trigger, or another group's long run. */
function blameDelay(moved: readonly Run[], { runs, ticks }: History, now: number): Cause {
  const last = moved.at(-1);
  if (last?.beat == null || last.startedAt === null) return { cause: 'unknown', outputFile: null };
  const { beat, startedAt } = last;
  const overlap = (from: number, to: number) => Math.min(to, startedAt) - Math.max(from, beat);
  const pauses = findSilences(ticks, now, patternRule.lateMs).filter(({ from, to }) => overlap(from, to) > 0);
  const blockers = runs
    .filter((run) => run !== last && run.startedAt !== null && overlap(run.startedAt, run.at) > 0)
    .toSorted((a, b) => overlap(b.startedAt ?? 0, b.at) - overlap(a.startedAt ?? 0, a.at));
  const [blocker] = blockers;
  if (blocker?.startedAt != null && overlap(blocker.startedAt, blocker.at) > patternRule.lateMs / 2) {
    const length = formatDuration(blocker.at - blocker.startedAt);
    return {
      cause: `${blocker.group} ran before it, for ${length} at ${formatInstant(blocker.startedAt)}`,
      outputFile: null,
    };
  }
  const [pause] = pauses;
  if (pause !== undefined) {
    const kind = pause.to - pause.from > silence ? 'stayed away' : 'came late';
    return {
      cause: `the trigger ${kind} (no tick from ${formatInstant(pause.from)} to ${formatInstant(pause.to)})`,
      outputFile: null,
    };
  }
  return { cause: 'ticks come less often than its beats', outputFile: null };
}

const verbs = {
  'held-back': 'was held back',
  retried: 'was retried',
  moved: 'started late or passed beats over',
  expired: 'let beats expire',
  interrupted: 'was interrupted',
} as const;

/** Says a pattern in one line; `lastLine` is what the script at fault printed last. */
export function describePattern(pattern: Pattern, lastLine: string | null): string {
  const times = pattern.kind === 'held-back' ? `at ${count(pattern.times, 'tick')}` : count(pattern.times, 'time');
  const end = pattern.isOngoing ? 'and still is' : `until ${formatInstant(pattern.last)}`;
  const said = lastLine === null ? '' : ` – ${lastLine}`;
  return `${pattern.group} ${verbs[pattern.kind]} ${times} from ${formatInstant(pattern.first)} ${end}; likely cause: ${pattern.cause}${said}`;
}
