import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeEach, describe, expect, test } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { openRotatingFile } from '../../src/log/rotation.ts';
import { lockPath, tryLock } from '../../src/state/lock.ts';
import { makeWriter } from './rig.ts';

const { root, writer } = makeWriter();
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(root, 'log-'));
  file = join(folder, 'outputs', 'master.log');
});

function contents(): Record<string, string> {
  const outputs = join(folder, 'outputs');
  const names = readdirSync(outputs).filter((name) => /^master\.log(\.\d+)?$/.test(name));
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(outputs, name), 'utf8')]));
}

/** Every line of the log, oldest first. */
function allLines(): string[] {
  const byAge = Object.entries(contents()).sort(([a], [b]) => numberOf(b) - numberOf(a));
  return byAge.flatMap(([, text]) => text.split('\n').slice(0, -1));
}

function numberOf(name: string): number {
  return Number(/\d+$/.exec(name)?.[0] ?? 0);
}

function startWriter(name: string, lines: number, maxSize: number, end: 'quiet' | 'exit' | 'hang') {
  return spawn(process.execPath, [writer, file, name, String(lines), String(maxSize), end], {
    stdio: ['ignore', end === 'quiet' ? 'ignore' : 'pipe', 'inherit'],
  });
}

describe('a writer of a rotated log', () => {
  test('preserves the newest files, as many as configured', () => {
    const log = openRotatingFile({ file, maxSize: 10, maxFiles: 3 });
    for (const line of ['1111\n', '2222\n', '3333\n', '4444\n', '5555\n', '6666\n', '7777\n']) log.append(line);
    log.close();
    expect(contents()).toEqual({
      'master.log': '7777\n',
      'master.log.1': '5555\n6666\n',
      'master.log.2': '3333\n4444\n',
    });
  });

  test.each([
    [1, { 'master.log': '3\n' }],
    [2, { 'master.log': '3\n', 'master.log.1': '2\n' }],
  ])('keeps %i where that is asked for', (maxFiles, kept) => {
    const log = openRotatingFile({ file, maxSize: 2, maxFiles });
    for (const line of ['1\n', '2\n', '3\n']) log.append(line);
    log.close();
    expect(contents()).toEqual(kept);
  });

  test('gives a line that is longer than a file a file of its own', () => {
    const log = openRotatingFile({ file, maxSize: 10, maxFiles: 5 });
    for (const line of [`${'1'.repeat(50)}\n`, '2\n', `${'3'.repeat(50)}\n`, '4\n']) log.append(line);
    log.close();
    expect(contents()).toEqual({
      'master.log': '4\n',
      'master.log.1': `${'3'.repeat(50)}\n`,
      'master.log.2': '2\n',
      'master.log.3': `${'1'.repeat(50)}\n`,
    });
  });

  test('removes files beyond a limit that was lowered, and nothing else', () => {
    const log = openRotatingFile({ file, maxSize: 2, maxFiles: 3 });
    for (const name of ['1', '2', '3', '17', 'old', '01']) writeFileSync(`${file}.${name}`, `${name}\n`);
    log.append('a\n');
    log.append('b\n');
    log.close();
    expect(contents()).toEqual({
      'master.log': 'b\n',
      'master.log.01': '01\n',
      'master.log.1': 'a\n',
      'master.log.2': '1\n',
    });
    expect(existsSync(`${file}.old`)).toBe(true);
  });

  test('fills the gap that an interrupted rotation has left', () => {
    const log = openRotatingFile({ file, maxSize: 2, maxFiles: 5 });
    for (const name of ['1', '3']) writeFileSync(`${file}.${name}`, `${name}\n`);
    log.append('a\n');
    log.append('b\n');
    log.close();
    expect(contents()).toEqual({
      'master.log': 'b\n',
      'master.log.1': 'a\n',
      'master.log.2': '1\n',
      'master.log.3': '3\n',
    });
  });

  test('continues without rotating if a file can not be renamed', () => {
    const log = openRotatingFile({ file, maxSize: 2, maxFiles: 2 });
    mkdirSync(join(`${file}.1`, 'not-empty'), { recursive: true });
    for (const line of ['1\n', '2\n', '3\n']) log.append(line);
    expect(readFileSync(file, 'utf8')).toBe('1\n2\n3\n');
    rmSync(`${file}.1`, { recursive: true });
    log.append('4\n');
    log.close();
    expect(contents()).toEqual({ 'master.log': '4\n', 'master.log.1': '1\n2\n3\n' });
  });

  test('continues without rotating while another process holds the rotation lock', () => {
    const log = openRotatingFile({ file, maxSize: 2, maxFiles: 2 });
    const lock = tryLock(lockPath(join(folder, 'outputs'), 'master.log'));
    for (const line of ['1\n', '2\n']) log.append(line);
    expect(contents()).toEqual({ 'master.log': '1\n2\n' });
    lock?.release();
    log.append('3\n');
    log.close();
    expect(contents()).toEqual({ 'master.log': '3\n', 'master.log.1': '1\n2\n' });
  });

  test('notices that its file was renamed, or removed with its folder', () => {
    const log = openRotatingFile({ file, maxSize: 1000, maxFiles: 5 });
    log.append('1\n');
    renameSync(file, `${file}.1`);
    log.append('2\n');
    expect(contents()).toEqual({ 'master.log': '2\n', 'master.log.1': '1\n' });
    rmSync(join(folder, 'outputs'), { recursive: true });
    log.append('3\n');
    log.close();
    expect(contents()).toEqual({ 'master.log': '3\n' });
  });

  test('starts a new line after one that a crash has torn', () => {
    mkdirSync(join(folder, 'outputs'));
    writeFileSync(file, 'whole\ntor');
    const log = openRotatingFile({ file, maxSize: 1000, maxFiles: 5 });
    log.append('1\n');
    log.append('2\n');
    appendFileSync(file, "another's\nto");
    log.append('3\n');
    log.close();
    expect(readFileSync(file, 'utf8')).toBe("whole\ntor\n1\n2\nanother's\nto\n3\n");
  });

  test.skipIf(process.platform === 'win32')('is readable by the group at most', () => {
    const before = process.umask(0);
    try {
      openRotatingFile({ file, maxSize: 1000, maxFiles: 5 }).close();
      expect(statSync(file).mode & 0o777).toBe(0o640);
      expect(statSync(join(folder, 'outputs')).mode & 0o777).toBe(0o750);
      const shells = join(folder, 'shells.log');
      writeFileSync(shells, '', { mode: 0o666 });
      openRotatingFile({ file: shells, maxSize: 1000, maxFiles: 5 }).close();
      expect(statSync(shells).mode & 0o777).toBe(0o640);
    } finally {
      process.umask(before);
    }
  });
});

