import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { append } from '../../src/state/append.ts';
import {
  keepCopy,
  openOrCreate,
  readBytes,
  setAside,
  sweepTemporaries,
  writeDurably,
} from '../../src/state/durable-file.ts';
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
  it('replaces the content, creates missing folders and gives the group at most read access', () => {
    const path = join(folder(), 'a', 'b', 'file');
    writeDurably(path, 'one');
    writeDurably(path, Buffer.from('two'));
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
    if (process.platform === 'win32') return;
    expect(statSync(path).mode & 0o777 & ~0o640).toBe(0);
    expect(statSync(join(path, '..')).mode & 0o777 & ~0o750).toBe(0);
  });

  it('calls beforeReplacing while the old file is still there', () => {
    const path = join(folder(), 'file');
    writeDurably(path, 'old');
    let seen = '';
    writeDurably(path, 'new', { beforeReplacing: () => (seen = readFileSync(path, 'utf8')) });
    expect(seen).toBe('old');
  });

  it('changes nothing if beforeReplacing throws', () => {
    const path = join(folder(), 'file');
    writeDurably(path, 'old');
    const refuse = (): void => {
      throw new Error('refused');
    };
    expect(() => writeDurably(path, 'new', { beforeReplacing: refuse })).toThrow('refused');
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('reports a folder at its path as a StorageError', () => {
    const path = join(folder(), 'file');
    mkdirSync(path);
    const error = errorOf(() => writeDurably(path, 'text'));
    expect(error.message).toBe(`${path} can't be written: a folder is in its place (EISDIR); move that folder away.`);
    expect(error.exitCode).toBe(74);
    expect((error.cause as NodeJS.ErrnoException).code).toBe('EISDIR');
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
  });

  it('reports a file where its folder should be as a StorageError', () => {
    const path = join(folder(), 'file');
    writeFileSync(path, '');
    expect(errorOf(() => writeDurably(join(path, 'x'), 'text')).message).toMatch(
      /can't be written: .* \(E(NOTDIR|EXIST)\)/,
    );
    if (process.platform !== 'win32') expect(errorOf(() => readBytes(join(path, 'x'))).message).toMatch(/ENOTDIR/);
  });

  it.skipIf(process.platform === 'win32')('reports a read-only folder as a StorageError', () => {
    const path = join(isLinuxRoot ? disk('1m') : folder(), 'file');
    writeDurably(path, 'old');
    if (isLinuxRoot) makeReadOnly(join(path, '..'));
    else chmodSync(join(path, '..'), 0o550);
    const why = isLinuxRoot ? 'its file system is read-only (EROFS)' : 'permission is denied (EACCES)';
    expect(errorOf(() => writeDurably(path, 'new')).message).toContain(`${path} can't be written: ${why};`);
    if (isLinuxRoot) expect(errorOf(() => append(path, 'new\n', true)).message).toContain(why);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it.skipIf(!isLinuxRoot)('gives files and folders that root creates to the owner of the folder around them', () => {
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
  it('preserves the present content of a file, also if the copy is already the same file', () => {
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

  it.skipIf(!isLinuxRoot)('writes the copy where the file system has no hard links', () => {
    const [path, copy] = [join(folder(), 'file'), join(disk('1m'), 'copy')];
    writeDurably(path, 'one');
    keepCopy(path, copy);
    expect(readFileSync(copy, 'utf8')).toBe('one');
    expect(readdirSync(join(copy, '..'))).toEqual(['copy']);
  });
});

it('setAside gives a file a second name and never replaces another file', () => {
  const path = join(folder(), 'file');
  writeDurably(path, 'one');
  setAside(path, `${path}.aside`);
  writeDurably(path, 'two');
  expect(readFileSync(`${path}.aside`, 'utf8')).toBe('one');
  expect(() => setAside(path, `${path}.aside`)).toThrow('EEXIST');
});

it('sweepTemporaries removes the temporary files of one file only', () => {
  const path = join(folder(), 'file');
  const others = ['.file.tmp', '.file.12-ab.tmp.txt', '.other.12-ab.tmp', 'file'];
  for (const name of ['.file.12-abc9.tmp', '.file.999-0.tmp', ...others]) writeFileSync(join(path, '..', name), '');
  sweepTemporaries(path);
  expect(readdirSync(join(path, '..')).sort()).toEqual(others.sort());
});

it.skipIf(!isLinuxRoot)(
  'a full disk leaves written and appended files as they were, however much space is left',
  () => {
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
  },
);

it('a link to a missing file can be neither opened nor created, and does not hang the caller', () => {
  const path = join(folder(), 'link');
  symlinkSync(join(folder(), 'missing'), path);
  expect(() => openOrCreate(path)).toThrow('EEXIST');
});
