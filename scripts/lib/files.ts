import { open, rename, rm } from 'node:fs/promises';

/** Replaces a file as a whole: readers see the old text or the new, never a part. Throws the system's error. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o640);
    try {
      await handle.writeFile(text);
      // Without it a loss of power may leave the new name with no content.
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The last `bytes` bytes of a file, and whether that is all of it; null where there is no such file. */
export async function readTail(file: string, bytes: number): Promise<{ text: string; whole: boolean } | null> {
  const handle = await open(file, 'r').catch(nullIfAbsent);
  if (handle === null) return null;
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, bytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return { text: buffer.toString('utf8', 0, bytesRead), whole: length === size };
  } finally {
    await handle.close();
  }
}

/** For `catch`: null where the file or its folder does not exist; anything else is thrown on. */
export function nullIfAbsent(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
  throw error;
}
