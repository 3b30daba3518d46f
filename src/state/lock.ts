import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StorageError } from '../errors.ts';
import { codeOf, openOrCreate, pause, storageError } from './file.ts';

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
    // Should somebody have removed the file between its opening and its locking, another one is the lock now.
    if (!isNamed(path, hold.descriptor)) {
      hold.free();
      continue;
    }
    noteHolder(hold.descriptor, { pid: process.pid, since: new Date().toISOString(), ...about });
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
  let end = performance.now() + patience;
  let known: string | undefined;
  for (let tries = 1; ; tries++) {
    const lock = tryLock(path, about);
    if (lock !== null) return lock;
    const holder = JSON.stringify(describeHolder(path));
    if (holder !== known) end = performance.now() + patience;
    known = holder;
    const left = end - performance.now();
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
  const end = performance.now() + timeout;
  while (!signal?.aborted) {
    const lock = tryLock(path, about);
    const left = end - performance.now();
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
 * that its lane is held. Linux tells it in /proc; elsewhere it is held if the process that its file names lives.
 */
export function isHeld(path: string, isAlive: (holder: Holder) => boolean): boolean {
  const told = process.platform === 'linux' ? heldByProc(path) : null;
  if (told !== null) return told;
  try {
    const holder = readHolder(path);
    return holder !== null && isAlive(holder);
  } catch (error) {
    // Windows: a holder without fs-native-extensions lets nobody open the file.
    return codeOf(error) === 'EBUSY';
  }
}

/** How locks are held here: `native` is a lock on the file; the others stand in where fs-native-extensions has no build. */
export type LockKind = 'native' | 'abstract-socket' | 'exclusive-open';

/** Which kind of lock this machine uses. StorageError where it has none. */
export function lockKind(): LockKind {
  return method().kind;
}

interface Hold {
  readonly descriptor: number;
  free(): void;
}

interface Method {
  readonly kind: LockKind;
  /** Null where it is held. Throws what the system says. */
  hold(path: string): Hold | null;
}

let chosen: Method | undefined;

/** Chosen once: two kinds in one process would not keep each other out. */
function method(): Method {
  chosen ??= nativeMethod() ?? standIn();
  return chosen;
}

function holdWith(path: string): Hold | null {
  try {
    return method().hold(path);
  } catch (error) {
    throw storageError('locked', path, error);
  }
}

interface Native {
  tryLock(descriptor: number, offset: number, length: number, exclusive: boolean): void;
  unlock(descriptor: number, offset: number, length: number): void;
}

/**
 * An open-file-description lock on Linux, flock on macOS, LockFileEx on Windows. Windows denies others to read what is
 * locked, so there the lock lies far behind the holder's line; macOS locks files only as a whole.
 */
function nativeMethod(): Method | null {
  const native = loadNative();
  if (native === null) return null;
  const [offset, length] = process.platform === 'win32' ? [2 ** 30, 1] : [0, 0];
  return {
    kind: 'native',
    hold(path) {
      const descriptor = openOrCreate(path);
      try {
        native.tryLock(descriptor, offset, length, true);
      } catch (error) {
        closeSync(descriptor);
        if (['EAGAIN', 'EACCES', 'EBUSY'].includes(codeOf(error) ?? '')) return null;
        throw error;
      }
      return {
        descriptor,
        free() {
          // Not by the close alone: a child on its way from fork to exec has a duplicate of the descriptor.
          native.unlock(descriptor, offset, length);
          closeSync(descriptor);
        },
      };
    },
  };
}

/** The build for this platform, asked for directly: the package's own search for it takes 15 ms, this takes 2. */
function loadNative(): Native | null {
  const load = createRequire(import.meta.url);
  const build = `fs-native-extensions/prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`;
  for (const name of [build, 'fs-native-extensions/binding.js']) {
    try {
      const native = load(name) as Partial<Native>;
      if (typeof native.tryLock === 'function' && typeof native.unlock === 'function') return native as Native;
    } catch {
      // It is an optional dependency, and has no build for musl or 32 bits.
    }
  }
  return null;
}

function standIn(): Method {
  if (process.platform === 'linux') return socketMethod();
  if (process.platform === 'win32') return exclusiveOpen(noSharing, 'EBUSY');
  if (['darwin', 'freebsd', 'openbsd', 'netbsd'].includes(process.platform)) {
    return exclusiveOpen(lockOnOpening | constants.O_NONBLOCK, 'EAGAIN');
  }
  throw new StorageError(
    `There is no lock for ${process.platform} without the package fs-native-extensions; install it.`,
  );
}

/** UV_FS_O_EXLOCK of libuv: on Windows nobody else can open the file. */
const noSharing = 0x10000000;
/** O_EXLOCK of the BSDs and macOS, see open(2) there: an flock is taken along with the opening. */
const lockOnOpening = 0x20;

function exclusiveOpen(flags: number, busy: string): Method {
  return {
    kind: 'exclusive-open',
    hold(path) {
      try {
        const descriptor = openOrCreate(path, flags);
        return { descriptor, free: () => closeSync(descriptor) };
      } catch (error) {
        if (codeOf(error) === busy) return null;
        throw error;
      }
    },
  };
}

/**
 * A socket in Linux's abstract namespace, named after the lock file's device and inode: there can be one listener, and it
 * goes with its process. The namespace belongs to a network namespace, so containers with networks of their own don't
 * keep each other out.
 */
function socketMethod(): Method {
  const { createServer } = createRequire(import.meta.url)('node:net') as typeof import('node:net');
  const listen = (name: string): Server | null => {
    const server = createServer();
    // The binding happens at once, and `listening` tells how it went; the event comes later and says nothing new.
    server.on('error', () => undefined);
    server.listen(`\0${name}`);
    return server.listening ? server.unref() : null;
  };
  const probe = listen(`rhythm-probe-${process.pid}-${Math.random()}`);
  if (probe === null) {
    throw new StorageError('There is no lock without the package fs-native-extensions on this system; install it.');
  }
  probe.close();
  return {
    kind: 'abstract-socket',
    hold(path) {
      const descriptor = openOrCreate(path);
      const server = listen(socketName(path));
      if (server === null) {
        closeSync(descriptor);
        return null;
      }
      return {
        descriptor,
        free() {
          server.close();
          closeSync(descriptor);
        },
      };
    },
  };
}

function socketName(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `rhythm-lock-${dev}-${ino}`;
}

function isNamed(path: string, descriptor: number): boolean {
  const named = statSync(path, { bigint: true, throwIfNoEntry: false });
  const open = fstatSync(descriptor, { bigint: true });
  return named !== undefined && named.dev === open.dev && named.ino === open.ino;
}

/** The line is a help to people: a disk that is too full for it is no reason not to hold the lock. */
function noteHolder(descriptor: number, holder: Holder | null): void {
  try {
    ftruncateSync(descriptor, 0);
    if (holder !== null) writeSync(descriptor, `${JSON.stringify(holder)}\n`, 0);
  } catch {
    // An empty line of a holder then names nobody.
  }
}

function isHolder(note: unknown): note is Holder {
  if (typeof note !== 'object' || note === null) return false;
  return 'pid' in note && typeof note.pid === 'number' && 'since' in note && typeof note.since === 'string';
}

/**
 * Both kinds of lock that Linux may use, as proc(5) shows them; null where it does not. The device is that of the mount,
 * not of stat(2): btrfs and overlayfs tell files apart by device numbers that /proc/locks does not use.
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
