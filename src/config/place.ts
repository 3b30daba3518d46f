import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { requireLater } from '../require.ts';
import { isOpenToOthers } from './ownership.ts';

/*
 * What is kept is kept twice, one after the other, so that a damage shows: to compare takes a hundredth of what a sum
 * takes. It need not withstand malice, for the folder is nobody else's to write to.
 */

/** A text that was kept, and what tells it from any other that was ever kept. */
export interface Kept {
  readonly text: string;
  readonly id: string;
}

/**
 * What was kept under a name, if it is whole. Null where there is nothing, where it is damaged, or where the folder can't
 * be trusted. Writes nothing.
 */
export function readKept(name: string): Kept | null {
  const folder = findCacheFolder();
  try {
    if (folder === null || !isTrusted(folder)) return null;
    const bytes = readFileSync(join(folder, name));
    const begin = bytes.indexOf('\n') + 1;
    const middle = begin + (bytes.length - begin) / 2;
    if (begin === 0 || !Number.isInteger(middle)) return null;
    // Halves of nothing are equal, and of zeros, which a loss of power may leave for what was not yet on the disk.
    if (middle === begin || bytes[begin] === 0) return null;
    if (bytes.compare(bytes, begin, middle, middle) !== 0) return null;
    return { id: bytes.toString('latin1', 0, begin - 1), text: bytes.toString('utf8', begin, middle) };
  } catch {
    // Whatever is wrong with it, a cache is only a saving: what it was made of is read anew.
    return null;
  }
}

/**
 * Keeps a text for the next time, and answers with its id. Null where that is not possible, and nothing happens: a cache
 * is only a saving.
 */
export function keep(name: string, text: string): string | null {
  const id = `${process.pid}-${Date.now()}-${Math.random().toString(36).slice(2)}`;
  return place(name, `${id}\n${text}${text}`) ? id : null;
}

/**
 * Bytes that were kept under a name for a purpose, if they are whole; good until memory is borrowed again. Null as with
 * `readKept`, and where they were kept for another purpose. Writes nothing.
 */
export function readKeptBytes(name: string, purpose: string): Buffer | null {
  const folder = findCacheFolder();
  let file: number | undefined;
  try {
    if (folder === null || !isTrusted(folder)) return null;
    file = openSync(join(folder, name), 'r');
    const begin = purpose.length + 1;
    const length = (fstatSync(file).size - begin) / 2;
    if (readSync(file, piece, 0, begin, 0) !== begin || piece.toString('latin1', 0, begin) !== `${purpose}\n`)
      return null;
    const bytes = borrowMemory(length);
    if (readSync(file, bytes, 0, length, begin) !== length) return null;
    // The second time they are read piece by piece.
    for (let place = 0; place < length; ) {
      const read = readSync(file, piece, 0, Math.min(piece.length, length - place), begin + length + place);
      if (read === 0 || bytes.compare(piece, 0, read, place, place + read) !== 0) return null;
      place += read;
    }
    return bytes;
  } catch {
    return null;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

const piece = Buffer.allocUnsafeSlow(1 << 15);
let memory = Buffer.alloc(0);

/** So many bytes of memory, until it is borrowed again: what is fresh takes longer to get than to fill. */
export function borrowMemory(size: number): Buffer {
  // What nobody writes to the system does not give out.
  if (size > memory.length) memory = Buffer.allocUnsafeSlow(Math.max(size, 1 << 20));
  return memory.subarray(0, size);
}

/**
 * Keeps bytes for the next time, as `keep` does. Tells whether it could.
 *
 * @param purpose what they are good for, in ASCII
 */
export function keepBytes(name: string, purpose: string, bytes: Buffer): boolean {
  return place(name, Buffer.concat([Buffer.from(`${purpose}\n`), bytes, bytes]));
}

/** Whether it could be kept. */
function place(name: string, content: string | Buffer): boolean {
  const folder = findCacheFolder();
  if (folder === null) return false;
  const path = join(folder, name);
  const temporary = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    makeFolder(folder);
    if (!isTrusted(folder)) return false;
    try {
      // Another tick may read at any time, so the file appears at once and whole.
      writeFileSync(temporary, content, { mode: 0o600, flag: 'wx' });
      renameSync(temporary, path);
      return true;
    } catch (error) {
      unlinkSync(temporary);
      throw error;
    }
  } catch {
    // No room, no right to write, no home: it is made anew the next time.
    return false;
  }
}

/** What is not made anew in this time, ms, is of a program, a Node or a workspace that is no more, or soon will be. */
const keptFor = 90 * 86_400_000;

/** Removes what was kept long ago. What is in use all the same is made anew. */
export function sweepKept(): void {
  const folder = findCacheFolder();
  try {
    if (folder === null || !isTrusted(folder)) return;
    for (const name of readdirSync(folder)) {
      if (!/^[0-9a-f]{16}\./.test(name)) continue;
      const path = join(folder, name);
      if (Date.now() - statSync(path).mtimeMs > keptFor) unlinkSync(path);
    }
  } catch {
    // What can't be removed is looked at again the next time.
  }
}

/** With its parents. Level by level: Node's own way never ends where the system refuses folders by ENOENT, as /proc does. */
function makeFolder(folder: string): void {
  const make = () => mkdirSync(folder, { mode: 0o700 });
  try {
    make();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    makeFolder(dirname(folder));
    make();
  }
}

/** A name for what is kept about a path. The path itself has to be kept along: two may come to the same name. */
export function nameFor(path: string, kind: string): string {
  return `${hash(path, 0x811c9dc5)}${hash(path, 0x9e3779b9)}.${kind}`;
}

/** FNV-1a over UTF-16 code units. node:crypto takes longer to load than an idle tick may take in all. */
function hash(text: string, basis: number): string {
  let hash = basis;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** The user's cache folder: that of the XDG base directory specification, on Windows `%LOCALAPPDATA%`. */
export function findCacheFolder(): string | null {
  const given = process.platform === 'win32' ? process.env.LOCALAPPDATA : process.env.XDG_CACHE_HOME;
  if (given && isAbsolute(given)) return join(given, 'rhythm');
  // What homedir() looks at first, without loading it.
  const named = process.platform === 'win32' ? process.env.USERPROFILE : process.env.HOME;
  const home = named || askHome();
  return home !== null && isAbsolute(home) ? join(home, '.cache', 'rhythm') : null;
}

function askHome(): string | null {
  try {
    return (requireLater('node:os') as typeof import('node:os')).homedir();
  } catch {
    // A user without an entry in the list of users, as in some containers.
    return null;
  }
}

/** What is in the cache is run, so the folder must be a real one, ours, and nobody else's to write to. */
export function isTrusted(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) return false;
  const user = process.geteuid?.();
  return (user === undefined || stats.uid === user) && !isOpenToOthers(stats);
}
