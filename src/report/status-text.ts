import { formatInstant } from '../plan/because.ts';
import type { Paint } from './plan-document.ts';
import { formatDistance, formatLength, phraseLength } from './quantities.ts';
import {
  type GroupCondition,
  type GroupStatus,
  hasFailed,
  type RunningStatus,
  type StatusDocument,
} from './status-document.ts';
import { alignRows, shorten } from './table.ts';
import { widthOf } from './text-width.ts';
import { wrapText } from './wrap-text.ts';

export interface BoardOptions {
  /** Whose wall clock is shown. */
  readonly timezone: string;
  /** Columns of the terminal; infinite where there is none. */
  readonly width?: number;
  readonly paint?: Paint;
}

/** A status for people: the last tick, the trigger, what runs, and a line for each group. */
export function renderStatus(status: StatusDocument, options: BoardOptions): string {
  const { timezone, width = Number.POSITIVE_INFINITY, paint = (word) => word } = options;
  const now = Date.parse(status.at);
  const tell = (instant: string) => formatInstant(Date.parse(instant), now, timezone);
  const lines = [
    `Status at ${formatInstant(now, null, timezone)} (${timezone})`,
    ...wrapText(`${phraseLastTick(status, tell)}${capitalise(status.trigger.text)}.`, width),
  ];
  for (const running of status.running) lines.push(...renderRunning(running));
  lines.push('', ...renderGroups(status, { now, timezone, paint }, width));
  return lines.map((line) => shorten(line, width)).join('\n');
}

/** A line for each group. What a group waits for goes below its line where it would not fit; so nothing of it is lost. */
function renderGroups(status: StatusDocument, frame: Frame, width: number): string[] {
  const nexts = status.groups.map((group) => phraseNext(group, status, frame));
  const head = ['', ...nexts.map(({ next }) => next)];
  const [full, narrow] = [fullRows, narrowRows].map((make) => make(status.groups, frame));
  const tooWide = (line: string) => widthOf(line) > width;
  const place = (rows: readonly (readonly string[])[] = [], ends: readonly string[]) =>
    alignRows(rows.map((row, index) => [...row, index === 0 ? 'NEXT' : (ends[index] ?? '')]));
  const rows = place(full, head).some(tooWide) ? narrow : full;
  const short = place(rows, head);
  const long = place(rows, [
    '',
    ...nexts.map(({ next, note }) => [next, note].filter((part) => part !== '').join('; ')),
  ]);
  return long.flatMap((line, index) => {
    const note = nexts[index - 1]?.note ?? '';
    if (!tooWide(line) || note === '') return line;
    return [short[index] ?? '', `    ${note}`];
  });
}

interface Frame {
  readonly now: number;
  readonly timezone: string;
  readonly paint: Paint;
}

function fullRows(groups: readonly GroupStatus[], frame: Frame): string[][] {
  const head = ['GROUP', 'STATE', 'LAST', 'AGE', 'TOOK', 'USUAL'];
  const rows = groups.map((group) => [
    group.group,
    paintState(group.state, group.state, frame),
    paintOutcome(group, frame),
    ageOf(group, frame.now),
    lengthOrBlank(group.lastRun?.durationMs ?? null),
    lengthOrBlank(group.usualMs),
  ]);
  return [head, ...rows];
}

/** The same in less room: the state gives way to the last outcome where it says little, the lengths are left out. */
function narrowRows(groups: readonly GroupStatus[], frame: Frame): string[][] {
  const rows = groups.map((group) => [
    group.group,
    group.state === 'idle' && group.lastRun !== null
      ? paintOutcome(group, frame)
      : paintState(group.state, group.state, frame),
    ageOf(group, frame.now),
  ]);
  return [['GROUP', 'STATE', 'AGE'], ...rows];
}

const colours: Record<GroupCondition, Parameters<Paint>[1]> = {
  running: 'run',
  late: 'expire',
  due: 'run',
  waiting: 'skip',
  paused: 'paused',
  disabled: 'disabled',
  idle: 'wait',
};

function paintState(word: string, state: GroupCondition, { paint }: Frame): string {
  return paint(word, colours[state]);
}

function paintOutcome({ lastRun, consecutiveFailures }: GroupStatus, { paint }: Frame): string {
  if (lastRun?.outcome == null) return '-';
  const { outcome } = lastRun;
  const times = consecutiveFailures > 1 ? ` ${consecutiveFailures}x` : '';
  if (hasFailed(outcome)) return paint(`${outcome}${times}`, 'expire');
  return paint(`${outcome}${outcome === 'succeeded' ? '' : times}`, outcome === 'succeeded' ? 'run' : 'skip');
}

