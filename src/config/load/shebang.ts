import { closeSync, openSync, readSync } from 'node:fs';

/** The first line of a file, as far as Linux reads one that begins with `#!`; null where it can't be read. */
export function readFirstLine(file: string): string | null {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const buffer = Buffer.alloc(256);
    const length = readSync(descriptor, buffer);
    return buffer.toString('utf8', 0, length).split('\n', 1)[0] ?? null;
  } catch {
    // A missing script is reported when it is due.
    return null;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
