import { UsageError } from '../errors.ts';

/** Characters that XML 1.0 has no way to write (2.2): control characters, but for tab and line ends, and lone surrogates. */
const unwritable = /[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;
const references: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };

/** A text as the content of an element. UsageError where XML can't hold it. */
export function escapeText(text: string): string {
  if (unwritable.test(text)) {
    throw new UsageError(
      `XML, in which this trigger is written, can't hold a character of ${JSON.stringify(text)}; rename that folder.`,
    );
  }
  return text.replace(/[&<>\r]/g, (character) => references[character] ?? character);
}
