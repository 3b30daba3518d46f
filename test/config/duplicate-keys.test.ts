import fc from 'fast-check';
import { expect, it } from 'vitest';
import { findDuplicateKeys } from '../../src/config/load/duplicate-keys.ts';

it('locates a duplicate key by line and column', () => {
  const text = '{"a": 1,\n "b": {"a": 2, "c:": "a"}, "\\u0061": 3,\n\n  "b": [{"b": 1}]}';
  expect(findDuplicateKeys(text)).toEqual([
    { key: 'a', line: 2, column: 28 },
    { key: 'b', line: 4, column: 3 },
  ]);
});

it('finds every duplicate key of a JSON text, and no other', () => {
  interface Part {
    readonly text: string;
    readonly duplicates: number;
  }
  const key = fc.constantFrom('a', 'b', 'c:d', 'e"f', 'g\\', '__proto__', '{', ':h', 'i :', 'j":', '\n');
  const colon = fc.constantFrom(':', ' : ', '\n:');
  const { value } = fc.letrec<{ value: Part }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.oneof(key, fc.string()).map((text): Part => ({ text: JSON.stringify(text), duplicates: 0 })),
      fc.constantFrom('1', 'null', 'true').map((text): Part => ({ text, duplicates: 0 })),
      fc.array(tie('value'), { maxLength: 3 }).map(
        (items): Part => ({
          text: `[${items.map(({ text }) => text).join(',')}]`,
          duplicates: items.reduce((sum, { duplicates }) => sum + duplicates, 0),
        }),
      ),
      fc.array(fc.tuple(key, colon, tie('value')), { maxLength: 3 }).map(
        (entries): Part => ({
          text: `{${entries.map(([name, sign, { text }]) => `${JSON.stringify(name)}${sign}${text}`).join(',\n')}}`,
          duplicates:
            entries.length -
            new Set(entries.map(([name]) => name)).size +
            entries.reduce((sum, [, , { duplicates }]) => sum + duplicates, 0),
        }),
      ),
    ),
  }));
  fc.assert(
    fc.property(value, ({ text, duplicates }) => {
      JSON.parse(text);
      expect(findDuplicateKeys(text)).toHaveLength(duplicates);
    }),
    { numRuns: 2_000 },
  );
});
