import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { append } from '../../src/state/append.ts';
import { isLinux } from '../rig.ts';
import { folder } from './rig.ts';

it('append writes whole lines, on a new line after one that a crash has torn', () => {
  const path = join(folder(), 'a', 'file');
  append(path, 'one\n', true);
  append(path, 'two\nthree\n', false);
  writeFileSync(path, 'torn', { flag: 'a' });
  append(path, 'four\n', true);
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\nthree\ntorn\nfour\n');
});

it.runIf(isLinux)('append closes its file, whether it succeeds or fails', () => {
  const count = () => readdirSync('/proc/self/fd').length;
  const path = join(folder(), 'file');
  const before = count();
  append(path, 'one\n', true);
  append(path, 'two\n', false);
  expect(() => append(join(path, 'x'), 'three\n', true)).toThrow('ENOTDIR');
  expect(count()).toBe(before);
});
