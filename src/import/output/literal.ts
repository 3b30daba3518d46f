import { stripVTControlCharacters } from 'node:util';

/** Writing values as TypeScript, laid out as formatters lay it out: 120 columns, two blanks, single quotes. */

const width = 120;

/** An expression that stands as it is. */
export class Expression {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Literal = string | number | boolean | Expression | readonly Literal[] | { readonly [key: string]: Literal };

/** A text in the quotes that need fewer escapes. */
export function writeText(text: string): string {
  const quote = text.includes("'") && text.split("'").length > text.split('"').length ? '"' : "'";
  let written = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (character === '\\' || character === quote) written += `\\${character}`;
    else if (character === '\n') written += '\\n';
    else if (character === '\t') written += '\\t';
    else if (character === '\r') written += '\\r';
    else if (code < 0x20 || (code >= 0x7f && code < 0xa0)) written += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (/[\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/u.test(character)) {
      written += `\\u${code.toString(16).padStart(4, '0')}`;
    } else written += character;
  }
  return quote + written + quote;
}

/** A key of an object. */
export function writeKey(key: string): string {
  // Plainly written, this one would set the prototype.
  if (key === '__proto__') return "['__proto__']";
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : writeText(key);
}

/** A value that starts at a column of a line that is indented by so many blanks, and is followed by a comma. */
export function writeLiteral(value: Literal, indent: number, column: number): string {
  if (typeof value === 'string') return writeText(value);
  if (value instanceof Expression) return value.text;
  if (typeof value !== 'object') return String(value);
  const flat = writeFlat(value);
  if (column + flat.length + 1 <= width && !mustBreak(value)) return flat;
  const inner = ' '.repeat(indent + 2);
  const close = `\n${' '.repeat(indent)}`;
  if (isList(value)) {
    if (value.length === 0) return '[]';
    return `[${value.map((one) => `\n${inner}${writeLiteral(one, indent + 2, indent + 2)},`).join('')}${close}]`;
  }
  const lines = Object.entries(value).map(([key, one]) => {
    const start = `${inner}${writeKey(key)}: `;
    return `\n${start}${writeLiteral(one, indent + 2, start.length)},`;
  });
  return `{${lines.join('')}${close}}`;
}

function isList(value: Literal): value is readonly Literal[] {
  return Array.isArray(value);
}

/** Formatters break a list of several objects of several keys. */
function mustBreak(value: Literal): boolean {
  return (
    isList(value) &&
    value.length > 1 &&
    value.every((one) => typeof one === 'object' && !(one instanceof Expression) && Object.keys(one).length > 1)
  );
}

function writeFlat(value: Literal): string {
  if (typeof value === 'string') return writeText(value);
  if (value instanceof Expression) return value.text;
  if (typeof value !== 'object') return String(value);
  if (isList(value)) return `[${value.map(writeFlat).join(', ')}]`;
  const parts = Object.entries(value).map(([key, one]) => `${writeKey(key)}: ${writeFlat(one)}`);
  return parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`;
}

/** A text as comment lines of that indentation; nothing in it can end the comment. */
export function writeComment(text: string, indent: number): string {
  const start = `${' '.repeat(indent)}// `;
  const clean = stripVTControlCharacters(text)
    .replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, ' ')
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(/\s+/g, ' ')
    .trim();
  const lines: string[] = [];
  let line = '';
  for (const word of clean.split(' ')) {
    if (line !== '' && start.length + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((one) => `${start}${one}\n`).join('');
}
