import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileMode, openNew, syncFolder, withFolder, writeWhole } from './durable-file.ts';
import { codeOf, storageError } from './storage-error.ts';

/**
 * Appends whole lines in one write. A file that ends within a line, torn by a crash, gets a newline first; what a full
 * disk cuts short is taken away again. Only under a lock that every writer of the file takes: the truncation would cut
 * what others appended meanwhile. StorageError where it fails: the file is then as it was.
 *
 * @param text ends with a newline
 * @param durable whether to return only when no loss of power can undo it
 */
export function append(path: string, text: string, durable: boolean): void {
  try {
    const { descriptor, isNew } = withFolder(path, () => openForAppending(path));
    try {
      appendWhole(descriptor, text, durable);
    } finally {
      closeSync(descriptor);
    }
    if (durable && isNew) syncFolder(dirname(path));
  } catch (error) {
    throw storageError('written', path, error);
  }
}

function appendWhole(descriptor: number, text: string, durable: boolean): void {
  const { size } = fstatSync(descriptor);
  try {
    writeWhole(descriptor, Buffer.from(endsTorn(descriptor, size) ? `\n${text}` : text));
    if (durable) fsyncSync(descriptor);
  } catch (error) {
    ftruncateSync(descriptor, size);
    throw error;
  }
}

function openForAppending(path: string): { descriptor: number; isNew: boolean } {
  // Read access as well: to see how the file ends.
  const flags = constants.O_RDWR | constants.O_APPEND;
  try {
    return { descriptor: openSync(path, flags), isNew: false };
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return { descriptor: openNew(path, flags, fileMode), isNew: true };
  }
}

function endsTorn(descriptor: number, size: number): boolean {
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  return readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a;
}
