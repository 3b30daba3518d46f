import type { Room } from './machine.ts';
import { formatBytes, formatDuration, formatShare } from './quantity.ts';

/** One look at the machine. Null: not known on this system, or not asked for. */
export interface Reading {
  readonly disk: Room | null;
  readonly memory: Room | null;
  readonly loadPerCore: number | null;
  readonly timerDelayMs: number;
  /** How long ago the newest tick was recorded; negative where it lies ahead. Null where none was yet. */
  readonly pulseAgeMs: number | null;
  /** Of the write and loopback tests: true passed, or what went wrong. */
  readonly writing: true | string | null;
  readonly loopback: true | string | null;
}

export type Level = 'ok' | 'warning' | 'critical';

export interface Finding {
  readonly check: string;
  readonly level: Level;
  /** For people. */
  readonly text: string;
}

const gigabyte = 1024 ** 3;

/**
 * All thresholds. Critical fails the script and so holds back what depends on it: only what would make other scripts
 * fail too is critical. A disk is low when it is below the share *and* below the bytes, for 2 % of a large disk is plenty.
 */
export const thresholds = {
  disk: { warning: { share: 0.1, bytes: 5 * gigabyte }, critical: { share: 0.02, bytes: gigabyte } },
  memory: { warning: 0.1, critical: 0.03 },
  loadPerCore: { warning: 2 },
  timerDelayMs: { warning: 100 },
  /** Three of this group's own beats. */
  pulseAgeMs: { warning: 30 * 60_000 },
} as const;

/** Judges a reading: one finding for each check, in a fixed order. */
export function judgeHealth(reading: Reading): readonly Finding[] {
  const { loadPerCore: load, timerDelayMs: delay } = reading;
  const findings: (Finding | null)[] = [
    finding('disk', diskLevel(reading.disk), reading.disk && `disk ${describeRoom(reading.disk)} free`),
    finding(
      'memory',
      memoryLevel(reading.memory),
      reading.memory && `memory ${describeRoom(reading.memory)} available`,
    ),
    finding(
      'load',
      load !== null && load > thresholds.loadPerCore.warning ? 'warning' : 'ok',
      load === null ? null : `load ${load.toFixed(2)} a core`,
    ),
    finding(
      'timers',
      delay > thresholds.timerDelayMs.warning ? 'warning' : 'ok',
      `timers ${formatDuration(delay)} late`,
    ),
    judgePulse(reading.pulseAgeMs),
    judgeTest('writing', reading.writing, 'critical'),
    judgeTest('loopback', reading.loopback, 'warning'),
  ];
  return findings.filter((one) => one !== null);
}

/** The worst level among findings. */
export function worstLevel(findings: readonly Finding[]): Level {
  const has = (level: Level) => findings.some((one) => one.level === level);
  return has('critical') ? 'critical' : has('warning') ? 'warning' : 'ok';
}

/** One line for people; what is amiss comes first. */
export function summariseHealth(findings: readonly Finding[]): string {
  const ranked = (['critical', 'warning', 'ok'] as const).flatMap((level) =>
    findings.filter((one) => one.level === level).map((one) => (level === 'ok' ? one.text : `${level}: ${one.text}`)),
  );
  return `health ${worstLevel(findings)}: ${ranked.join('; ')}`;
}

function finding(check: string, level: Level, text: string | null): Finding | null {
  return text === null ? null : { check, level, text };
}

function diskLevel(disk: Room | null): Level {
  const isBelow = (limit: { share: number; bytes: number }) =>
    disk !== null && disk.free < limit.bytes && disk.free / disk.total < limit.share;
  return isBelow(thresholds.disk.critical) ? 'critical' : isBelow(thresholds.disk.warning) ? 'warning' : 'ok';
}

function memoryLevel(memory: Room | null): Level {
  const share = memory === null ? 1 : memory.free / memory.total;
  return share < thresholds.memory.critical ? 'critical' : share < thresholds.memory.warning ? 'warning' : 'ok';
}

function judgePulse(age: number | null): Finding {
  if (age === null) return { check: 'pulse', level: 'ok', text: 'no tick recorded yet' };
  // A minute of grace: clocks are set by small steps all the time.
  if (age < -60_000) {
    const text = `the last tick lies ${formatDuration(-age)} ahead, so the clock went back`;
    return { check: 'pulse', level: 'warning', text };
  }
  const late = age > thresholds.pulseAgeMs.warning;
  return {
    check: 'pulse',
    level: late ? 'warning' : 'ok',
    text: `last tick ${formatDuration(Math.max(0, age))} ago${late ? ', so the trigger paused' : ''}`,
  };
}

function judgeTest(check: string, result: true | string | null, level: Level): Finding | null {
  if (result === null) return null;
  return result === true
    ? { check, level: 'ok', text: `${check} works` }
    : { check, level, text: `${check} fails (${result})` };
}

function describeRoom(room: Room): string {
  return `${formatBytes(room.free)} of ${formatBytes(room.total)} (${formatShare(room.free / room.total)})`;
}
