import { statSync } from 'node:fs';

/**
 * Whether another user could change this file: it belongs to a user other than root and the one that runs this, or its
 * mode lets its group or everybody write. A link counts as the file that it leads to, and a file that can't be looked at
 * as safe, because it can't be run either. Always false on Windows, where Node shows no access lists.
 */
export function writableByOthers(path: string): boolean {
  const user = process.geteuid?.();
  if (user === undefined) return false;
  try {
    const { uid, mode } = statSync(path);
    return (uid !== 0 && uid !== user) || (mode & 0o022) !== 0;
  } catch {
    return false;
  }
}

/** Whether this process is root, who must not run other users' files. False on Windows. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}