describe('a log that can not be written', () => {
  test('reports a folder at its path', () => {
    mkdirSync(file, { recursive: true });
    expect(() => openRotatingFile({ file, maxSize: 1000, maxFiles: 5 })).toThrow(
      new StorageError(`${file} can't be written: a folder is in its place (EISDIR); move that folder away.`),
    );
  });

  test('reports a file where its folder should be', () => {
    writeFileSync(join(folder, 'outputs'), '');
    expect(() => openRotatingFile({ file, maxSize: 1000, maxFiles: 5 })).toThrow(StorageError);
  });

  test('is written again once the cause is gone', () => {
    const log = openRotatingFile({ file, maxSize: 1000, maxFiles: 5 });
    rmSync(file);
    mkdirSync(file);
    expect(() => log.append('1\n')).toThrow(StorageError);
    expect(() => log.append('2\n')).toThrow(StorageError);
    rmSync(file, { recursive: true });
    log.append('3\n');
    log.close();
    expect(contents()).toEqual({ 'master.log': '3\n' });
  });

  test.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)('reports a full disk', () => {
    const disk = join(folder, 'outputs');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'rhythm-test', disk]);
    try {
      const log = openRotatingFile({ file, maxSize: 1_000_000, maxFiles: 5 });
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(48 * 1024));
      const line = `${'x'.repeat(999)}\n`;
      let logged = 0;
      expect(() => {
        for (; logged < 100; logged++) log.append(line);
      }).toThrow(/master\.log can't be written: the disk is full \(ENOSPC\); free some space there\./);
      expect(logged).toBe(16);
      expect(() => log.append(line)).toThrow(StorageError);
      rmSync(join(disk, 'ballast'));
      log.append('later\n');
      log.close();
      const lines = readFileSync(file, 'utf8').split('\n');
      expect(lines.filter((text) => `${text}\n` === line)).toHaveLength(logged);
      expect(lines.slice(-2)).toEqual(['later', '']);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});

describe('several processes that log', () => {
  test('lose no line while each of them rotates', async () => {
    const writers = Array.from({ length: 8 }, (_, index) => startWriter(`w${index}`, 20_000, 64 * 1024, 'quiet'));
    const codes = await Promise.all(writers.map(async (child) => (await once(child, 'exit'))[0] as number));
    expect(codes).toEqual(writers.map(() => 0));
    const next = new Map(writers.map((_, index) => [`w${index}`, 1]));
    // On a machine that is busy enough, a writer may take another's line, of which it sees half, for torn.
    const lines = allLines().filter((text) => text !== '');
    expect(lines).toHaveLength(160_000);
    for (const text of lines) {
      const [, name = '', line] = /^\S{24} INFO {2}\[group\/(w\d)\] line (\d+) of \1$/.exec(text) ?? [];
      if (Number(line) !== next.get(name)) expect.fail(`after line ${next.get(name)} of ${name}: ${text}`);
      next.set(name, Number(line) + 1);
    }
    // Nobody rotated a file that another process had just begun.
    const { 'master.log': _, ...rotated } = contents();
    for (const text of Object.values(rotated)) expect(text.length).toBeGreaterThan(63 * 1024);
  }, 90_000);

  test('lose nothing by process.exit right after the last line', async () => {
    const child = startWriter('w', 1000, 10_000, 'exit');
    child.stdout?.resume();
    expect((await once(child, 'exit'))[0]).toBe(0);
    expect(allLines()).toHaveLength(1000);
    expect(allLines().at(-1)).toMatch(/line 1000 of w$/);
  });

  test('lose no logged line by kill -9', async () => {
    const child = startWriter('w', 0, 10_000, 'hang');
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.includes('\n500\n')) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const told = output.split('\n').length - 1;
    expect(told).toBeGreaterThanOrEqual(500);
    expect(allLines().filter((text) => text.endsWith(' of w')).length).toBeGreaterThanOrEqual(told);
  });

  test.skipIf(process.platform !== 'linux')('tail -F sees every line', async () => {
    const log = openRotatingFile({ file, maxSize: 200, maxFiles: 100 });
    const tail = spawn('tail', ['-n', '+1', '-F', file], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const seen = createInterface({ input: tail.stdout })[Symbol.asyncIterator]();
      for (let batch = 0; batch < 60; batch++) {
        // Three lines of 20 bytes: at most one rotation between two looks of tail.
        const lines = [0, 1, 2].map((index) => `line ${String(batch * 3 + index).padStart(14)}`);
        for (const line of lines) log.append(`${line}\n`);
        for (const line of lines) expect((await seen.next()).value).toBe(line);
      }
    } finally {
      log.close();
      tail.kill();
    }
    expect(Object.keys(contents()).length).toBeGreaterThan(15);
  });
});
