import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
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

/** Keeps a text for the next time. Where that is not possible nothing happens: a cache is only a saving. */
export function keep(name: string, text: string): void {
  const folder = findCacheFolder();
  if (folder === null) return;
  const path = join(folder, name);
  const temporary = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isTrusted(folder)) return;
    try {
      // Another tick may read at any time, so the file appears at once and whole.
      writeFileSync(temporary, `${checksum(text)}\n${text}`, { mode: 0o600, flag: 'wx' });
      renameSync(temporary, path);
    } finally {
      rmSync(temporary, { force: true });
    }
  } catch {
    // No room, no right to write, no home: it is made anew the next time.
  }
}

/**
 * Has Node keep what it compiles from here on, where it can (from 22.8 on) and the place for it is nobody else's to look
 * into: it is run the next time. Node itself checks what it finds there.
 */
export function keepCompiled(): void {
  const { enableCompileCache } = requireLater('node:module') as { enableCompileCache?: (folder: string) => unknown };
  if (enableCompileCache === undefined || process.platform === 'win32') return;
  const folder = findCacheFolder();
  if (folder === null) return;
  const compiled = join(folder, 'compiled');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isTrusted(folder)) return;
    mkdirSync(compiled, { recursive: true, mode: 0o700 });
    if (isTrusted(compiled) && (lstatSync(compiled).mode & 0o077) === 0) enableCompileCache(compiled);
  } catch {
    // It is compiled anew each time.
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
