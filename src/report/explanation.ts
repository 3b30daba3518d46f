import { join } from 'node:path';
import type { Config, Group } from '../config/config.ts';
import { neutralise } from '../log/safe-text.ts';
import { formatInstant } from '../plan/because.ts';
import { latestBeat, nextBeat } from '../schedule/beats.ts';
import { describeSchedule } from '../schedule/describe.ts';
import { formatDuration } from '../schedule/duration.ts';
import type { Schedule } from '../schedule/schedule.ts';
import type { HistoryLine } from '../state/history.ts';
import { isoOf } from '../state/state-schema.ts';
import { describeEnd } from './history-text.ts';
import { formatDistance, formatLength } from './quantities.ts';
import type { RunItem } from './run-history.ts';
import { padTo } from './table.ts';
import { wrapText } from './wrap-text.ts';

/**
 * What became of a beat, or becomes of it.
 *
 * `ran`, `running`: a run was started for it · `passed-over`: a later beat's run stood in for it · `expired`: it was too
 * late · `held`: it waits for a dependency or a lane · `due`: it waits for a tick · `waiting`: no beat has come ·
 * `will-run`, `will-expire`: the next ticks do that · `paused`, `disabled`, `manual`: it counts for nothing ·
 * `edited`: another schedule took its place · `reset`: the clock went back · `not-seen`: no tick knew the group yet ·
 * `unknown`: the history does not reach back so far.
 */
export type Fate =
  | 'ran'
  | 'running'
  | 'passed-over'
  | 'expired'
  | 'held'
  | 'due'
  | 'waiting'
  | 'will-run'
  | 'will-expire'
  | 'paused'
  | 'disabled'
  | 'manual'
  | 'edited'
  | 'reset'
  | 'not-seen'
  | 'unknown';

/** Why a group ran, did not run, or will run: `explain --json`. Instants ISO 8601 in UTC, lengths in ms. */
export interface Explanation {
  readonly schemaVersion: 1;
  readonly group: string;
  /** The instant that is asked about. */
  readonly at: string;
  readonly tense: 'past' | 'present' | 'future';
  /** The answer in a sentence or a few, for people. */
  readonly summary: string;
  readonly fate: Fate;
  /** The plan's reason (see `tick --dry-run --json`), or that of the recorded hold; null where there is none. */
  readonly reason: string | null;
  readonly schedule: {
    readonly text: string;
    /** The beats up to `at`, oldest first. */
    readonly previous: readonly string[];
    readonly next: readonly string[];
  };
  /** The beat that the answer is about. */
  readonly beat: string | null;
  /** The last beat that was consumed by then. */
  readonly lastBeat: string | null;
  /** Its runs, the oldest first; where there are none, the last run before. */
  readonly runs: readonly RunItem[];
  readonly dependencies: readonly DependencyReport[];
  readonly holds: readonly HoldReport[];
  readonly pause: { readonly since: string; readonly until: string | null; readonly reason: string | null } | null;
  readonly retry: { readonly at: string; readonly attempt: number } | null;
  /** How late a beat may start, and when the one that is due becomes too late. */
  readonly lateness: {
    readonly catchUp: Group['catchUp'];
    readonly withinMs: number | null;
    readonly until: string | null;
  };
  readonly lane: { readonly name: string; readonly heldBy: string | null; readonly since: string | null };
  /** The last tick up to the beat (up to now where there is none), and the first one that looked at it. */
  readonly ticks: { readonly before: string | null; readonly after: string | null };
  /** When the answer changes, the soonest first. */
  readonly changes: readonly Change[];
}

export interface DependencyReport {
  readonly group: string;
  readonly when: 'succeeded' | 'finished';
  readonly withinMs: number | null;
  /** Whether it let the group go at the deciding instant. */
  readonly satisfied: boolean;
  /** Why it did not. */
  readonly reason: string | null;
  /** The run that decided. */
  readonly run: Pick<RunItem, 'runId' | 'outcome' | 'startedAt' | 'finishedAt'> | null;
  /** Its first beat after the deciding instant. */
  readonly nextBeat: string | null;
}

