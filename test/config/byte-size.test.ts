import { expect, it } from 'vitest';
import { parseSize } from '../../src/config/resolve/byte-size.ts';

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
])('parses the size %j as %j bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));