function ageOf({ lastRun }: GroupStatus, now: number): string {
  if (lastRun?.finishedAt == null) return '-';
  const age = Math.max(0, now - Date.parse(lastRun.finishedAt));
  const [unit, letter] = (
    [
      [86_400_000, 'd'],
      [3_600_000, 'h'],
      [60_000, 'm'],
    ] as const
  ).find(([size]) => age >= (size > 60_000 ? 2 : 1) * size) ?? [1_000, 's'];
  return `${Math.floor(age / unit)}${letter}`;
}

function lengthOrBlank(length: number | null): string {
  return length === null ? '-' : formatLength(length);
}

/** When something comes next for a group, and what else is to be known of it; '' where there is nothing to say. */
function phraseNext(group: GroupStatus, status: StatusDocument, frame: Frame): { next: string; note: string } {
  const { now, timezone } = frame;
  const say = (instant: string) => phraseInstant(Date.parse(instant), now, timezone);
  const next = group.nextBeat === null ? '' : say(group.nextBeat);
  switch (group.state) {
    case 'running': {
      const running = status.running.find((candidate) => candidate.group === group.group);
      return { next, note: running === undefined ? '' : phraseScript(running) };
    }
    case 'late':
    case 'due': {
      const since = group.dueSince === null ? now : Date.parse(group.dueSince);
      const due = now - since < 60_000 ? 'due now' : `due for ${phraseLength(now - since)}`;
      return { next, note: `${due}${group.waitsFor === null ? '' : `, ${group.waitsFor}`}` };
    }
    case 'waiting':
      return { next, note: group.waitsFor ?? '' };
    case 'paused': {
      const until = group.pausedUntil === null ? 'when resumed' : `until ${say(group.pausedUntil)}`;
      return { next: until, note: group.pauseReason ?? '' };
    }
    case 'disabled':
      return { next: '', note: '' };
    case 'idle':
      if (group.retryAt !== null && Date.parse(group.retryAt) > now) {
        return { next: `retry ${say(group.retryAt)}`, note: next === '' ? '' : `beat ${next}` };
      }
      return { next: next === '' ? 'when asked to' : next, note: '' };
  }
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** An instant by the wall clock and in words: `16:10 in 8 min`, `Mon 03:00 in 11 h`, `2026-12-24 in 31 d`. */
function phraseInstant(instant: number, now: number, timezone: string): string {
  const [date, time] = formatInstant(instant, now, timezone).split(' ');
  const distance = formatDistance(instant, now);
  if (time === undefined || Math.abs(instant - now) >= 6 * 86_400_000) return `${date} ${distance}`;
  return `${weekdays[new Date(`${date}T00:00:00Z`).getUTCDay()]} ${time} ${distance}`;
}

function phraseLastTick({ lastTick }: StatusDocument, tell: (instant: string) => string): string {
  if (lastTick?.startedAt == null) return '';
  const { outcome, startedAt, finishedAt, isRunning } = lastTick;
  const words = new Map([
    ['nothing-due', 'nothing was due'],
    ['lanes-held', 'its lanes were held'],
  ]);
  const end = isRunning
    ? 'it runs'
    : finishedAt === null
      ? 'it did not end'
      : (words.get(outcome ?? '') ?? outcome ?? 'ended');
  return `Last tick ${tell(startedAt)}: ${end}. `;
}

function renderRunning(running: RunningStatus): string[] {
  const { lane, group, elapsedMs, lastLine, isOrphan, pid } = running;
  const where = `lane ${lane}${pid === null ? '' : `, pid ${pid}`}`;
  const head =
    group === null
      ? `Running: no group yet (${where}${elapsedMs === null ? '' : `, for ${phraseLength(Math.max(1_000, elapsedMs))}`})`
      : `Running: ${group}/${phraseScript(running)} (${where}${isOrphan ? '; its tick died' : ''})`;
  return [head, ...(lastLine === null ? [] : [`  | ${lastLine}`])];
}

function phraseScript({ script, scriptElapsedMs, scriptUsualMs }: RunningStatus): string {
  const elapsed = scriptElapsedMs === null ? '' : ` for ${phraseLength(Math.max(1_000, scriptElapsedMs))}`;
  return `${script ?? 'between two scripts'}${elapsed}${scriptUsualMs === null ? '' : `, usually ${phraseLength(scriptUsualMs)}`}`;
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