export interface HoldReport {
  readonly since: string;
  /** Null while it goes on. */
  readonly until: string | null;
  readonly reason: string;
  readonly blockedBy: readonly string[];
  /** For people. */
  readonly because: string;
}

export interface Change {
  readonly at: string;
  readonly what: string;
}

/** Where records are read from. Instants in ms. */
export interface Records {
  /** Newest first. */
  readonly newest: (options: { until?: number; group?: string; containing?: string }) => Iterable<HistoryLine>;
  /** Oldest first. */
  readonly onward: (since: number, options: { group?: string }) => Iterable<HistoryLine>;
}

/** A text of many script failures may be longer than a line of the log. */
const longest = 20_000;

/** How an explanation says instants: seconds are the finest, the date is left out where it is the reference's. */
export function sayer(reference: number, config: Pick<Config, 'timezone'>): (instant: number) => string {
  return (instant) => formatInstant(Math.floor(instant / 1000) * 1000, reference, config.timezone);
}

/** A few beats around an instant. */
export function describeBeats(schedule: Schedule, at: number): Explanation['schedule'] {
  const previous: number[] = [];
  for (let beat = latestBeat(schedule, at); beat !== null && previous.length < 3; ) {
    previous.unshift(beat);
    beat = latestBeat(schedule, beat - 1);
  }
  const next: number[] = [];
  for (let beat = nextBeat(schedule, at); beat !== null && next.length < 3; ) {
    next.push(beat);
    beat = nextBeat(schedule, beat);
  }
  return { text: describeSchedule(schedule), previous: previous.map(isoOf), next: next.map(isoOf) };
}

/** Beats later than this, ms, do not start; null where they always do. */
export function latestStart(group: Group, tickEvery: number): number | null {
  return group.catchUp === 'none' ? 2 * tickEvery : group.catchUpWithin;
}

/** How a run went, as the end of a sentence whose subject it is. */
export function phraseRun(run: RunItem): string {
  const length = run.durationMs === null ? '' : ` after ${formatLength(run.durationMs)}`;
  const culprits = run.scripts.filter(({ outcome }) => outcome !== null && outcome !== 'succeeded');
  const why = culprits.map((script) => `${neutralise(script.name)}: ${describeEnd(script)}`).join('; ');
  const how: Record<string, string> = {
    succeeded: `succeeded${length}`,
    failed: `failed${length}${why === '' ? '' : ` (${why})`}`,
    'timed-out': `timed out${length}${why === '' ? '' : ` (${why})`}`,
    interrupted: `was interrupted${length}`,
    running: 'is still running',
  };
  return how[run.outcome ?? ''] ?? 'ended in a way that is not recorded yet';
}

