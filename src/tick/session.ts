import type { Config } from '../config/config.ts';
import { readMonotonic } from '../monotonic.ts';
import { appendHistory, type HistoryLine } from '../state/history.ts';
import { isoOf, type State } from '../state/schema.ts';
import type { Store } from '../state/store.ts';
import type { Teller } from './teller.ts';

/** What every part of one tick works with. */
export interface Session {
  readonly config: Config;
  readonly store: Store;
  /** The tick's id. */
  readonly tick: string;
  /** The instant that rules the tick, ms. */
  readonly now: number;
  /** Aborted when the tick is told to stop. */
  readonly stop: AbortSignal;
  /** Aborted when it is told so a second time: scripts get no time to end by themselves. */
  readonly hurry: AbortSignal;
  /** Whether somebody asked that no further script starts; those that run are left to end by themselves. */
  readonly isAskedToEnd: () => boolean;
  readonly teller: Teller;
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

/** What runs when a change is recorded. */
export interface Moments {
  readonly onReplaced?: (() => void) | undefined;
  readonly onStored?: (() => void) | undefined;
}

/**
 * Changes the state and tells the history why, in one step under the state's lock. The history is written first: where a
 * tick dies between the two, nothing has been started that the state does not know of. What `recordSoon` has left goes
 * with it.
 */
export function record(session: Recording, change: MakeChange, { onReplaced, onStored }: Moments = {}): State {
  const earlier = takeWaiting(session.store);
  let isMade = false;
  try {
    const changes = [
      ...earlier.map((one) => one.change),
      (before: State) => {
        const made = change(before);
        isMade = true;
        return made;
      },
    ];
    const tellEarlier = () => {
      for (let one = earlier[0]; one !== undefined; one = earlier[0]) {
        one.onRecorded();
        earlier.shift();
      }
    };
    const state = write(session, changes);
    tellEarlier();
    onReplaced?.();
    onStored?.();
    return state;
  } catch (error) {
    // What has happened is not lost for what can't be done after it, as long as nothing has been written of either.
    if (isMade) for (const { onFailure } of earlier) onFailure(error);
    else flush(session, earlier);
    throw error;
  }
}

/**
 * As `record`, together with the change that comes next if one comes before this process turns to anything else: so the
 * end of a run and the start of the one that follows it take one write. Resolves when the state is on the disk; that the
 * history is not is told by what comes next.
 *
 * @param tell is called at that very moment, before what comes next is begun
 */
export function recordSoon(session: Recording, change: MakeChange, tell: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onRecorded = () => {
      tell();
      resolve();
    };
    const queue = waiting.get(session.store) ?? [];
    queue.push({ change, onRecorded, onFailure: reject });
    waiting.set(session.store, queue);
    setImmediate(() => flush(session, takeWaiting(session.store)));
  });
}

type Recording = Pick<Session, 'config' | 'store'>;
type MakeChange = (state: State) => Change;

interface Waiting {
  readonly change: MakeChange;
  readonly onRecorded: () => void;
  readonly onFailure: (error: unknown) => void;
}

/** What goes with the next change, by the store that it goes into. */
const waiting = new WeakMap<Store, Waiting[]>();

function takeWaiting(store: Store): Waiting[] {
  return waiting.get(store)?.splice(0) ?? [];
}

function flush(session: Recording, changes: readonly Waiting[]): void {
  if (changes.length === 0) return;
  try {
    write(
      session,
      changes.map(({ change }) => change),
    );
  } catch (error) {
    for (const { onFailure } of changes) onFailure(error);
    return;
  }
  for (const { onRecorded } of changes) onRecorded();
}

function write({ config, store }: Recording, changes: readonly MakeChange[]): State {
  return store.updateState((before) => {
    let state = before;
    const lines: HistoryLine[] = [];
    for (const change of changes) {
      const made = change(state);
      state = made.state;
      lines.push(...made.lines);
    }
    // Nothing is rebuilt from a tick's own line, so a loss of power may take it.
    appendHistory(config.outputs, lines, { durable: !lines.every(({ type }) => type === 'tick') });
    return state;
  });
}

/** A tick's id: when it began, to the second (UTC), and what tells it from others of that second. */
export function makeTickId(now: number): string {
  const random = Math.floor(Math.random() * 0x1000000);
  return `${compactInstant(now)}-${random.toString(16).padStart(6, '0')}`;
}

/** An instant (ms) to the second (UTC) for an id, which then sorts by time: `20261122T160000`. */
export function compactInstant(instant: number): string {
  return isoOf(instant).replaceAll('-', '').replaceAll(':', '').slice(0, 15);
}

/** For the history, ms: what passed on this clock from tick to tick tells sleep from a trigger that did not come. */
export function readAwake(): number {
  return Math.floor(readMonotonic());
}
