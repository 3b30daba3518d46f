/**
 * Making other programs' text safe to keep: one line, no terminal escapes, no control characters, no secrets. Pure; each
 * function takes time in proportion to its input, whatever that holds.
 */

/** Replaces a secret. */
export const redacted = '[redacted]';

const escapes = [
  // CSI (colours, cursor moves), 7-bit and 8-bit, cut short or not.
  '(?:\\x1b\\[|\\x9b)[0-?]*[ -/]*[@-~]?',
  // OSC, DCS, SOS, PM, APC up to their end. The body stops at any control character, so that one which never ends
  // neither hides the rest of the text nor is searched twice.
  '(?:\\x1b[\\]P^_X]|[\\x90\\x98\\x9d-\\x9f])[^\\x00-\\x1f\\x7f-\\x9f]*(?:\\x07|\\x1b\\\\|\\x9c)',
  // Character sets and the like, then all other two-character escapes.
  '\\x1b[ -/]+[0-~]',
  '\\x1b[0-OQ-WYZ\\\\`-~]',
  // What is left of an escape is shown rather than kept, so that removing its neighbours can't complete it.
  '[\\x1b\\x80-\\x9f]',
];
const escapePattern = new RegExp(escapes.join('|'), 'g');
/** Controls, line separators, bidirectional overrides, lone surrogates. */
const invisible = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\p{Surrogate}]/gu;

/**
 * One line of text that can do nothing to a terminal or to the log's format. Terminal escapes vanish; other control
 * characters, line separators and bidirectional overrides are shown as `\n`, `\xNN` or `\uNNNN`; a tab becomes a space;
 * of a progress bar drawn with `\r` the last state that is not blank stays; ends of line at the end are dropped; a lone
 * surrogate becomes U+FFFD. What is longer than `maxLength` UTF-16 units is cut to that length, its mark included, which
 * says how long the text was.
 */
export function neutralise(text: string, maxLength = 2000): string {
  if (text.length <= maxLength && text.search(invisible) === -1) return text;
  const plain = withoutEscapes(text);
  let end = plain.length;
  while (end > 0 && (plain[end - 1] === '\n' || plain[end - 1] === '\r')) end--;
  let line = '';
  for (let at = 0; at < end && line.length <= maxLength; ) {
    const newline = plain.indexOf('\n', at);
    const lineEnd = newline === -1 || newline > end ? end : newline;
    // A character is shown as at least one: those beyond the limit can't matter.
    const shown = visible(lastState(plain.slice(at, lineEnd)).slice(0, maxLength + 1));
    line += at === 0 ? shown : `\\n${shown}`;
    at = lineEnd + 1;
  }
  return line.length > maxLength ? cut(line, maxLength, text.length) : line;
}

/**
 * The text without terminal escape sequences; escape characters that begin none are shown as `\xNN`. It is the first
 * step of `neutralise`, apart because secrets have to be looked for after it: an escape may stand in the midst of one.
 */
export function withoutEscapes(text: string): string {
  return text.replace(escapePattern, (found) => (found.length > 1 || found === '\x9b' ? '' : hexOf(found)));
}

/**
 * The text with each of the values replaced by `[redacted]`; values that overlap go together, and so does each longer
 * line of a value of several lines, because output arrives line by line. Empty values are ignored.
 */
export function redactText(text: string, values: readonly string[]): string {
  const spans: [from: number, to: number][] = [];
  for (const value of new Set(values.flatMap(partsOf))) {
    for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + value.length)) {
      spans.push([at, at + value.length]);
    }
  }
  if (spans.length === 0) return text;
  // An earlier mark counts as a span as well, so that a secret such as `act` does not break it.
  for (let at = text.indexOf(redacted); at !== -1; at = text.indexOf(redacted, at + redacted.length)) {
    spans.push([at, at + redacted.length]);
  }
  spans.sort((a, b) => a[0] - b[0]);
  let result = '';
  let end = 0;
  for (const [from, to] of spans) {
    if (from >= end) result += text.slice(end, from) + redacted;
    end = Math.max(end, to);
  }
  return result + text.slice(end);
}

/** A secret as it may appear: whole and, where it has several lines, each line that is too long to be an ordinary word. */
function partsOf(value: string): string[] {
  const lines = value.split(/[\r\n]+/).filter((line) => line.length >= 8);
  return value === '' ? [] : [value, ...lines];
}

/** What a terminal would show at the end of a line that overwrites itself by `\r`. */
function lastState(line: string): string {
  for (let end = line.length; ; ) {
    const start = end > 0 ? line.lastIndexOf('\r', end - 1) : -1;
    const state = line.slice(start + 1, end);
    if (start === -1 || state.trim() !== '') return state;
    end = start;
  }
}

function visible(text: string): string {
  return text.replace(invisible, (character) => {
    const code = character.charCodeAt(0);
    if (character === '\t') return ' ';
    if (character === '\n') return '\\n';
    if (code >= 0xd800 && code <= 0xdfff) return '\ufffd';
    return code <= 0xff ? hexOf(character) : `\\u${code.toString(16)}`;
  });
}

function hexOf(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

function cut(line: string, maxLength: number, length: number): string {
  const mark = ` … (${length} characters)`;
  let keep = Math.max(0, maxLength - mark.length);
  // Never the first half of a pair alone.
  if (/[\ud800-\udbff]/.test(line.charAt(keep - 1))) keep--;
  return line.slice(0, keep) + mark;
}