/** An explanation for people: the answer first, then the chain of reasons, no line wider than the terminal. */
export function renderExplanation(it: Explanation, config: Config, now: number, width: number): string {
  const at = Date.parse(it.at);
  const say = sayer(at, config);
  const tell = (instant: string) => say(Date.parse(instant));
  const list = (instants: readonly string[]) => instants.map(tell).join(', ');
  const rows: [label: string, text: string][] = [];
  rows.push(['schedule', it.schedule.text]);
  if (it.schedule.previous.length > 0) rows.push(['beats before', list(it.schedule.previous)]);
  if (it.schedule.next.length > 0) rows.push(['beats after', list(it.schedule.next)]);
  if (it.lastBeat !== null) rows.push(['last consumed', tell(it.lastBeat)]);
  for (const [index, run] of it.runs.entries()) {
    const beat = run.beat === null ? 'without a beat' : `for ${tell(run.beat)}`;
    const how = `${beat}${run.reason === null ? '' : ` (${run.reason})`}: started ${tell(run.startedAt)}, ${phraseRun(run)}`;
    const label =
      it.beat !== null && run.beat === it.beat ? 'run' : it.fate === 'passed-over' ? 'later run' : 'last run';
    rows.push([index === 0 ? label : '', `${how}; run ${neutralise(run.runId)}`]);
  }
  const files = it.runs.flatMap(({ scripts }) => scripts.filter(({ outcome }) => outcome !== 'succeeded'));
  for (const { outputFile } of files) if (outputFile !== null) rows.push(['output', join(config.outputs, outputFile)]);
  for (const [index, dependency] of it.dependencies.entries()) {
    rows.push([index === 0 ? 'depends on' : '', describeDependency(dependency, tell)]);
  }
  for (const [index, hold] of it.holds.entries()) {
    const until = hold.until === null ? '' : ` until ${tell(hold.until)}`;
    rows.push([index === 0 ? 'held back' : '', `from ${tell(hold.since)}${until} (${hold.reason}): ${hold.because}`]);
  }
  if (it.retry !== null) rows.push(['retry', `${it.retry.attempt}, at ${tell(it.retry.at)}`]);
  if (it.pause !== null) {
    const until = it.pause.until === null ? '' : ` until ${tell(it.pause.until)}`;
    const reason = it.pause.reason === null ? '' : `: ${neutralise(it.pause.reason)}`;
    rows.push(['paused', `since ${tell(it.pause.since)}${until}${reason}`]);
  }
  if (it.lateness.withinMs !== null) {
    const until = it.lateness.until === null ? '' : `; this beat until ${tell(it.lateness.until)}`;
    rows.push(['lateness', `a beat starts ${formatDuration(it.lateness.withinMs)} late at most${until}`]);
  }
  if (it.lane.heldBy !== null || it.lane.name !== 'main') {
    const since = it.lane.since === null ? '' : ` since ${tell(it.lane.since)}`;
    rows.push(['lane', `${it.lane.name}${it.lane.heldBy === null ? '' : `, held by ${it.lane.heldBy}${since}`}`]);
  }
  const { before, after } = it.ticks;
  const ticks = [before === null ? null : `last at ${tell(before)}`, after === null ? null : `next at ${tell(after)}`];
  if (before !== null || after !== null) rows.push(['ticks', ticks.filter((text) => text !== null).join(', ')]);
  for (const [index, change] of it.changes.entries()) {
    const distance = it.tense === 'past' ? '' : `, ${formatDistance(Date.parse(change.at), now)}`;
    rows.push([index === 0 ? 'changes' : '', `${tell(change.at)}${distance}: ${change.what}`]);
  }

  const indent = rows.reduce((most, [label]) => Math.max(most, label.length), 0) + 4;
  const heading = `${it.group} at ${formatInstant(Math.floor(at / 1000) * 1000, null, config.timezone)} (${config.timezone})`;
  return [
    ...wrapText(neutralise(it.summary, longest), width),
    '',
    heading,
    ...rows.flatMap(([label, text]) =>
      wrapText(neutralise(text, longest), width - indent).map(
        (line, index) => `${padTo(index === 0 ? `  ${label}` : '', indent)}${line}`,
      ),
    ),
  ].join('\n');
}

function describeDependency(dependency: DependencyReport, tell: (instant: string) => string): string {
  const { group, when, withinMs, satisfied, reason, run } = dependency;
  const asked = `${when === 'finished' ? 'finished' : 'succeeded'}${withinMs === null ? '' : ` within ${formatDuration(withinMs)}`}`;
  const known =
    run === null
      ? 'it has not run'
      : run.finishedAt === null
        ? `its run of ${tell(run.startedAt)} ${run.outcome === 'running' ? 'is running' : 'was running'}`
        : `${run.outcome ?? 'ended'} at ${tell(run.finishedAt)} (run ${neutralise(run.runId)})`;
  return `${group} (has to have ${asked}): ${known}${satisfied ? '' : `: ${reason ?? 'blocks'}`}`;
}
