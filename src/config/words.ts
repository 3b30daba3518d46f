/**
 * Splits a script's short form into its file and arguments. Blanks separate; single and double quotes hold blanks
 * together and may stand anywhere in a word; there is nothing else: no variables, no wildcards, and a backslash is just
 * a backslash, for Windows paths are full of them. Null where a quote is not closed.
 */
export function splitWords(text: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (const [part] of text.matchAll(/\s+|"[^"]*"|'[^']*'|[^\s"']+|["']/g)) {
    if (/^\s/.test(part)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (part === '"' || part === "'") {
      return null;
    } else {
      word = (word ?? '') + (/^["']/.test(part) ? part.slice(1, -1) : part);
    }
  }
  return word === null ? words : [...words, word];
}

/**
 * What two names have in common where they can't stand side by side as file names: some file systems ignore case or
 * Unicode composition, Windows ignores dots and blanks at the end, and what no file name can hold becomes `_`.
 */
export function foldName(name: string): string {
  return name
    .normalize('NFC')
    .toLowerCase()
    .replace(/[<>:"/\\|?*\p{Cc}]/gu, '_')
    .replace(/[. ]+$/, '');
}
