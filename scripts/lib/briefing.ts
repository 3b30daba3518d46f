import { stripVTControlCharacters } from 'node:util';
import type { History, Run, ScriptRun } from './history.ts';
import { formatDuration, formatInstant } from './quantity.ts';
import { median } from './statistics.ts';

/** What a briefing is made of. Instants are ms since the epoch. */
export interface BriefingMatter {
  readonly now: number;
  /** The history of the week before, too: it tells what is usual. */
  readonly history: History;
  /** The last line that a script printed, by its output file. */
  readonly lastLines: ReadonlyMap<string, string>;
  /** The machine in one line, if anything is known of it. */
  readonly machine: string | null;
}

export interface Briefing {
  readonly markdown: string;
  /** One line for people. */
  readonly summary: string;
}

/** How long before now a briefing begins: 24 h, in ms. */
export const briefingSpan = 86_400_000;

/** Between two ticks; three beats of the most frequent group of the example workspace, in ms. */
const silence = 30 * 60_000;

/** Writes the briefing of the last 24 hours as Markdown. */
export function composeBriefing(matter: BriefingMatter): Briefing {
  const since = matter.now - briefingSpan;
  const { history } = matter;
  const isRecent = ({ at }: { readonly at: number }) => at >= since && at <= matter.now;
  const recent: History = {
    runs: history.runs.filter(isRecent),
    expiries: history.expiries.filter(isRecent),
    holds: history.holds.filter(({ until }) => until === null || until >= since),
    ticks: history.ticks.filter((at) => isRecent({ at })),
  };
  const failures = recent.runs.filter(({ outcome }) => outcome !== 'succeeded');
  const summary = summarise(recent);
  const sections = [
    `# Daily briefing, ${new Date(matter.now).toISOString().slice(0, 10)}`,
    `The 24 hours to ${formatInstant(matter.now)}: ${summary}.`,
    section('Runs', describeGroups(recent, history.runs)),
    section(
      'Failures',
      failures.flatMap((run) => describeFailure(run, matter.lastLines)),
    ),
    section('Missed beats', describeMissed(recent)),
    section('Held back', describeHolds(recent, matter.now)),
    section(
      'Longest runs',
      describeLongest(
        recent.runs,
        history.runs.filter(({ at }) => at < since),
      ),
    ),
    section('Machine', matter.machine === null ? [] : [matter.machine]),
  ];
  return { markdown: `${sections.join('\n\n')}\n`, summary };
}

function summarise({ runs, holds, ticks }: History): string {
  if (runs.length + ticks.length === 0) return 'nothing ran';
  const outcomes = ['succeeded', 'failed', 'timed-out', 'interrupted'].flatMap((outcome) => {
    const number = runs.filter((run) => run.outcome === outcome).length;
    return number === 0 ? [] : [`${number} ${outcome}`];
  });
  const parts = [
    `${count(runs.length, 'run')}${outcomes.length === 0 ? '' : ` (${outcomes.join(', ')})`}`,
    holds.length === 0 ? null : `${count(new Set(holds.map(({ group }) => group)).size, 'group')} held back`,
    count(ticks.length, 'tick'),
  ];
  return parts.filter((part) => part !== null).join(', ');
}

function section(title: string, lines: readonly string[]): string {
  return `## ${title}\n\n${lines.length === 0 ? 'None.' : lines.join('\n')}`;
}

/** One row for each group, for those too that ran in the days before and not since: silence is news. */
function describeGroups({ runs, expiries }: History, known: readonly Run[]): string[] {
  const groups = new Set([...known, ...runs, ...expiries].map(({ group }) => group));
  if (groups.size === 0) return [];
  const rows = [...groups].sort().map((group) => {
    const own = runs.filter((run) => run.group === group);
    const withOutcome = (outcome: string) => own.filter((run) => run.outcome === outcome).length;
    const counts = ['succeeded', 'failed', 'timed-out', 'interrupted'].map(withOutcome);
    const missed = sum(own.map((run) => run.missedBeats));
    const expired = sum(expiries.filter((expiry) => expiry.group === group).map(({ beats }) => beats));
    return `| ${[group, own.length, ...counts, missed, expired].join(' | ')} |`;
  });
  return [
    '| group | runs | succeeded | failed | timed out | interrupted | missed beats | expired beats |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
  ];
}

