import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
  ])('splits %j', (text, words) => expect(splitWords(text)).toEqual(words));

  it('splits quoted words back into the original ones', () => {
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

describe('foldName', () => {
  it.each([
    ['Check', 'check'],
    ['a/b', 'a:b'],
    ['name.', 'name'],
    ['\u00e9', 'e\u0301'],
  ])('folds %j and %j into one name', (one, other) => expect(foldName(one)).toBe(foldName(other)));
});
