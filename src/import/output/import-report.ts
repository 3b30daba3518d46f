import { countOf } from '../../report/quantities.ts';
import { alignRows } from '../../report/table.ts';
import { parseCron } from '../../schedule/cron.ts';
import { describeSchedule } from '../../schedule/describe.ts';
import type { CalendarLine } from '../../schedule/schedule.ts';
import { type Account, type Entry, nameOrigin } from '../entry.ts';
import type { Grouping, ImportGroup } from '../grouping/group-entries.ts';
import { replayEntry } from '../verify/verify.ts';

/** What an import changes, in numbers. */

export interface Load {
  /** Things that start by themselves. */
  readonly entries: number;
  /** Scripts that start on a day, on the average. */
  readonly startsADay: number;
  /** The largest number that start within one minute. */
  readonly mostAtOnce: number;
  /** When that first happens, ISO 8601; null where nothing starts. */
  readonly mostAt: string | null;
}

export interface BeforeAfter {
  readonly before: Load;
  /** `entries` is 1, the trigger; `mostAtOnce` cannot be more than one for each lane. */
  readonly after: Load & { readonly groups: number; readonly lanes: number };
}

const day = 86_400_000;

/** Compares old beats and planned runs over a span. */
export function compareLoad(
  groups: readonly ImportGroup[],
  runs: ReadonlyMap<string, readonly { readonly at: number }[]>,
  from: number,
  until: number,
): BeforeAfter {
  const days = (until - from) / day;
  const enabled = groups.filter((group) => group.enabled);
  const members = enabled.flatMap((group) => group.members);
  const starts = members.flatMap(({ entry }) =>
    replayEntry(entry, from, until).map((beat) => Math.floor(beat / 60_000)),
  );
  const [minute, most] = findMost(starts);
  const planned = enabled.flatMap((group) => (runs.get(group.name) ?? []).map((run) => ({ group, at: run.at })));
  // Within a lane one script starts when another has ended; so at most one in each starts with a tick.
  const perTick = new Map<number, Set<string>>();
  let scripts = 0;
  for (const { group, at } of planned) {
    if (at > until) continue;
    scripts += group.members.length;
    perTick.set(at, (perTick.get(at) ?? new Set()).add(group.lane ?? 'main'));
  }
  const [tick, lanes] = [...perTick].reduce<[number | null, number]>(
    (best, [at, names]) => (names.size > best[1] ? [at, names.size] : best),
    [null, 0],
  );
  return {
    before: {
      entries: groups.flatMap((group) => group.members).length,
      startsADay: round(starts.length / days),
      mostAtOnce: most,
      mostAt: minute === null ? null : new Date(minute * 60_000).toISOString(),
    },
    after: {
      entries: 1,
      startsADay: round(scripts / days),
      mostAtOnce: lanes,
      mostAt: tick === null ? null : new Date(tick).toISOString(),
      groups: groups.length,
      lanes: new Set(groups.map(({ lane }) => lane ?? 'main')).size,
    },
  };
}

function findMost(minutes: readonly number[]): [number | null, number] {
  const counts = new Map<number, number>();
  for (const minute of minutes) counts.set(minute, (counts.get(minute) ?? 0) + 1);
  let best: [number | null, number] = [null, 0];
  for (const [minute, count] of counts) {
    if (count > best[1] || (count === best[1] && best[0] !== null && minute < best[0])) best = [minute, count];
  }
  return best;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The report for people. */
export function renderReport(
  { before, after }: BeforeAfter,
  { groups, proposals, dropped }: Grouping,
  accounts: readonly Account[],
  applied: boolean,
): string[] {
  const lines = alignRows([
    ['', 'before', 'after'],
    ['things that start by themselves', `${before.entries}`, '1 (rhythm)'],
    ['groups', '-', `${after.groups}, in ${countOf(after.lanes, 'lane')}`],
    ['starts a day', `${before.startsADay}`, `${after.startsADay}`],
    ['most that start within a minute', atOnce(before), atOnce(after)],
  ]);
  lines.push('', 'Groups:');
  lines.push(
    ...alignRows(
      groups.map((group) => [
        `  ${group.name}`,
        scheduleOf(group),
        countOf(group.members.length, 'entry').replace('entrys', 'entries'),
        [
          ...(group.lane === null ? [] : [`lane ${group.lane}`]),
          ...(group.dependsOn.length === 0 ? [] : [`depends on ${group.dependsOn.join(', ')}`]),
          ...(group.after.length === 0 ? [] : [`after ${group.after.join(', ')}`]),
          ...(group.enabled ? [] : ['was switched off']),
        ].join('; '),
      ]),
    ),
  );
  if (proposals.length > 0) {
    lines.push(
      '',
      applied ? 'Dependencies that were inferred:' : 'Dependencies that could be (--infer-dependencies puts them in):',
    );
    for (const { evidence } of proposals) lines.push(`  ${evidence}`);
  }
  if (dropped.length > 0) lines.push('', 'Left out:', ...dropped.map((text) => `  ${text}`));
  const notes = groups.flatMap((group) => group.members.flatMap(({ entry }) => notesOf(entry)));
  if (notes.length > 0) lines.push('', 'Changed on the way:', ...notes.map((text) => `  ${text}`));
  lines.push(...renderReported(accounts));
  return lines;
}

/** What was not converted, for people; no line where there is none. */
export function renderReported(accounts: readonly Account[]): string[] {
  const reported = accounts.filter(({ fate }) => fate === 'reported');
  if (reported.length === 0) return [];
  const byReason = new Map<string, Account[]>();
  for (const one of reported) {
    const key = one.line === null ? `${one.file}\n${one.why}` : `${one.file}\n${one.line}`;
    byReason.set(key, [...(byReason.get(key) ?? []), one]);
  }
  const lines = ['', 'Not converted:'];
  for (const [first, ...more] of byReason.values()) {
    if (first === undefined) continue;
    const place = first.line === null ? first.file : `${first.file}:${first.line}`;
    const others = more.length === 0 ? '' : ` and ${more.length} more`;
    lines.push(`  ${place}: ${first.what.trim()}${others}`, `      ${first.why}`);
  }
  return lines;
}

/** The schedule of a group, for people. */
export function scheduleOf({ rhythm }: ImportGroup): string {
  if (rhythm.kind === 'interval') return describeSchedule({ ...rhythm });
  const read = rhythm.lines.map((text) => parseCron(text)).filter((line): line is CalendarLine => !('problem' in line));
  return describeSchedule({ kind: 'calendar', timezone: rhythm.timezone, lines: read });
}

function atOnce({ mostAtOnce, mostAt }: Load): string {
  return mostAt === null ? '0' : `${mostAtOnce} (${mostAt.slice(0, 16).replace('T', ' ')} UTC)`;
}

function notesOf(entry: Entry): string[] {
  const texts = [...new Set(entry.notes), ...(entry.approximation === null ? [] : [entry.approximation])];
  return texts.map((text) => `${nameOrigin(entry.origin)}: ${text}`);
}
