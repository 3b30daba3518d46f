import { widthOf } from './width.ts';

/**
 * Breaks a text into lines that a terminal shows in so many columns, between words; a word that is too long for a line
 * is broken within. A width that is infinite leaves the text on one line.
 */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(`${line} ${word}`) > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    while (widthOf(line) > width && line.length > 1) {
      const kept = takeColumns(line, width);
      lines.push(kept);
      line = line.slice(kept.length);
    }
  }
  return [...lines, line];
}

/** The beginning of a text that fits into so many columns; at least one character of it. */
function takeColumns(text: string, width: number): string {
  let kept = '';
  let taken = 0;
  for (const character of text) {
    taken += widthOf(character);
    if (taken > width && kept !== '') break;
    kept += character;
  }
  return kept;
}
