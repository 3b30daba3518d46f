import { atFirst } from './history-line.ts';

const type = '","type":"';
const atEnd = atFirst.length + '2026-11-22T16:00:00.000Z'.length;
const typePlace = atEnd + type.length;
const quote = 0x22;
/** A group stands no further than this from the beginning of its line. */
const headSize = 256;
const groupMark = ',"group":"';
const tickMark = ',"tick":"';

/**
 * What a line of the history begins with, in its bytes: enough to tell whether it is worth reading. Instant, type, tick and
 * group come first in our own lines, and none of them holds what JSON would have to escape. One head looks at line after
 * line, and makes no text of any, for there are thousands of them: what that leaves behind would take as long to clear
 * away as Node takes for a tenth of its start.
 */
export class HistoryHead {
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  /** Turns to the line between two places; false where it does not begin as ours do, and so tells nothing. */
  lookAt(bytes: Buffer, start: number, end: number): boolean {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    return this.#has(atFirst, 0) && this.#has(type, atEnd);
  }

  isOf(name: string): boolean {
    return this.#has(name, typePlace) && this.#bytes[this.#start + typePlace + name.length] === quote;
  }

  /** Whether the line is older than an instant (ISO 8601 in UTC): such instants compare as texts. */
  isBefore(instant: string): boolean {
    const from = this.#start + atFirst.length;
    for (let index = 0; index < instant.length; index++) {
      const difference = (this.#bytes[from + index] as number) - instant.charCodeAt(index);
      if (difference !== 0) return difference < 0;
    }
    return false;
  }

  /** The group that the line is about; null where it has none there. */
  group(): string | null {
    let place = this.#afterQuote(typePlace);
    if (this.#has(tickMark, place)) place = this.#afterQuote(place + tickMark.length);
    if (!this.#has(groupMark, place)) return null;
    const from = place + groupMark.length;
    const to = this.#afterQuote(from) - 1;
    return to > from && to < headSize ? this.#bytes.toString('latin1', this.#start + from, this.#start + to) : null;
  }

  /** The place in the line behind the next quotation mark; beyond its head where there is none in that. */
  #afterQuote(place: number): number {
    const most = Math.min(headSize, this.#end - this.#start);
    for (let at = place; at < most; at++) if (this.#bytes[this.#start + at] === quote) return at + 1;
    return headSize + 1;
  }

  #has(text: string, place: number): boolean {
    const from = this.#start + place;
    if (from + text.length > this.#end) return false;
    // From its end: the beginnings are much the same.
    for (let index = text.length - 1; index >= 0; index--) {
      if (this.#bytes[from + index] !== text.charCodeAt(index)) return false;
    }
    return true;
  }
}
