/** Reading a line of sh as far as it can be understood without running it. */

/** A word, or an operator, of a line, and where it stands. */
export interface Token {
  readonly kind: 'word' | 'operator';
  /** As written. */
  readonly source: string;
  /** A word without its quotes; null where it holds an expansion or a pattern. */
  readonly value: string | null;
  readonly from: number;
  readonly to: number;
}

const operator = /^(?:&&|\|\||;;|[0-9]*(?:>>|>&|<&|<<-?|<>|>\||>|<)|\|&|&>>|&>|[;&|()\n])/;

/** Splits a line into words and operators; null where a quote is not closed. */
export function tokenise(line: string): Token[] | null {
  const tokens: Token[] = [];
  let at = 0;
  while (at < line.length) {
    const rest = line.slice(at, at + 256);
    const blank = /^[ \t\r]+/.exec(rest);
    if (blank) {
      at += blank[0].length;
      continue;
    }
    // A comment ends the line for the shell.
    if (rest.startsWith('#')) {
      const end = line.indexOf('\n', at);
      at = end === -1 ? line.length : end;
      tokens.push({ kind: 'operator', source: '#', value: null, from: at, to: at });
      continue;
    }
    const found = operator.exec(rest);
    if (found) {
      tokens.push({ kind: 'operator', source: found[0], value: null, from: at, to: at + found[0].length });
      at += found[0].length;
      continue;
    }
    const word = readWord(line, at);
    if (word === null) return null;
    tokens.push(word);
    at = word.to;
  }
  return tokens;
}

function readWord(line: string, from: number): Token | null {
  let at = from;
  let value = '';
  let isPlain = true;
  while (at < line.length) {
    const character = line.charAt(at);
    if (/[ \t\r\n;&|()<>]/.test(character)) break;
    if (character === '\\') {
      value += line.charAt(at + 1);
      at += 2;
    } else if (character === "'") {
      const end = line.indexOf("'", at + 1);
      if (end === -1) return null;
      value += line.slice(at + 1, end);
      at = end + 1;
    } else if (character === '"') {
      const quoted = readQuoted(line, at + 1);
      if (quoted === null) return null;
      value += quoted.value;
      isPlain &&= quoted.isPlain;
      at = quoted.end;
    } else if (character === '$' || character === '`') {
      isPlain = false;
      const end = skipExpansion(line, at);
      if (end === null) return null;
      at = end;
    } else {
      if (/[*?[{}]/.test(character) || (character === '~' && at === from) || (character === '!' && at === from)) {
        isPlain = false;
      }
      value += character;
      at += 1;
    }
  }
  const to = Math.min(at, line.length);
  return { kind: 'word', source: line.slice(from, to), value: isPlain ? value : null, from, to };
}

function readQuoted(line: string, from: number): { value: string; isPlain: boolean; end: number } | null {
  let value = '';
  let isPlain = true;
  for (let at = from; at < line.length; ) {
    const character = line.charAt(at);
    if (character === '"') return { value, isPlain, end: at + 1 };
    if (character === '\\' && /[$`"\\\n]/.test(line.charAt(at + 1))) {
      value += line.charAt(at + 1);
      at += 2;
    } else if (character === '$' || character === '`') {
      isPlain = false;
      const end = skipExpansion(line, at);
      if (end === null) return null;
      at = end;
    } else {
      value += character;
      at += 1;
    }
  }
  return null;
}

/** Behind an expansion; nested ones are counted by their brackets only, for none is ever looked into. */
function skipExpansion(line: string, from: number): number | null {
  if (line.charAt(from) === '`') {
    const end = line.indexOf('`', from + 1);
    return end === -1 ? null : end + 1;
  }
  const open = line.charAt(from + 1);
  if (open !== '(' && open !== '{') return from + 1;
  const close = open === '(' ? ')' : '}';
  let depth = 0;
  for (let at = from + 1; at < line.length; at += 1) {
    if (line.charAt(at) === open) depth += 1;
    else if (line.charAt(at) === close) depth -= 1;
    if (depth === 0) return at + 1;
  }
  return null;
}

/** A word that the shell takes as it is. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
