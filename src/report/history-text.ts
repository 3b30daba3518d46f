import type { Config } from '../config/config.ts';
import { neutralise } from '../log/safe-text.ts';
import { formatInstant } from '../plan/because.ts';
import { countOf, formatLength } from './quantities.ts';
import { type HistoryItem, instantOfItem, type RunItem, type ScriptItem } from './run-history.ts';
import { alignRows } from './table.ts';

export interface ChronicleOptions {
  readonly config: Pick<Config, 'timezone' | 'tickEvery'>;
  readonly usual: ReadonlyMap<string, number>;
  /** Columns of the terminal; infinite where there is none. */
  readonly width: number;
  /** Every script of every run, and the runs' ids; otherwise only scripts that failed. */
  readonly details: boolean;
  /** How a file of the outputs folder is named for people. */
  readonly place: (outputFile: string) => string;
  /** How a terminal shows an outcome. */
  readonly paint: (word: string, outcome: string) => string;
}

/** The past for people: a line for each run and each event, newest first, and below it what failed. */
export function renderHistory(items: readonly HistoryItem[], options: ChronicleOptions): string {
  const rows = items.map((item) => rowOf(item, options));
  const isTold = (column: number) => rows.some((row) => row[column] !== '');
  const heads = ['started', 'group', 'outcome', 'length', 'beat', ''];
  const shown = heads.map((_, column) => column).filter((column) => column < 3 || isTold(column));
  const lines = alignRows(
    [heads, ...rows].map((row) => shown.map((column) => row[column] ?? '')),
    options.width,
  );
  return lines
    .flatMap((line, index) => {
      const item = items[index - 1];
      return item?.type === 'run' ? [line, ...detailsOf(item, options)] : [line];
    })
    .join('\n');
}

function rowOf(item: HistoryItem, { config, usual, paint }: ChronicleOptions): string[] {
  const at = Date.parse(instantOfItem(item));
  const started = formatInstant(Math.floor(at / 1000) * 1000, null, config.timezone);
  const say = (instant: string) => formatInstant(Date.parse(instant), at, config.timezone);
  const group = neutralise(item.group);
  switch (item.type) {
    case 'run': {
      const word = item.outcome ?? 'unknown';
      const beat = item.beat === null ? '' : say(item.beat);
      return [started, group, paint(word, word), lengthOf(item, usual), beat, notesOf(item, config.tickEvery)];
    }
    case 'expire': {
      const missed = item.missedBeats > 0 ? `, and ${countOf(item.missedBeats, 'earlier beat')}` : '';
      return [started, group, paint('expired', 'expired'), '', say(item.beat), `too late to start${missed}`];
    }
    case 'reset': {
      const to = item.to === null ? 'none' : say(item.to);
      return [
        started,
        group,
        paint('reset', 'reset'),
        '',
        '',
        `the clock went back: last beat ${say(item.from)} → ${to}`,
      ];
    }
    case 'pause': {
      const until = item.until === null ? '' : `until ${say(item.until)}`;
      const reason = item.reason === null ? '' : neutralise(item.reason);
      const note = [until, reason].filter((part) => part !== '').join(': ');
      return [started, group, paint('paused', 'paused'), '', '', note];
    }
    case 'resume':
      return [started, group, paint('resumed', 'resumed'), '', '', ''];
  }
}

/** How long it took, and how long it usually does where that is another matter. */
function lengthOf({ durationMs, group }: RunItem, usual: ReadonlyMap<string, number>): string {
  if (durationMs === null) return '';
  const length = formatLength(durationMs);
  const usually = usual.get(group);
  const isOther = usually !== undefined && Math.abs(durationMs - usually) > Math.max(1_000, usually * 0.2);
  return isOther ? `${length} (~ ${formatLength(usually)})` : length;
}

function notesOf(item: RunItem, tickEvery: number): string {
  const notes: string[] = [];
  if (item.reason !== null && item.reason !== 'beat-due') notes.push(item.counts ? item.reason : 'one script by hand');
  if (item.lateMs !== null && item.lateMs >= tickEvery) notes.push(`${formatLength(item.lateMs)} late`);
  if (item.missedBeats > 0) notes.push(`${countOf(item.missedBeats, 'beat')} missed`);
  const attempts = item.scripts.reduce((most, script) => Math.max(most, script.attempts), 0);
  if (attempts > 1) notes.push(`${attempts} attempts`);
  if (item.outcome === null) notes.push('its tick died; the next one settles it');
  return notes.join(', ');
}

function detailsOf(item: RunItem, { details, place, paint, width }: ChronicleOptions): string[] {
  const scripts = item.scripts.filter(({ outcome }) => details || outcome !== 'succeeded');
  const lines = details ? [`    run ${neutralise(item.runId)}`] : [];
  const rows = scripts.map((script) => [
    `    ${neutralise(script.name)}`,
    paint(script.outcome ?? 'unknown', script.outcome ?? 'unknown'),
    script.durationMs === null ? '' : formatLength(script.durationMs),
    describeEnd(script),
  ]);
  for (const [index, line] of alignRows(rows, width).entries()) {
    lines.push(line);
    const file = scripts[index]?.outputFile;
    // Whole, however narrow the terminal: it is there to be copied.
    if (file != null) lines.push(`      ${neutralise(place(file))}`);
  }
  return lines;
}

/** How a script ended, where it did not succeed at once. */
export function describeEnd({ outcome, message, signal, exitCode, attempts }: Omit<ScriptItem, 'name'>): string {
  const tries = attempts > 1 ? [`${attempts} attempts`] : [];
  if (outcome === 'succeeded') return tries.join('');
  const how =
    message !== null
      ? neutralise(message)
      : signal !== null
        ? `ended by ${neutralise(signal)}`
        : exitCode !== null
          ? `exited with code ${exitCode}`
          : 'how it ended is not known';
  return [how, ...tries].join(', ');
}
