import type { Config, Group } from '../config/config.ts';
import { nextBeat } from '../schedule/beats.ts';
import { formatDuration } from '../schedule/duration.ts';
import type { Schedule } from '../schedule/schedule.ts';
import { instantOf, isoOf } from '../state/state-schema.ts';
import {
  beatOf,
  dependenciesAt,
  followBeat,
  holderOf,
  isoOrNull,
  type Known,
  knownAt,
  type Story,
  scheduleThen,
  ticksAround,
} from './beat-trace.ts';
import {
  type Change,
  describeBeats,
  type Explanation,
  type Fate,
  type HoldReport,
  latestStart,
  phraseRun,
  type Records,
  sayer,
} from './explanation.ts';
import { countOf, formatLength } from './quantities.ts';

export interface PastFacts {
  readonly config: Config;
  readonly group: Group;
  /** ms, before `now`. */
  readonly at: number;
  readonly now: number;
  readonly records: Records;
  /** Whether a tick is at a run. */
  readonly isRunning: (run: string) => boolean;
  /** Why the group does not run now, where its beat is due to this day. */
  readonly stillDue: string;
  /** How far the history reaches back where it was pruned, ms; null where it is whole. */
  readonly reachesBackTo: number | null;
}

/** Explains a past instant by what was recorded. */
export function explainPast(facts: PastFacts): Explanation {
  const { config, group, at, now, records } = facts;
  const known = knownAt(group.name, at, records);
  const schedule = scheduleThen(known.entry, group);
  const beat = beatOf(schedule, known.entry, at);
  const before = beat === null || beat === at ? known : knownAt(group.name, beat - 1, records);
  const isAbout = beat !== null && known.entry !== null;
  const story: Story = isAbout
    ? followBeat(group.name, beat, before, records, facts.isRunning)
    : { consumption: null, runs: [], holds: [], pause: null };
  const end = endOf(story) ?? now;
  const ticks = ticksAround(beat ?? at, end, records);
  const say = sayer(at, config);
  const holds = story.holds.map((hold): HoldReport => {
    const because = phraseHold(hold, group, facts, say);
    return { ...hold, since: isoOf(hold.from), until: isoOrNull(hold.until), because };
  });
  const deciding = startOf(story) ?? story.holds.at(-1)?.from ?? Math.min(end, now);
  const fate = fateOf(story, known, facts, beat);
  const within = latestStart(group, config.tickEvery);
  const last = story.holds.at(-1);
  const runs = story.runs.length > 0 || known.run === null ? story.runs : [known.run];
  const holder = last?.reason === 'lane-held' ? holderOf(group.lane, last.from, records) : null;
  return {
    schemaVersion: 1,
    group: group.name,
    at: isoOf(at),
    tense: 'past',
    summary: summarise(fate, { ...facts, beat, story, known, ticks, holds }, say),
    fate,
    reason: last !== undefined && story.consumption === null ? last.reason : (story.runs[0]?.reason ?? null),
    schedule: describeBeats(schedule, at),
    beat: isoOrNull(beat),
    lastBeat: known.entry?.lastBeat ?? null,
    runs,
    dependencies:
      known.entry === null
        ? []
        : dependenciesAt(group, deciding, config, records, startOf(story) === null ? (last ?? null) : null),
    holds: holds.map(({ since, until, reason, blockedBy, because }) => ({ since, until, reason, blockedBy, because })),
    pause:
      story.pause === null
        ? null
        : { since: isoOf(story.pause.since), until: isoOrNull(story.pause.until), reason: story.pause.reason },
    retry:
      known.entry?.retry?.at == null ? null : { at: known.entry.retry.at, attempt: known.entry.retry.attempt ?? 1 },
    lateness: {
      catchUp: group.catchUp,
      withinMs: within,
      until: beat === null || within === null ? null : isoOf(beat + within),
    },
    lane: { name: group.lane, heldBy: holder?.group ?? null, since: isoOrNull(holder?.since ?? null) },
    ticks: { before: isoOrNull(ticks.before), after: isoOrNull(ticks.after) },
    changes: changesAfter(facts, story, schedule),
  };
}

function startOf({ runs: [first] }: Story): number | null {
  return first === undefined ? null : Date.parse(first.startedAt);
}

/** When the beat was consumed, ms. */
function endOf(story: Story): number | null {
  if (story.consumption === null) return null;
  return 'at' in story.consumption ? story.consumption.at : startOf(story);
}

