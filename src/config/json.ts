/** A key that stands twice in one object, where it stands for the second time; lines and columns count from 1. */
export interface DuplicateKey {
  readonly key: string;
  readonly line: number;
  readonly column: number;
}

/** Whether there are as many keys in a valid JSON text as in the value that JSON.parse made of it: it drops those that stand twice. */
export function hasAllKeys(text: string, value: unknown): boolean {
  const kept = countKeys(value);
  return countLikely(text) === kept || countColons(text) === kept;
}

/**
 * No fewer than there are keys, and mostly as many: colons behind a quote or white space, as any colon is that is not in
 * a string. To look from one colon to the next takes a fraction of looking at each character.
 */
function countLikely(text: string): number {
  const [quote, space] = [0x22, 0x20];
  let count = 0;
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) {
    const before = text.charCodeAt(at - 1);
    if (before === quote || before <= space) count++;
  }
  return count;
}

/** Those outside of strings: one for each key. */
function countColons(text: string): number {
  const [quote, backslash, colon] = [0x22, 0x5c, 0x3a];
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === colon) count++;
    else if (code === quote) {
      for (at++; text.charCodeAt(at) !== quote; at++) if (text.charCodeAt(at) === backslash) at++;
    }
  }
  return count;
}

function countKeys(value: unknown): number {
  let count = 0;
  const open = [value];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    if (typeof part !== 'object' || part === null) continue;
    if (Array.isArray(part)) {
      // Most lists hold texts alone.
      for (let index = 0; index < part.length; index++) if (typeof part[index] === 'object') open.push(part[index]);
      continue;
    }
    for (const key in part) {
      count++;
      const item = (part as Record<string, unknown>)[key];
      if (typeof item === 'object') open.push(item);
    }
  }
  return count;
}

/**
 * Finds keys that one object holds twice. JSON.parse keeps the last of them without a word, so that a group would vanish.
 * The text has to be valid JSON; nesting of any depth will do.
 */
export function findDuplicateKeys(text: string): DuplicateKey[] {
  const duplicates: DuplicateKey[] = [];
  // One entry for each open bracket: the keys of an object so far, or null for a list.
  const open: (Set<string> | null)[] = [];
  let line = 1;
  let lineStart = 0;
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]|\n/g)) {
    const [token, colon] = match;
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token !== '\n' && colon !== undefined) {
      const key = JSON.parse(token.slice(0, -colon.length)) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) duplicates.push({ key, line, column: match.index - lineStart + 1 });
      keys?.add(key);
    }
    const lastBreak = token.lastIndexOf('\n');
    if (lastBreak >= 0) {
      line += token.split('\n').length - 1;
      lineStart = match.index + lastBreak + 1;
    }
  }
  return duplicates;
}
