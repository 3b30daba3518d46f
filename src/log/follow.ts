import { closeSync, type FSWatcher, fstatSync, openSync, readdirSync, readSync, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { backward } from '../state/lines.ts';
import { codeOf, storageError } from '../state/storage-error.ts';

/** A file of the log that is held open: as long as it is, its inode names it and no other, whatever it is called. */
interface OpenedFile {
  readonly descriptor: number;
  readonly device: bigint;
  readonly inode: bigint;
}

/**
 * The lines of a log and of the files that it was rotated into, newest first, read as they are asked for. A rotation
 * while they are read neither loses nor doubles any. StorageError where a file can't be read.
 */
export function* readLogBackward(file: string): Generator<string, void, undefined> {
  const files: OpenedFile[] = [];
  try {
    for (const opened of openChain(file, [])) {
      files.push(opened);
      yield* backward(file, opened.descriptor);
    }
  } finally {
    for (const { descriptor } of files) closeSync(descriptor);
  }
}

/**
 * Opens the files of a log that are not held yet, newest first, up to the newest that is held. A rotation renames from the
 * oldest to the newest, and each file's number grows by one: opened from the newest on, some are met twice, which
 * their inodes show, and none is missed. A number may be free while the rotation is under way.
 */
function* openChain(file: string, held: readonly OpenedFile[]): Generator<OpenedFile, void, undefined> {
  const met: OpenedFile[] = [...held];
  const last = highestNumber(file) + 2;
  for (let number = 0; number <= last; number++) {
    const opened = openToRead(number === 0 ? file : `${file}.${number}`);
    if (opened === null) continue;
    const isNewestHeld = held.length > 0 && isSame(held[0] as OpenedFile, opened);
    if (met.some((other) => isSame(other, opened))) {
      closeSync(opened.descriptor);
      if (isNewestHeld) return;
      continue;
    }
    met.push(opened);
    yield opened;
  }
}

function highestNumber(file: string): number {
  const prefix = `${basename(file)}.`;
  let highest = 0;
  try {
    for (const name of readdirSync(dirname(file))) {
      const suffix = name.startsWith(prefix) ? name.slice(prefix.length) : '';
      if (/^[1-9]\d{0,3}$/.test(suffix)) highest = Math.max(highest, Number(suffix));
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw storageError('read', dirname(file), error);
  }
  return highest;
}

function openToRead(path: string): OpenedFile | null {
  try {
    const descriptor = openSync(path, 'r');
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return { descriptor, device: dev, inode: ino };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw storageError('read', path, error);
  }
}

function isSame(a: OpenedFile, b: { readonly device: bigint; readonly inode: bigint }): boolean {
  return a.inode === b.inode && a.device === b.device;
}

interface Tail extends OpenedFile {
  position: number;
  /** The beginning of a line whose end is not written yet. */
  begun: Buffer;
  /** When it last grew, by a monotonic clock, ms. */
  grewAt: number;
}

/** How long to wait, ms, for the end of a line in a file that was rotated; then the line is reported as it is. */
const tornAfter = 1_000;
/** A line without an end must not fill the memory, bytes. */
const longestLine = 1 << 20;
/** More files than these are not held open; what a writer adds so late to an older one is not seen. */
const mostHeld = 32;
const blockSize = 1 << 16;

/** Follows a log; see `openFollower`. */
export interface Follower {
  /**
   * The lines that were added since the last look, oldest first. `gap` is called where files may have come and gone
   * between two looks. StorageError where a file can't be read.
   */
  look(gap: () => void): string[];
  close(): void;
}

/**
 * Follows a log through its rotations: what is in it now is passed over, what comes is read. Each file is held open and
 * read to its end under whatever name it has by then, since a writer that did not notice the rotation yet adds to the
 * renamed file; those that came since are found by going up from the newest. A file that is not there yet is awaited;
 * one that is made empty is read from its beginning.
 *
 * @param seen is given the lines that are in the log at that very moment, newest first, before any is followed
 */
export function openFollower(file: string, seen: (lines: Iterable<string>) => void): Follower {
  /** Newest first. */
  let tails: Tail[] = [...openChain(file, [])].map((opened, index) => {
    const position = index === 0 ? endOfLines(opened) : fstatSync(opened.descriptor).size;
    return { ...opened, position, begun: Buffer.alloc(0), grewAt: 0 };
  });
  seen(present(file, tails));

  function drop(tail: Tail): void {
    closeSync(tail.descriptor);
    tails = tails.filter((other) => other !== tail);
  }

  return {
    look(gap) {
      const newest = tails[0];
      const now = performance.now();
      if (newest === undefined || !namesIt(file, newest)) {
        const found = [...openChain(file, tails)];
        const wasRemoved = newest !== undefined && fstatSync(newest.descriptor).nlink === 0;
        if (wasRemoved && found.length > 1) gap();
        tails.unshift(...found.map((opened) => ({ ...opened, position: 0, begun: Buffer.alloc(0), grewAt: now })));
      }
      // From the newest: what a writer has added there came after all that it added to older ones, which are looked at
      // later, however late it was. So each writer's lines keep their order.
      const looks = tails.map((tail, index) => {
        const { nlink, size } = fstatSync(tail.descriptor);
        return { tail, size, isNewest: index === 0, isGone: index > 0 && (nlink === 0 || index >= mostHeld) };
      });
      const lines: string[] = [];
      for (const { tail, size, isNewest, isGone } of looks.reverse()) {
        lines.push(...drain(tail, file, size, now));
        if (tail.begun.length > 0 && !isNewest && (isGone || now - tail.grewAt > tornAfter)) {
          lines.push(tail.begun.toString());
          tail.begun = Buffer.alloc(0);
        }
        if (isGone) drop(tail);
      }
      return lines;
    },
    close() {
      for (const tail of [...tails]) drop(tail);
    },
  };
}

/** What is in the files up to where following begins. */
function* present(file: string, tails: readonly Tail[]): Generator<string, void, undefined> {
  for (const { descriptor, position } of tails) yield* backward(file, descriptor, { from: position });
}

/** The end of the last whole line: a line that follows it is incomplete. */
function endOfLines({ descriptor }: OpenedFile): number {
  let position = fstatSync(descriptor).size;
  while (position > 0) {
    const block = Buffer.alloc(Math.min(blockSize, position));
    const start = position - block.length;
    const newline = block.subarray(0, readSync(descriptor, block, 0, block.length, start)).lastIndexOf(0x0a);
    if (newline !== -1) return start + newline + 1;
    position = start;
  }
  return 0;
}

function namesIt(file: string, tail: Tail): boolean {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return isSame(tail, { device: dev, inode: ino });
  } catch {
    // Missing during a rotation, or for good: the search for newer files shows which.
    return false;
  }
}

/** The lines of a file that are new, as far as it went when it was so many bytes long. */
function drain(tail: Tail, file: string, size: number, now: number): string[] {
  const lines: string[] = [];
  try {
    if (size < tail.position) Object.assign(tail, { position: 0, begun: Buffer.alloc(0) });
    for (;;) {
      const block = Buffer.allocUnsafe(Math.min(blockSize, size - tail.position));
      const read = block.length === 0 ? 0 : readSync(tail.descriptor, block, 0, block.length, tail.position);
      if (read === 0) return lines;
      tail.position += read;
      tail.grewAt = now;
      const bytes = Buffer.concat([tail.begun, block.subarray(0, read)]);
      let start = 0;
      for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
        if (end > start) lines.push(bytes.toString('utf8', start, end));
        start = end + 1;
      }
      tail.begun = bytes.subarray(start);
      if (tail.begun.length <= longestLine) continue;
      lines.push(tail.begun.toString());
      tail.begun = Buffer.alloc(0);
    }
  } catch (error) {
    throw storageError('read', file, error);
  }
}

