import type { HistoryLine, TickLine } from '../state/history.ts';
import { formatDistance, phraseLength } from './quantities.ts';
import { median } from './usual-durations.ts';

/** So far back, in ms, ticks are looked at. */
const span = 24 * 3_600_000;
/** Fewer distances between ticks tell nothing about the usual one. */
const enough = 3;
/** Two readings of the clocks differ by less than this, ms, unless the machine slept or the clock was set. */
const clockTolerance = 5_000;

/**
 * `comes`: a tick came lately, or one is at work. `silent`: none came for longer than two periods. `never`: none has ever come.
 */
export type TriggerState = 'comes' | 'silent' | 'never';

/** A time in which a tick should have come, and none did. */
export interface Gap {
  /** ms since the epoch: the tick before it (its end, if it took long), and the one after it. */
  readonly from: number;
  readonly to: number;
  /**
   * How much of it the machine slept, was off, or skipped because its clock was set, ms. Null where that is not known:
   * in ticks of an older rhythm, and on systems whose monotonic clock goes on in sleep (macOS, Windows).
   */
  readonly asleepMs: number | null;
}

/** How well the trigger does its work, as far as the history tells. Instants and lengths in ms. */
export interface TriggerQuality {
  readonly state: TriggerState;
  /** When the trigger last showed a sign of life; null where it never did. */
  readonly lastAt: number | null;
  /** Whether the clock was set back: the newest tick is later than now. */
  readonly isAhead: boolean;
  /** The median distance between the starts of ticks of the last 24 hours; null where there are too few to tell. */
  readonly every: number | null;
  /** The distance that the configuration names (`tickEvery`). */
  readonly expectedEvery: number;
  /** How many ticks of the last 24 hours were looked at. */
  readonly ticks: number;
  /** Oldest first. Always empty where there is a pulse: a guard then starts ticks only when they have something to do. */
  readonly gaps: readonly Gap[];
  /** Whether the trigger leaves a pulse, so that ticks come more rarely than the trigger does. */
  readonly hasPulse: boolean;
}

export interface TriggerFacts {
  readonly now: number;
  /** The configuration's `tickEvery`, ms. */
  readonly tickEvery: number;
  /** When the trigger last left its pulse, ms; null where it leaves none. */
  readonly pulse?: number | null;
  /** When the state's last tick started, ms: one that still runs has no line in the history. */
  readonly lastTick?: number | null;
  /** Whether a tick is at work: some triggers (systemd's) start no second one beside it. */
  readonly isBusy?: boolean;
}

/**
 * Judges the trigger by the ticks of the last 24 hours.
 *
 * @param newestFirst lines of the history; read no further back than those 24 hours
 */
export function judgeTrigger(newestFirst: Iterable<HistoryLine>, facts: TriggerFacts): TriggerQuality {
  const { now, tickEvery, pulse = null, lastTick = null, isBusy = false } = facts;
  const { ticks, newest } = readTicks(newestFirst, now);
  const signs = [newest, pulse, lastTick].filter((sign) => sign !== null);
  const past = signs.filter((sign) => sign <= now + clockTolerance);
  const lastAt = past.length > 0 ? Math.max(...past) : signs.length > 0 ? Math.max(...signs) : null;

  const distances = ticks.slice(1).map(({ start }, index) => start - (ticks[index] as Tick).start);
  const every = distances.length >= enough ? median(distances) : null;
  // A trigger that is known to come more rarely than configured is slow, not silent.
  const patience = 2 * Math.max(tickEvery, every ?? 0);
  const isSilent = past.length === 0 || (lastAt !== null && now - lastAt > patience);
  return {
    state: lastAt === null && !isBusy ? 'never' : isSilent && !isBusy ? 'silent' : 'comes',
    lastAt: lastAt === null ? null : past.length > 0 ? Math.min(lastAt, now) : lastAt,
    isAhead: signs.length > 0 && past.length === 0,
    every,
    expectedEvery: tickEvery,
    ticks: ticks.length,
    gaps: pulse === null ? findGaps(ticks, patience) : [],
    hasPulse: pulse !== null,
  };
}

interface Tick {
  readonly start: number;
  readonly end: number;
  /** The monotonic clock at its end. */
  readonly awake: number | null;
}

