import { existsSync, statSync } from 'node:fs';
import { StorageError } from '../errors.ts';
import { keepCopy, setAside, sweepTemporaries } from './durable-file.ts';
import { historyPath, readHistory } from './history.ts';
import { describeHolder, type Lock, lockPath, waitLock } from './lock.ts';
import { copyEnding, copyPath, statePath } from './paths.ts';
import { bringForward } from './recover.ts';
import { removeNext } from './stamp.ts';
import { DamagedState, StateFile, serializeState } from './state-file.ts';
import { emptyState, isoOf, type State } from './state-schema.ts';

export interface Store {
  /** The state file. */
  readonly path: string;
  /** As `readState` of this module. */
  readState(): { state: State; notices: string[] };
  /**
   * Reads the state, changes it and writes it, under a lock, and returns it as it is now. A `change` that throws leaves
   * everything as it was, and one that changes nothing writes nothing. A damaged file is set aside and the recovered
   * state is what is changed. StorageError where the state can't be read, locked or written, or is of a newer version:
   * nothing is changed then.
   *
   * @param change returns a state of which each object is new that differs: none is changed in place
   */
  updateState(change: (state: State) => State): State;
}

/** How long to wait, ms, while other processes hold the state's lock: a change takes a few, on a slow disk some hundred. */
const patience = 60_000;

/**
 * The state as it stands. Writes nothing and takes no lock. A damaged or missing file is made good from the last good
 * copy and the history, and `notices` say so, for people. StorageError where the file can't be read or is of a newer
 * version.
 */
export function readState(outputs: string): { state: State; notices: string[] } {
  return withNotices(recall(outputs, new StateFile(statePath(outputs))));
}

function withNotices({ state, trouble }: Recalled): { state: State; notices: string[] } {
  return { state, notices: trouble === null ? [] : [`${trouble}. The next change of the state mends its file.`] };
}

/**
 * Opens the state for changes.
 *
 * @param onNotice is given, as a sentence for people, what was done about a damaged state
 * @param now ms; names the file that a damaged state is set aside as
 */
export function openStore({
  outputs,
  onNotice = () => undefined,
  now = Date.now,
}: {
  outputs: string;
  onNotice?: (notice: string) => void;
  now?: () => number;
}): Store {
  const path = statePath(outputs);
  const file = new StateFile(path);
  let isSwept = false;
  /** What was read or written last: it is not read again as long as the file has the same version. */
  let known: { readonly found: Recalled; readonly version: string | null } | undefined;

  function look(): Recalled {
    const version = versionOf(path);
    if (version !== null && known?.version === version) return known.found;
    const found = recall(outputs, file);
    known = found.isGood && versionOf(path) === version ? { found, version } : undefined;
    return found;
  }

  function updateState(change: (state: State) => State): State {
    const notices: string[] = [];
    const lock = lockState(outputs);
    try {
      if (!isSwept) sweepTemporaries(path, copyEnding);
      isSwept = true;
      const { state, isGood, isMissing, trouble } = look();
      const next = change(state);
      if (isGood && serializeState(next).equals(serializeState(state))) return next;
      const aside = isGood || isMissing ? null : asidePath(path, now());
      // A guarded trigger relies on what the old state said.
      removeNext(outputs);
      file._write(next, () => {
        if (isGood) keepCopy(path, copyPath(outputs));
        if (aside !== null) setAside(path, aside);
      });
      known = { found: { state: next, isGood: true, isMissing: false, trouble: null }, version: versionOf(path) };
      if (trouble !== null) notices.push(`${trouble}.${aside === null ? '' : ` The file was set aside as ${aside}.`}`);
      return next;
    } finally {
      lock.release();
      for (const notice of notices) onNotice(notice);
    }
  }

  return { path, readState: () => withNotices(look()), updateState };
}

/**
 * Differs between a file and any that replaces it, and changes when the file is written to: the copy keeps the inode from
 * being used again, and the kernel sets the time of the last change, in nanoseconds, which no program can. Null where no
 * file can be seen there.
 */
function versionOf(path: string): string | null {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    // Reading the file says why.
    return null;
  }
}

function lockState(outputs: string): Lock {
  const path = lockPath(outputs, 'state');
  const lock = waitLock(path, patience);
  if (lock !== null) return lock;
  const holder = describeHolder(path);
  const who = holder === null ? 'another process' : `process ${holder.pid}, since ${holder.since},`;
  throw new StorageError(
    `${statePath(outputs)} can't be changed: ${who} holds ${path}; see what stops it, or end it, and run rhythm again.`,
  );
}

/** A name that is not in use, without colons, which Windows does not allow. */
function asidePath(path: string, now: number): string {
  const first = `${path}.corrupt-${isoOf(now).replace(/[:-]/g, '').replace(/\.\d+/, '')}`;
  let aside = first;
  for (let number = 2; existsSync(aside); number++) aside = `${first}-${number}`;
  return aside;
}

interface Recalled {
  readonly state: State;
  /** Whether the file itself has this state, so that a copy of it is worth keeping. */
  readonly isGood: boolean;
  readonly isMissing: boolean;
  /** What is wrong and what the state comes from instead: a sentence without its full stop; null where nothing is wrong. */
  readonly trouble: string | null;
}

function recall(outputs: string, file: StateFile): Recalled {
  const found = load(file);
  if (found.state !== null) return { state: found.state, isGood: true, isMissing: false, trouble: null };
  const isMissing = found.fault === missing;
  const copyFile = new StateFile(copyPath(outputs));
  const copy = load(copyFile);
  let read = 0;
  let skipped = 0;
  const lines = counted(readHistory(outputs, { onSkipped: () => skipped++ }), () => read++);
  const state = bringForward(copy.state ?? emptyState(), lines);
  const isFirst = isMissing && copy.fault === missing && read + skipped === 0;
  if (isFirst) return { state, isGood: false, isMissing, trouble: null };
  const history = historyPath(outputs);
  const source =
    copy.state !== null
      ? `its last good copy ${copyFile.path}${read > 0 ? `, brought forward by ${history},` : ''} stands in for it`
      : read > 0
        ? `it is rebuilt from ${history}`
        : 'neither a copy nor a history is left to rebuild it from, so every group counts as new';
  const trouble = `The state ${statePath(outputs)} can't be used, for ${found.fault}; ${source}`;
  return { state, isGood: false, isMissing, trouble };
}

const missing = 'it is missing';

/** The state of a file, or why it has none. StorageError where it can't be read or is of a newer version. */
function load(file: StateFile): { state: State; fault: null } | { state: null; fault: string } {
  try {
    const { store } = file;
    // conf reads a missing file as an object without any field.
    return 'schemaVersion' in store ? { state: store, fault: null } : { state: null, fault: missing };
  } catch (error) {
    if (error instanceof DamagedState) return { state: null, fault: error.message };
    throw error;
  }
}

function* counted<T>(items: Iterable<T>, count: () => void): Generator<T> {
  for (const item of items) {
    count();
    yield item;
  }
}
