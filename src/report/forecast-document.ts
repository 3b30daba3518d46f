import type { Config } from '../config/config.ts';
import { formatInstant } from '../plan/because.ts';
import type { ForecastTick } from '../plan/forecast.ts';
import { formatDuration } from '../schedule/duration.ts';
import { isoOf } from '../state/state-schema.ts';
import { formatLength } from './quantities.ts';

/** A forecast as others rely on it: `tick --dry-run --for DURATION --json`. */
export interface ForecastDocument {
  readonly schemaVersion: 1;
  readonly from: string;
  readonly until: string;
  readonly ticks: readonly {
    readonly at: string;
    /** What its longest lane is expected to take; null where nothing is known of any of its groups. */
    readonly expectedMs: number | null;
    /** Whether that does not fit before the next tick. */
    readonly overruns: boolean;
    readonly groups: readonly {
      readonly group: string;
      readonly decision: string;
      readonly reason: string;
      readonly beat: string | null;
      readonly missedBeats: number;
      readonly expectedMs: number | null;
    }[];
  }[];
}

/** Puts a forecast into the shape that others rely on. */
export function documentForecast(
  ticks: readonly ForecastTick[],
  from: number,
  until: number,
  usual: ReadonlyMap<string, number>,
): ForecastDocument {
  return {
    schemaVersion: 1,
    from: isoOf(from),
    until: isoOf(until),
    ticks: ticks.map((tick) => ({
      at: isoOf(tick.at),
      expectedMs: tick.decisions.some(({ group }) => usual.has(group)) ? tick.expectedMs : null,
      overruns: tick.overruns,
      groups: tick.decisions.map(({ group, decision, reason, beat, missedBeats }) => ({
        group,
        decision,
        reason,
        beat: beat === null ? null : isoOf(beat),
        missedBeats,
        expectedMs: usual.get(group) ?? null,
      })),
    })),
  };
}

/** A forecast for people: a line for each tick that would do something, its date where it is another than before. */
export function renderForecast(
  ticks: readonly ForecastTick[],
  { from, until }: { readonly from: number; readonly until: number },
  usual: ReadonlyMap<string, number>,
  config: Config,
): string {
  const say = (instant: number) => formatInstant(instant, null, config.timezone);
  const lines = [
    `Ticks from ${say(from)} to ${say(until)} (${config.timezone}) that would do something, every run taken to succeed:`,
    '',
  ];
  if (ticks.length === 0) lines.push('none');
  let day = '';
  for (const tick of ticks) {
    const [date = '', time = ''] = say(tick.at).split(' ');
    const names = tick.decisions.map(({ group, decision }) => (decision === 'run' ? group : `(${group} expires)`));
    const isKnown = tick.decisions.some(({ group }) => usual.has(group));
    const length = isKnown ? `  ~ ${formatLength(tick.expectedMs)}` : '';
    const warning = tick.overruns ? `  ! does not fit before the next tick (${formatDuration(config.tickEvery)})` : '';
    lines.push(`${date === day ? ' '.repeat(date.length) : date} ${time}  ${names.join(', ')}${length}${warning}`);
    day = date;
  }
  const tight = ticks.filter(({ overruns }) => overruns).length;
  if (tight > 0) lines.push('', `${tight} of ${ticks.length} ticks would still be running when the next one comes.`);
  const unknown = new Set(
    ticks.flatMap(({ decisions }) => decisions.map(({ group }) => group)).filter((group) => !usual.has(group)),
  );
  if (unknown.size > 0) lines.push('', `How long these take is not known yet: ${[...unknown].join(', ')}.`);
  return lines.join('\n');
}
