import { widthOf } from './text-width.ts';

/**
 * Aligns rows in columns, two spaces apart, by the width that a terminal gives them: wide characters count double,
 * colours not at all. Where the whole is wider than `width`, the last column is shortened.
 *
 * @param width columns of the terminal; infinite where there is none
 */
export function alignRows(rows: readonly (readonly string[])[], width = Number.POSITIVE_INFINITY): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (let column = 0; column < row.length; column++) {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(row[column] as string));
    }
  }
  return rows.map((row) => {
    const cells = row.map((cell, column) => padTo(cell, column === row.length - 1 ? 0 : (widths[column] ?? 0)));
    return shorten(cells.join('  ').trimEnd(), width);
  });
}

/** A text with spaces after it, so that a terminal gives it at least so many columns. */
export function padTo(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** A line that a terminal of so many columns shows on one row; what is cut off is marked by an ellipsis. */
export function shorten(line: string, width: number): string {
  if (widthOf(line) <= width) return line;
  let kept = '';
  let taken = 0;
  for (const part of line.matchAll(/\x1b\[[\d;]*m|./gsu)) {
    const size = widthOf(part[0]);
    if (taken + size > width - 1) {
      if (size > 0) break;
    }
    kept += part[0];
    taken += size;
  }
  return `${kept}…${line.includes('\x1b') ? '\x1b[0m' : ''}`;
}
