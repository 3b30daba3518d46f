import { type Expiry, findSilences, type History, type Hold, type Run, type ScriptRun, silence } from './history.ts';
import type { Measured } from './measured.ts';
import { oneLine } from './output.ts';
import { describeEnd, patternRule } from './patterns.ts';
import { count, formatDuration, formatInstant, formatShare } from './quantity.ts';
import type { Finding } from './report.ts';
import { median } from './statistics.ts';

/** What a briefing is made of. Instants are ms since the epoch. */
export interface BriefingMatter {
  readonly now: number;
  /** The history of the week before, too: it tells what is usual. */
  readonly history: History;
  /** The last line that a script printed, by its output file. */
  readonly lastLines: ReadonlyMap<string, string>;
  /** What the analyses found, the most important first, and how endpoints are that are not well. */
  readonly findings: readonly Finding[];
  /** Figures of the machine, each over all that is known of eight days. */
  readonly figures: readonly Measured[];
}

export interface Briefing {
  readonly markdown: string;
  /** One line for people. */
  readonly summary: string;
}

const day = 86_400_000;
/** How long before now a briefing begins, and how long before that what it compares with, in ms. */
export const briefingSpan = day;
export const comparedSpan = 7 * day;

/** What is not on the first screen is not read: so many lines at most in each part. */
const limits = { important: 9, groups: 6, longer: 3 } as const;

/** A run took longer where it took half as long again as its group usually does, and two seconds more. */
const longer = { share: 0.5, floorMs: 2000, minimum: 5 } as const;

/** Writes the briefing of the last 24 hours as Markdown, under a screen long, the important first. */
export function composeBriefing(matter: BriefingMatter): Briefing {
  const since = matter.now - briefingSpan;
  const recent = sliceHistory(matter.history, since, matter.now);
  const before = sliceHistory(matter.history, since - comparedSpan, since - 1);
  const important = [
    ...describeFailures(recent.runs, matter.lastLines),
    ...describeSilences(matter.history.ticks, since, matter.now),
    ...recent.holds.filter(({ until }) => until === null).map((hold) => describeHold(hold, matter.now)),
    ...recent.expiries.map(describeExpiry),
    ...describeLooks(recent.runs, matter.lastLines),
    ...matter.findings.filter(({ at }) => at >= since).map(({ text }) => oneLine(text, 300)),
    ...describeLate(recent),
  ];
  const summary = summarise(recent);
  const verdict = important.length === 0 ? 'All is well' : `${count(important.length, 'thing')} to look at`;
  const sections = [
    `# Daily briefing, ${new Date(matter.now).toISOString().slice(0, 10)}`,
    `**${verdict}.** The 24 hours to ${formatInstant(matter.now)}: ${summary}.`,
    section('Look at this', list(important, limits.important)),
    section('Numbers', tabulateNumbers(recent, before, matter)),
    section('Groups', tabulateGroups(recent, before)),
    section('Took longer', list(describeLonger(recent.runs, before.runs), limits.longer)),
  ];
  const lead = important.length === 0 ? 'all is well' : verdict;
  return { markdown: `${sections.join('\n\n')}\n`, summary: `${lead}; ${summary}` };
}

function sliceHistory(history: History, from: number, to: number): History {
  const isWithin = ({ at }: { readonly at: number }) => at >= from && at <= to;
  return {
    runs: history.runs.filter(isWithin),
    expiries: history.expiries.filter(isWithin),
    holds: history.holds.filter((hold) => hold.from <= to && (hold.until ?? to) >= from),
    ticks: history.ticks.filter((at) => isWithin({ at })),
  };
}

function summarise({ runs, ticks }: History): string {
  if (runs.length + ticks.length === 0) return 'nothing ran';
  const outcomes = ['succeeded', 'failed', 'timed-out', 'interrupted'].flatMap((outcome) => {
    const number = runs.filter((run) => run.outcome === outcome).length;
    return number === 0 ? [] : [`${number} ${outcome}`];
  });
  return `${count(runs.length, 'run')}${outcomes.length === 0 ? '' : ` (${outcomes.join(', ')})`}, ${count(ticks.length, 'tick')}`;
}

function section(title: string, lines: readonly string[]): string {
  return `## ${title}\n\n${lines.length === 0 ? 'Nothing.' : lines.join('\n')}`;
}

function list(lines: readonly string[], limit: number): string[] {
  const shown = lines.slice(0, limit).map((line) => `- ${line}`);
  return lines.length > limit ? [...shown, `- … and ${lines.length - limit} more`] : shown;
}

