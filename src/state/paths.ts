import { join } from 'node:path';

export function statePath(outputs: string): string {
  return join(outputs, 'master_scheduler_state.json');
}

/** The last good copy: the state as it was before its newest change. */
export function copyPath(outputs: string): string {
  return `${statePath(outputs)}${copyEnding}`;
}

export const copyEnding = '.bak';