function fateOf(story: Story, known: Known, { group, now, reachesBackTo, at }: PastFacts, beat: number | null): Fate {
  if (known.entry === null) return reachesBackTo !== null && at < reachesBackTo ? 'unknown' : 'not-seen';
  if (story.consumption !== null) {
    const isRunning = story.consumption.kind === 'ran' && story.runs.at(-1)?.outcome === 'running';
    return isRunning ? 'running' : story.consumption.kind;
  }
  if (known.entry.schedule?.enabled === false) return 'disabled';
  if (known.entry.schedule?.manual === true || (group.schedule.kind === 'manual' && beat === null)) return 'manual';
  const firstSeen = instantOf(known.entry.firstSeenAt);
  const isTooEarly = beat === null || (firstSeen !== null && beat < firstSeen && known.entry.lastBeat == null);
  if (story.pause !== null && (story.pause.until === null || story.pause.until > now)) return 'paused';
  const consumed = instantOf(known.entry.lastBeat);
  if (consumed !== null && beat !== null && consumed >= beat) return consumed > at ? 'reset' : 'ran';
  if (story.holds.some(({ until }) => until === null)) return 'held';
  return isTooEarly ? 'waiting' : 'due';
}

interface Findings extends PastFacts {
  readonly beat: number | null;
  readonly story: Story;
  readonly known: Known;
  readonly ticks: { readonly before: number | null; readonly after: number | null };
  readonly holds: readonly HoldReport[];
}

type Say = (instant: number) => string;

function summarise(fate: Fate, findings: Findings, say: Say): string {
  const { group, beat, story, known } = findings;
  const { name } = group;
  const forBeat = beat === null ? '' : ` for its ${say(beat)} beat`;
  const [first, ...further] = story.runs;
  const end = endOf(story);
  const late = beat === null || end === null ? 0 : end - beat;
  const lateness = late >= 2 * findings.config.tickEvery ? `, ${formatLength(late)} late,` : '';
  const causes = beat === null ? [] : findCauses(findings, end ?? findings.now, say);
  const since = (lead: string) => (causes.length === 0 ? '' : `${lead}${causes.join('; ')}`);
  switch (fate) {
    case 'ran':
    case 'running': {
      if (first === undefined)
        return `${name} had its ${beat === null ? 'last' : say(beat)} beat consumed already then.`;
      const hand = first.reason === 'by-hand' ? ' by hand' : '';
      const again = further.map((run) => {
        const what = run.reason === 'resume-interrupted' ? 'resumed' : 'tried again';
        return `; ${what} at ${say(Date.parse(run.startedAt))} it ${phraseRun(run)}`;
      });
      const missed = first.missedBeats > 0 ? ` (${countOf(first.missedBeats, 'earlier beat')} missed)` : '';
      const start = say(Date.parse(first.startedAt));
      return `${name} ran${hand}${forBeat}${missed}: it started at ${start}${lateness} and ${phraseRun(first)}${again.join('')}.${since(' Before that, ')}${causes.length > 0 ? '.' : ''}`;
    }
    case 'passed-over': {
      const stand = first?.beat == null ? 'a later one' : `that of ${say(Date.parse(first.beat))}`;
      const how =
        first === undefined ? '' : `, started at ${say(Date.parse(first.startedAt))}, which ${phraseRun(first)}`;
      return `${name} did not run${forBeat}: the run for ${stand} stood in for it${how}.${since(' Before that, ')}${causes.length > 0 ? '.' : ''}`;
    }
    case 'expired': {
      const limit = latestStart(group, findings.config.tickEvery);
      const most = limit === null ? '' : ` (${formatDuration(limit)} are allowed)`;
      return `${name} did not run${forBeat}: at ${say(end ?? 0)} that was ${formatLength(late)} late, too late to start${most}${since(', for ')}.`;
    }
    case 'held':
      return `${name} has not run${forBeat}${since(', for ')}. ${findings.stillDue}`;
    case 'due':
      return `${name} has not run${forBeat} yet${since(', for ')}. ${findings.stillDue}`;
    case 'paused': {
      const { pause } = story;
      const until = pause?.until == null ? '' : ` until ${say(pause.until)}`;
      const why = pause?.reason == null ? '' : `: ${pause.reason}`;
      // The pause began later than the beat came: it was due before.
      const isLater = beat !== null && pause !== null && pause.since > beat && causes.length > 0;
      const earlier = isLater ? since(' Before that, ') : '';
      return `${name} did not run${forBeat}: it was paused from ${say(pause?.since ?? 0)}${until}${why}.${earlier}${earlier === '' ? '' : '.'}`;
    }
    case 'disabled':
      return `${name} did not run${forBeat}: it was disabled in the configuration.`;
    case 'manual':
      return `${name} had no beats: it ran only when asked to.${lastRunOf(known, say)}`;
    case 'edited':
      return `${name} did not run${forBeat}: its schedule was edited before a tick had looked at that beat, at ${say(end ?? 0)}.`;
    case 'reset':
      return `${name} did not run${forBeat}: the clock had gone back, and a later beat was consumed already.`;
    case 'waiting':
      return `${name} had no beat to run for yet: it was first seen at ${say(instantOf(known.entry?.firstSeenAt) ?? 0)}.`;
    case 'not-seen':
      return `${name} did not run: no tick had seen it yet.${firstSight(findings, say)}`;
    case 'unknown':
      return `What became of ${name} then is not known: the history reaches back to ${say(findings.reachesBackTo ?? 0)} only.`;
    default:
      throw new Error(`a past beat can't be ${fate}`);
  }
}

