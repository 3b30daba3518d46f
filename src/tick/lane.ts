import type { Config } from '../config/config.ts';
import { readMonotonic } from '../monotonic.ts';
import { formatInstant } from '../plan/because.ts';
import type { HeldLanes } from '../plan/decide.ts';
import { identifySelf } from '../script/process.ts';
import { awaitLock, describeHolder, type Lock, lockPath, tryLock } from '../state/lock.ts';
import { findNetwork } from '../state/network.ts';
import { leaseOf, type State } from '../state/state-schema.ts';
import type { Session } from './session.ts';

/** The lanes of one tick. */
export interface Lanes {
  taken(): readonly string[];
  /** Whether there was one to wait for. */
  readonly waited: boolean;
  /** Takes those of further lanes that are free, and answers with them. */
  extend(names: readonly string[]): readonly string[];
  /** The lanes of a configuration that are not ours, by a state, and what runs in them. */
  held(config: Config, state: State): HeldLanes;
  /** Gives one lane up, so that other ticks need not wait for the work in the others. */
  release(lane: string): void;
  releaseAll(): void;
}

/**
 * Takes each of these lanes, or is refused it: the kernel frees a lane when its holder dies, however it dies. One that
 * has nothing due but a run which some tick left is not waited for: if it is held, that tick lives.
 *
 * @param wait how long to wait for lanes that are held, ms in all
 */
export async function takeLanes(
  { due, left }: { readonly due: readonly string[]; readonly left: readonly string[] },
  session: Session,
  wait: number,
): Promise<Lanes> {
  const { config, tick, stop, store, logger } = session;
  const locks = new Map<string, Lock>();
  const end = readMonotonic() + wait;
  let waited = false;
  // One order for all ticks, so that two that wait can't hold what the other one wants.
  for (const lane of [...due, ...left].sort()) {
    const path = lanePath(config.outputs, lane);
    const remaining = due.includes(lane) ? end - readMonotonic() : 0;
    let lock = tryLock(path, holderOf(tick));
    if (lock === null && remaining > 0 && !isInside(lane, store.readState().state)) {
      waited = true;
      lock = await awaitLock(path, remaining, holderOf(tick), stop);
    }
    if (lock !== null) locks.set(lane, lock);
  }
  const network = locks.size > 0 ? findNetwork(config.outputs) : null;
  if (network !== null) {
    const where = `${config.outputs} lies on ${network}, where locks and durable writes are what its server makes of them`;
    logger.emit({
      kind: 'notice',
      text: `${where}; have \`outputs\` in the configuration name a folder of a local disk.`,
    });
  }
  for (const lane of due.filter((name) => !locks.has(name))) {
    logger.emit({ kind: 'lane-held', lane, holder: describeLane(lane, store.readState().state, session) });
  }
  return {
    taken: () => [...locks.keys()],
    waited,
    extend(more) {
      return more.filter((lane) => {
        const lock =
          locks.has(lane) || due.includes(lane) ? null : tryLock(lanePath(config.outputs, lane), holderOf(tick));
        if (lock !== null) locks.set(lane, lock);
        return lock !== null;
      });
    },
    held(config, state) {
      const others = new Set(config.groups.map(({ lane }) => lane).filter((lane) => !locks.has(lane)));
      return new Map([...others].map((lane) => [lane, leaseOf(state, lane)?.group ?? null]));
    },
    release(lane) {
      locks.get(lane)?.release();
    },
    releaseAll() {
      for (const lock of locks.values()) lock.release();
    },
  };
}

export function lanePath(outputs: string, lane: string): string {
  return lockPath(outputs, `lane-${lane}`);
}

/** What a lane's lock says of a tick beyond its pid: enough to prove to a person's `stop` that it is this process. */
export function holderOf(tick: string): Readonly<Record<string, unknown>> {
  const self = identifySelf();
  return { tick, processStartedAt: self?.startedAt, boot: self?.boot };
}

/** Whether this very process was started by a script that runs in the lane: to wait for it would be to wait for itself. */
function isInside(lane: string, state: State): boolean {
  const { RHYTHM_RUN_ID } = process.env;
  return RHYTHM_RUN_ID !== undefined && leaseOf(state, lane)?.runId === RHYTHM_RUN_ID;
}

/** Who holds a lane, since when, and what runs there. */
function describeLane(lane: string, state: State, { config, now }: Session): string {
  const holder = describeHolder(lanePath(config.outputs, lane));
  const lease = leaseOf(state, lane);
  const since = holder === null ? '' : ` since ${formatInstant(Date.parse(holder.since), now, config.timezone)}`;
  const who = holder === null ? 'another process' : `pid ${holder.pid}`;
  const what = lease === undefined ? 'nothing yet' : `${lease.group}${lease.script ? `/${lease.script}` : ''}`;
  const inside = isInside(lane, state) ? ', of which this tick is a part' : '';
  return `${who} holds it${since} and runs ${what}${inside}`;
}
