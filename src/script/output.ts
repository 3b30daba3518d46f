import { chmodSync, closeSync, constants, fchmodSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../errors.ts';
import { neutralise, redactText, withoutEscapes } from '../log/safe-text.ts';
import { redactor } from './redact.ts';

/** An output file that scripts write to. */
export interface Output {
  readonly file: string;
  /** For a script's stdout and stderr; in append mode, so that what writes at the same time does not overwrite. */
  readonly descriptor: number;
}

/** Watches an output file. */
export interface Follower {
  /** Hands over what is left of the file as it is now and stops; throws what `onLine` threw. */
  finish(): Promise<void>;
}

/** Only the owner may read an output that secrets may stand in; later its group may as well. */
const openMode = 0o600;
const sealedMode = 0o640;
const chunkSize = 1 << 18;
/** Of a longer line, only this many bytes are held, enough for the characters that are shown. */
const heldBytes = 8192;
const shownCharacters = 1950;
/** The time between two checks of a file that grows, in ms: file notifications are not reliable everywhere. */
const pollEvery = 50;

/**
 * Opens the file of a script's output for appending; what it holds already (a run that is resumed) stays. Throws a
 * StorageError, because a script whose output can't be written must not start.
 */
export function openOutput(file: string): Output {
  const { O_CREAT, O_APPEND, O_WRONLY, O_NOFOLLOW = 0 } = constants;
  try {
    const descriptor = openSync(file, O_CREAT | O_APPEND | O_WRONLY | O_NOFOLLOW, openMode);
    fchmodSync(descriptor, openMode);
    return { file, descriptor };
  } catch (cause) {
    throw storageError(`The output file ${file} can't be opened`, cause);
  }
}

/** Appends a line of ours, such as `--- attempt 2 ---`, if there is output before it; it begins at a line's start. */
export function separate(output: Output, text: string): void {
  let reader: number | null = null;
  try {
    const { size } = fstatSync(output.descriptor);
    if (size === 0) return;
    reader = openSync(output.file, 'r');
    const last = Buffer.alloc(1);
    readSync(reader, last, 0, 1, size - 1);
    writeSync(output.descriptor, `${last[0] === 0x0a ? '' : '\n'}--- ${text} ---\n`);
  } catch (cause) {
    throw storageError(`The output file ${output.file} can't be written`, cause);
  } finally {
    if (reader !== null) closeSync(reader);
  }
}

export function closeOutput(output: Output): void {
  closeSync(output.descriptor);
}

/**
 * Completes an output: secrets that occur in it are replaced, then its owner's group may read it.
 * Memory stays flat whatever its size; the new file replaces the old one in one step, or not at all. With
 * `isStillWritten` (something was left behind that may go on writing) and secrets to hide it stays its owner's.
 * Throws a StorageError.
 */
export async function sealOutput(file: string, secrets: readonly string[], isStillWritten = false): Promise<void> {
  const replacement = `${file}.redacted`;
  try {
    if (secrets.length > 0 && (await holds(file, secrets))) {
      await rewrite(file, replacement, secrets);
      await rename(replacement, file);
    }
    if (!isStillWritten || secrets.length === 0) chmodSync(file, sealedMode);
  } catch (cause) {
    await rm(replacement, { force: true });
    throw storageError(`The output file ${file} can't be completed`, cause);
  }
}

/** The last lines of a file, fit for a log (`lineSplitter`). Memory stays flat whatever the file holds. */
export async function lastLines(file: string, count: number, secrets: readonly string[] = []): Promise<string[]> {
  const lines: string[] = [];
  const handle = await open(file, 'r');
  try {
    const splitter = lineSplitter(secrets, (line) => lines.push(line));
    // A bound, because what was left behind may still write.
    const { size } = await handle.stat();
    for await (const chunk of chunks(handle, await startOfLastLines(handle, size, count), size)) splitter.push(chunk);
    splitter.end();
  } finally {
    await handle.close();
  }
  return lines.slice(-count);
}

/**
 * Hands over each line of a growing file as it appears, fit for a log, from the current end of the file on. A line
 * without an end yet waits for it, at the latest until `finish`.
 */
export function followLines(output: Output, secrets: readonly string[], onLine: (line: string) => void): Follower {
  const from = fstatSync(output.descriptor).size;
  const over = new AbortController();
  const following = follow();
  // The caller of `finish` gets the error; until then it must not count as unhandled.
  following.catch(() => {});

  async function follow(): Promise<void> {
    const handle = await open(output.file, 'r');
    try {
      const splitter = lineSplitter(secrets, onLine);
      let at = from;
      for (let isLast = false; !isLast; ) {
        isLast = over.signal.aborted;
        // A bound, because what was left behind may write faster than we read.
        const { size } = await handle.stat();
        for await (const chunk of chunks(handle, at, size)) {
          at += chunk.length;
          splitter.push(chunk);
        }
        if (!isLast) await sleep(pollEvery, undefined, { signal: over.signal }).catch(() => {});
      }
      splitter.end();
    } finally {
      await handle.close();
    }
  }

  return {
    finish: () => {
      over.abort();
      return following;
    },
  };
}

/**
 * Cuts bytes into lines fit for a log: secrets replaced, of a progress bar drawn with `\r` the last state, escapes and
 * control characters neutralised, bytes that are not UTF-8 replaced, long lines cut with a note of their length. It keeps
 * no more than the beginning of a line.
 */
function lineSplitter(secrets: readonly string[], onLine: (line: string) => void) {
  type State = { head: Buffer; length: number };
  const nothing: State = { head: Buffer.alloc(0), length: 0 };
  let current = nothing;
  // The last state of a progress bar that was not blank.
  let drawn = nothing;
  const hidden = redactor(secrets);

  function add(bytes: Buffer): void {
    const room = bytes.subarray(0, heldBytes - current.head.length);
    const head = room.length === 0 ? current.head : Buffer.concat([current.head, room]);
    current = { head, length: current.length + bytes.length };
  }
  function overwrite(): void {
    if (current.head.toString('latin1').trim() !== '') drawn = current;
    current = nothing;
  }
  function emitLine(): void {
    overwrite();
    onLine(shown(drawn.head, drawn.length, secrets));
    drawn = nothing;
  }
  function take(chunk: Buffer): void {
    let carriageReturn = chunk.indexOf(0x0d);
    for (let at = 0; at < chunk.length; ) {
      const newline = chunk.indexOf(0x0a, at);
      const lineEnd = newline === -1 ? chunk.length : newline;
      const isPlain = carriageReturn === -1 || carriageReturn > lineEnd;
      if (isPlain && newline !== -1 && current.length === 0 && drawn.length === 0) {
        // Most lines: nothing has to be put together.
        onLine(shown(chunk.subarray(at, Math.min(lineEnd, at + heldBytes)), lineEnd - at, secrets));
        at = lineEnd + 1;
        continue;
      }
      while (carriageReturn !== -1 && carriageReturn < lineEnd) {
        add(chunk.subarray(at, carriageReturn));
        overwrite();
        at = carriageReturn + 1;
        carriageReturn = chunk.indexOf(0x0d, at);
      }
      add(chunk.subarray(at, lineEnd));
      if (newline !== -1) emitLine();
      at = lineEnd + 1;
    }
  }
  return {
    push: (chunk: Buffer) => take(hidden.push(chunk)),
    end(): void {
      take(hidden.end());
      if (current.length > 0 || drawn.length > 0) emitLine();
    },
  };
}

function shown(head: Buffer, length: number, secrets: readonly string[]): string {
  // An escape may have stood in the midst of a secret; and a cut before the search might leave the beginning of one.
  const raw = head.toString('utf8');
  const plain = secrets.length === 0 ? raw : withoutEscapes(raw);
  const text = plain === raw ? raw : redactText(plain, secrets);
  const isCut = length > head.length || text.length > shownCharacters;
  return neutralise(isCut ? `${text.slice(0, shownCharacters)} … (${length} bytes)` : text);
}

/** Where the last `count` lines begin; an end of line at the end of the file begins none. */
async function startOfLastLines(handle: FileHandle, size: number, count: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(chunkSize);
  let newlines = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - chunkSize);
    const { bytesRead } = await handle.read(buffer, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      at = buffer.lastIndexOf(0x0a, at);
      if (at === -1) break;
      if (start + at < size - 1 && ++newlines === count) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

async function holds(file: string, secrets: readonly string[]): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const seeker = redactor(secrets);
    for await (const chunk of chunks(handle)) {
      seeker.push(chunk);
      if (seeker.hit) return true;
    }
    seeker.end();
    return seeker.hit;
  } finally {
    await handle.close();
  }
}

async function rewrite(from: string, to: string, secrets: readonly string[]): Promise<void> {
  const source = await open(from, 'r');
  try {
    const target = await open(to, 'w', openMode);
    try {
      const hidden = redactor(secrets);
      for await (const chunk of chunks(source)) await target.writeFile(hidden.push(chunk));
      await target.writeFile(hidden.end());
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** The bytes from `from` up to `to` or the end. A chunk is good only until the next one is asked for. */
async function* chunks(handle: FileHandle, from = 0, to = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(chunkSize);
  for (let at = from; at < to; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(chunkSize, to - at), at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function storageError(what: string, cause: unknown): StorageError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StorageError(`${what} (${reason}): free or allow the space for it, then start rhythm again.`, { cause });
}
