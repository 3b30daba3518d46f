import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { append } from '../../src/state/append.ts';
import { keepCopy, readBytes, setAside, sweepTemporaries, writeDurably } from '../../src/state/file.ts';
import { disk, folder, isLinuxRoot, makeReadOnly } from './rig.ts';

function errorOf(act: () => void): StorageError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(StorageError);
    return error as StorageError;
  }
  throw new Error('nothing was thrown');
}

describe('writeDurably', () => {
  it('replaces the content, creates folders, and lets in the group at most', () => {
    const path = join(folder(), 'a', 'b', 'file');
    writeDurably(path, 'one');
    writeDurably(path, Buffer.from('two'));
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
    if (process.platform === 'win32') return;
    expect(statSync(path).mode & 0o777 & ~0o640).toBe(0);
    expect(statSync(join(path, '..')).mode & 0o777 & ~0o750).toBe(0);
  });

  it('shows the hook the old file', () => {
    const path = join(folder(), 'file');
    writeDurably(path, 'old');
    let seen = '';
    writeDurably(path, 'new', { beforeReplacing: () => (seen = readFileSync(path, 'utf8')) });
    expect(seen).toBe('old');
  });

  it('leaves everything as it was where the hook throws', () => {
    const path = join(folder(), 'file');
    writeDurably(path, 'old');
    const refuse = (): void => {
      throw new Error('refused');
    };
    expect(() => writeDurably(path, 'new', { beforeReplacing: refuse })).toThrow('refused');
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('says what is wrong where a folder is in its place', () => {
    const path = join(folder(), 'file');
    mkdirSync(path);
    const error = errorOf(() => writeDurably(path, 'text'));
    expect(error.message).toBe(`${path} can't be written: a folder is in its place (EISDIR); move that folder away.`);
    expect(error.exitCode).toBe(74);
    expect((error.cause as NodeJS.ErrnoException).code).toBe('EISDIR');
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
  });

  it('says what is wrong where a file stands for the folder', () => {
    const path = join(folder(), 'file');
    writeFileSync(path, '');
    expect(errorOf(() => writeDurably(join(path, 'x'), 'text')).message).toMatch(
      /can't be written: .* \(E(NOTDIR|EXIST)\)/,
    );
    if (process.platform !== 'win32') expect(errorOf(() => readBytes(join(path, 'x'))).message).toMatch(/ENOTDIR/);
  });

  it.skipIf(process.platform === 'win32')('says what is wrong in a read-only folder', () => {
    const path = join(isLinuxRoot ? disk('1m') : folder(), 'file');
    writeDurably(path, 'old');
    if (isLinuxRoot) makeReadOnly(join(path, '..'));
    else chmodSync(join(path, '..'), 0o550);
    const why = isLinuxRoot ? 'its file system is read-only (EROFS)' : 'permission is denied (EACCES)';
    expect(errorOf(() => writeDurably(path, 'new')).message).toContain(`${path} can't be written: ${why};`);
    if (isLinuxRoot) expect(errorOf(() => append(path, 'new\n', true)).message).toContain(why);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it.skipIf(!isLinuxRoot)('gives what root creates to the owner of the folder', () => {
    const path = join(folder(), 'a', 'file');
    chownSync(join(path, '..', '..'), 1234, 1235);
    writeDurably(path, 'text');
    append(join(path, '..', 'lines'), 'text\n', true);
    for (const made of [path, join(path, '..'), join(path, '..', 'lines')]) {
      expect(statSync(made)).toMatchObject({ uid: 1234, gid: 1235 });
    }
  });
});

describe('keepCopy', () => {
  it('keeps what the file has now, also where copy and file are one already', () => {
    const path = join(folder(), 'file');
    const copy = `${path}.bak`;
    writeDurably(path, 'one');
    keepCopy(path, copy);
    keepCopy(path, copy);
    writeDurably(path, 'two');
    expect(readFileSync(copy, 'utf8')).toBe('one');
    keepCopy(path, copy);
    expect(readFileSync(copy, 'utf8')).toBe('two');
    expect(readdirSync(join(path, '..')).sort()).toEqual(['file', 'file.bak']);
  });

  it.skipIf(!isLinuxRoot)('writes the copy where there can be no hard link', () => {
    const [path, copy] = [join(folder(), 'file'), join(disk('1m'), 'copy')];
    writeDurably(path, 'one');
    keepCopy(path, copy);
    expect(readFileSync(copy, 'utf8')).toBe('one');
    expect(readdirSync(join(copy, '..'))).toEqual(['copy']);
  });
});

it('sets a file aside under a name that is free', () => {
  const path = join(folder(), 'file');
  writeDurably(path, 'one');
  setAside(path, `${path}.aside`);
  writeDurably(path, 'two');
  expect(readFileSync(`${path}.aside`, 'utf8')).toBe('one');
  expect(() => setAside(path, `${path}.aside`)).toThrow('EEXIST');
});

it('sweeps the temporary files of one file only', () => {
  const path = join(folder(), 'file');
  const others = ['.file.tmp', '.file.12-ab.tmp.txt', '.other.12-ab.tmp', 'file'];
  for (const name of ['.file.12-abc9.tmp', '.file.999-0.tmp', ...others]) writeFileSync(join(path, '..', name), '');
  sweepTemporaries(path);
  expect(readdirSync(join(path, '..')).sort()).toEqual(others.sort());
});

it.skipIf(!isLinuxRoot)('leaves a file as it was on a disk that is full, however much is left', () => {
  const outputs = disk('256k');
  const [written, appended, filler] = ['written', 'appended', 'filler'].map((name) => join(outputs, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(filler, '');
  const [old, next] = ['o'.repeat(20_000), 'n'.repeat(30_000)];
  const line = `${'l'.repeat(20_000)}\n`;
  const ends = { full: 0, done: 0 };
  for (let left = 0; left < 14; left++) {
    writeFileSync(filler, '');
    writeDurably(written, old);
    writeFileSync(appended, 'first\n');
    const { bavail, bsize } = statfsSync(outputs);
    writeFileSync(filler, Buffer.alloc((bavail - left) * bsize));
    for (const [path, before, after, act] of [
      [appended, 'first\n', `first\n${line}`, () => append(appended, line, true)],
      [written, old, next, () => writeDurably(written, next)],
    ] as const) {
      let error: unknown = null;
      try {
        act();
      } catch (caught) {
        error = caught;
      }
      if (error === null) ends.done++;
      else ends.full++;
      if (error !== null)
        expect((error as Error).message).toMatch(/^\S+ can't be written: the disk is full \(ENOSPC\)/);
      expect(readFileSync(path, 'utf8') === (error === null ? after : before)).toBe(true);
    }
    expect(readdirSync(outputs).sort()).toEqual(['appended', 'filler', 'written']);
  }
  expect(ends.full).toBeGreaterThan(5);
  expect(ends.done).toBeGreaterThan(5);
});
