import { execFile } from 'node:child_process';
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { median } from './statistics.ts';

/** Bytes that may still be used, and bytes in all. */
export interface Room {
  readonly free: number;
  readonly total: number;
}

/** The room on the file system of a folder, for users without privileges; null where it has no size (procfs, say). */
export async function readDisk(folder: string): Promise<Room | null> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return blocks > 0 ? { free: bavail * bsize, total: blocks * bsize } : null;
}

/**
 * The memory that programs can still get without swapping; caches that the system would give back count as free. In a
 * container or a systemd unit the tightest limit on the way up counts. Null where the system does not tell.
 */
export async function readMemory(): Promise<Room | null> {
  if (process.platform === 'darwin') {
    // os.freemem() leaves out the inactive pages there, and so calls every Mac nearly full.
    const pages = await promisify(execFile)('vm_stat').catch(() => null);
    return pages && parseVmStat(pages.stdout, totalmem());
  }
  if (process.platform !== 'linux') return { free: freemem(), total: totalmem() };
  const rooms = [parseMeminfo(await readFile('/proc/meminfo', 'utf8')), ...(await readLimits())];
  return rooms.reduce((a, b) => (a && b ? (a.free / a.total <= b.free / b.total ? a : b) : (a ?? b)));
}

/** Reads `/proc/meminfo` of Linux. */
export function parseMeminfo(text: string): Room | null {
  const of = (name: string) => Number(text.match(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm'))?.[1]) * 1024;
  return roomOf(of('MemAvailable'), of('MemTotal'));
}

/** Reads the output of macOS's `vm_stat`; what counts as available is what psutil counts. */
export function parseVmStat(text: string, total: number): Room | null {
  const of = (name: string) => Number(text.match(new RegExp(`^Pages ${name}:\\s+(\\d+)\\.$`, 'm'))?.[1]);
  const pageSize = Number(text.match(/page size of (\d+) bytes/)?.[1]);
  return roomOf((of('free') + of('inactive') + of('speculative')) * pageSize, total);
}

/**
 * Reads `memory.max`, `memory.current` and `memory.stat` of a Linux control group (version 2); null without a limit.
 * In use is what the kubelet calls the working set: all but the file cache that is not in active use.
 */
export function parseLimit(max: string, current: string, stat: string): Room | null {
  const inactive = Number(stat.match(/^inactive_file (\d+)$/m)?.[1] ?? 0);
  const total = Number(max);
  return roomOf(Math.max(0, Math.min(total, total - Number(current) + inactive)), total);
}

function roomOf(free: number, total: number): Room | null {
  return Number.isFinite(free) && Number.isFinite(total) && total > 0 ? { free, total } : null;
}

async function readLimits(): Promise<(Room | null)[]> {
  const own = await readFile('/proc/self/cgroup', 'utf8').catch(() => '');
  let group = own.match(/^0::(\/.*)$/m)?.[1];
  const limits: (Room | null)[] = [];
  while (group !== undefined) {
    const folder = join('/sys/fs/cgroup', group);
    const files = ['memory.max', 'memory.current', 'memory.stat'].map((name) => readFile(join(folder, name), 'utf8'));
    // Not each level has these files, and a container may not see those above its own.
    const [max, current, stat] = await Promise.all(files).catch(() => []);
    if (max && current && stat) limits.push(parseLimit(max, current, stat));
    group = group === '/' ? undefined : dirname(group);
  }
  return limits;
}

/** The one-minute load average for each core; null on Windows, which has none. */
export function readLoadPerCore(): number | null {
  return process.platform === 'win32' ? null : (loadavg()[0] ?? 0) / availableParallelism();
}

/** The share of all cores that was busy during the next `ms` milliseconds; null where the system hides its counters. */
export async function sampleCpuUse(ms: number): Promise<number | null> {
  const before = countCpuTimes();
  await sleep(ms);
  const after = countCpuTimes();
  const all = after.all - before.all;
  return all > 0 ? Math.min(1, Math.max(0, 1 - (after.idle - before.idle) / all)) : null;
}

function countCpuTimes(): { idle: number; all: number } {
  const count = { idle: 0, all: 0 };
  for (const { times } of cpus()) {
    count.idle += times.idle;
    count.all += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return count;
}

/** How late timers fire, in ms (median of five): what a process waits for its turn on this machine. */
export async function sampleTimerDelay(): Promise<number> {
  const delays: number[] = [];
  while (delays.length < 5) {
    const start = performance.now();
    await sleep(10);
    delays.push(Math.max(0, performance.now() - start - 10));
  }
  return Math.round((median(delays) ?? 0) * 10) / 10;
}
