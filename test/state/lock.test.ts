import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  awaitLock,
  describeHolder,
  isHeld,
  type Lock,
  lockKind,
  lockPath,
  tryLock,
  waitLock,
} from '../../src/state/lock.ts';
import { type Child, disk, everything, folder, isLinuxRoot, makeReadOnly, start } from './rig.ts';

const onLinux = process.platform === 'linux';
const nobody = (): boolean => false;
const spawned: number[] = [];

afterEach(() => {
  for (const pid of spawned.splice(0)) process.kill(pid, 'SIGKILL');
});

/** Takes a lock that is about to be freed: by the kernel, after a death that has been reported already. */
function take(path: string): Lock {
  const lock = waitLock(path, 5000);
  if (lock === null) throw new Error(`${path} is still held`);
  return lock;
}

async function starters(count: number, args: readonly string[], options: { native?: boolean }): Promise<Child[]> {
  return Promise.all(Array.from({ length: count }, () => start(args, options)));
}

// The stand-in for systems without a build of the native package exists in this form on Linux only.
describe.each(onLinux ? [{ native: true }, { native: false }] : [{ native: true }])('a lock, %o', (options) => {
  it('has one holder among many starters', { timeout: 60_000 }, async () => {
    const path = lockPath(folder(), 'main');
    const count = options.native ? 100 : 30;
    const all = await starters(count, ['lock', path], options);
    const lines = await Promise.all(all.map((child) => child.line()));
    const kind = options.native ? 'native' : 'abstract-socket';
    expect(lines.filter((line) => line === `held ${kind}`)).toHaveLength(1);
    expect(lines.filter((line) => line === `busy ${kind}`)).toHaveLength(count - 1);
    for (const child of all) child.process.stdin.end();
    expect(new Set(await Promise.all(all.map((child) => child.end())))).toEqual(new Set([0]));
  });

  it('is free when its holder has died, however, and not before', async () => {
    const path = lockPath(folder(), 'main');
    const holder = await start(['lock', path, 'tick-7'], options);
    expect(await holder.line()).toMatch(/^held/);
    const rival = async (): Promise<string | undefined> => {
      const child = await start(['lock', path], options);
      const line = await child.line();
      child.process.stdin.end();
      await child.end();
      return line?.split(' ')[0];
    };
    expect(describeHolder(path)).toMatchObject({ pid: holder.process.pid, tick: 'tick-7' });
    holder.process.kill('SIGSTOP');
    expect(await rival()).toBe('busy');
    if (onLinux) expect(isHeld(path, nobody)).toBe(true);
    holder.process.kill('SIGKILL');
    expect(await holder.end()).toBe('SIGKILL');
    if (onLinux) expect(isHeld(path, nobody)).toBe(false);
    expect(describeHolder(path)).toMatchObject({ tick: 'tick-7' });
    expect(await rival()).toBe('held');
    expect(describeHolder(path)).toBeNull();
    expect(existsSync(path)).toBe(true);
  });

  it('is not inherited by a child that outlives its holder', async () => {
    const path = lockPath(folder(), 'main');
    const holder = await start(['lock-and-spawn', path], options);
    const [said, pid] = (await holder.line())?.split(' ') ?? [];
    spawned.push(Number(pid));
    expect(said).toBe('held');
    if (onLinux) {
      const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
      expect(open.filter((target) => target === path || target.startsWith('socket:'))).toEqual([]);
    }
    holder.process.kill('SIGKILL');
    await holder.end();
    process.kill(Number(pid), 0);
    const next = await start(['await', path, '5000'], options);
    expect(await next.line()).toBe('held');
  });

  it('is awaited until it is free, or for the given time', async () => {
    const path = lockPath(folder(), 'main');
    const holder = await start(['lock', path], options);
    await holder.line();
    const impatient = await start(['await', path, '200'], options);
    expect(await impatient.line()).toBe('busy');
    const patient = await start(['await', path, '20000'], options);
    holder.process.stdin.end();
    expect(await patient.line()).toBe('held');
  });
});

it('a lock keeps out a second holder in the same process until it is released', () => {
  const path = lockPath(folder(), 'main');
  const lock = take(path);
  expect(tryLock(path)).toBeNull();
  expect(waitLock(path, 30)).toBeNull();
  lock.release();
  const next = take(path);
  lock.release();
  expect(tryLock(path)).toBeNull();
  next.release();
});

it('the lock file describes its present holder only, whatever a dead one has left', () => {
  const path = lockPath(folder(), 'main');
  take(path).release();
  for (const left of [
    'x',
    `${JSON.stringify({ pid: 1, since: '2026-11-22T16:00:00.000Z', about: 'x'.repeat(500) })}\n`,
  ]) {
    writeFileSync(path, left);
    const lock = take(path);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ pid: process.pid, since: expect.any(String) });
    lock.release();
    expect(readFileSync(path, 'utf8')).toBe('');
  }
});

