import { type Stats, statSync } from 'node:fs';

/**
 * Whether another user could change this file: it belongs to a user other than root and the one that runs this, or its
 * mode lets its group or everybody write. A link counts as the file that it leads to, and a file that can't be looked at
 * as safe, because it can't be run either. Always false on Windows, where Node shows no access lists.
 */
export function writableByOthers(path: string): boolean {
  try {
    return isOpenToOthers(statSync(path));
  } catch {
    return false;
  }
}

/** The same, for stats that were read already. */
export function isOpenToOthers(stats: Stats): boolean {
  const user = process.geteuid?.();
  if (user === undefined) return false;
  return (stats.uid !== 0 && stats.uid !== user) || (stats.mode & 0o022) !== 0;
}

/** Whether this process is root, who must not run other users' files. False on Windows. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}