/** Looks come at least so often, ms, where the system does not report changes, or not reliably. */
const lookEvery = 250;
/** And so long after a change, ms, that a busy writer does not keep the machine busy here as well. */
const gatherFor = 20;

/**
 * Looks for lines until it is stopped: at once where the system reports a change in the log's folder, and a few times a
 * second anyway. Rejects with a StorageError where a file can't be read.
 *
 * @param onLines is given the lines that came, oldest first
 * @param onGap is called where lines may be missing
 */
export async function follow(
  follower: Follower,
  file: string,
  { stop, onLines, onGap }: { stop: AbortSignal; onLines: (lines: readonly string[]) => void; onGap: () => void },
): Promise<void> {
  let watcher: FSWatcher | null = null;
  let look = () => {};
  const notice = () => void setTimeout(() => look(), gatherFor);
  const end = () => look();
  stop.addEventListener('abort', end);
  try {
    while (!stop.aborted) {
      watcher ??= watchFolder(dirname(file), notice);
      const due = new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, lookEvery);
        look = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      const lines = follower.look(onGap);
      if (lines.length > 0) onLines(lines);
      await due;
    }
  } finally {
    stop.removeEventListener('abort', end);
    watcher?.close();
  }
}

/** Null where it can't be watched: the folder is missing, the system has no means, or no more of them. */
function watchFolder(folder: string, notice: () => void): FSWatcher | null {
  try {
    const watcher = watch(folder, { persistent: false }, notice);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}
