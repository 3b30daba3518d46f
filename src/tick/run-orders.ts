import type { Group } from '../config/config.ts';
import { type Blocker, meets } from '../plan/decide.ts';
import type { RunRecord } from '../state/state-schema.ts';
import type { Lanes } from './lane.ts';
import { runGroup } from './run-group.ts';
import type { Session } from './session.ts';
import type { RunOrder } from './start-run.ts';

/** What the caller of `runOrders` records. */
export interface OrderListener {
  /** A group is not run, because of these dependencies. */
  onSkip(order: RunOrder, blockers: readonly [Blocker, ...Blocker[]]): void;
  /** All have ended and nothing has failed to be recorded. What this queues is written together with the last end. */
  onEnd(runs: ReadonlyMap<string, RunRecord>): Promise<void>;
}

/**
 * Runs what was decided. Groups of a lane run one at a time, lanes run in parallel, and a group starts only after all its
 * predecessors have ended. If the outcome of a dependency is not what it asks for, the group is skipped. Returns the runs
 * by group. Once all have ended, throws the first error, also that of a central log that can't be written.
 *
 * @param orders topologically sorted
 */
export async function runOrders(
  orders: readonly RunOrder[],
  lanes: Lanes,
  session: Session,
  { onSkip, onEnd }: OrderListener,
): Promise<ReadonlyMap<string, RunRecord>> {
  await session.logger.open();
  const runs = new Map<string, RunRecord>();
  const skipped = new Set<string>();
  const ends = new Map<string, Promise<void>>();
  const lastInLane = new Map<string, Promise<void>>();
  const records: Promise<void>[] = [];
  const groupOf = new Map(session.config.groups.map((group) => [group.name, group]));
  // One lane that can't record stops the others from starting what could not be recorded either. What they run already
  // is left to end by itself, for its status reaches the disk all the same.
  let hasFailed = false;
  const fail = () => {
    hasFailed = true;
  };
  const shouldStop = () => session.stop.aborted || hasFailed || session.isAskedToEnd();

  const findBlockers = ({ group }: RunOrder) =>
    group.dependsOn.flatMap((dependency): Blocker[] => {
      const name = dependency.group;
      if (!ends.has(name)) return [];
      const outcome = skipped.has(name) ? null : runs.get(name)?.outcome;
      if (outcome == null) return [{ group: name, reason: 'dependency-skipped' }];
      return meets(dependency, outcome) ? [] : [{ group: name, reason: 'dependency-failed' }];
    });

  for (const order of orders) {
    const { group } = order;
    const gates = [lastInLane.get(group.lane), ...predecessorEnds(group, ends, groupOf)];
    // Also where one of them fails: what runs in the lane has to end before the lane is free.
    const end = Promise.allSettled(gates).then(async () => {
      if (shouldStop()) return;
      const [first, ...rest] = findBlockers(order);
      if (first !== undefined) {
        skipped.add(group.name);
        onSkip(order, [first, ...rest]);
        return;
      }
      const ended = await runGroup(order, session, shouldStop);
      if (ended === null) return;
      runs.set(group.name, ended.run);
      records.push(ended.recorded);
      ended.recorded.catch(fail);
    });
    end.catch(fail);
    ends.set(group.name, end);
    lastInLane.set(group.lane, end);
  }
  // A lane whose work is done is free for others, however long the rest takes.
  const lanesFreed = [...lastInLane].map(async ([lane, last]) => {
    await Promise.allSettled([last]);
    await Promise.allSettled(records);
    lanes.release(lane);
  });
  const results = await Promise.allSettled(ends.values());
  if (!hasFailed) records.push(onEnd(runs));
  results.push(...(await Promise.allSettled(records)));
  await Promise.allSettled(lanesFreed);
  const rejected = results.find((result) => result.status === 'rejected');
  if (rejected !== undefined) throw rejected.reason;
  return runs;
}

/** The ends of a group's predecessors. If one does not run in this tick, its own predecessors count instead. */
function predecessorEnds(
  group: Group,
  ends: ReadonlyMap<string, Promise<void>>,
  groupOf: ReadonlyMap<string, Group>,
): Promise<void>[] {
  const seen = new Set<string>();
  const found: Promise<void>[] = [];
  const queue = [group];
  for (let current = queue.pop(); current !== undefined; current = queue.pop()) {
    for (const name of [...current.dependsOn.map((dependency) => dependency.group), ...current.after]) {
      if (seen.has(name)) continue;
      seen.add(name);
      const end = ends.get(name);
      const predecessor = groupOf.get(name);
      if (end !== undefined) found.push(end);
      else if (predecessor !== undefined) queue.push(predecessor);
    }
  }
  return found;
}
