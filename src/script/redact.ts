import { redacted } from '../log/safe-text.ts';

/** Replaces secrets in a stream of bytes, which arrives in pieces of any size. */
export interface Redactor {
  /** The next bytes as they may be shown. What might be the beginning of a secret is held back until it is decided. */
  push(chunk: Buffer): Buffer;
  /** What is still held back. */
  end(): Buffer;
  /** Whether a secret has been met. */
  readonly hit: boolean;
}

const mark = Buffer.from(redacted);

/**
 * What must not appear: the values of the named variables, whatever their length, and of a value of several lines each
 * line of eight characters or more, since a log shows line by line. Empty and missing ones are left out.
 *
 * @param environments of a name that several of them have, the last one's value counts
 */
export function secretsOf(names: readonly string[], ...environments: readonly NodeJS.ProcessEnv[]): string[] {
  const values = names.map((name) => environments.findLast((one) => Object.hasOwn(one, name))?.[name] ?? '');
  const lines = values.flatMap((value) => value.split(/[\r\n]+/).filter((line) => line.length >= 8));
  return [...new Set([...values, ...lines])].filter((value) => value !== '');
}

/**
 * A redactor for these secrets, which puts `[redacted]` in place of each; secrets that overlap go together. It holds
 * back fewer bytes than the longest secret has.
 */
export function redactor(secrets: readonly string[]): Redactor {
  const values = secrets.map((secret) => Buffer.from(secret)).filter((value) => value.length > 0);
  let pending = Buffer.alloc(0);
  // How much of it belongs to a secret whose mark has been written already.
  let covered = 0;
  let hit = false;

  function pass(chunk: Buffer, isLast: boolean): Buffer {
    const text = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const decided = isLast ? text.length : undecidedFrom(text, values);
    const shown: Buffer[] = [];
    let shownUpTo = covered;
    for (const [from, to] of occurrences(text, values, decided)) {
      hit = true;
      if (from >= shownUpTo) shown.push(text.subarray(shownUpTo, from), mark);
      shownUpTo = Math.max(shownUpTo, to);
    }
    if (shownUpTo < decided) shown.push(text.subarray(shownUpTo, decided));
    covered = Math.max(0, shownUpTo - decided);
    // A copy, for the reader may use its buffer again.
    pending = Buffer.from(text.subarray(decided));
    return shown.length === 1 ? (shown[0] as Buffer) : Buffer.concat(shown);
  }

  return {
    push: (chunk) => (values.length === 0 ? chunk : pass(chunk, false)),
    end: () => pass(Buffer.alloc(0), true),
    get hit() {
      return hit;
    },
  };
}

/** Where the values stand, from left to right, of those that begin before `limit`. */
function occurrences(text: Buffer, values: readonly Buffer[], limit: number): [from: number, to: number][] {
  const found: [number, number][] = [];
  for (const value of values) {
    for (let at = text.indexOf(value); at !== -1 && at < limit; at = text.indexOf(value, at + 1)) {
      found.push([at, at + value.length]);
    }
  }
  return found.sort((a, b) => a[0] - b[0]);
}

/** The first offset from which the text might be the beginning of a value that continues in the next piece. */
function undecidedFrom(text: Buffer, values: readonly Buffer[]): number {
  let first = text.length;
  for (const value of values) {
    for (let at = Math.max(0, text.length - value.length + 1); at < first; at++) {
      if (text.compare(value, 0, text.length - at, at) === 0) first = at;
    }
  }
  return first;
}
