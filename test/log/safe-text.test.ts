import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { neutralise, redacted, redactText, withoutEscapes } from '../../src/log/safe-text.ts';

const forbidden = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\p{Surrogate}]/u;

/** Text in which what matters is frequent: escapes whole and broken, controls, halves of pairs, wide characters. */
const piece = fc.oneof(
  fc.constantFrom(
    '\x1b',
    '\x1b[',
    '\x1b[31m',
    '\x1b]0;t',
    '\x07',
    '\x1b\\',
    '\x9b',
    '\x9c',
    '\x9d',
    '\x90',
    '\x85',
    '\x1bP',
  ),
  fc.constantFrom(
    '\r',
    '\n',
    '\r\n',
    '\t',
    '\b',
    '\0',
    '\x7f',
    '\u2028',
    '\u202e',
    '\u2066',
    '\ud83d',
    '\ude80',
    '🚀',
    '世',
  ),
  fc.string({ unit: 'binary', maxLength: 5 }),
  fc.string({ maxLength: 5 }),
);
const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));

describe('neutralise', () => {
  test.each<[what: string, from: string, to: string]>([
    ['plain text', 'all is well', 'all is well'],
    ['nothing', '', ''],
    ['wide characters and joined emoji', '世界 🚀 👩‍👩‍👧 café', '世界 🚀 👩‍👩‍👧 café'],
    ['colours', '\x1b[1;31mred\x1b[0m', 'red'],
    ['colours with colons', '\x1b[38:2::255:0:0mred', 'red'],
    ['8-bit colours', '\x9b31mred\x9b0m', 'red'],
    ['a CSI cut short', 'red\x1b[3', 'red'],
    ['cursor moves and erasing', 'a\x1b[2K\x1b[1Gb\x1b[?25l', 'ab'],
    ['a window title', '\x1b]0;title\x07text', 'text'],
    ['a hyperlink', '\x1b]8;;https://example.org\x1b\\here\x1b]8;;\x1b\\', 'here'],
    ['8-bit OSC', '\x9d0;title\x9ctext', 'text'],
    ['an OSC without an end hides nothing', '\x1b]0;rm -rf', '\\x1b]0;rm -rf'],
    ['DCS', '\x1bPq#0;2;0;0;0\x1b\\text', 'text'],
    ['APC', '\x1b_payload\x1b\\text', 'text'],
    ['a character set', '\x1b(Btext', 'text'],
    ['a reset', '\x1bctext', 'text'],
    ['an escape at the end', 'text\x1b', 'text\\x1b'],
    ['an escape that removing another would complete', '\x1b\x1b[0m[31mred', '\\x1b[31mred'],
    ['a bell and a backspace', 'a\x07b\b', 'a\\x07b\\x08'],
    ['a NUL and a DEL', '\0\x7f', '\\x00\\x7f'],
    ['a lone C1', 'a\x85b', 'a\\x85b'],
    ['line separators', 'a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
    ['bidirectional overrides', '\u202etxt.exe\u2066', '\\u202etxt.exe\\u2066'],
    ['a tab', 'a\tb', 'a b'],
    ['several lines', 'a\nb\r\nc', 'a\\nb\\nc'],
    ['a line that poses as another event', 'x\n2026-01-01T00:00:00.000Z ERROR', 'x\\n2026-01-01T00:00:00.000Z ERROR'],
    ['ends of line at the end', 'text\r\n\n', 'text'],
    ['an empty first line', '\na', '\\na'],
    ['a progress bar', '10%\r50%\r100%', '100%'],
    ['a progress bar that erases itself', '10%\r100%\r    \r', '100%'],
    ['a progress bar that clears by escapes', '10%\r\x1b[K100%\r\x1b[K', '100%'],
    ['a progress bar between lines', 'a\n1%\r2%\nb', 'a\\n2%\\nb'],
    ['nothing but carriage returns', ' \r \r ', ' '],
    ['lone surrogates', '\ud83dx\ude80', '\ufffdx\ufffd'],
  ])('%s', (_, from, to) => {
    expect(neutralise(from)).toBe(to);
  });

  test('cuts a text that is too long and says how long it was', () => {
    const line = neutralise('x'.repeat(12_345));
    expect(line).toBe(`${'x'.repeat(2000 - ' … (12345 characters)'.length)} … (12345 characters)`);
    expect(neutralise('x'.repeat(2000))).toBe('x'.repeat(2000));
    expect(neutralise('x'.repeat(2001))).toHaveLength(2000);
    expect(neutralise('\n'.repeat(1500).concat('x'))).toMatch(/^(\\n)+\\? … \(1501 characters\)$/);
    expect(neutralise('x'.repeat(5000), Number.POSITIVE_INFINITY)).toHaveLength(5000);
  });

  test('never cuts a pair in two', () => {
    for (const shift of ['', 'x']) expect(neutralise(shift + '🚀'.repeat(1500))).not.toMatch(forbidden);
  });

  test('makes any text one safe line, and is idempotent', () => {
    fc.assert(
      fc.property(text, fc.constantFrom(2000, 60), (any, maxLength) => {
        const line = neutralise(any, maxLength);
        expect(line).not.toMatch(forbidden);
        expect(line.length).toBeLessThanOrEqual(maxLength);
        expect(neutralise(line, maxLength)).toBe(line);
      }),
      { numRuns: 3000 },
    );
  });

  test('leaves no escape that removing another one could complete', () => {
    fc.assert(
      fc.property(text, (any) => {
        const plain = withoutEscapes(any);
        expect(plain).not.toMatch(/[\x1b\x80-\x9f]/);
        expect(withoutEscapes(plain)).toBe(plain);
      }),
      { numRuns: 3000 },
    );
  });

  test.each([
    ['letters', 'x'],
    ['emoji', '🚀'],
    ['colours', '\x1b[31mx'],
    ['escapes', '\x1b'],
    ['CSIs that never end', '\x1b[1;'],
    ['OSCs that never end', '\x1b]0;'],
    ['one OSC that never ends', '\x1b]', 'x'],
    ['character sets that never end', '\x1b(', ' '],
    ['carriage returns', '\r'],
    ['line feeds', '\n'],
    ['blank states', ' \r'],
    ['NULs', '\0'],
  ])('10 MB of %s is quick', (_, first, rest = first) => {
    const long = first + rest.repeat(Math.ceil(10_000_000 / rest.length));
    const start = performance.now();
    neutralise(long);
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});

describe('redactText', () => {
  test.each<[what: string, values: string[], from: string, to: string]>([
    ['no secrets', [], 'text', 'text'],
    ['an empty value', [''], 'text', 'text'],
    ['each occurrence', ['hunter2'], 'hunter2 and hunter2', '[redacted] and [redacted]'],
    ['the longest of two that begin alike', ['key', 'key-long'], 'key-long key', '[redacted] [redacted]'],
    ['overlapping ones', ['abcd', 'cdef'], 'xabcdefx', 'x[redacted]x'],
    ['neighbours', ['ab', 'cd'], 'abcd', '[redacted][redacted]'],
    ['characters that mean something in patterns', ['a.*$&'], 'a.*$& abc', '[redacted] abc'],
    ['a secret that the mark contains', ['act', 'secret'], 'secret [redacted] act', '[redacted] [redacted] [redacted]'],
    [
      'the lines of a long secret',
      ['-----BEGIN KEY-----\nMIIEvQIBADAN\nend\n'],
      'got MIIEvQIBADAN in the end',
      'got [redacted] in the end',
    ],
  ])('%s', (_, values, from, to) => {
    expect(redactText(from, values)).toBe(to);
  });

  test('removes every value, and is idempotent', () => {
    const secret = fc.string({ unit: fc.constantFrom('x', 'y', 'z'), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(secret, { maxLength: 4 }),
        fc.string({ unit: fc.constantFrom('x', 'y', 'z', ' ') }),
        (values, any) => {
          const safe = redactText(any, values);
          for (const value of values) expect(safe).not.toContain(value);
          expect(redactText(safe, values)).toBe(safe);
          if (!values.some((value) => any.includes(value))) expect(safe).toBe(any);
          else expect(safe).toContain(redacted);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('10 MB that consists of secrets is quick', () => {
    const start = performance.now();
    redactText('secret,'.repeat(1_400_000), ['secret', 'cret,s']);
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});