/** Why a beat was not run at once: no tick, then a pause, then what held it back. */
function findCauses({ beat, ticks, story, holds, config, now }: Findings, end: number, say: Say): string[] {
  const causes: string[] = [];
  const patience = 2 * config.tickEvery;
  if (beat !== null && (ticks.after ?? now) - beat > patience && end - beat > patience) {
    const from = ticks.before === null ? `before ${say(beat)}` : `at ${say(ticks.before)}`;
    causes.push(
      ticks.after === null
        ? `no tick has come since${ticks.before === null ? '' : ` the one ${from}`}`
        : ticks.before === null
          ? `no tick came before ${say(ticks.after)}`
          : `no tick came between ${say(ticks.before)} and ${say(ticks.after)}`,
    );
  }
  for (const hold of holds) {
    const until = hold.until === null ? '' : ` until ${say(Date.parse(hold.until))}`;
    if (hold.until === null || Date.parse(hold.until) - Date.parse(hold.since) >= 1000) {
      causes.push(`it was held back from ${say(Date.parse(hold.since))}${until}: ${hold.because}`);
    }
  }
  if (
    causes.length === 0 &&
    story.pause !== null &&
    story.pause.until !== null &&
    story.consumption?.kind !== 'paused'
  ) {
    causes.push(`it was paused from ${say(story.pause.since)} until ${say(story.pause.until)}`);
  }
  return causes;
}

function phraseHold(hold: Story['holds'][number], group: Group, { config, records }: PastFacts, say: Say): string {
  if (hold.reason === 'lane-held') {
    const holder = holderOf(group.lane, hold.from, records);
    const who = holder === null ? 'another tick' : `${holder.group}, running since ${say(holder.since)},`;
    return `${who} held the lane ${group.lane}`;
  }
  const reports = dependenciesAt(group, hold.from, config, records, hold);
  const blocking = reports.filter((report) => hold.blockedBy.includes(report.group));
  const gone = hold.blockedBy.filter((name) => !reports.some((report) => report.group === name));
  return [
    ...blocking.map((report) => phraseBlocking(report, say)),
    ...gone.map((name) => `${name} did not let it go`),
  ].join(', and ');
}

function phraseBlocking({ group, reason, run }: ReturnType<typeof dependenciesAt>[number], say: Say): string {
  const when = run?.finishedAt == null ? '' : ` (${say(Date.parse(run.finishedAt))})`;
  switch (reason) {
    case 'dependency-failed':
      return `${group} ${run?.outcome === 'timed-out' ? 'had timed out' : run?.outcome === 'interrupted' ? 'had been interrupted' : 'had failed'}${when}`;
    case 'dependency-never-ran':
      return `${group} had never run`;
    case 'dependency-stale':
      return `${group} had finished too long ago${when}`;
    case 'dependency-running':
      return `${group} was running`;
    default:
      return `${group} was due and held back itself`;
  }
}

function lastRunOf({ run }: Known, say: Say): string {
  return run === null ? '' : ` Its last run, at ${say(Date.parse(run.startedAt))}, ${phraseRun(run)}.`;
}

function firstSight({ group, at, records }: Findings, say: Say): string {
  for (const line of records.onward(at, { group: group.name })) {
    return ` It was first seen at ${say(Date.parse(line.at))}.`;
  }
  return ' None has seen it since.';
}

/** What changed the answer after the instant, the soonest first. */
function changesAfter({ at, now }: PastFacts, story: Story, schedule: Schedule): Change[] {
  const changes: { at: number; what: string }[] = [];
  const note = (instant: number | null, what: string) => {
    if (instant !== null && instant > at) changes.push({ at: instant, what });
  };
  for (const hold of story.holds) {
    note(hold.from, `it was held back (${hold.reason})`);
    const goesOn = story.holds.some((other) => other !== hold && other.from === hold.until);
    if (!goesOn) note(hold.until, 'it was no longer held back');
  }
  for (const run of story.runs) {
    note(Date.parse(run.startedAt), `it started (${run.reason})`);
    note(instantOf(run.finishedAt), `it ${phraseRun(run)}`);
  }
  if (story.consumption !== null && 'at' in story.consumption) {
    const words = { expired: 'the beat expired', paused: 'its pause ended', edited: 'its schedule was edited' };
    note(story.consumption.at, words[story.consumption.kind]);
  }
  const next = nextBeat(schedule, at);
  note(next, next !== null && next > now ? 'its next beat comes' : 'its next beat came');
  changes.sort((a, b) => a.at - b.at);
  return changes.map((change) => ({ at: isoOf(change.at), what: change.what }));
}
