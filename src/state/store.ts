import { isUtf8 } from 'node:buffer';
import { existsSync, statSync } from 'node:fs';
import { StorageError } from '../errors.ts';
import { findFault } from './check.ts';
import type { StateDocument } from './document.ts';
import { keepCopy, readBytes, setAside, sweepTemporaries } from './file.ts';
import { historyPath, readHistory } from './history.ts';
import { describeHolder, type Lock, lockPath, waitLock } from './lock.ts';
import { copyEnding, copyPath, statePath } from './path.ts';
import { bringForward } from './recover.ts';
import { emptyState, isoOf, type State, stateVersion } from './schema.ts';
import { removeNext } from './stamp.ts';

export interface Store {
  /** The state file. */
  readonly path: string;
  /** As `readState` of this module. */
  readState(): { state: State; notices: string[] };
  /** The state and the text of its file; null where the file is missing or damaged. StorageError as `readState`. */
  readSound(): { state: State; text: string } | null;
  /**
   * Reads the state, changes it and writes it, under a lock, and returns it as it is now. A `change` that throws leaves
   * everything as it was, and one that changes nothing writes nothing. A damaged file is set aside and the recovered
   * state is what is changed. StorageError where the state can't be read, locked or written, or is of a newer version:
   * nothing is changed then.
   *
   * @param onReplaced runs as with `writeDurably`; not at all where nothing is written
   */
  updateState(change: (state: State) => State, onReplaced?: () => void): State;
}

/** So long, in ms, may other processes keep the state to themselves: a change takes a few, on a slow disk some hundred. */
const patience = 60_000;

/**
 * The state as it stands. Writes nothing and takes no lock. A damaged or missing file is made good from the last good
 * copy and the history, and `notices` say so, for people. StorageError where the file can't be read or is of a newer
 * version.
 */
export function readState(outputs: string): { state: State; notices: string[] } {
  return tellTrouble(recall(outputs));
}

function tellTrouble({ state, trouble }: Recalled): { state: State; notices: string[] } {
  return { state, notices: trouble === null ? [] : [`${trouble}. The next change of the state mends its file.`] };
}

/**
 * Opens the state for changes.
 *
 * @param onNotice is told, in a sentence for people, what was done about a damaged state
 * @param now ms; names the file that a damaged state is set aside as
 */
export async function openStore({
  outputs,
  onNotice = () => undefined,
  now = Date.now,
}: {
  outputs: string;
  onNotice?: (notice: string) => void;
  now?: () => number;
}): Promise<Store> {
  // conf takes longer to load than a tick that has nothing to do takes in all.
  const { encode, openDocument } = await import('./document.ts');
  const path = statePath(outputs);
  let document: StateDocument | undefined;
  let isSwept = false;
  /** What was read or written last: as long as the file has it still, it need not be read anew. */
  let known: { readonly found: Recalled; readonly mark: string | null } | undefined;

  function look(): Recalled {
    const mark = markOf(path);
    if (mark !== null && known?.mark === mark) return known.found;
    const found = recall(outputs);
    known = found.isGood && markOf(path) === mark ? { found, mark } : undefined;
    return found;
  }

  function updateState(change: (state: State) => State, onReplaced?: () => void): State {
    const notices: string[] = [];
    const lock = lockState(outputs);
    try {
      if (!isSwept) sweepTemporaries(path, copyEnding);
      isSwept = true;
      const { state, bytes, isGood, trouble } = look();
      const next = change(state);
      const fault = findFault(next);
      if (fault !== null) throw new Error(`a change has made a state that could not be read: ${fault || 'all of it'}`);
      const written = encode(next);
      if (isGood && bytes?.equals(written)) return next;
      const aside = isGood || bytes === null ? null : asidePath(path, now());
      document ??= openDocument(path);
      // What a guarded trigger goes by was reckoned from the old state.
      removeNext(outputs);
      document.replaceBy(written, {
        beforeReplacing: () => {
          if (isGood) keepCopy(path, copyPath(outputs));
          if (aside !== null) setAside(path, aside);
        },
        onReplaced,
      });
      known = { found: { state: next, bytes: written, isGood: true, trouble: null }, mark: markOf(path) };
      if (trouble !== null) notices.push(`${trouble}.${aside === null ? '' : ` The file was set aside as ${aside}.`}`);
      return next;
    } finally {
      lock.release();
      for (const notice of notices) onNotice(notice);
    }
  }

  function readSound(): { state: State; text: string } | null {
    const { state, bytes, isGood } = look();
    return isGood && bytes !== null ? { state, text: bytes.toString() } : null;
  }

  return { path, readState: () => tellTrouble(look()), readSound, updateState };
}