function describeFailure(run: Run, lastLines: ReadonlyMap<string, string>): string[] {
  const beat = run.beat === null ? 'by hand' : `beat ${formatInstant(run.beat)}`;
  const scripts = run.scripts.filter(({ outcome }) => outcome !== 'succeeded');
  return [
    `- **${run.group}** ${run.outcome} at ${formatInstant(run.at)} (${beat}, run ${run.id})`,
    ...scripts.map((script) => `  - ${describeScript(script, lastLines)}`),
  ];
}

function describeScript(script: ScriptRun, lastLines: ReadonlyMap<string, string>): string {
  const end = script.signal
    ? `signal ${script.signal}`
    : script.exitCode === null
      ? null
      : `exit code ${script.exitCode}`;
  const lastLine = script.outputFile === null ? undefined : lastLines.get(script.outputFile);
  const parts = [
    `${code(script.name)} ${script.outcome}`,
    // The message tells how it ended, where there is one.
    script.message ? oneLine(script.message) : end,
    script.attempts > 1 ? `${script.attempts} attempts` : null,
    lastLine && `its last line: ${code(lastLine)}`,
  ];
  return parts.filter((part) => part !== null && part !== undefined && part !== '').join('; ');
}

function describeMissed({ runs, expiries, ticks }: History): string[] {
  const late = runs.filter(({ missedBeats }) => missedBeats > 0);
  const gaps = ticks.flatMap((at, index) => {
    const before = ticks[index - 1];
    return before !== undefined && at - before > silence ? [{ before, at }] : [];
  });
  return [
    ...gaps.map(
      ({ before, at }) =>
        `- No tick for ${formatDuration(at - before)}: from ${formatInstant(before)} to ${formatInstant(at)}`,
    ),
    ...late.map(
      ({ group, at, missedBeats }) => `- **${group}** passed over ${beats(missedBeats)}, run at ${formatInstant(at)}`,
    ),
    ...expiries.map(
      (one) => `- **${one.group}** let ${beats(one.beats)} expire at ${formatInstant(one.at)}, too late to run`,
    ),
  ];
}

function describeHolds({ holds }: History, now: number): string[] {
  return holds.map(({ group, reason, blockedBy, from, until }) => {
    const cause = blockedBy.length === 0 ? reason : `${reason}: ${blockedBy.join(', ')}`;
    const length = formatDuration(Math.max(0, (until ?? now) - from));
    return `- **${group}** from ${formatInstant(from)}, ${until === null ? `still, for ${length}` : `for ${length}`} (${cause})`;
  });
}

/** The five longest runs, against the median of their group in the time before. */
function describeLongest(runs: readonly Run[], earlier: readonly Run[]): string[] {
  return runs
    .flatMap((run) => (run.durationMs === null ? [] : [{ ...run, durationMs: run.durationMs }]))
    .toSorted((a, b) => b.durationMs - a.durationMs)
    .slice(0, 5)
    .map(({ group, at, durationMs }) => {
      const lengths = earlier.flatMap((run) =>
        run.group === group && run.outcome === 'succeeded' && run.durationMs !== null ? [run.durationMs] : [],
      );
      // Of fewer than five the median says little.
      const usual = lengths.length < 5 ? null : median(lengths);
      const against = usual === null ? 'no usual length known yet' : `usually ${formatDuration(usual)}`;
      return `- **${group}** ${formatDuration(durationMs)} (${against}), ended ${formatInstant(at)}`;
    });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function beats(number: number): string {
  return count(number, 'beat');
}

// What scripts print may hold line ends, terminal escapes and Markdown of its own.
function oneLine(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, 300);
}

function code(text: string): string {
  return `\`${oneLine(text).replaceAll('`', "'")}\``;
}
