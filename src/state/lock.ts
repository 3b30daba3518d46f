import {
  type BigIntStats,
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readMonotonic } from '../monotonic.ts';
import { pause } from './durable-file.ts';
import { type Hold, type LockKind, method, socketName } from './kernel-lock.ts';
import { isoOf } from './state-schema.ts';
import { codeOf, storageError } from './storage-error.ts';

/** A lock of the kernel's: it ends with its holder's process, however that dies. No child inherits it. */
export interface Lock {
  readonly path: string;
  /** Frees it; a second call does nothing. */
  release(): void;
}

/** The line that a lock file carries about its holder, for people. */
export interface Holder {
  readonly pid: number;
  /** ISO 8601. */
  readonly since: string;
  readonly [about: string]: unknown;
}

/** Where a lock of an outputs folder lies. The files stay for good: to delete one is to let two hold it. */
export function lockPath(outputs: string, name: string): string {
  return join(outputs, 'locks', `${name}.lock`);
}

/**
 * Takes a lock if it is free, and never blocks: null where it is held, be it by this very process. StorageError where the
 * file can't be opened or locked.
 *
 * @param about what else to say of the holder: a tick's id, say
 */
export function tryLock(path: string, about: Readonly<Record<string, unknown>> = {}): Lock | null {
  for (;;) {
    const hold = holdWith(path);
    if (hold === null) return null;
    // Where the file was removed between its opening and its locking, another one is the lock now.
    const open = fstatSync(hold.descriptor, { bigint: true });
    if (!isNamed(path, open)) {
      hold.free();
      continue;
    }
    // What a holder that was killed has left.
    if (open.size > 0n) noteHolder(hold.descriptor, null);
    noteHolder(hold.descriptor, { pid: process.pid, since: isoOf(Date.now()), ...about });
    let held = true;
    return {
      path,
      release() {
        if (!held) return;
        held = false;
        noteHolder(hold.descriptor, null);
        hold.free();
      },
    };
  }
}

/**
 * Takes a lock, blocking this thread until it is free; null where one holder keeps it for longer than `patience` (ms). As
 * long as it changes hands there is progress, and a crowd on a slow machine is no reason to fail. Errors as `tryLock`.
 */
export function waitLock(path: string, patience: number, about: Readonly<Record<string, unknown>> = {}): Lock | null {
  let end = readMonotonic() + patience;
  let known: string | undefined;
  for (let tries = 1; ; tries++) {
    const lock = tryLock(path, about);
    if (lock !== null) return lock;
    const holder = JSON.stringify(describeHolder(path));
    if (holder !== known) end = readMonotonic() + patience;
    known = holder;
    const left = end - readMonotonic();
    if (left <= 0) return null;
    // Who waits long asks less often, lest a crowd of waiting processes slow down the one that has the lock; the jitter
    // keeps them from asking all at once.
    pause(Math.min(left, Math.min(2 ** tries, 200) * (0.5 + Math.random())));
  }
}

/** Takes a lock without blocking the thread; null where `timeout` (ms) ends, or `signal` is aborted, first. */
export async function awaitLock(
  path: string,
  timeout: number,
  about: Readonly<Record<string, unknown>> = {},
  signal?: AbortSignal,
): Promise<Lock | null> {
  const end = readMonotonic() + timeout;
  while (!signal?.aborted) {
    const lock = tryLock(path, about);
    const left = end - readMonotonic();
    if (lock !== null || left <= 0) return lock;
    await delay(Math.min(left, 50 + 50 * Math.random()), undefined, signal && { signal }).catch(() => undefined);
  }
  return null;
}

/**
 * What the lock file says of its holder; null where it says nothing. It outlives a holder that was killed, so it names
 * the present holder only where `isHeld` says that there is one.
 */
export function describeHolder(path: string): Holder | null {
  try {
    return readHolder(path);
  } catch {
    return null;
  }
}

function readHolder(path: string): Holder | null {
  const note: unknown = JSON.parse(readFileSync(path, 'utf8'));
  return isHolder(note) ? note : null;
}

/**
 * Whether someone holds a lock, without touching it: an attempt to take it, however brief, could make a tick believe
 * that its lane is held. Linux shows it in /proc; elsewhere it is held if the process that its file names lives.
 */
export function isHeld(path: string, isAlive: (holder: Holder) => boolean): boolean {
  const listed = process.platform === 'linux' ? heldByProc(path) : null;
  if (listed !== null) return listed;
  try {
    const holder = readHolder(path);
    return holder !== null && isAlive(holder);
  } catch (error) {
    // Windows: a holder without fs-native-extensions lets no other process open the file.
    return codeOf(error) === 'EBUSY';
  }
}

/** Which kind of lock this machine uses. StorageError where it has none. */
export function lockKind(): LockKind {
  return method().kind;
}

function holdWith(path: string): Hold | null {
  try {
    return method().hold(path);
  } catch (error) {
    throw storageError('locked', path, error);
  }
}

function isNamed(path: string, open: BigIntStats): boolean {
  const named = statSync(path, { bigint: true, throwIfNoEntry: false });
  return named !== undefined && named.dev === open.dev && named.ino === open.ino;
}

/** The line is a help to people: a disk that is too full for it is no reason not to hold the lock. */
function noteHolder(descriptor: number, holder: Holder | null): void {
  try {
    if (holder === null) ftruncateSync(descriptor, 0);
    else writeSync(descriptor, `${JSON.stringify(holder)}\n`, 0);
  } catch {
    // An empty line of a holder then names no process.
  }
}

function isHolder(note: unknown): note is Holder {
  if (typeof note !== 'object' || note === null) return false;
  return 'pid' in note && typeof note.pid === 'number' && 'since' in note && typeof note.since === 'string';
}

/**
 * Both kinds of lock that Linux may use, as proc(5) shows them; null where it does not. The device is that of the mount,
 * not of stat(2): btrfs and overlayfs distinguish files by device numbers that /proc/locks does not use.
 */
function heldByProc(path: string): boolean | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw storageError('read', path, error);
  }
  try {
    const { ino } = fstatSync(descriptor, { bigint: true });
    const facts = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8');
    const mount = /^mnt_id:\s*(\d+)$/m.exec(facts)?.[1];
    const inode = /^ino:\s*(\d+)$/m.exec(facts)?.[1] ?? String(ino);
    const device = mountDevice(readFileSync('/proc/self/mountinfo', 'utf8'), mount);
    const locks = readFileSync('/proc/locks', 'utf8').split('\n');
    if (device === null) return null;
    if (
      locks.some((line) => line.includes('OFDLCK') && !line.includes('->') && line.includes(` ${device}:${inode} `))
    ) {
      return true;
    }
    // Zeros are shown as @, and libuv fills the name up with them.
    return new RegExp(`@${socketName(path)}@*$`, 'm').test(readFileSync('/proc/net/unix', 'utf8'));
  } catch {
    return null;
  } finally {
    closeSync(descriptor);
  }
}

/** A mount's device as /proc/locks writes it: hexadecimal, two digits at least. */
function mountDevice(mounts: string, id: string | undefined): string | null {
  for (const line of mounts.split('\n')) {
    const [mount, , device] = line.split(' ');
    if (mount !== id || device === undefined) continue;
    return device
      .split(':')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join(':');
  }
  return null;
}
