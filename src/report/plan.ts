import type { Config, Group, Script } from '../config/config.ts';
import { neutralise } from '../log/text.ts';
import { explainPlan, formatInstant } from '../plan/because.ts';
import type { Decision, Plan } from '../plan/decide.ts';
import { isoOf, type RunRecord, type ScriptRecord } from '../state/schema.ts';
import { type NextBeat, sayNothingDue } from './idle.ts';
import { wrapText } from './paragraph.ts';

/** A plan as others rely on it: `tick --dry-run --json`, and `tick --json` after the fact. */
export interface PlanDocument {
  readonly schemaVersion: 1;
  readonly at: string;
  readonly groups: readonly GroupDocument[];
}

export interface GroupDocument {
  readonly group: string;
  readonly decision: Decision['decision'];
  readonly reason: Decision['reason'];
  readonly because: string;
  readonly blockedBy: readonly string[];
  readonly beat: string | null;
  readonly missedBeats: number;
  readonly nextBeat: string | null;
  readonly dependsOn: readonly string[];
  readonly scripts: readonly ScriptDocument[];
  readonly runId?: string | null;
  readonly outcome?: string | null;
  readonly startedAt?: string | null;
  readonly finishedAt?: string | null;
  readonly durationMs?: number | null;
}

export interface ScriptDocument {
  readonly name: string;
  readonly argv: readonly string[];
  readonly outcome?: string | null;
  readonly startedAt?: string | null;
  readonly finishedAt?: string | null;
  readonly durationMs?: number | null;
  readonly exitCode?: number | null;
  readonly signal?: string | null;
  readonly attempts?: number;
  readonly outputFile?: string | null;
}

/**
 * Puts a plan into the shape that others rely on.
 *
 * @param runs what became of the groups that ran, by name; absent for a dry run
 */
export function documentPlan(plan: Plan, config: Config, runs?: ReadonlyMap<string, RunRecord>): PlanDocument {
  const explain = explainPlan(plan, config);
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  return {
    schemaVersion: 1,
    at: isoOf(plan.at),
    groups: plan.decisions.map((decision) => {
      const group = groupOf.get(decision.group) as Group;
      const run = runs?.get(group.name);
      const done = new Map(run?.scripts?.map((script) => [script.name, script]));
      return {
        group: group.name,
        decision: decision.decision,
        reason: decision.reason,
        because: explain(decision),
        blockedBy: decision.blockers.map((blocker) => blocker.group),
        beat: isoOrNull(decision.beat),
        missedBeats: decision.missedBeats,
        nextBeat: isoOrNull(decision.nextBeat),
        dependsOn: group.dependsOn.map((dependency) => dependency.group),
        ...(run ? documentRun(run) : {}),
        scripts: group.scripts.map((script) => documentScript(script, done.get(script.name))),
      };
    }),
  };
}

function documentRun(run: RunRecord) {
  return {
    runId: run.id ?? null,
    outcome: run.outcome ?? null,
    startedAt: run.startedAt ?? null,
    finishedAt: run.finishedAt ?? null,
    durationMs: run.durationMs ?? null,
  };
}

function documentScript(script: Script, record: ScriptRecord | undefined): ScriptDocument {
  const planned = { name: script.name, argv: script.argv };
  if (record === undefined) return planned;
  return {
    ...planned,
    outcome: record.outcome ?? null,
    startedAt: record.startedAt ?? null,
    finishedAt: record.finishedAt ?? null,
    durationMs: record.durationMs ?? null,
    exitCode: record.exitCode ?? null,
    signal: record.signal ?? null,
    attempts: record.attempts ?? 0,
    outputFile: record.outputFile ?? null,
  };
}

function isoOrNull(instant: number | null): string | null {
  return instant === null ? null : isoOf(instant);
}

/** How a terminal shows a decision's word; the default leaves it plain. */
export type Paint = (word: string, decision: Decision['decision']) => string;
const plain: Paint = (word) => word;

/**
 * A dry run for people: what would run, in which order and why; then what does not run, and until when or because of what.
 *
 * @param width columns of the terminal; infinite where there is none
 */
export function renderPlan(plan: Plan, config: Config, paint?: Paint, width?: number): string {
  let text = '';
  writePlan(
    plan,
    config,
    (part) => {
      text += part;
    },
    paint,
    width,
  );
  return text;
}

/** So long is what is written at once, about: 100,000 groups would else be kept in a million pieces. */
const pageLength = 32_768;

/** The same, written part by part. */
export function writePlan(
  plan: Plan,
  config: Config,
  write: (part: string) => void,
  paint: Paint = plain,
  width: number = Number.POSITIVE_INFINITY,
): void {
  const { decisions } = plan;
  let runs = 0;
  let longest = 0;
  for (const { group, decision } of decisions) {
    if (decision === 'run') runs++;
    longest = Math.max(longest, group.length);
  }
  const day = formatInstant(plan.at, null, config.timezone);
  let page = `Plan for ${day} (${config.timezone}); a dry run, nothing is changed.`;
  if (runs === 0) page += `\n\n${nothingRuns(plan, config)}`;
  const numbers = `${runs}`.length;
  const explain = explainPlan(plan, config);
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  const indent = numbers + 14 + longest;
  // Where the names leave no room for reasons, those are left to the terminal.
  const room = width - indent < 24 ? Number.POSITIVE_INFINITY : width - indent;
  const margin = ' '.repeat(indent);
  const run = `. ${paint('run     ', 'run')}  `;
  const inset = `\n${' '.repeat(numbers + 12)}`;
  const unnumbered = ' '.repeat(numbers + 2);
  for (let index = 0; index < decisions.length; index++) {
    // A part ends before a line, and so no end of it is trimmed that is not the end of all.
    if (page.length > pageLength) {
      write(page);
      page = '';
    }
    const decision = decisions[index] as Decision;
    const isRun = decision.decision === 'run';
    if (index === 0 || (!isRun && index === runs)) page += '\n';
    const start = isRun
      ? `${index + 1}`.padStart(numbers) + run
      : `${unnumbered}${paint(decision.decision.padEnd(8), decision.decision)}  `;
    page += `\n${start}${decision.group.padEnd(longest)}  `;
    const why = neutralise(explain(decision));
    page += room === Number.POSITIVE_INFINITY ? why : wrapText(why, room).join(`\n${margin}`);
    if (!isRun) continue;
    for (const { name } of groupOf.get(decision.group)?.scripts ?? []) page += inset + name;
  }
  write(page.trimEnd());
}

/** The sentence of a tick with nothing to run: and when something will be due. */
export function nothingRuns(plan: Plan, config: Config): string {
  const isHeld = plan.decisions.some(({ decision, reason }) => decision === 'skip' || reason === 'lane-held');
  return sayNothingDue(findNextBeat(plan, config), plan.at, isHeld ? 'Nothing can run now' : undefined);
}

/** The next instant at which a group has a beat, and which groups have it; paused groups have none. */
export function findNextBeat(plan: Plan, { timezone }: Config): NextBeat | null {
  const ahead = plan.decisions.filter(({ decision }) => decision !== 'paused' && decision !== 'disabled');
  const at = ahead.reduce((least, { nextBeat }) => Math.min(least, nextBeat ?? least), Number.POSITIVE_INFINITY);
  if (at === Number.POSITIVE_INFINITY) return null;
  const groups = ahead.filter(({ nextBeat }) => nextBeat === at).map(({ group }) => group);
  return { at, said: `${groups.join(', ')} at ${formatInstant(at, plan.at, timezone)} (${timezone})` };
}