it('waitLock waits as long as the lock changes hands', { timeout: 30_000 }, async () => {
  const path = lockPath(folder(), 'main');
  const lock = take(path);
  const patience = 1_500;
  const child = await start(['wait', path, `${patience}`]);
  const from = performance.now();
  let shownUntil = from;
  // As a crowd would: one holder after the other.
  const crowd = setInterval(() => {
    shownUntil = performance.now();
    writeFileSync(path, JSON.stringify({ pid: 1, since: new Date().toISOString() }));
    if (shownUntil - from > 2 * patience) clearInterval(crowd);
  }, 100);
  expect(await child.line()).toBe('busy');
  expect(performance.now() - from).toBeGreaterThan(2 * patience);
  expect(performance.now() - shownUntil).toBeGreaterThan(patience / 2);
  clearInterval(crowd);
  lock.release();
});

it('awaitLock stops waiting when its signal is aborted', async () => {
  const path = lockPath(folder(), 'main');
  const lock = take(path);
  const stop = new AbortController();
  const waiting = awaitLock(path, 60_000, {}, stop.signal);
  stop.abort();
  expect(await waiting).toBeNull();
  lock.release();
  expect(await awaitLock(path, 60_000, {}, stop.signal)).toBeNull();
});

it('a lock whose file was deleted is a new lock', () => {
  const path = lockPath(folder(), 'main');
  const lost = take(path);
  rmSync(path);
  const lock = take(path);
  lost.release();
  expect(tryLock(path)).toBeNull();
  lock.release();
});

it('tryLock never locks a file that was deleted after it was opened', () => {
  const path = lockPath(folder(), 'main');
  take(path).release();
  expect(lockKind()).toBe('native');
  const build = `fs-native-extensions/prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`;
  const native = createRequire(import.meta.url)(build) as { tryLock(...args: number[]): void };
  const really = native.tryLock;
  const locking = vi.spyOn(native, 'tryLock').mockImplementationOnce((...args) => {
    rmSync(path);
    really(...args);
  });
  const lock = take(path);
  expect(locking).toHaveBeenCalledTimes(2);
  locking.mockRestore();
  expect(existsSync(path)).toBe(true);
  expect(tryLock(path)).toBeNull();
  lock.release();
});

describe('isHeld', () => {
  it('writes nothing and disturbs no holder', () => {
    const outputs = folder();
    const path = lockPath(outputs, 'main');
    expect(isHeld(path, nobody)).toBe(false);
    expect(readdirSync(outputs)).toEqual([]);
    take(path).release();
    const before = everything(outputs);
    expect(isHeld(path, () => true)).toBe(false);
    expect(everything(outputs)).toEqual(before);
  });

  it.skipIf(!onLinux)('never makes a lock seem held to a starter', async () => {
    const path = lockPath(folder(), 'main');
    take(path).release();
    const child = await start(['lock', path]);
    let answer: string | undefined;
    const line = child.line().then((text) => {
      answer = text;
    });
    let looks = 0;
    while (answer === undefined) {
      for (let look = 0; look < 20; look++) isHeld(path, nobody);
      looks += 20;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await line;
    expect(answer).toBe('held native');
    expect(looks).toBeGreaterThan(20);
    child.process.stdin.end();
  });

  it.skipIf(!isLinuxRoot)('distinguishes locks of several disks', () => {
    const [one, two] = [disk('1m'), disk('1m')].map((path) => join(path, 'x.lock')) as [string, string];
    const lock = take(one);
    take(two).release();
    expect([isHeld(one, nobody), isHeld(two, nobody)]).toEqual([true, false]);
    lock.release();
  });

  it.skipIf(onLinux)('relies on the holder line where there is no /proc', () => {
    const path = lockPath(folder(), 'main');
    const lock = take(path);
    expect(isHeld(path, (holder) => holder.pid === process.pid)).toBe(true);
    lock.release();
  });
});

it('describeHolder returns null where the line names no holder', () => {
  const path = join(folder(), 'x.lock');
  for (const text of ['', 'x', 'null', '5', '{}', '{"pid":"1","since":"x"}', '{"pid":1']) {
    writeFileSync(path, text);
    expect(describeHolder(path)).toBeNull();
  }
});

it('a lock that can not be taken is reported with its path', () => {
  const path = lockPath(folder(), 'main');
  mkdirSync(path, { recursive: true });
  expect(() => tryLock(path)).toThrow(
    `${path} can't be locked: a folder is in its place (EISDIR); move that folder away.`,
  );
});

it.skipIf(!isLinuxRoot)('a lock is taken on a full disk and reported on a read-only one', () => {
  const outputs = disk('64k');
  const path = lockPath(outputs, 'main');
  take(path).release();
  spawnSync('sh', ['-c', `cat /dev/zero > ${outputs}/filler`], { stdio: 'ignore' });
  const lock = take(path);
  expect(tryLock(path)).toBeNull();
  expect(readFileSync(path, 'utf8')).toBe('');
  lock.release();
  rmSync(join(outputs, 'filler'));
  makeReadOnly(outputs);
  expect(() => tryLock(path)).toThrow(/main\.lock can't be locked: its file system is read-only \(EROFS\); mount it/);
});