/** One line for each group that failed: how often, and what its script said last. */
function describeFailures(runs: readonly Run[], lastLines: ReadonlyMap<string, string>): string[] {
  const failed = runs.filter(({ outcome }) => outcome !== 'succeeded');
  return byGroup(failed).map(([group, own]) => {
    const last = own.at(-1) as Run;
    const script = last.scripts.findLast(({ outcome }) => outcome !== 'succeeded');
    const times = own.length === 1 ? '' : ` ${count(own.length, 'time')}, last`;
    const beat = last.beat === null ? 'by hand' : `beat ${formatInstant(last.beat)}`;
    const cause = script === undefined ? '' : `: ${describeScript(script, lastLines)}`;
    return `**${group}** ${last.outcome}${times} at ${formatInstant(last.at)} (${beat})${cause}`;
  });
}

function describeScript(script: ScriptRun, lastLines: ReadonlyMap<string, string>): string {
  const lastLine = script.outputFile === null ? undefined : lastLines.get(script.outputFile);
  const said = lastLine === undefined ? '' : `; its last line: ${code(lastLine)}`;
  return `${code(script.name)} ${oneLine(describeEnd(script))}${said}`;
}

/** What optional scripts ask to be looked at; the analyses' own findings come with more words from their reports. */
function describeLooks(runs: readonly Run[], lastLines: ReadonlyMap<string, string>): string[] {
  const looks = runs
    .filter(({ outcome }) => outcome === 'succeeded')
    .flatMap(({ group, scripts }) => scripts.map((script) => ({ ...script, group })))
    .filter(({ name, outcome }) => outcome !== 'succeeded' && !name.startsWith('analyze_'));
  return byGroup(looks.map((look) => ({ ...look, group: `${look.group}/${look.name}` }))).map(([name, own]) => {
    const last = own.at(-1) as ScriptRun;
    const said = last.outputFile === null ? undefined : lastLines.get(last.outputFile);
    const times = count(own.length, 'time');
    return `**${name}** asks for a look, ${times}: ${said === undefined ? oneLine(describeEnd(last)) : code(said)}`;
  });
}

function describeSilences(ticks: readonly number[], since: number, now: number): string[] {
  return findSilences(ticks, now, silence)
    .filter(({ to }) => to >= since)
    .map(
      ({ from, to }) => `No tick for ${formatDuration(to - from)}: from ${formatInstant(from)} to ${formatInstant(to)}`,
    );
}

function describeHold({ group, reason, blockedBy, from }: Hold, now: number): string {
  const cause = blockedBy.length === 0 ? reason : `${reason}: ${blockedBy.join(', ')}`;
  return `**${group}** is held back since ${formatInstant(from)}, for ${formatDuration(Math.max(0, now - from))} (${cause})`;
}

function describeExpiry({ group, at, beats }: Expiry): string {
  return `**${group}** let ${count(beats, 'beat')} expire at ${formatInstant(at)}, too late to run`;
}

/** The groups that started late or passed beats over; in one line where they are many, for then the cause is one. */
function describeLate({ runs }: History): string[] {
  const late = runs.flatMap((run) => {
    const delay = run.beat === null || run.startedAt === null ? 0 : run.startedAt - run.beat;
    const isAgain = run.reasons.some((reason) => reason !== 'beat-due');
    const isLate = !isAgain && (delay > patternRule.lateMs || run.missedBeats > 0);
    return isLate ? [{ ...run, delay }] : [];
  });
  const lines = byGroup(late).map(([group, own]) => {
    const missed = sum(own.map(({ missedBeats }) => missedBeats));
    const most = Math.max(...own.map(({ delay }) => delay));
    const times = own.length === 1 ? `at ${formatInstant(own[0]?.at ?? 0)}` : count(own.length, 'time');
    const parts = [
      most > patternRule.lateMs ? `started up to ${formatDuration(most)} late` : null,
      missed > 0 ? `passed over ${count(missed, 'beat')}` : null,
    ];
    return `**${group}** ${parts.filter((part) => part !== null).join(' and ')}, ${times}`;
  });
  return lines.length <= 2 ? lines : [`${lines.length} groups were late: ${lines.join('; ')}`];
}

