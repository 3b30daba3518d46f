import { disorder, type HistoryLine, readNewest } from '../state/history.ts';
import { type Left, markOf, mayBeUntold, startMark, untoldLines } from '../state/recover.ts';
import type { RunRecord, State } from '../state/schema.ts';
import { bootIdentity, isSameBoot } from './process.ts';

/** What the history has to be told again. */
export interface Retelling {
  readonly lines: readonly HistoryLine[];
  /** Is to be called when they are written: then they are not looked for again. */
  done(): void;
}

/** The leases of other boots that this process has looked at, by their marks. */
const seen = new Set<string>();

/** A clock that was set back, by a person say, leaves no more lines than this in a row that look too old. */
const mostOlder = 100;

/**
 * What has to be told again, before anything new, for the history may have lost it in a loss of power: where the state has
 * the lease of an earlier boot. Each is looked at once. StorageError where the history can't be read.
 */
export function retell(outputs: string, state: State): Retelling {
  const boot = bootIdentity();
  const nameOf = ({ lane, lease }: Left) => `${outputs} ${lane} ${startMark(lease)}`;
  const left = Object.entries(state.leases ?? {})
    .filter(([, lease]) => lease.boot !== boot && !isSameBoot(lease.boot ?? '', boot) && mayBeUntold(lease))
    .map(([lane, lease]) => ({ lane, lease }))
    .filter((one) => !seen.has(nameOf(one)));
  if (left.length === 0) return { lines: [], done: () => undefined };
  let lanes: ReadonlyMap<string, string> | undefined;
  const lines = untoldLines(state, left, toldSince(outputs, left), {
    laneOf({ id }: RunRecord) {
      lanes ??= lanesOfRuns(outputs);
      return lanes.get(id ?? '') ?? null;
    },
    isHeld(group) {
      for (const line of readNewest(outputs, { group, isWanted: isAbout('held', 'released') })) {
        if (line.type === 'held' || line.type === 'released') return line.type === 'held';
      }
      return false;
    },
  });
  return {
    lines,
    done() {
      for (const one of left) seen.add(nameOf(one));
    },
  };
}

/** The starts and ends of runs that the history tells of; no more than it takes to find the starts of all these leases. */
function toldSince(outputs: string, left: readonly Left[]): Set<string> {
  const told = new Set<string>();
  const wanted = new Set(left.map(({ lease }) => startMark(lease)));
  const from = Math.min(...left.map(({ lease }) => Date.parse(lease.since ?? ''))) - 2 * disorder;
  let older = 0;
  for (const line of readNewest(outputs, { isWanted: isAbout('run-start', 'run-end') })) {
    older = Date.parse(line.at) < from ? older + 1 : 0;
    if (older > mostOlder) break;
    const mark = markOf(line);
    if (mark === null) continue;
    told.add(mark);
    if (wanted.delete(mark) && wanted.size === 0) break;
  }
  return told;
}

/** The lane that each run was started in last, by its id. */
function lanesOfRuns(outputs: string): Map<string, string> {
  const lanes = new Map<string, string>();
  for (const line of readNewest(outputs, { isWanted: isAbout('run-start') })) {
    if (line.type === 'run-start' && !lanes.has(line.run)) lanes.set(line.run, line.lane);
  }
  return lanes;
}

function isAbout(...types: readonly HistoryLine['type'][]): (json: string) => boolean {
  return (json) => types.some((type) => json.includes(`"type":"${type}"`));
}
