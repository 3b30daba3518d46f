import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { type Bundle, hash, hashFile } from './bundle.ts';
import { isOpenToOthers } from './ownership.ts';

/** Goes up whenever bundles are made differently, so that those of an older rhythm are not used. */
const format = 1;

interface Entry {
  readonly format: number;
  readonly bundle: Bundle;
}

/**
 * The bundle that was kept for this configuration file, if each of its inputs still has the content that it was made of.
 * Null where there is none, where it is damaged, or where the cache can't be trusted. Writes nothing.
 */
export function readBundle(file: string): Bundle | null {
  const folder = findFolder();
  try {
    if (!folder || !isTrusted(folder)) return null;
    const [checksum, text = ''] = readFileSync(join(folder, keyOf(file)), 'utf8').split('\n', 2);
    if (checksum !== hash(text)) return null;
    const entry = JSON.parse(text) as Entry;
    const isCurrent =
      entry.format === format && entry.bundle.inputs.every(({ path, sha256 }) => hashFile(path) === sha256);
    return isCurrent ? entry.bundle : null;
  } catch {
    // Whatever is wrong with it, a cache is only a saving: the bundle is made anew.
    return null;
  }
}

/** Keeps a bundle for the next time. Where that is not possible nothing happens: a cache is only a saving. */
export function writeBundle(file: string, bundle: Bundle): void {
  const folder = findFolder();
  if (!folder) return;
  const path = join(folder, keyOf(file));
  const temporary = `${path}.${randomUUID()}`;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isTrusted(folder)) return;
    const text = JSON.stringify({ format, bundle } satisfies Entry);
    try {
      // Another tick may read at any time, so the file appears at once and whole.
      writeFileSync(temporary, `${hash(text)}\n${text}`, { mode: 0o600, flag: 'wx' });
      renameSync(temporary, path);
    } finally {
      rmSync(temporary, { force: true });
    }
  } catch {
    // No room, no right to write, no home: the next tick bundles again.
  }
}

function keyOf(file: string): string {
  return `${hash(file).slice(0, 32)}.bundle`;
}

/** The user's cache folder: that of the XDG base directory specification, on Windows `%LOCALAPPDATA%`. */
function findFolder(): string | null {
  const given = process.platform === 'win32' ? process.env.LOCALAPPDATA : process.env.XDG_CACHE_HOME;
  if (given && isAbsolute(given)) return join(given, 'rhythm');
  const home = homedir();
  return isAbsolute(home) ? join(home, '.cache', 'rhythm') : null;
}

/** What is in the cache is run, so the folder must be a real one, ours, and nobody else's to write to. */
function isTrusted(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) return false;
  const user = process.geteuid?.();
  return (user === undefined || stats.uid === user) && !isOpenToOthers(stats);
}
