import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/**
 * The user's cache folder for rhythm: bundles and checked configurations. What is in it is executed, so it is used only
 * if it is a real folder that belongs to this user and that nobody else may write to. A cache that can't be used is never
 * an error: its content is made again.
 */

const day = 86_400_000;
/** Files that were not used for this long, in ms, belong to a program or workspace that is gone. */
const maxAge = 90 * day;

/** The content of a cache file; null if there is none or the folder can't be trusted. Writes nothing. */
export function readCache(name: string): string | null {
  const folder = findCacheFolder();
  try {
    return folder !== null && isTrusted(folder) ? readFileSync(join(folder, name), 'utf8') : null;
  } catch {
    return null;
  }
}

/** Writes a cache file in one step, so that a reader sees all of it or the old one. Returns its path, null on failure. */
export function writeCache(name: string, content: string): string | null {
  const folder = findCacheFolder();
  if (folder === null) return null;
  const path = join(folder, name);
  const temporary = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    makeFolder(folder);
    if (!isTrusted(folder)) return null;
    try {
      writeFileSync(temporary, content, { mode: 0o600, flag: 'wx' });
      renameSync(temporary, path);
      return path;
    } catch (error) {
      unlinkSync(temporary);
      throw error;
    }
  } catch {
    return null;
  }
}

/**
 * The path of a cache file that is about to be executed; null if there is none. Marks it as used, at most once a day, so
 * that {@link sweepCache} keeps it.
 */
export function findCacheFile(name: string): string | null {
  const folder = findCacheFolder();
  try {
    if (folder === null || !isTrusted(folder)) return null;
    const path = join(folder, name);
    const now = Date.now();
    if (now - statSync(path).mtimeMs > day) utimesSync(path, now / 1_000, now / 1_000);
    return path;
  } catch {
    return null;
  }
}

/** Removes cache files, and folders of compiled code, that were not used for 90 days. */
export function sweepCache(): void {
  const folder = findCacheFolder();
  try {
    if (folder === null || !isTrusted(folder)) return;
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const isOurs = /^([0-9a-f]{16}\.|code-)/.test(name);
      if (isOurs && Date.now() - statSync(path).mtimeMs > maxAge) rmSync(path, { recursive: true });
    }
  } catch {
    // The next sweep tries again.
  }
}

/** The cache file name for a path, which the content has to name as well: different paths may share a prefix. */
export function cacheName(path: string, kind: string): string {
  return `${createHash('sha256').update(path).digest('hex').slice(0, 16)}.${kind}`;
}

/** `$XDG_CACHE_HOME/rhythm` (XDG base directory specification), on Windows `%LOCALAPPDATA%\rhythm`. */
export function findCacheFolder(): string | null {
  const given = process.platform === 'win32' ? process.env.LOCALAPPDATA : process.env.XDG_CACHE_HOME;
  if (given && isAbsolute(given)) return join(given, 'rhythm');
  try {
    const home = homedir();
    return isAbsolute(home) ? join(home, '.cache', 'rhythm') : null;
  } catch {
    // A user without an entry in the user database, as in some containers.
    return null;
  }
}

/** Whether the folder is a real one, belongs to this user, and only this user may write to it. */
export function isTrusted(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) return false;
  const user = process.geteuid?.();
  return user === undefined || (stats.uid === user && (stats.mode & 0o022) === 0);
}

/** One level at a time: `recursive: true` never returns where the system refuses folders with ENOENT, as /proc does. */
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
