import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RhythmError } from '../errors.ts';
import { openOrCreate, pause } from '../state/durable-file.ts';
import { type Lock, lockPath, waitLock } from '../state/lock.ts';
import { codeOf, storageError } from '../state/storage-error.ts';

export interface RotatingFileOptions {
  readonly file: string;
  /** Bytes that the file does not outgrow, unless a single line is longer. */
  readonly maxSize: number;
  /** Files in all, the current one included; the oldest goes. */
  readonly maxFiles: number;
}

/** A file of lines that several processes append to at once, each of them ready to rotate it. */
export interface RotatingFile {
  /** Writes one line, its newline included, and returns when the kernel has it. StorageError where that fails. */
  append(line: string): void;
  close(): void;
}

/** How long a rotation waits for another one to end, in ms: it takes a few. */
const rotationPatience = 2000;
/**
 * While the kernel copies another process's line, half of it can be seen; on a busy machine for some time. How often, and
 * how many ms apart, to look again before a line counts as torn. A mistake costs an empty line, nothing else.
 */
const secondLooks = 50;
const secondLookAfter = 5;

/**
 * Opens a file for appending and creates it, 0640 in a folder of 0750, where it is missing. StorageError if it can't.
 *
 * No lock is taken to write: the kernel keeps appended lines apart as long as each is one `write`. Rotation renames
 * `file` to `file.1`, `.1` to `.2` and so on, the way logrotate does without `copytruncate`: who still holds the renamed
 * file adds whole lines to it, and finds out before its next line, because the path then names another inode. So no
 * line is lost, each writer's lines stay in order, and `tail -F` follows.
 */
export function openRotatingFile({ file, maxSize, maxFiles }: RotatingFileOptions): RotatingFile {
  let opened: OpenFile | null = openForAppending(file);
  let closed = false;
  /** The end of the file as this process left it; the byte before it ends a line. */
  let endOfLine = 0;
  /** No rotation below this size, in bytes: a failed one is not tried again at every line. */
  let rotateAbove = maxSize;

  /** The file that the path names now, and its size. */
  function follow(): OpenFile & { size: number } {
    const now = statSync(file, { bigint: true, throwIfNoEntry: false });
    if (opened && now?.ino === opened.inode && now.dev === opened.device) return { ...opened, size: Number(now.size) };
    if (opened) closeSync(opened.descriptor);
    opened = null;
    opened = openForAppending(file);
    endOfLine = 0;
    rotateAbove = maxSize;
    return { ...opened, size: fstatSync(opened.descriptor).size };
  }

  function write(line: string): void {
    let bytes = Buffer.from(line);
    const outgrows = (size: number, limit: number): boolean => size > 0 && size + bytes.length > limit;
    let target = follow();
    if (outgrows(target.size, rotateAbove)) {
      // Another process may have rotated by now, which only the holder of the lock can know.
      const rotated = rotate(file, maxFiles, () => outgrows(follow().size, maxSize));
      target = follow();
      if (!rotated) rotateAbove = target.size + bytes.length + maxSize / 10;
    }
    // A crash or a full disk may have left half a line, be it of another process.
    if (target.size !== endOfLine && endsTorn(target.descriptor)) bytes = Buffer.from(`\n${line}`);
    // All of it is written at once, unless the disk fills up on the way: then the second write says so.
    for (let done = 0; done < bytes.length; ) done += writeSync(target.descriptor, bytes, done);
    endOfLine = target.size + bytes.length;
  }

  return {
    append(line) {
      if (closed) throw new Error(`${file} is closed`);
      try {
        write(line);
      } catch (error) {
        throw storageError('written', file, error);
      }
    },
    close() {
      closed = true;
      if (opened) closeSync(opened.descriptor);
      opened = null;
    },
  };
}

interface OpenFile {
  readonly descriptor: number;
  /** Identifies the file; big, because 64-bit inodes do not fit into a number. */
  readonly device: bigint;
  readonly inode: bigint;
}

/**
 * Raises the number of every file by one, under the lock that all writers of this log share, if `needed` still says so there.
 * False where it could not be done this time: the lock was not to be had, or a file could not be renamed, as on Windows
 * while another program reads it. Writing then goes on as before.
 */
function rotate(file: string, maxFiles: number, needed: () => boolean): boolean {
  let lock: Lock | null = null;
  try {
    lock = waitLock(lockPath(dirname(file), basename(file)), rotationPatience);
    if (lock === null) return false;
    if (needed()) moveUp(file, maxFiles);
    return true;
  } catch (error) {
    if (error instanceof RhythmError || codeOf(error) !== null) return false;
    throw error;
  } finally {
    lock?.release();
  }
}

function moveUp(file: string, maxFiles: number): void {
  const folder = dirname(file);
  const prefix = `${basename(file)}.`;
  const taken = new Set<number>();
  for (const name of readdirSync(folder)) {
    const suffix = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    if (/^[1-9]\d{0,8}$/.test(suffix)) taken.add(Number(suffix));
  }
  // A gap, which a rotation that was cut short may leave, is filled; beyond the last number a rename overwrites.
  let free = 1;
  while (free < maxFiles - 1 && taken.has(free)) free++;
  for (; free > 1; free--) renameSync(`${file}.${free - 1}`, `${file}.${free}`);
  if (maxFiles > 1) renameSync(file, `${file}.1`);
  else rmSync(file);
  for (const number of taken) if (number >= maxFiles) rmSync(join(folder, `${prefix}${number}`), { force: true });
}

function openForAppending(file: string): OpenFile {
  try {
    const descriptor = openOrCreate(file, constants.O_APPEND);
    closeToOthers(descriptor);
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return { descriptor, device: dev, inode: ino };
  } catch (error) {
    throw storageError('written', file, error);
  }
}

/** A log that a shell's `>>` created under the usual umask is open to everyone: takes that back where it is ours. */
function closeToOthers(descriptor: number): void {
  if (process.platform === 'win32') return;
  const mode = fstatSync(descriptor).mode & 0o777;
  if ((mode & 0o027) === 0) return;
  try {
    fchmodSync(descriptor, mode & 0o750);
  } catch {
    // Another owner's file: that it is as open as its owner made it is no reason to log nothing.
  }
}

/** Whether the file ends within a line, left by a writer that died or found the disk full. */
function endsTorn(descriptor: number): boolean {
  const last = Buffer.alloc(1);
  for (let look = 0; look <= secondLooks; look++) {
    if (look > 0) pause(secondLookAfter);
    const { size } = fstatSync(descriptor);
    if (size === 0) return false;
    if (readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] === 0x0a) return false;
  }
  return true;
}