function tabulateNumbers(recent: History, before: History, { now, figures, history }: BriefingMatter): string[] {
  const since = now - briefingSpan;
  const first = Math.min(history.ticks[0] ?? since, history.runs[0]?.at ?? since);
  /** The days of the week before of which there is anything to compare with. */
  const days = Math.min(comparedSpan, since - first) / day;
  const daily = (total: number) => (days < 1 ? null : total / days);
  const rows: [string, string, string][] = [
    compareCounts('runs', recent.runs.length, daily(before.runs.length)),
    compareCounts('… not succeeded', failuresIn(recent), daily(failuresIn(before))),
    compareCounts('beats missed or expired', missedIn(recent), daily(missedIn(before))),
    compareCounts('ticks', recent.ticks.length, daily(before.ticks.length)),
    [
      'held back, all groups',
      formatLength(heldIn(recent.holds, since, now)),
      days < 1 ? '–' : formatLength(heldIn(before.holds, since - comparedSpan, since) / days),
    ],
  ];
  for (const { label, samples, format } of figures) {
    const own = median(samples.filter(({ at }) => at >= since).map(({ value }) => value));
    const usual = median(samples.filter(({ at }) => at < since).map(({ value }) => value));
    if (own !== null) rows.push([label, format(own), usual === null ? '–' : format(usual)]);
  }
  return table(['', 'last 24 h', 'a day of the week before'], rows);
}

const formatLength = (ms: number) => (ms === 0 ? '0' : formatDuration(ms));

function compareCounts(label: string, number: number, usual: number | null): [string, string, string] {
  const written = usual === null ? '–' : usual < 10 ? `${Math.round(usual * 10) / 10}` : `${Math.round(usual)}`;
  return [label, `${number}`, written];
}

const failuresIn = ({ runs }: History) => runs.filter(({ outcome }) => outcome !== 'succeeded').length;

const missedIn = ({ runs, expiries }: History) =>
  sum(runs.map(({ missedBeats }) => missedBeats)) + sum(expiries.map(({ beats }) => beats));

function heldIn(holds: readonly Hold[], from: number, to: number): number {
  return sum(holds.map((hold) => Math.max(0, Math.min(hold.until ?? to, to) - Math.max(hold.from, from))));
}

/** A row for each group, those with trouble first; those too that ran in the days before and not since. */
function tabulateGroups(recent: History, before: History): string[] {
  const groups = new Set([...before.runs, ...recent.runs].map(({ group }) => group));
  if (groups.size === 0) return [];
  const rows = [...groups].map((group) => {
    const own = recent.runs.filter((run) => run.group === group);
    const well = own.filter(({ outcome }) => outcome === 'succeeded');
    const lengths = (runs: readonly Run[]) => formatMedian(runs.flatMap(({ durationMs }) => durationMs ?? []));
    const earlier = before.runs.filter((run) => run.group === group && run.outcome === 'succeeded');
    const trouble = own.length === 0 ? 1 : own.length - well.length;
    const cells = [
      group,
      own.length,
      own.length === 0 ? '–' : formatShare(well.length / own.length),
      lengths(well),
      lengths(earlier),
    ];
    return { trouble, cells };
  });
  const shown = rows.toSorted((a, b) => b.trouble - a.trouble).slice(0, limits.groups);
  const rest = rows.length > shown.length ? [`\nand ${rows.length - shown.length} more.`] : [];
  const lines = table(
    ['group', 'runs', 'succeeded', 'usual length', 'in the week before'],
    shown.map(({ cells }) => cells.map(String)),
  );
  return [...lines, ...rest];
}

function formatMedian(lengths: readonly number[]): string {
  const middle = median(lengths);
  return middle === null ? '–' : formatDuration(middle);
}

/** The runs that took longer than their group did in the time before, the worst of each group, the worst first. */
function describeLonger(runs: readonly Run[], earlier: readonly Run[]): string[] {
  const worst = byGroup(runs).flatMap(([group, own]) => {
    const lengths = earlier.flatMap((run) =>
      run.group === group && run.outcome === 'succeeded' && run.durationMs !== null ? [run.durationMs] : [],
    );
    const usual = median(lengths);
    // Of a few the median says little.
    if (usual === null || lengths.length < longer.minimum) return [];
    const [run] = own.toSorted((a, b) => (b.durationMs ?? 0) - (a.durationMs ?? 0));
    const took = run?.durationMs ?? 0;
    const isLonger = took > usual * (1 + longer.share) && took > usual + longer.floorMs;
    return run === undefined || !isLonger ? [] : [{ group, at: run.at, took, usual }];
  });
  return worst
    .toSorted((a, b) => b.took / b.usual - a.took / a.usual)
    .map(
      ({ group, at, took, usual }) =>
        `**${group}** took ${formatDuration(took)} (usually ${formatDuration(usual)}), ended ${formatInstant(at)}`,
    );
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [row(titles), row(titles.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(row)];
}

function byGroup<T extends { readonly group: string }>(all: readonly T[]): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  return [...groups];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

// What scripts print may hold Markdown of its own.
function code(text: string): string {
  return `\`${oneLine(text).replaceAll('`', "'")}\``;
}
