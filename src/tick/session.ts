import type { Config } from '../config/config.ts';
import { readMonotonic } from '../monotonic.ts';
import { appendHistory, type HistoryLine } from '../state/history.ts';
import { isoOf, type State } from '../state/state-schema.ts';
import type { Store } from '../state/store.ts';
import type { EventLogger } from './event-logger.ts';

/** What every part of one tick works with. */
export interface Session {
  readonly config: Config;
  readonly store: Store;
  /** The tick's id. */
  readonly tick: string;
  /** The instant that rules the tick, ms. */
  readonly now: number;
  /** Aborted when the tick has to stop. */
  readonly stop: AbortSignal;
  /** Aborted at the second request to stop: scripts get no time to end by themselves. */
  readonly hurry: AbortSignal;
  /** Whether a user asked that no further script starts; running ones end by themselves. */
  readonly isAskedToEnd: () => boolean;
  readonly logger: EventLogger;
  /** Wants each line of the scripts' output as it appears, fit for a terminal; whether it goes to the log is another matter. */
  readonly onLine?: (line: OutputLine) => void;
}

/** A line of a script's output. */
export interface OutputLine {
  readonly group: string;
  readonly script: string;
  readonly text: string;
}

/** A change of the state, and the lines of the history that say why. */
export interface Change {
  readonly state: State;
  readonly lines: readonly HistoryLine[];
}

type Recording = Pick<Session, 'config' | 'store'>;
type MakeChange<C extends Change = Change> = (state: State) => C;

/**
 * Changes the state and the history in one step under the state's lock, and returns the change when no loss of power can
 * undo it. The history is written first: a tick that dies between the two writes has started nothing that the state does
 * not know. Changes queued by `queueRecord` are written with it. StorageError where that fails.
 */
export function record<C extends Change>(session: Recording, change: MakeChange<C>): C {
  const queued = takeQueued(session.store);
  let made: C | undefined;
  const own = (before: State) => {
    made = change(before);
    return made;
  };
  try {
    write(session, [...queued.map((one) => one.change), own]);
  } catch (error) {
    // A change that can't be made takes nothing queued with it: nothing is written yet.
    if (made === undefined) writeQueued(session, queued);
    else for (const { onFailure } of queued) onFailure(error);
    throw error;
  }
  for (const { onRecorded } of queued) onRecorded();
  return made as C;
}

/**
 * Like `record`, but waits for the next change if one follows before the event loop turns: the end of a run and the start
 * of the next one take one write. Resolves when the change is on disk.
 *
 * @param onRecorded is called at that moment, before the next run starts; must not throw
 */
export function queueRecord(session: Recording, change: MakeChange, onRecorded: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const queue = queues.get(session.store) ?? [];
    queues.set(session.store, queue);
    queue.push({
      change,
      onRecorded() {
        onRecorded();
        resolve();
      },
      onFailure: reject,
    });
    setImmediate(() => writeQueued(session, takeQueued(session.store)));
  });
}

interface Queued {
  readonly change: MakeChange;
  readonly onRecorded: () => void;
  readonly onFailure: (error: unknown) => void;
}

const queues = new WeakMap<Store, Queued[]>();

function takeQueued(store: Store): Queued[] {
  return queues.get(store)?.splice(0) ?? [];
}

function writeQueued(session: Recording, queued: readonly Queued[]): void {
  if (queued.length === 0) return;
  try {
    write(
      session,
      queued.map(({ change }) => change),
    );
  } catch (error) {
    for (const { onFailure } of queued) onFailure(error);
    return;
  }
  for (const { onRecorded } of queued) onRecorded();
}

function write({ config, store }: Recording, changes: readonly MakeChange[]): void {
  store.updateState((before) => {
    let state = before;
    const lines: HistoryLine[] = [];
    for (const change of changes) {
      const made = change(state);
      state = made.state;
      lines.push(...made.lines);
    }
    // Nothing is rebuilt from a tick's own line, so a loss of power may take it.
    appendHistory(config.outputs, lines, { durable: lines.some(({ type }) => type !== 'tick') });
    return state;
  });
}

/** A tick's id: when it began, to the second (UTC), and a random part. */
export function makeTickId(now: number): string {
  const random = Math.floor(Math.random() * 0x1000000);
  return `${compactInstant(now)}-${random.toString(16).padStart(6, '0')}`;
}

/** An instant (ms) to the second (UTC) for an id, which then sorts by time: `20261122T160000`. */
export function compactInstant(instant: number): string {
  return isoOf(instant).replaceAll('-', '').replaceAll(':', '').slice(0, 15);
}

/** For the history, ms: a clock that stands still while the machine sleeps, so that sleep is not taken for a missing trigger. */
export function readAwake(): number {
  return Math.floor(readMonotonic());
}
