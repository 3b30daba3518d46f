import { widthOf } from './text-width.ts';

/**
 * Breaks a text into lines that a terminal shows in so many columns, between words; a word that is too long for a line
 * stays whole, so that it can be copied. A width that is infinite leaves the text on one line.
 */
export function wrapText(text: string, width: number): string[] {
  if (width === Number.POSITIVE_INFINITY) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && widthOf(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** The same, but a word that is too long for a line is broken within: for columns, which have to stay what they are. */
export function wrapColumn(text: string, width: number): string[] {
  return wrapText(text, width).flatMap((line) => {
    const parts: string[] = [];
    let rest = line;
    while (widthOf(rest) > width && rest.length > 1) {
      const kept = takeColumns(rest, width);
      parts.push(kept);
      rest = rest.slice(kept.length);
    }
    return [...parts, rest];
  });
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
