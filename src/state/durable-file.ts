import {
  closeSync,
  constants,
  existsSync,
  fchownSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { codeOf, storageError } from './storage-error.ts';

/** Readable by the owner's group at most. */
export const fileMode = 0o640;
const folderMode = 0o750;

/** A file's bytes; null where there is none. StorageError where it can't be read. */
export function readBytes(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw storageError('read', path, error);
  }
}

/**
 * Replaces the content of a file, wholly or not at all, and returns when a loss of power can't undo it: temporary
 * file in the same folder, checked write, fsync, rename, fsync of the folder. Creates missing folders. StorageError
 * where that fails: the old file is then as it was.
 *
 * @param beforeReplacing runs when the new content is safe on the disk and the old file is still there
 */
export function writeDurably(
  path: string,
  content: string | Buffer,
  { mode = fileMode, beforeReplacing }: { mode?: number; beforeReplacing?: () => void } = {},
): void {
  const temporary = temporaryName(path);
  try {
    const descriptor = withFolder(path, () => openNew(temporary, constants.O_WRONLY, mode));
    try {
      writeWhole(descriptor, typeof content === 'string' ? Buffer.from(content) : content);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    beforeReplacing?.();
    replace(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    removeIfThere(temporary);
    throw storageError('written', path, error);
  }
}

/**
 * Makes `copy` another name for the content that `path` has now; `path` is afterwards given new content by a rename, so
 * the two part. Where the file system has no hard links the copy is written. StorageError if neither can be done.
 */
export function keepCopy(path: string, copy: string): void {
  const temporary = temporaryName(copy);
  try {
    linkSync(path, temporary);
    replace(temporary, copy);
    // POSIX: a rename between two names of one file does nothing, and leaves both.
    if (existsSync(temporary)) removeIfThere(temporary);
  } catch {
    removeIfThere(temporary);
    const content = readBytes(path);
    if (content !== null) writeDurably(copy, content);
  }
}

/**
 * Gives a file that is about to be replaced a second name, under which its content stays. Where the file system has no
 * hard links it is renamed. Throws what the system says, and never takes a name that is in use.
 */
export function setAside(path: string, aside: string): void {
  try {
    linkSync(path, aside);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw error;
    renameSync(path, aside);
  }
}

/** Opens a file for reading and writing, 0640, and creates it and its folder where missing. Throws what the system says. */
export function openOrCreate(path: string, flags = 0): number {
  const readWrite = constants.O_RDWR | flags;
  for (;;) {
    try {
      return openSync(path, readWrite);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    ensureFolder(dirname(path));
    try {
      return openNew(path, readWrite, fileMode);
    } catch (error) {
      // Another process was faster, and a third may have renamed the file since: try again. A link to a missing file is
      // there, and yet can be neither opened nor created: without this check the loop would not end.
      if (codeOf(error) !== 'EEXIST' || isDanglingLink(path)) throw error;
    }
  }
}

function isDanglingLink(path: string): boolean {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink && statSync(path, { throwIfNoEntry: false }) === undefined;
}

/**
 * Removes the temporary files that writers of `path`, or of the names in its folder that begin with its own and one of
 * `endings`, left when they were killed. Only under the lock that their writers hold: nobody is writing then. What can't
 * be removed does no harm and stays.
 */
export function sweepTemporaries(path: string, ...endings: readonly string[]): void {
  const folder = dirname(path);
  const prefixes = ['', ...endings].map((ending) => `.${basename(path)}${ending}.`);
  try {
    for (const name of readdirSync(folder)) {
      const isOne = (prefix: string) =>
        name.startsWith(prefix) && /^\d+-[0-9a-z]+\.tmp$/.test(name.slice(prefix.length));
      if (name.startsWith('.') && prefixes.some(isOne)) removeIfThere(join(folder, name));
    }
  } catch {
    // Where the folder can't be listed, the write that follows says so.
  }
}

/** Opens a file that is created; the folder for it as well, where it is missing. */
export function withFolder<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    ensureFolder(dirname(path));
    return open();
  }
}

/** Creates a folder and its parents, 0750, where they are missing. Throws what the system says. */
export function ensureFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: folderMode });
  if (first === undefined) return;
  for (let created = resolve(folder); ; created = dirname(created)) {
    const parent = dirname(created);
    const descriptor = openFolder(created);
    if (descriptor !== null) {
      giveToOwnerOf(parent, descriptor);
      closeSync(descriptor);
    }
    syncFolder(parent);
    if (created === resolve(first) || parent === created) return;
  }
}

function temporaryName(path: string): string {
  const own = `${process.pid}-${Math.random().toString(36).slice(2, 12)}`;
  return `${dirname(path)}${sep}.${basename(path)}.${own}.tmp`;
}

export function openNew(path: string, flags: number, mode: number): number {
  const descriptor = openSync(path, flags | constants.O_CREAT | constants.O_EXCL, mode);
  giveToOwnerOf(dirname(path), descriptor);
  return descriptor;
}

/**
 * As root, what is new belongs to whoever owns the folder around it: one `sudo rhythm run` must not leave files that the
 * user's own ticks can't write.
 */
function giveToOwnerOf(folder: string, descriptor: number): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(folder);
  if (uid === 0) return;
  try {
    fchownSync(descriptor, uid, gid);
  } catch {
    // In a container root may lack the right; the file works for root all the same.
  }
}

/** A full disk shows first as a write that is cut short, without an error; the attempt to write the remainder reports the cause. */
export function writeWhole(descriptor: number, bytes: Buffer): void {
  let offset = 0;
  while (offset < bytes.length) {
    const count = writeSync(descriptor, bytes, offset);
    if (count === 0) throw Object.assign(new Error('the write was cut short'), { code: 'ENOSPC' });
    offset += count;
  }
}

/** On Windows a virus scanner or an editor may hold the file for a moment; elsewhere a rename does not mind. */
function replace(from: string, to: string): void {
  for (let tries = 0; ; tries++) {
    try {
      renameSync(from, to);
      return;
    } catch (error) {
      const passing = process.platform === 'win32' && ['EPERM', 'EACCES', 'EBUSY'].includes(codeOf(error) ?? '');
      if (!passing || tries === 50) throw error;
      pause(20);
    }
  }
}

/** Blocks this thread, in ms. */
export function pause(duration: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, duration);
}

/** A rename outlives a loss of power only when its folder is synced too; Windows and some file systems can't do that. */
export function syncFolder(folder: string): void {
  const descriptor = openFolder(folder);
  if (descriptor === null) return;
  try {
    fsyncSync(descriptor);
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EPERM', 'EBADF', 'EISDIR'].includes(codeOf(error) ?? '')) throw error;
  } finally {
    closeSync(descriptor);
  }
}

function openFolder(folder: string): number | null {
  try {
    return openSync(folder, 'r');
  } catch (error) {
    // Windows opens no folders; one that may be written but not listed can't be synced.
    if (['EISDIR', 'EPERM', 'EACCES'].includes(codeOf(error) ?? '')) return null;
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone already, or stays for a later sweep.
  }
}
