/**
 * Splits a script's short form into its file and arguments. Blanks separate; single and double quotes protect
 * blanks and may occur anywhere in a word; there is nothing else: no variables, no wildcards, and a backslash is just a
 * backslash, because Windows paths are full of them. Null if a quote is not closed.
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
 * Folds a name so that two names are equal if they could mean the same file: some file systems ignore case or Unicode
 * composition, Windows ignores trailing dots and blanks, and characters that no file name can hold become `_`.
 */
export function foldName(name: string): string {
  return name
    .normalize('NFC')
    .toLowerCase()
    .replace(/[<>:"/\\|?*\p{Cc}]/gu, '_')
    .replace(/[. ]+$/, '');
}
