import { isAbsolute, relative, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { readTail } from './files.ts';

/** The last line that is not blank of a script's output; null where the file is gone, for old ones are pruned. */
export async function readLastLine(outputs: string, outputFile: string): Promise<string | null> {
  const file = resolve(outputs, outputFile);
  const within = relative(outputs, file);
  // The history names files of its own folder; whatever else a name there leads to is no business of a report.
  if (within.startsWith('..') || isAbsolute(within)) return null;
  const tail = await readTail(file, 4096).catch(() => null);
  const line = tail?.text.split('\n').findLast((text) => text.trim() !== '');
  return line === undefined ? null : oneLine(line);
}

/** A text that scripts printed, fit for a line: without line ends and terminal escapes, and not too long. */
export function oneLine(text: string, longest = 200): string {
  const plain = stripVTControlCharacters(text)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  return plain.length <= longest ? plain : `${plain.slice(0, longest - 1)}…`;
}
