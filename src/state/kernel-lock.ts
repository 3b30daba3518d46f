import { closeSync, constants, statSync } from 'node:fs';
import type { Server } from 'node:net';
import { StorageError } from '../errors.ts';
import { requireLater } from '../require.ts';
import { openOrCreate } from './durable-file.ts';
import { codeOf } from './storage-error.ts';

/** How locks are held here: `native` is a lock on the file; the others stand in where fs-native-extensions has no build. */
export type LockKind = 'native' | 'abstract-socket' | 'exclusive-open';

export interface Hold {
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
export function method(): Method {
  chosen ??= nativeMethod() ?? standIn();
  return chosen;
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

/** The build for this platform by its path, because the package's own search for it takes 15 ms; else as the package finds it. */
function loadNative(): Native | null {
  const build = `fs-native-extensions/prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`;
  for (const name of [build, 'fs-native-extensions/binding.js']) {
    try {
      const native = requireLater(name) as Partial<Native>;
      if (isWhole(native)) return native;
    } catch {
      // It is an optional dependency, and has no build for musl or 32 bits.
    }
  }
  return null;
}

function isWhole(native: Partial<Native>): native is Native {
  return typeof native.tryLock === 'function' && typeof native.unlock === 'function';
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

/** UV_FS_O_EXLOCK of libuv: on Windows no other process can open the file. */
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
  const { createServer } = requireLater('node:net') as typeof import('node:net');
  const listen = (name: string): Server | null => {
    const server = createServer();
    // The binding happens at once, and `listening` says whether it worked; the event comes later and adds nothing.
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

export function socketName(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `rhythm-lock-${dev}-${ino}`;
}
