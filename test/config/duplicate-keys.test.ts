import fc from 'fast-check';
import { expect, it } from 'vitest';
import { findDuplicateKeys } from '../../src/config/load/duplicate-keys.ts';

it.each<[string, string[]]>([
  ['{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}', []],
  ['{"a":"a\\": {\\"a","b":"a"}', []],
  ['{"a":1,\n  "a" :2}', ['a 2:3']],
  ['{"a":1,"\\u0061":2,"a":3}', ['a 1:8', 'a 1:19']],
  ['{"x":\n[{"constructor":1,"constructor"\n:2},{"y":1,\n"y":1}]}', ['constructor 2:19', 'y 4:1']],
])('in %j the duplicate keys are %j', (text, duplicates) => {
  expect(findDuplicateKeys(text).map(({ key, line, column }) => `${key} ${line}:${column}`)).toEqual(duplicates);
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
