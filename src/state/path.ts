import { sep } from 'node:path';

/**
 * A file of a folder, which is written plainly already. `join` takes most of the time that it takes to look whether the
 * file is there.
 */
export function within(folder: string, name: string): string {
  return folder === '' ? name : `${folder}${sep}${name}`;
}

export function statePath(outputs: string): string {
  return within(outputs, 'master_scheduler_state.json');
}

/** The last good copy: the state as it was before its newest change. */
export function copyPath(outputs: string): string {
  return `${statePath(outputs)}${copyEnding}`;
}

export const copyEnding = '.bak';
