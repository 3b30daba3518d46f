/** A key that stands twice in one object, where it stands for the second time; lines and columns count from 1. */
export interface DuplicateKey {
  readonly key: string;
  readonly line: number;
  readonly column: number;
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
