import { atFirst } from './history-line.ts';

const type = '","type":"';
const atEnd = atFirst.length + '2026-11-22T16:00:00.000Z'.length;
const typePlace = atEnd + type.length;
/** So many bytes hold instant and type. */
const beginningSize = typePlace + 20;
/** So many hold the group as well. */
const headSize = 256;
const groupOfLine = /^\{"at":"[^"\\]+","type":"[^"\\]+"(?:,"tick":"[^"\\]*")?,"group":"([^"\\]+)"/;

/**
 * What a line of the history begins with, in its bytes: enough to tell whether it is worth reading. Instant, type, tick and
 * group come first in our own lines, and none of them holds what JSON would have to escape. One head looks at line after
 * line, and makes as little as it can of each: there are thousands of them.
 */
export class HistoryHead {
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  #beginning = '';

  /** Turns to the line between two places; false where it does not begin as ours do, and so tells nothing. */
  lookAt(bytes: Buffer, start: number, end: number): boolean {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#beginning = bytes.toString('latin1', start, Math.min(end, start + beginningSize));
    return this.#beginning.startsWith(atFirst) && this.#beginning.startsWith(type, atEnd);
  }

  isOf(name: string): boolean {
    return this.#beginning.startsWith(name, typePlace) && this.#beginning[typePlace + name.length] === '"';
  }

  /** Whether the line is older than an instant (ISO 8601 in UTC): such instants compare as texts. */
  isBefore(instant: string): boolean {
    return this.#beginning.slice(atFirst.length, atEnd) < instant;
  }

  /** The group that the line is about; null where it has none there. */
  group(): string | null {
    const head = this.#bytes.toString('latin1', this.#start, Math.min(this.#end, this.#start + headSize));
    return groupOfLine.exec(head)?.[1] ?? null;
  }
}
