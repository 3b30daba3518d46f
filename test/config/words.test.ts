import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDuplicateKeys } from '../../src/config/load/duplicate-keys.ts';
import { parseSize } from '../../src/config/resolve/byte-size.ts';
import { foldName, splitWords } from '../../src/config/resolve/split-words.ts';

describe('splitWords', () => {
  it.each<[string, string[] | null]>([
    ['check.ts', ['check.ts']],
    ['  check.ts\t--fast \n -v ', ['check.ts', '--fast', '-v']],
    ['"my file.ts" \'a  b\'', ['my file.ts', 'a  b']],
    [`x --name="a b"'c d'e`, ['x', '--name=a bc de']],
    ['x ""', ['x', '']],
    [`x "it's" '"'`, ['x', "it's", '"']],
    ['C:\\dir\\x.bat "C:\\a b\\"', ['C:\\dir\\x.bat', 'C:\\a b\\']],
    ['x $HOME * ; rm -rf / | y `z`', ['x', '$HOME', '*', ';', 'rm', '-rf', '/', '|', 'y', '`z`']],
    ['x "open', null],
    ["x it's", null],
    ['', []],
    ['   ', []],
  ])('%j', (text, words) => expect(splitWords(text)).toEqual(words));

  it('undoes quoting', () => {
    const quote = (word: string) =>
      word
        .split('"')
        .map((part) => `"${part}"`)
        .join(`'"'`);
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        expect(splitWords(words.map(quote).join(' '))).toEqual(words);
      }),
    );
  });
});

describe('parseSize', () => {
  it.each<[string, number | null]>([
    ['5MB', 5_242_880],
    ['5 mb', 5_242_880],
    ['5M', 5_242_880],
    ['5MiB', 5_242_880],
    ['1.5KB', 1_536],
    ['2GB', 2_147_483_648],
    ['100B', 100],
    ['0B', null],
    ['0.5B', null],
    ['5', null],
    ['-5MB', null],
    ['5TB', null],
    ['999999999999GB', null],
    ['', null],
  ])('%j → %j', (text, bytes) => expect(parseSize(text)).toBe(bytes));
});

describe('foldName', () => {
  it.each([
    ['Check', 'check'],
    ['a/b', 'a:b'],
    ['name.', 'name'],
    ['\u00e9', 'e\u0301'],
  ])('%j and %j are one file', (one, other) => expect(foldName(one)).toBe(foldName(other)));
});

describe('findDuplicateKeys', () => {
  it.each<[string, string[]]>([
    ['{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}', []],
    ['{"a":"a\\": {\\"a","b":"a"}', []],
    ['{"a":1,\n  "a" :2}', ['a 2:3']],
    ['{"a":1,"\\u0061":2,"a":3}', ['a 1:8', 'a 1:19']],
    ['{"x":\n[{"constructor":1,"constructor"\n:2},{"y":1,\n"y":1}]}', ['constructor 2:19', 'y 4:1']],
  ])('%j', (text, duplicates) => {
    expect(findDuplicateKeys(text).map(({ key, line, column }) => `${key} ${line}:${column}`)).toEqual(duplicates);
  });
});