/** The ticks of the last 24 hours by their start, and the start of the newest, however old. */
function readTicks(newestFirst: Iterable<HistoryLine>, now: number): { ticks: Tick[]; newest: number | null } {
  const ticks: Tick[] = [];
  let newest: number | null = null;
  for (const line of newestFirst) {
    const at = Date.parse(line.at);
    if (at < now - span && newest !== null) break;
    if (line.type !== 'tick') continue;
    const tick = readTick(line, at);
    newest ??= tick.start;
    if (at < now - span) break;
    if (tick.start <= now + clockTolerance) ticks.push(tick);
  }
  if (ticks[0] !== undefined) newest = Math.max(...ticks.map(({ start }) => start));
  // Ticks of several lanes end in another order than they start.
  return { ticks: ticks.sort((a, b) => a.start - b.start), newest };
}

function readTick({ durationMs, awakeMs }: TickLine, end: number): Tick {
  const length = Number.isFinite(durationMs) && durationMs > 0 ? durationMs : 0;
  return { start: end - length, end, awake: typeof awakeMs === 'number' ? awakeMs : null };
}

function findGaps(ticks: readonly Tick[], patience: number): Gap[] {
  const gaps: Gap[] = [];
  let before = ticks[0];
  for (const tick of ticks.slice(1)) {
    // From the end of what took longest: no trigger is to blame for what a long tick kept it from.
    if (before !== undefined && tick.start - before.end > patience) {
      gaps.push({ from: before.end, to: tick.start, asleepMs: measureSleep(before, tick) });
    }
    if (before === undefined || tick.end > before.end) before = tick;
  }
  return gaps;
}

/** The monotonic clock stands still while the machine sleeps, and begins anew when it is started. */
function measureSleep(before: Tick, after: Tick): number | null {
  if (before.awake === null || after.awake === null) return null;
  const passed = after.end - before.end;
  const awake = after.awake < before.awake ? 0 : after.awake - before.awake;
  const asleep = Math.min(passed - awake, after.start - before.end);
  return asleep > clockTolerance ? asleep : 0;
}

/** Says in a sentence how the trigger does, without a full stop: `the trigger comes every 5 min; last 2 min ago`. */
export function phraseTrigger(quality: TriggerQuality, now: number): string {
  const { state, lastAt, every, expectedEvery, hasPulse } = quality;
  if (lastAt === null) {
    return state === 'never'
      ? 'no tick has come yet: is the trigger installed? `rhythm doctor`'
      : 'the first tick runs';
  }
  if (quality.isAhead) return 'the last tick is later than now: was the clock set back? `rhythm doctor`';
  const distance = formatDistance(lastAt, now);
  const ago = distance === 'now' ? 'just now' : distance;
  if (state === 'silent')
    return `no tick for ${phraseLength(now - lastAt)}: is the trigger installed? \`rhythm doctor\``;
  if (hasPulse) return `the trigger comes; last ${ago}`;
  if (every === null) return `too few ticks yet to tell how often the trigger comes; last ${ago}`;
  const isOff = Math.abs(every - expectedEvery) > expectedEvery * 0.2;
  const other = isOff ? ` (the configuration says every ${phraseLength(expectedEvery)})` : '';
  return `the trigger comes every ${phraseLength(isOff ? every : expectedEvery)}${other}; last ${ago}`;
}

/** What went wrong in the last 24 hours, in a sentence; null where nothing did. */
export function phraseGaps({ gaps }: TriggerQuality): string | null {
  if (gaps.length === 0) return null;
  const parts: string[] = [];
  const asleep = gaps.filter(isSleep);
  const missing = gaps.filter((gap) => !isSleep(gap));
  if (missing.length > 0) parts.push(`no tick ${phraseTimes(missing)}`);
  if (asleep.length > 0) parts.push(`the machine slept or was off ${phraseTimes(asleep)}`);
  return `in the last 24 h ${parts.join(', and ')}`;
}

/** Whether sleep, rather than the trigger, accounts for most of a gap. */
export function isSleep({ from, to, asleepMs }: Gap): boolean {
  return asleepMs !== null && asleepMs > (to - from) / 2;
}

function phraseTimes(gaps: readonly Gap[]): string {
  const longest = Math.max(...gaps.map(({ from, to }) => to - from));
  return gaps.length === 1
    ? `for ${phraseLength(longest)}`
    : `${gaps.length} times, at most for ${phraseLength(longest)}`;
}
