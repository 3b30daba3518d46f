import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { identify, isSame, listProcesses, living } from '../../src/script/process.ts';
import { endTree, leftBehind, marksOf } from '../../src/script/tree.ts';

const isLinux = process.platform === 'linux';
let runs = 0;
/** A run's id that no other test has. */
const newRun = () => `tree-${process.pid}-${++runs}`;

/** A group of its own; resolved with what it printed first. */
async function spawnGroup(text: string, marks: readonly string[]): Promise<{ child: ChildProcess; pids: number[] }> {
  const marked = Object.fromEntries(marks.map((mark) => mark.split('=')));
  const child = spawn('sh', ['-c', text], { detached: true, env: { PATH: process.env.PATH, ...marked } });
  onTestFinished(() => {
    for (const pid of [-(child.pid as number), child.pid as number, ...pids]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {}
    }
  });
  let pids: number[] = [];
  const [line] = await once(child.stdout as NodeJS.ReadableStream, 'data');
  pids = String(line).trim().split(/\s+/).map(Number);
  return { child, pids };
}

const leaderOf = (child: ChildProcess) => {
  const leader = identify(child.pid as number);
  if (leader === null) throw new Error('not there');
  return leader;
};
const alive = (pids: readonly number[]) => pids.filter((pid) => identify(pid) !== null);

describe('ending a tree', () => {
  it('ends the group without help of the marks', async () => {
    const { child, pids } = await spawnGroup('sleep 60 & echo $$ $!; wait', []);
    expect(await endTree({ leader: leaderOf(child), marks: marksOf(newRun(), 'it', 1) }, 5_000)).toEqual([]);
    expect(alive(pids)).toEqual([]);
    expect(child.signalCode ?? (await once(child, 'exit'))[1]).toBe('SIGTERM');
  });

  it('signals once what heeds SIGTERM slowly, and waits for it', async () => {
    const text = "n=0; trap 'n=$((n+1))' TERM; echo $$; while [ $n = 0 ]; do sleep 0.01; done; sleep 0.2; exit $n";
    const { child } = await spawnGroup(text, []);
    const exit = once(child, 'exit');
    expect(await endTree({ leader: leaderOf(child), marks: marksOf(newRun(), 'it', 1) }, 20_000)).toEqual([]);
    expect(await exit).toEqual([1, null]);
  });

  it('goes on with the group when its leader is gone', async () => {
    const text = `sh -c "trap '' TERM; echo \\$\\$; while :; do sleep 60; done" & wait`;
    const { child, pids } = await spawnGroup(text, []);
    expect(await endTree({ leader: leaderOf(child), marks: marksOf(newRun(), 'it', 1) }, 100)).toEqual([]);
    expect(alive(pids)).toEqual([]);
  });

  it('ends what forks faster than it is looked at', async () => {
    // Each generation ignores SIGTERM, starts the next and is gone; there is an end to it, should this test fail.
    const chain = 'CHAIN=[ $1 -gt 0 ] && sh -c "$CHAIN" x $(($1 - 1)) &';
    const { child } = await spawnGroup(`trap '' TERM; echo $$; sh -c "$CHAIN" x 5000; sleep 60`, [chain]);
    expect(await endTree({ leader: leaderOf(child), marks: marksOf(newRun(), 'it', 1) }, 100)).toEqual([]);
    expect(living().filter(({ group }) => group === child.pid)).toEqual([]);
  });

  test.runIf(isLinux)('ends what carries the marks, though its leader is not known', async () => {
    const marks = marksOf(newRun(), 'it', 1);
    const { child, pids } = await spawnGroup('setsid sleep 60 & echo $$ $!; wait', marks);
    expect(await endTree({ leader: null, marks }, 5_000)).toEqual([]);
    expect(alive([...pids, child.pid as number])).toEqual([]);
  });

  it('signals nothing that it can’t prove to belong to the tree', async () => {
    const run = newRun();
    const { child, pids } = await spawnGroup('sleep 60 & echo $$ $!; wait', marksOf(run, 'it', 1));
    const leader = leaderOf(child);
    const reused = { ...leader, startedAt: `${Number(leader.startedAt) - 1}` };
    expect(await endTree({ leader: reused, marks: marksOf(run, 'it', 2) }, 100)).toEqual([]);
    expect(await endTree({ leader: { ...leader, boot: 'other' }, marks: marksOf(run, 'other', 1) }, 100)).toEqual([]);
    expect(await endTree({ leader: null, marks: marksOf(`${run}0`, 'it', 1) }, 100)).toEqual([]);
    expect(alive(pids)).toEqual(pids);
    expect(isSame(leader)).toBe(true);
  });
});

describe('what outlives its script', () => {
  it('is found in its group and, on Linux, in sessions of its own', async () => {
    const before = listProcesses();
    const marks = marksOf(newRun(), 'it', 1);
    const { child, pids } = await spawnGroup('env -i sleep 60 & a=$!; setsid sleep 60 & echo $a $!', marks);
    if (child.exitCode === null) await once(child, 'exit');
    const expected = isLinux ? pids : pids.slice(0, 1);
    expect(await leftBehind(child.pid as number, marks, before)).toEqual(expected.sort((a, b) => a - b));
    expect(alive(pids)).toEqual(pids);
  });

  it('is usually nothing, and then nobody waits for it', async () => {
    const before = listProcesses();
    const child = spawn('true', { detached: true });
    await once(child, 'exit');
    const clock = performance.now();
    expect(await leftBehind(child.pid as number, marksOf(newRun(), 'it', 1), before)).toEqual([]);
    expect(performance.now() - clock).toBeLessThan(200);
  });
});
