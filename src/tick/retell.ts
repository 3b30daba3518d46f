import { disorder, type HistoryLine, readNewest } from '../state/history.ts';
import { markOf, untoldLines } from '../state/recover.ts';
import type { Lease, State } from '../state/schema.ts';
import { bootIdentity, isSameBoot } from './process.ts';

/** The leases of other boots that this process has looked at. */
const seen = new Set<string>();

/**
 * What the history has to be told again, before anything new, for it may have lost it in a loss of power: where the state
 * has the lease of an earlier boot. Each is looked at once. StorageError where the history can't be read.
 */
export function retell(outputs: string, state: State): HistoryLine[] {
  const boot = bootIdentity();
  return Object.entries(state.leases ?? {}).flatMap(([lane, lease]) => {
    const name = `${outputs} ${lane} ${lease.runId} ${lease.since}`;
    if (lease.boot === boot || isSameBoot(lease.boot ?? '', boot) || seen.has(name)) return [];
    seen.add(name);
    return untoldLines(state, lane, lease, toldSince(outputs, lease), {
      laneOf(group, { id }) {
        for (const line of readNewest(outputs, { group, isWanted: isAbout('run-start') })) {
          if (line.type === 'run-start' && line.run === id) return line.lane;
        }
        return lane;
      },
      isHeld(group) {
        for (const line of readNewest(outputs, { group, isWanted: isAbout('held', 'released') })) {
          if (line.type === 'held' || line.type === 'released') return line.type === 'held';
        }
        return false;
      },
    });
  });
}

function toldSince(outputs: string, lease: Lease): Set<string> {
  const from = Date.parse(lease.since ?? '') - 2 * disorder;
  const told = new Set<string>();
  for (const line of readNewest(outputs)) {
    if (!(Date.parse(line.at) >= from)) break;
    const mark = markOf(line);
    if (mark !== null) told.add(mark);
  }
  return told;
}

function isAbout(...types: readonly HistoryLine['type'][]): (json: string) => boolean {
  return (json) => types.some((type) => json.includes(`"type":"${type}"`));
}
