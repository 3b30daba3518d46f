import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { follow, openFollower, readLogBackward } from '../../src/log/follow.ts';
import { openRotatingFile } from '../../src/log/rotation.ts';
import { makeWriter } from './rig.ts';

const { root, writer } = makeWriter();
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(root, 'log-'));
  file = join(folder, 'master.log');
});

const never = () => {
  throw new Error('nothing was lost');
};

function openHere(): { look: (gap?: () => void) => string[]; before: string[] } {
  let before: string[] = [];
  const follower = openFollower(file, (lines) => {
    before = [...lines].reverse();
  });
  onTestFinished(() => follower.close());
  return { look: (gap = never) => follower.look(gap), before };
}

describe('the log, read backwards', () => {
  it('continues in the files that it was rotated into', () => {
    const log = openRotatingFile({ file, maxSize: 20, maxFiles: 4 });
    const lines = Array.from({ length: 12 }, (_, index) => `line ${String(index).padStart(2, '0')}`);
    for (const line of lines) log.append(`${line}\n`);
    log.close();
    // Two lines of eight bytes fit into a file.
    expect([...readLogBackward(file)]).toEqual(lines.slice(-8).reverse());
  });

  it('neither loses nor repeats lines if it is rotated while it is read', () => {
    for (const [name, text] of [
      ['', 'd\n'],
      ['.1', 'c\n'],
      ['.2', 'b\n'],
      ['.3', 'a\n'],
    ]) {
      writeFileSync(`${file}${name}`, text as string);
    }
    const reading = readLogBackward(file);
    expect(reading.next().value).toBe('d');
    for (const place of [3, 2, 1, 0]) renameSync(place === 0 ? file : `${file}.${place}`, `${file}.${place + 1}`);
    writeFileSync(file, 'e\n');
    expect([...reading]).toEqual(['c', 'b', 'a']);
  });

  it('is empty if the file is missing', () => {
    expect([...readLogBackward(join(folder, 'missing', 'log'))]).toEqual([]);
  });
});

describe('a follower', () => {
  it('reports existing lines, then new ones once they are complete', () => {
    writeFileSync(file, 'one\ntwo\nthr');
    const { look, before } = openHere();
    expect(before).toEqual(['one', 'two']);
    expect(look()).toEqual([]);
    appendFileSync(file, 'ee\nfour\n\nfive');
    expect(look()).toEqual(['three', 'four']);
    appendFileSync(file, '\n');
    expect([look(), look()]).toEqual([['five'], []]);
  });

  it('decodes characters that are written in two parts', () => {
    writeFileSync(file, '');
    const { look } = openHere();
    const bytes = Buffer.from('ä€𝄞\n');
    for (const byte of bytes.subarray(0, -1)) {
      appendFileSync(file, Buffer.from([byte]));
      expect(look()).toEqual([]);
    }
    appendFileSync(file, '\n');
    expect(look()).toEqual(['ä€𝄞']);
  });

  it('waits for a file, and for its folder', () => {
    file = join(folder, 'outputs', 'master.log');
    const { look } = openHere();
    expect(look()).toEqual([]);
    mkdirSync(join(folder, 'outputs'));
    expect(look()).toEqual([]);
    writeFileSync(file, 'first\n');
    expect(look()).toEqual(['first']);
  });

  it('reads through several rotations between two looks in order, with lines that a late writer adds', () => {
    const log = openRotatingFile({ file, maxSize: 20, maxFiles: 50 });
    log.append('before\n');
    const { look } = openHere();
    const lines = Array.from({ length: 15 }, (_, index) => `line ${String(index).padStart(2, '0')}`);
    for (const line of lines) log.append(`${line}\n`);
    expect(readdirSync(folder).filter((name) => /^master\.log\.\d/.test(name)).length).toBeGreaterThan(5);
    expect(look()).toEqual(lines);
    appendFileSync(`${file}.2`, 'late\n');
    expect(look()).toEqual(['late']);
    expect(look()).toEqual([]);
    log.close();
  });

  it('handles the gap that an interrupted rotation leaves', () => {
    writeFileSync(file, 'b\n');
    writeFileSync(`${file}.1`, 'a\n');
    const { look, before } = openHere();
    expect(before).toEqual(['a', 'b']);
    renameSync(`${file}.1`, `${file}.2`);
    appendFileSync(file, 'c\n');
    expect(look()).toEqual(['c']);
    renameSync(file, `${file}.1`);
    appendFileSync(`${file}.1`, 'd\n');
    expect(look()).toEqual(['d']);
    writeFileSync(file, 'e\n');
    expect(look()).toEqual(['e']);
  });

  it('reads a removed file to its end, and reports where files may have come and gone unseen', () => {
    const log = openRotatingFile({ file, maxSize: 10, maxFiles: 2 });
    log.append('1111\n');
    const { look } = openHere();
    for (const line of ['2222', '3333', '4444', '5555', '6666', '7777']) log.append(`${line}\n`);
    let gaps = 0;
    const lines = look(() => gaps++);
    expect([lines, gaps]).toEqual([['2222', '5555', '6666', '7777'].slice(-lines.length), 1]);
    log.close();
  });

  it('does not repeat old files if the newest was removed by hand', () => {
    writeFileSync(`${file}.1`, 'a\n');
    writeFileSync(file, 'b\n');
    const { look } = openHere();
    rmSync(file);
    expect(look()).toEqual([]);
    writeFileSync(file, 'c\n');
    expect(look()).toEqual(['c']);
  });

  it('starts again at the beginning of a file that was truncated', () => {
    writeFileSync(file, 'aaaaaa\n');
    const { look } = openHere();
    truncateSync(file, 0);
    appendFileSync(file, 'b\n');
    expect(look()).toEqual(['b']);
  });
});

describe('following a log', () => {
  it('neither loses, repeats nor reorders lines while writers rotate at full speed', async () => {
    const count = 4_000;
    const stop = new AbortController();
    const got: string[] = [];
    const follower = openFollower(file, () => undefined);
    onTestFinished(() => follower.close());
    const all = follow(follower, file, {
      stop: stop.signal,
      onLines: (lines) => {
        got.push(...lines);
        if (got.length >= 2 * count) stop.abort();
      },
      onGap: never,
    });
    const writers = ['a', 'b'].map((name) =>
      spawn(process.execPath, [writer, file, name, String(count), '40000', 'exit'], { stdio: 'ignore' }),
    );
    await Promise.all(writers.map((child) => once(child, 'exit')));
    const patience = setTimeout(() => stop.abort(), 10_000);
    await all;
    clearTimeout(patience);
    expect(readdirSync(folder).filter((name) => /^master\.log\.\d/.test(name)).length).toBeGreaterThanOrEqual(5);
    for (const name of ['a', 'b']) {
      const expected = Array.from({ length: count }, (_, index) => `line ${index + 1} of ${name}`);
      expect(got.map((line) => line.slice(line.indexOf('] ') + 2)).filter((text) => text.endsWith(name))).toEqual(
        expected,
      );
    }
  });
});
