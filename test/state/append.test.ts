import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { append } from '../../src/state/append.ts';
import { isLinux } from '../rig.ts';
import { folder } from './rig.ts';

it('appends whole lines, on a fresh one after a torn one', () => {
  const path = join(folder(), 'a', 'file');
  append(path, 'one\n').secure();
  append(path, 'two\nthree\n').leave();
  writeFileSync(path, 'torn', { flag: 'a' });
  const last = append(path, 'four\n');
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\nthree\ntorn\nfour\n');
  last.secure();
});

it.runIf(isLinux)('holds the file open until the lines are safe, or left as they are', () => {
  const count = () => readdirSync('/proc/self/fd').length;
  const path = join(folder(), 'file');
  const before = count();
  const lines = [append(path, 'one\n'), append(path, 'two\n')];
  expect(count()).toBe(before + 2);
  lines[0]?.secure();
  lines[1]?.leave();
  expect(count()).toBe(before);
});
