import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { bootIdentity, carries, identify, isSame, listProcesses, living } from '../../src/script/process.ts';
import { until } from './job.ts';

const isLinux = process.platform === 'linux';

/** A process that lives until the test ends, in the midst of its program: one that begins another shows no environment. */
async function spawnSleeper(env: NodeJS.ProcessEnv = {}): Promise<number> {
  const child = spawn('sh', ['-c', 'echo; read x'], { env: { PATH: process.env.PATH, ...env } });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child.pid as number;
}

describe('an identity', () => {
  it('is the same for as long as its process lives', async () => {
    const child = spawn('cat');
    const identity = identify(child.pid as number);
    if (identity === null) throw new Error('not there');
    expect(identity).toMatchObject({ pid: child.pid, boot: bootIdentity() });
    expect(identity.startedAt).not.toBe('');
    expect(isSame(identity)).toBe(true);
    child.stdin.end();
    await once(child, 'exit');
    expect(identify(identity.pid)).toBeNull();
    expect(isSame(identity)).toBe(false);
  });

  it('is not that of a process which got the pid later, nor of another boot', () => {
    const self = identify(process.pid);
    if (self === null) throw new Error('not there');
    expect(isSame(self)).toBe(true);
    expect(isSame({ ...self, startedAt: `${Number(self.startedAt) + 1}` })).toBe(false);
    expect(isSame({ ...self, startedAt: '' })).toBe(false);
    expect(isSame({ ...self, boot: '00000000-0000-0000-0000-000000000000' })).toBe(false);
    expect(isSame({ ...self, boot: 'since-1763827200' })).toBe(false);
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 30])('is none for the pid %d', (pid) => {
    expect(identify(pid)).toBeNull();
  });

  it('is none for a zombie', async () => {
    // Its parent does not reap it.
    const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60']);
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [text] = await once(parent.stdout, 'data');
    const zombie = Number(String(text));
    await until(() => identify(zombie) === null);
    expect(() => process.kill(zombie, 0)).not.toThrow();
    expect(living().map(({ pid }) => pid)).not.toContain(zombie);
  });

  test.runIf(isLinux)('reads a process whose name holds blanks and brackets', async () => {
    const rename =
      'require("fs").writeFileSync("/proc/self/comm", "a) Z (b"); console.log(); setInterval(() => {}, 1e9)';
    const child = spawn(process.execPath, ['-e', rename]);
    onTestFinished(() => void child.kill('SIGKILL'));
    const before = identify(child.pid as number);
    await once(child.stdout, 'data');
    expect(identify(child.pid as number)).toEqual(before);
  });
});

describe('the table of processes', () => {
  it('holds us, in our group', () => {
    const group = Number(spawnSync('ps', ['-o', 'pgid=', '-p', String(process.pid)], { encoding: 'utf8' }).stdout);
    expect(living().find(({ pid }) => pid === process.pid)).toEqual({
      pid: process.pid,
      group,
      startedAt: identify(process.pid)?.startedAt,
    });
    if (isLinux) expect(listProcesses().has(process.pid)).toBe(true);
  });

  test.runIf(isLinux)('tells what a process carries in its environment, to the letter', async () => {
    const pid = await spawnSleeper({ RHYTHM_RUN_ID: 'ünü 7', OTHER: 'x' });
    expect(carries(pid, ['RHYTHM_RUN_ID=ünü 7'])).toBe(true);
    expect(carries(pid, ['OTHER=x', 'RHYTHM_RUN_ID=ünü 7'])).toBe(true);
    expect(carries(pid, ['OTHER=y', 'RHYTHM_RUN_ID=ünü 7'])).toBe(false);
    for (const near of ['RHYTHM_RUN_ID=ünü', 'RHYTHM_RUN_ID=ünü 71', 'RUN_ID=ünü 7', 'X=ünü 7']) {
      expect(carries(pid, [near])).toBe(false);
    }
    expect(carries(2 ** 30, ['A=b'])).toBe(false);
  });
});
