import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { codeOf, storageError } from './storage-error.ts';

const blockSize = 1 << 18;
/** Longer lines, in bytes, are none of ours: a file full of zeros must not fill the memory. */
const longestLine = 1 << 24;
const newline = 0x0a;

export interface LinesOptions {
  /** Lines without this text are passed over, at a tenth of the cost of looking at them. */
  readonly containing?: string | undefined;
  /** Where to begin, in bytes: forward with the line there or the first after it, backward with the last before it. */
  readonly from?: number | undefined;
}

export interface BackwardOptions extends LinesOptions {
  /** How many bytes to read at most; a line that begins before them is left out. */
  readonly maxBytes?: number | undefined;
}

/**
 * The texts of a file's lines from its beginning, read as they are asked for; none where there is no file. StorageError
 * where it can't be read.
 */
export function* readForward(path: string, options: LinesOptions = {}): Generator<string, void, undefined> {
  const file = openToRead(path);
  if (file === null) return;
  try {
    const needle = options.containing === undefined ? null : Buffer.from(options.containing);
    let begun: Buffer = Buffer.alloc(0);
    let isWithin = (options.from ?? 0) > 0;
    // The byte before it shows whether a line begins there.
    for (let position = isWithin ? (options.from ?? 0) - 1 : 0; ; ) {
      const block = readBlock(path, file, position, blockSize);
      position += block.length;
      const bytes = begun.length === 0 ? block : Buffer.concat([begun, block]);
      let start = 0;
      if (isWithin) {
        const first = bytes.indexOf(newline);
        if (first === -1 && block.length > 0) continue;
        start = first === -1 ? bytes.length : first + 1;
        isWithin = false;
      }
      // What was read before has no end of line in it.
      const unseen = start === 0 ? begun.length : start;
      for (let end = nextEnd(bytes, start, unseen, needle); end !== -1; end = nextEnd(bytes, start, start, needle)) {
        const from = needle === null ? start : bytes.lastIndexOf(newline, end - 1) + 1;
        if (end > from) yield textBetween(bytes, from, end);
        start = end + 1;
      }
      const last = needle === null ? start : Math.max(start, bytes.lastIndexOf(newline) + 1);
      begun = cut(bytes.subarray(last));
      if (block.length === 0) break;
    }
    if (begun.length > 0 && (needle === null || begun.includes(needle))) yield begun.toString();
  } finally {
    closeSync(file);
  }
}

/** The end of the next line that is wanted; -1 where the bytes hold no whole one. */
function nextEnd(bytes: Buffer, start: number, unseen: number, needle: Buffer | null): number {
  if (needle === null) return bytes.indexOf(newline, unseen);
  const hit = bytes.indexOf(needle, start);
  return hit === -1 ? -1 : bytes.indexOf(newline, hit);
}

/** The same from the file's end to its beginning. */
export function* readBackward(path: string, options: BackwardOptions = {}): Generator<string, void, undefined> {
  const file = openToRead(path);
  if (file === null) return;
  try {
    yield* backward(path, file, options);
  } finally {
    closeSync(file);
  }
}

/** The same of a file that is open and stays so. */
export function* backward(
  path: string,
  file: number,
  { containing, from, maxBytes }: BackwardOptions = {},
): Generator<string, void, undefined> {
  const needle = containing === undefined ? null : Buffer.from(containing);
  const { size } = fstatSync(file);
  let begun: Buffer = Buffer.alloc(0);
  let isWithin = from !== undefined && from < size;
  const last = Math.min(from ?? size, size);
  const first = Math.max(0, last - (maxBytes ?? last));
  for (let position = last; position > first; ) {
    const length = Math.min(blockSize, position - first);
    position -= length;
    let block = readBlock(path, file, position, length);
    if (isWithin) {
      block = block.subarray(0, block.lastIndexOf(newline) + 1);
      isWithin = block.length === 0;
    }
    const bytes = begun.length === 0 ? block : Buffer.concat([block, begun]);
    let end = bytes.length;
    if (needle === null) {
      for (let before = lastNewline(bytes, end); before !== -1; before = lastNewline(bytes, end)) {
        if (end > before + 1) yield textBetween(bytes, before + 1, end);
        end = before;
      }
    } else {
      const broken = bytes.indexOf(newline);
      for (let hit = lastOf(bytes, needle, end); hit > broken && broken !== -1; hit = lastOf(bytes, needle, end)) {
        const before = bytes.lastIndexOf(newline, hit);
        const after = bytes.indexOf(newline, hit);
        yield textBetween(bytes, before + 1, after === -1 || after > end ? end : after);
        end = before;
      }
      end = broken === -1 ? bytes.length : broken;
    }
    begun = cut(bytes.subarray(0, end));
  }
  if (first === 0 && begun.length > 0 && (needle === null || begun.includes(needle))) yield begun.toString();
}

function lastNewline(bytes: Buffer, end: number): number {
  return end === 0 ? -1 : bytes.lastIndexOf(newline, end - 1);
}

function lastOf(bytes: Buffer, needle: Buffer, end: number): number {
  return end < needle.length ? -1 : bytes.lastIndexOf(needle, end - needle.length);
}

/**
 * Two offsets in a file of lines that are nearly sorted: what comes before the first is not wanted, what comes after the
 * second is, and in between lies less than a block. Found by halves, so that a large file costs no more than a small one.
 *
 * @param isWanted whether a line, and so whatever comes after it, is wanted; null where that line does not show it
 */
export function seekLine(
  path: string,
  isWanted: (line: string) => boolean | null,
): { readonly before: number; readonly after: number } {
  const file = openToRead(path);
  if (file === null) return { before: 0, after: 0 };
  try {
    let before = 0;
    let after = fstatSync(file).size;
    while (after - before > blockSize) {
      const middle = before + Math.floor((after - before) / 2);
      const verdict = judgeFirst(readBlock(path, file, middle, probeSize), isWanted);
      // Nothing is known of this half: it is not divided further.
      if (verdict === null) break;
      if (verdict) after = middle;
      else before = middle;
    }
    return { before, after: Math.min(after + blockSize, fstatSync(file).size) };
  } finally {
    closeSync(file);
  }
}

const probeSize = 1 << 16;

function judgeFirst(bytes: Buffer, isWanted: (line: string) => boolean | null): boolean | null {
  for (let start = bytes.indexOf(newline) + 1; start > 0; ) {
    const end = bytes.indexOf(newline, start);
    if (end === -1) return null;
    const verdict = isWanted(bytes.toString('utf8', start, end));
    if (verdict !== null) return verdict;
    start = end + 1;
  }
  return null;
}

/** Nothing, which no line of ours is, for what is too long: one that a block's end happened not to cut is none either. */
function textBetween(bytes: Buffer, start: number, end: number): string {
  return end - start > longestLine ? '' : bytes.toString('utf8', start, end);
}

/** Replaces what is too long for a line of ours by a byte that JSON can't have. */
function cut(bytes: Buffer): Buffer {
  return bytes.length > longestLine ? Buffer.alloc(1) : bytes;
}

function openToRead(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw storageError('read', path, error);
  }
}

function readBlock(path: string, file: number, position: number, length: number): Buffer {
  const block = Buffer.allocUnsafe(length);
  return block.subarray(0, readInto(path, file, block, position));
}

function readInto(path: string, file: number, block: Buffer, position: number): number {
  try {
    return readSync(file, block, 0, block.length, position);
  } catch (error) {
    throw storageError('read', path, error);
  }
}
