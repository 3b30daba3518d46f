import { resolve } from 'node:path';

/*
 * What a simulated machine measures, as functions of the instant alone: so a week of it can be written down at once, and
 * the scripts that the ticks run meanwhile measure the same.
 */

export const repository = resolve(import.meta.dirname, '../../..');

export const iso = (instant: number) => new Date(instant).toISOString();

export const minute = 60_000;
export const hour = 60 * minute;

/** What is injected into the week, and when, in ms since the epoch. All else is as it always is. */
export const injected = {
  start: Date.parse('2026-11-16T00:00:00Z'),
  /** The last night has no ticks. */
  night: { from: Date.parse('2026-11-22T00:28:00Z'), to: Date.parse('2026-11-22T06:29:00Z') },
  /** A process grows. */
  leak: { from: Date.parse('2026-11-22T06:30:00Z'), pid: 4242, name: 'node leak.mjs' },
  /** One run takes long. */
  spike: { beat: Date.parse('2026-11-22T14:00:00Z'), group: 'performance_analysis', ms: 60_000 },
  /** An endpoint is down, then comes back. */
  outage: { from: Date.parse('2026-11-23T00:45:00Z'), to: Date.parse('2026-11-23T02:05:00Z') },
  end: Date.parse('2026-11-23T03:00:00Z'),
} as const;

/** Between 0 and 1, the same for the same seed, kind and instant (a round of MurmurHash3's finish). */
export function chance(seed: number, kind: string, at: number): number {
  let hash = seed ^ Math.floor(at / 1000);
  for (const sign of kind) hash = Math.imul(hash ^ sign.charCodeAt(0), 0x5bd1e995);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** A value that varies by some percent around another. */
function around(value: number, seed: number, kind: string, at: number, share = 0.05): number {
  return value * (1 + share * (2 * chance(seed, kind, at) - 1));
}

export function benchmarkAt(seed: number, at: number) {
  return {
    hashMs: around(5, seed, 'hash', at),
    writeMs: around(2, seed, 'write', at, 0.15),
    startMs: around(40, seed, 'start', at),
  };
}

export function metricsAt(seed: number, at: number) {
  const megabyte = 1024 ** 2;
  const process = (pid: number, name: string, memory: number, startedAt: number) => {
    return { pid, name, startedAt: iso(startedAt), memory: Math.round(memory * megabyte) };
  };
  const { leak, start } = injected;
  const leaked = at < leak.from ? [] : [process(leak.pid, leak.name, 80 + (12 * (at - leak.from)) / hour, leak.from)];
  return {
    cpuUse: around(0.2, seed, 'cpu', at, 0.5),
    cores: 4,
    memory: { free: around(8e9, seed, 'memory', at), total: 16e9 },
    disk: { free: around(1e11, seed, 'disk', at, 0.001), total: 2.5e11 },
    load: [around(0.8, seed, 'load', at, 0.5), 0.8, 0.8],
    processes: Math.round(around(150, seed, 'processes', at)),
    zombies: 0,
    largest: [
      process(100, 'browser', around(900, seed, 'browser', at, 0.2), start),
      process(101, 'database', around(600, seed, 'database', at, 0.02), start),
      ...leaked,
    ],
  };
}

export const probeMs = (seed: number, endpoint: string, at: number) =>
  around(endpoint === 'api' ? 20 : 60, seed, endpoint, at, 0.2);

/** The groups of the example: how often, how long a script of theirs takes. */
export const groups = {
  health_check: { every: 10 * minute, offset: 0, ms: 6000 },
  performance_analysis: { every: 30 * minute, offset: 0, ms: 9000 },
  system_maintenance: { every: hour, offset: 0, ms: 8000 },
  daily_routine: { every: 24 * hour, offset: 3 * hour, ms: 12_000 },
  event_analysis: { every: 2 * hour, offset: 0, ms: 7000 },
} as const;

export type Group = keyof typeof groups;

export function latestBeat(group: Group, at: number): number {
  const { every, offset } = groups[group];
  return at - ((((at - offset) % every) + every) % every);
}

export const lengthAt = (seed: number, group: Group, beat: number) =>
  group === injected.spike.group && beat === injected.spike.beat
    ? injected.spike.ms
    : Math.round(around(groups[group].ms, seed, group, beat));

export const isNight = (at: number) => at >= injected.night.from && at < injected.night.to;
