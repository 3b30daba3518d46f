import type { Breaker } from './breaker.ts';
import { type Bar, type Dot, drawDots, drawLine, drawTimeline, escapeHtml, type Span } from './chart.ts';
import { findSilences, type History, type Run, silence } from './history.ts';
import type { Measured } from './measured.ts';
import { count, formatDuration, formatInstant, formatShare } from './quantity.ts';
import type { GroupState, State } from './state.ts';
import { fitLine, median, thin } from './statistics.ts';
import { style } from './style.ts';
import { judgeTrend, trendRule } from './trends.ts';

/** What a dashboard shows. Instants are ms since the epoch. */
export interface DashboardMatter {
  readonly now: number;
  readonly host: string;
  readonly state: State | null;
  /** Of the last seven days. */
  readonly history: History;
  readonly machine: readonly Measured[];
  readonly breakers: ReadonlyMap<string, Breaker>;
}

export interface Dashboard {
  readonly html: string;
  /** One line for people. */
  readonly summary: string;
}

const day = 86_400_000;
export const shownSpan = 7 * day;

/** So many dots of a group: beyond that the longest run of each few is shown, for the long ones are looked for. */
const dotsShown = 400;

/** Writes the dashboard as one HTML page that needs nothing from outside and runs no script. */
export function composeDashboard(matter: DashboardMatter): Dashboard {
  const { now, state, history, machine, breakers, host } = matter;
  const week: Span = { from: now - shownSpan, to: now };
  const groups = groupsOf(matter);
  const amiss = groups.filter(({ outcome }) => outcome !== null && outcome !== 'succeeded').map(({ name }) => name);
  const verdict =
    groups.length === 0
      ? 'Nothing has run yet.'
      : amiss.length === 0
        ? `All ${count(groups.length, 'group')} ended well.`
        : `Not well: ${amiss.join(', ')}.`;
  const lengths = groups.map(({ name }) => measureLengths(name, history.runs)).filter(({ runs }) => runs.length > 0);
  const sections = [
    section(
      'groups',
      'Groups',
      groups.length === 0 ? nothing : cards(groups.map((group) => drawGroup(group, history))),
    ),
    section('timeline', 'The last 24 hours (UTC)', drawDay(groups, history, now)),
    section(
      'lengths',
      'Run lengths, 7 days',
      lengths.length === 0 ? nothing : cards(lengths.map((one) => drawLengths(one, week))),
    ),
    section(
      'machine',
      'The machine, 7 days',
      machine.length === 0 ? nothing : cards(machine.map((one) => drawMeasured(one, week))),
    ),
    section('endpoints', 'Endpoints', breakers.size === 0 ? nothing : cards([...breakers].map(drawBreaker))),
  ];
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>rhythm on ${escapeHtml(host)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>rhythm on ${escapeHtml(host)}</h1>
<p>${escapeHtml(verdict)} As of ${formatInstant(now)}${state === null ? '; no state yet' : ''}.</p>
</header>
<main>
${sections.join('\n')}
</main>
<script type="application/json" id="numbers">${numbersOf(matter, lengths)}</script>
</body>
</html>
`;
  const shown = `${count(groups.length, 'group')}, ${count(history.runs.length, 'run')} of 7 days, ${count(machine.length, 'chart')} of the machine`;
  return { html, summary: `${verdict.replace(/\.$/, '')}; ${shown}` };
}

const nothing = '<p class="faint">Nothing yet.</p>';

function section(id: string, title: string, content: string): string {
  return `<section id="${id}"><h2>${escapeHtml(title)}</h2>${content}</section>`;
}

function cards(all: readonly string[]): string {
  return `<div class="cards">${all.join('')}</div>`;
}

/** The groups of the state, and those that only the history knows of. */
function groupsOf({ state, history }: DashboardMatter): GroupState[] {
  const known = state?.groups ?? [];
  const others = new Set(
    history.runs.map(({ group }) => group).filter((name) => !known.some((one) => one.name === name)),
  );
  return [
    ...known,
    ...[...others].map((name) => {
      const last = history.runs.findLast(({ group }) => group === name) as Run;
      const { outcome, at, durationMs } = last;
      return { name, outcome, finishedAt: at, durationMs, consecutiveFailures: 0, isPaused: false };
    }),
  ];
}

function drawGroup(group: GroupState, { holds }: History): string {
  const hold = holds.find((one) => one.group === group.name && one.until === null);
  const kind = group.isPaused ? 'paused' : hold !== undefined ? 'held' : (group.outcome ?? 'never');
  const said = { paused: 'paused', held: 'held back', never: 'has not run yet' };
  const word = kind === 'paused' || kind === 'held' || kind === 'never' ? said[kind] : kind;
  const lines = [
    group.finishedAt === null ? null : `last ${group.outcome} at ${formatInstant(group.finishedAt)}`,
    group.durationMs === null ? null : `took ${formatDuration(group.durationMs)}`,
    group.consecutiveFailures > 0 ? `${count(group.consecutiveFailures, 'failure')} in a row` : null,
    hold === undefined ? null : `${hold.reason}${hold.blockedBy.length > 0 ? `: ${hold.blockedBy.join(', ')}` : ''}`,
  ].filter((line) => line !== null);
  return `<div class="card"><h3>${escapeHtml(group.name)}</h3><p class="state ${kindOf(kind)}">${escapeHtml(word)}</p><p>${escapeHtml(lines.join(', '))}</p></div>`;
}

/** A class of the style sheet: what is not known there looks like a failure, not like nothing. */
function kindOf(outcome: string): string {
  const known = ['succeeded', 'failed', 'timed-out', 'interrupted', 'held', 'paused', 'never'];
  return known.includes(outcome) ? outcome : 'failed';
}

function drawDay(groups: readonly GroupState[], { runs, holds, ticks }: History, now: number): string {
  const span: Span = { from: now - day, to: now };
  const rows = groups.map(({ name }) => {
    const own = runs.filter((run) => run.group === name && run.at >= span.from);
    const held = holds.filter((hold) => hold.group === name && (hold.until ?? now) >= span.from);
    return { label: name, bars: [...held.map((hold) => barOfHold(hold, now)), ...own.map(barOfRun)] };
  });
  const silences = findSilences(ticks, now, silence).filter(({ to }) => to >= span.from);
  const shades = silences.map(({ from, to }): Bar => {
    return { from, to, kind: 'silence', title: `no tick from ${formatInstant(from)} to ${formatInstant(to)}` };
  });
  const legend = ['succeeded', 'failed', 'timed-out', 'interrupted', 'held', 'silence'].map((kind) => {
    const word = kind === 'held' ? 'held back' : kind === 'silence' ? 'no ticks' : kind;
    return `<li class="${kind}">${word}</li>`;
  });
  if (rows.length === 0) return nothing;
  return `<figure>${drawTimeline(rows, span, shades)}<ul class="legend">${legend.join('')}</ul></figure>`;
}

function barOfRun(run: Run): Bar {
  const from = run.startedAt ?? run.at - (run.durationMs ?? 0);
  return { from, to: run.at, kind: kindOf(run.outcome), title: describeRun(run) };
}

function describeRun({ group, outcome, at, durationMs, startedAt }: Run): string {
  const length = durationMs === null ? '' : `, ${formatDuration(durationMs)}`;
  return `${group} ${outcome} at ${formatInstant(startedAt ?? at)}${length}`;
}

function barOfHold(hold: History['holds'][number], now: number): Bar {
  const { group, reason, blockedBy, from, until } = hold;
  const to = until ?? now;
  const cause = blockedBy.length === 0 ? reason : `${reason}: ${blockedBy.join(', ')}`;
  return { from, to, kind: 'held', title: `${group} held back for ${formatDuration(to - from)} (${cause})` };
}

interface Lengths {
  readonly group: string;
  readonly runs: readonly (Run & { readonly durationMs: number })[];
  readonly usual: number | null;
  readonly trend: string;
}

/** How long a group's runs take, and whether that changes, in words. */
function measureLengths(group: string, all: readonly Run[]): Lengths {
  const runs = all.flatMap((run) =>
    run.group === group && run.durationMs !== null ? [{ ...run, durationMs: run.durationMs }] : [],
  );
  const well = runs.filter(({ outcome }) => outcome === 'succeeded');
  const judged = judgeTrend(well.map(({ at, durationMs }) => ({ at, value: durationMs })));
  const change = judged.drift === null ? 0 : Math.round(judged.drift * 100);
  const words = {
    'too-few': `too few runs for a trend (${well.length} of ${trendRule.minimum})`,
    steady: 'steady',
    jumped: `longer of late: ${formatDuration(judged.recent ?? 0)}`,
    dropped: `shorter of late: ${formatDuration(judged.recent ?? 0)}`,
    climbs: `climbs by ${change} % a week`,
    falls: `falls by ${-change} % a week`,
  };
  return { group, runs, usual: median(well.map(({ durationMs }) => durationMs)), trend: words[judged.verdict] };
}

function drawLengths({ group, runs, usual, trend }: Lengths, span: Span): string {
  const size = Math.ceil(runs.length / dotsShown);
  const dots: Dot[] = [];
  for (let start = 0; start < runs.length; start += size) {
    const [run] = runs.slice(start, start + size).toSorted((a, b) => b.durationMs - a.durationMs);
    if (run) dots.push({ at: run.at, value: run.durationMs, kind: kindOf(run.outcome), title: describeRun(run) });
  }
  const points = runs
    .filter(({ outcome }) => outcome === 'succeeded')
    .map(({ at, durationMs }) => ({ x: at, y: durationMs }));
  const line = fitLine(thin(points, 200));
  // Of a few runs a line would say more than is known.
  const ends =
    line === null || points.length < trendRule.minimum
      ? null
      : {
          begin: Math.max(0, line.slope * span.from + line.intercept),
          end: Math.max(0, line.slope * span.to + line.intercept),
        };
  const chart = drawDots(dots, span, ends, { label: `Run lengths of ${group}`, format: formatDuration });
  const usually = usual === null ? 'no usual length yet' : `usually ${formatDuration(usual)}`;
  return `<figure><figcaption><strong>${escapeHtml(group)}</strong><small>${escapeHtml(`${usually}, ${trend}`)}</small></figcaption>${chart}</figure>`;
}

function drawMeasured({ label, samples, format }: Measured, span: Span): string {
  const values = samples.map(({ value }) => value);
  const last = values.at(-1) ?? 0;
  const scale = { label, format, ...(format === formatShare ? { top: 1 } : {}) };
  const figures = `median ${format(median(values) ?? 0)}, ${format(Math.min(...values))} to ${format(Math.max(...values))}`;
  return `<figure><figcaption><span>${escapeHtml(label)}</span><strong>${escapeHtml(format(last))}</strong><small>${escapeHtml(figures)}</small></figcaption>${drawLine(samples, span, scale)}</figure>`;
}

function drawBreaker([name, { state, since, reason }]: [string, Breaker]): string {
  const kind = state === 'closed' ? 'succeeded' : state === 'open' ? 'failed' : 'timed-out';
  const why = reason === null ? '' : `: ${reason}`;
  return `<div class="card"><h3>${escapeHtml(name)}</h3><p class="state ${kind}">breaker ${state}</p><p>${escapeHtml(`since ${formatInstant(since)}${why}`)}</p></div>`;
}

/** The numbers behind the charts, for programs. */
function numbersOf({ now, history, machine, breakers }: DashboardMatter, lengths: readonly Lengths[]): string {
  const iso = (at: number) => new Date(at).toISOString();
  const numbers = {
    schemaVersion: 1,
    at: iso(now),
    runs: history.runs.map(({ group, id, at, outcome, durationMs }) => ({
      group,
      id,
      at: iso(at),
      outcome,
      durationMs,
    })),
    lengths: lengths.map(({ group, usual, trend }) => ({ group, usualMs: usual, trend })),
    silences: findSilences(history.ticks, now, silence).map(({ from, to }) => ({ from: iso(from), to: iso(to) })),
    machine: machine.map(({ label, samples }) => ({
      label,
      samples: samples.map(({ at, value }) => [iso(at), value]),
    })),
    breakers: [...breakers].map(([endpoint, { state, since }]) => ({ endpoint, state, since: iso(since) })),
  };
  // Within a script element only this could end it.
  return JSON.stringify(numbers).replaceAll('<', '\\u003c');
}
