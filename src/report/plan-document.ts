import type { Config, Group, Script } from '../config/config.ts';
import { neutralise } from '../log/safe-text.ts';
import { explainPlan, formatInstant } from '../plan/because.ts';
import type { Decision, Plan } from '../plan/decide.ts';
import { isoOf, type RunRecord, type ScriptRecord } from '../state/state-schema.ts';
import { formatDistance } from './quantities.ts';
import { wrapText } from './wrap-text.ts';

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
 * @param width columns of the terminal; infinite if there is none
 */
export function renderPlan(
  plan: Plan,
  config: Config,
  paint: Paint = plain,
  width: number = Number.POSITIVE_INFINITY,
): string {
  const { decisions } = plan;
  const runs = decisions.filter(({ decision }) => decision === 'run').length;
  const longest = decisions.reduce((most, { group }) => Math.max(most, group.length), 0);
  const numbers = `${runs}`.length;
  const indent = numbers + 14 + longest;
  // If the names leave too little room for the reasons, the terminal wraps them.
  const room = width - indent < 24 ? Number.POSITIVE_INFINITY : width - indent;
  const explain = explainPlan(plan, config);
  const groupOf = new Map(config.groups.map((group) => [group.name, group]));
  const day = formatInstant(plan.at, null, config.timezone);
  const lines = [`Plan for ${day} (${config.timezone}); a dry run, nothing is changed.`];
  if (runs === 0) lines.push('', nothingRuns(plan, config));
  for (const [index, { group, decision }] of decisions.entries()) {
    const isRun = decision === 'run';
    if (index === 0 || index === runs) lines.push('');
    const number = isRun ? `${`${index + 1}`.padStart(numbers)}. ` : ' '.repeat(numbers + 2);
    const why = wrapText(neutralise(explain(decisions[index] as Decision)), room).join(`\n${' '.repeat(indent)}`);
    lines.push(`${number}${paint(decision.padEnd(8), decision)}  ${group.padEnd(longest)}  ${why}`);
    if (isRun) for (const { name } of groupOf.get(group)?.scripts ?? []) lines.push(' '.repeat(numbers + 12) + name);
  }
  return lines.join('\n').trimEnd();
}

/** The sentence of a tick with nothing to run, and when something will be due next. */
export function nothingRuns(plan: Plan, { timezone }: Config): string {
  const isHeld = plan.decisions.some(({ decision, reason }) => decision === 'skip' || reason === 'lane-held');
  const opening = isHeld ? 'Nothing can run now' : 'Nothing is due';
  // Paused groups have no next beat.
  const ahead = plan.decisions.filter(({ decision }) => decision !== 'paused' && decision !== 'disabled');
  const at = ahead.reduce((least, { nextBeat }) => Math.min(least, nextBeat ?? least), Number.POSITIVE_INFINITY);
  if (at === Number.POSITIVE_INFINITY) return `${opening}, and no beat lies ahead.`;
  const groups = ahead.filter(({ nextBeat }) => nextBeat === at).map(({ group }) => group);
  const next = `${groups.join(', ')} at ${formatInstant(at, plan.at, timezone)} (${timezone})`;
  return `${opening}; next: ${next}, ${formatDistance(at, plan.at)}.`;
}
