import { formatInstant } from '../plan/because.ts';
import type { Paint } from './plan.ts';
import { type GroupCondition, type GroupStatus, hasFailed, type RunningStatus, type StatusDocument } from './status.ts';
import { alignRows, shorten } from './table.ts';
import { formatDistance, formatLength, phraseLength } from './words.ts';

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
    ...wrap(`${phraseLastTick(status, tell)}${capitalise(status.trigger.text)}.`, width),
  ];
  for (const running of status.running) lines.push(...renderRunning(running, width));
  const rows = [fullRows, narrowRows].map((make) => make(status.groups, status, { now, timezone, paint }));
  const [full = [], narrow = []] = rows.map((cells) => alignRows(cells, width));
  const isCut = full.some((line) => line.endsWith('…') || line.endsWith('…\x1b[0m'));
  lines.push('', ...(isCut && width < roomy ? narrow : full));
  return lines.join('\n');
}

/** In terminals narrower than this, lines are shown without the lengths of runs rather than cut off. */
const roomy = 80;

interface Frame {
  readonly now: number;
  readonly timezone: string;
  readonly paint: Paint;
}

function fullRows(groups: readonly GroupStatus[], status: StatusDocument, frame: Frame): string[][] {
  const head = ['GROUP', 'STATE', 'LAST', 'AGE', 'TOOK', 'USUAL', 'NEXT'];
  const rows = groups.map((group) => [
    group.group,
    paintState(group.state, group.state, frame),
    paintOutcome(group, frame),
    ageOf(group, frame.now),
    lengthOrBlank(group.lastRun?.durationMs ?? null),
    lengthOrBlank(group.usualMs),
    phraseNext(group, status, frame),
  ]);
  return [head, ...rows];
}

/** The same in less room: the state gives way to the last outcome where it says little, the lengths are left out. */
function narrowRows(groups: readonly GroupStatus[], status: StatusDocument, frame: Frame): string[][] {
  const rows = groups.map((group) => [
    group.group,
    group.state === 'idle' && group.lastRun !== null
      ? paintOutcome(group, frame)
      : paintState(group.state, group.state, frame),
    ageOf(group, frame.now),
    phraseNext(group, status, frame),
  ]);
  return [['GROUP', 'STATE', 'AGE', 'NEXT'], ...rows];
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

/** What comes next for a group, and what it waits for till then. */
function phraseNext(group: GroupStatus, status: StatusDocument, frame: Frame): string {
  const { now, timezone } = frame;
  const say = (instant: string) => phraseInstant(Date.parse(instant), now, timezone);
  const next = group.nextBeat === null ? '' : say(group.nextBeat);
  const then = next === '' ? '' : `; next ${next}`;
  switch (group.state) {
    case 'running': {
      const running = status.running.find((candidate) => candidate.group === group.group);
      return running === undefined ? next : `${phraseScript(running)}${then}`;
    }
    case 'late':
    case 'due': {
      const since = group.dueSince === null ? now : Date.parse(group.dueSince);
      const due = now - since < 60_000 ? 'due now' : `due for ${phraseLength(now - since)}`;
      return `${due}${group.waitsFor === null ? '' : `, ${group.waitsFor}`}${then}`;
    }
    case 'waiting':
      return `${group.waitsFor}${then}`;
    case 'paused': {
      const until = group.pausedUntil === null ? 'till it is resumed' : `until ${say(group.pausedUntil)}`;
      return `${until}${group.pauseReason === null ? '' : `: ${group.pauseReason}`}`;
    }
    case 'disabled':
      return '';
    case 'idle':
      if (group.retryAt !== null && Date.parse(group.retryAt) > now) return `retry ${say(group.retryAt)}${then}`;
      return next === '' ? 'when asked to' : next;
  }
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** An instant by the wall clock and in words: `16:10 in 8 min`, `Mon 03:00 in 11 h`, `2026-12-24 03:00 in 31 d`. */
function phraseInstant(instant: number, now: number, timezone: string): string {
  const [date, time] = formatInstant(instant, now, timezone).split(' ');
  const distance = formatDistance(instant, now);
  if (time === undefined) return `${date} ${distance}`;
  const day = Math.abs(instant - now) < 6 * 86_400_000 ? weekdays[new Date(`${date}T00:00:00Z`).getUTCDay()] : date;
  return `${day} ${time} ${distance}`;
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

function renderRunning(running: RunningStatus, width: number): string[] {
  const { lane, group, elapsedMs, lastLine, isOrphan, pid } = running;
  const where = `lane ${lane}${pid === null ? '' : `, pid ${pid}`}`;
  const head =
    group === null
      ? `Running: no group yet (${where}${elapsedMs === null ? '' : `, for ${phraseLength(elapsedMs)}`})`
      : `Running: ${group}/${phraseScript(running)} (${where}${isOrphan ? '; its tick died' : ''})`;
  return [shorten(head, width), ...(lastLine === null ? [] : [shorten(`  | ${lastLine}`, width)])];
}

function phraseScript({ script, scriptElapsedMs, scriptUsualMs }: RunningStatus): string {
  const elapsed = scriptElapsedMs === null ? '' : ` for ${phraseLength(scriptElapsedMs)}`;
  return `${script ?? 'between two scripts'}${elapsed}${scriptUsualMs === null ? '' : `, usually ${phraseLength(scriptUsualMs)}`}`;
}

/** Breaks a line at its blanks, so that it fits. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
