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
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { requireLater } from '../require.ts';
import { isOpenToOthers } from './ownership.ts';

/**
 * What was kept under a name, if it is whole. Null where there is nothing, where it is damaged, or where the folder can't
 * be trusted. Writes nothing.
 */
export function readKept(name: string): { readonly text: string; readonly checksum: string } | null {
  const folder = findCacheFolder();
  try {
    if (folder === null || !isTrusted(folder)) return null;
    const content = readFileSync(join(folder, name), 'utf8');
    const end = content.indexOf('\n');
    const text = content.slice(end + 1);
    const sum = checksum(text);
    return content.slice(0, end) === sum ? { text, checksum: sum } : null;
  } catch {
    // Whatever is wrong with it, a cache is only a saving: what it was made of is read anew.
    return null;
  }
}

/**
 * Keeps a text for the next time, and answers with its checksum. Null where that is not possible, and nothing happens: a
 * cache is only a saving.
 */
export function keep(name: string, text: string): string | null {
  const sum = checksum(text);
  return place(name, `${sum}\n${text}`) ? sum : null;
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
 * Keeps bytes for the next time, as `keep` does: twice, for to compare them takes a hundredth of what a sum takes. Tells
 * whether it could.
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
    } finally {
      rmSync(temporary, { force: true });
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
      if (Date.now() - statSync(path).mtimeMs > keptFor) rmSync(path);
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
  return `${checksum(path)}.${kind}`;
}

/**
 * Tells a damaged text from a whole one. It need not withstand malice, for the folder is nobody else's to write to; and
 * node:crypto takes longer to load than an idle tick may take in all. (FNV-1a over words of 32 bits, for each
 * second one.)
 */
export function checksum(text: string): string {
  const bytes = Buffer.from(text);
  const words = new Uint32Array(((bytes.length + 7) >> 3) * 2);
  bytes.copy(new Uint8Array(words.buffer));
  let a = 0x811c9dc5;
  let b = 0x9e3779b9 ^ bytes.length;
  for (let index = 0; index < words.length; index += 2) {
    a = Math.imul(a ^ (words[index] as number), 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b ^ (words[index + 1] as number), 0x85ebca6b);
    b ^= b >>> 13;
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
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
