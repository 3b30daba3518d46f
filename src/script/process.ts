import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/**
 * The identity of a process. A process id alone proves nothing, because the system reuses it once the process has died;
 * together with the start time and the boot it does.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** As the system reports it: clock ticks since the boot on Linux, a date elsewhere; '' where it could not be learnt. */
  readonly startedAt: string;
  readonly boot: string;
}

/** A living process, as the system's table shows it. */
export interface ProcessEntry {
  readonly pid: number;
  /** Its process group. */
  readonly group: number;
  readonly startedAt: string;
}

/** ps takes the time zone and the language of its dates from the environment; these make every look comparable. */
export const psEnvironment = { LC_ALL: 'C', TZ: 'UTC' } as const;

const kernelTime = /^since-(\d+)$/;
/** Two measurements of one boot's instant may differ by as much, in seconds, when the clock was set in between. */
const bootTolerance = 120;

/**
 * The identity of the process that bears this id now; null where none does. A zombie counts as none: it runs nothing
 * any more, and where nobody reaps (a container without an init) it would stay forever. On Windows it costs half a
 * second, and where PowerShell is missing the start time stays unknown.
 */
export function identify(pid: number): ProcessIdentity | null {
  if (!Number.isInteger(pid) || pid <= 0) return null;
  const startedAt = startOf(pid);
  return startedAt === null ? null : { pid, startedAt, boot: bootIdentity() };
}

let own: ProcessIdentity | null | undefined;

/** The identity of this process, asked for once: on macOS and Windows that takes another process. */
export function identifySelf(): ProcessIdentity | null {
  own ??= identify(process.pid);
  return own;
}

/** Whether exactly this process still runs. What can't be proved is false. */
export function isSame(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  return (
    now !== null && now.startedAt !== '' && now.startedAt === identity.startedAt && isSameBoot(now.boot, identity.boot)
  );
}

let bootId: string | undefined;

/**
 * What names the time since the machine was started: the kernel's boot id on Linux. Elsewhere the instant of the boot in
 * whole seconds since the epoch (`since-1763827200`), which moves when the clock is set; `isSame` allows for that, since start times are dates
 * there and differ from boot to boot by themselves.
 */
export function bootIdentity(): string {
  if (process.platform === 'linux') {
    // No process outlives its boot.
    bootId ??= readText('/proc/sys/kernel/random/boot_id')?.trim();
    if (bootId) return bootId;
  }
  return `since-${Math.round(Date.now() / 1000 - uptime())}`;
}

/** All living processes; none on Windows, where trees are ended by taskkill. A call reads the whole table. */
export function living(): ProcessEntry[] {
  if (process.platform === 'win32') return [];
  if (process.platform !== 'linux') return ps(['-A']);
  return [...listProcesses()].map(readStat).filter((entry) => entry !== null);
}

/** The ids of all processes on Linux, at the cost of one listing; none elsewhere. */
export function listProcesses(): Set<number> {
  const names = process.platform === 'linux' ? readdirSync('/proc') : [];
  return new Set(names.map(Number).filter((pid) => pid > 0));
}

/**
 * Whether all of these `NAME=value` entries stand in the environment that a process was started with. False where it
 * can't be read: other users' processes (unless we are root), and systems other than Linux.
 */
export function carries(pid: number, entries: readonly string[]): boolean {
  if (process.platform !== 'linux') return false;
  let environment: Buffer;
  try {
    environment = readFileSync(`/proc/${pid}/environ`);
  } catch {
    return false;
  }
  if (environment.length === 0) return false;
  const text = `\0${environment.toString('latin1')}\0`;
  return entries.every((entry) => text.includes(`\0${Buffer.from(entry).toString('latin1')}\0`));
}

function startOf(pid: number): string | null {
  if (process.platform === 'linux') return readStat(pid)?.startedAt ?? null;
  if (process.platform === 'win32') return startOnWindows(pid);
  return ps(['-p', String(pid)])[0]?.startedAt ?? null;
}

/** Fields 3 (state), 5 (group) and 22 (start) of proc(5)'s stat; they are counted from the last `)`, for field 2 is free text. */
function readStat(pid: number): ProcessEntry | null {
  const text = readText(`/proc/${pid}/stat`);
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, group, startedAt] = [fields[0], fields[2], fields[19]];
  if (group === undefined || startedAt === undefined || state === 'Z' || state === 'X') return null;
  return { pid, group: Number(group), startedAt };
}

/** By POSIX `ps`, as macOS and the BSDs have it. */
function ps(selection: readonly string[]): ProcessEntry[] {
  const { stdout } = spawnSync('/bin/ps', [...selection, '-o', 'pid=,pgid=,stat=,lstart='], {
    encoding: 'utf8',
    env: psEnvironment,
    maxBuffer: 64 << 20,
  });
  return (stdout ?? '').split('\n').flatMap((line) => {
    const [pid, group, state, ...start] = line.trim().split(/\s+/);
    if (group === undefined || state === undefined || state.startsWith('Z')) return [];
    return [{ pid: Number(pid), group: Number(group), startedAt: start.join(' ') }];
  });
}

function startOnWindows(pid: number): string | null {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is alive and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return null;
  }
  const query = `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`;
  const { stdout } = spawnSync('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', query], {
    encoding: 'utf8',
    windowsHide: true,
  });
  return stdout?.trim() ?? '';
}

/** Whether two of `bootIdentity` name the same boot. */
export function isSameBoot(one: string, other: string): boolean {
  const [a, b] = [kernelTime.exec(one)?.[1], kernelTime.exec(other)?.[1]];
  return a !== undefined && b !== undefined ? Math.abs(Number(a) - Number(b)) <= bootTolerance : one === other;
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