/**
 * What tells a file from any that is put in its place, and from itself once it is written to: its copy keeps its inode
 * from being given out anew, and the kernel sets the time of the last change, in nanoseconds, which nobody else can. Null
 * where there is no such file to be looked at; why that is, whoever reads it is told.
 */
function markOf(path: string): string | null {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
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

/** A name that is not taken. Colons are none for files on Windows. */
function asidePath(path: string, now: number): string {
  const first = `${path}.corrupt-${isoOf(now).replace(/[:-]/g, '').replace(/\.\d+/, '')}`;
  let aside = first;
  for (let number = 2; existsSync(aside); number++) aside = `${first}-${number}`;
  return aside;
}

interface Recalled {
  readonly state: State;
  /** What the file has; null where there is none. */
  readonly bytes: Buffer | null;
  /** Whether the file itself is sound, so that a copy of it is worth keeping. */
  readonly isGood: boolean;
  /** What is wrong and what stands in for it: a sentence without its full stop; null where nothing is wrong. */
  readonly trouble: string | null;
}

function recall(outputs: string): Recalled {
  const path = statePath(outputs);
  const bytes = readBytes(path);
  const found = bytes === null ? 'it is missing' : interpret(path, bytes);
  if (typeof found !== 'string') return { state: found, bytes, isGood: true, trouble: null };
  const copyFile = copyPath(outputs);
  const copyBytes = readBytes(copyFile);
  const copy = copyBytes === null ? null : interpret(copyFile, copyBytes);
  let told = 0;
  let skipped = 0;
  const lines = counted(readHistory(outputs, { onSkipped: () => skipped++ }), () => told++);
  const base = copy === null || typeof copy === 'string' ? null : copy;
  const state = bringForward(base ?? emptyState(), lines);
  // Neither a state nor a trace of one: nothing has ever run here.
  if (bytes === null && copyBytes === null && told + skipped === 0) {
    return { state, bytes, isGood: false, trouble: null };
  }
  const history = historyPath(outputs);
  const source =
    base !== null
      ? `its last good copy ${copyFile}${told > 0 ? `, brought forward by ${history},` : ''} stands in for it`
      : told > 0
        ? `it is rebuilt from ${history}`
        : 'neither a copy nor a history is left to rebuild it from, so every group counts as new';
  return { state, bytes, isGood: false, trouble: `The state ${path} can't be used, for ${found}; ${source}` };
}

/** The state that a file's bytes stand for, or what is wrong with them. StorageError for a newer version's state. */
function interpret(path: string, bytes: Buffer): State | string {
  let value: unknown;
  try {
    value = JSON.parse(decode(bytes));
  } catch {
    return bytes.length === 0 ? 'it is empty' : 'it is not JSON';
  }
  const version = typeof value === 'object' && value !== null && 'schemaVersion' in value ? value.schemaVersion : null;
  if (Number.isInteger(version) && Number(version) > stateVersion) {
    throw new StorageError(
      `${path} is of version ${version}, and this rhythm knows version ${stateVersion}; install a newer rhythm.`,
    );
  }
  const fault = findFault(value);
  if (fault === null) return value as State;
  return fault === '' ? 'it is not a state' : `its ${fault} is not what it has to be`;
}

/** UTF-8, strictly, without the mark at its beginning: as TextDecoder, which takes longer to make than most states to read. */
function decode(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new TypeError('it is not UTF-8');
  const text = bytes.toString();
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

function* counted<T>(items: Iterable<T>, count: () => void): Generator<T> {
  for (const item of items) {
    count();
    yield item;
  }
}
