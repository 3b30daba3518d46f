import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { describeProgram, isSame, parseProcess, readProcesses } from '../../scripts/lib/processes.ts';
import { findStale } from '../../scripts/lib/stale.ts';
import { argvOf, runScript, temporaryFolder } from './workspace.ts';

const isLinux = process.platform === 'linux';

describe('the list of processes', () => {
  it('is read from /proc, whatever a program calls itself', () => {
    const fields = (state: string, flags: number) =>
      `42 (a) b (c) ${state} 7 42 42 0 -1 ${flags} 0 0 0 0 1 1 0 0 20 0 1 0 12345 1000 200 0`;
    const status = 'Name:\ta\nVmRSS:\t    2048 kB\n';
    expect(parseProcess(fields('S', 0x400000), status, [], 1_000_000)).toEqual({
      pid: 42,
      parent: 7,
      name: 'a) b (c',
      isZombie: false,
      memory: 2048 * 1024,
      startedAt: 1_000_000 + 123_450,
    });
    expect(parseProcess(fields('Z', 0x400000), 'Name:\ta\n', [], 0)).toMatchObject({ isZombie: true, memory: 0 });
    expect(parseProcess(fields('S', 0x208040), status, [], 0), 'a thread of the kernel').toBeNull();
  });

  it.each([
    [['/usr/bin/node', '--import', 'tsx', '/w/scripts/leak.mjs', '--token', 's3cret'], 'node leak.mjs'],
    [['python3', 'job.py'], 'python3 job.py'],
    [['node', '-e', 'connect("db/password.x")'], 'node'],
    [['/opt/app/server', '--password=x'], 'server'],
    [['nginx: master process -c /etc'], 'fallback'],
    [[], 'fallback'],
  ])('names %j without its arguments: %s', (words, name) => {
    expect(describeProgram(words, 'fallback')).toBe(name);
  });

  it('contains this process on this system', async () => {
    const self = (await readProcesses()).find(({ pid }) => pid === process.pid);
    expect(self).toMatchObject({ parent: process.ppid, isZombie: false });
    expect(self?.memory).toBeGreaterThan(10 * 1024 ** 2);
    expect(Math.abs((self?.startedAt ?? 0) - (Date.now() - process.uptime() * 1000))).toBeLessThan(10_000);
  });

  it('identifies a process by its id and start time', () => {
    expect(isSame({ pid: 1, startedAt: 0 }, { pid: 1, startedAt: 1000 })).toBe(true);
    expect(isSame({ pid: 1, startedAt: 0 }, { pid: 1, startedAt: 60_000 })).toBe(false);
    expect(isSame({ pid: 1, startedAt: 0 }, { pid: 2, startedAt: 0 })).toBe(false);
  });
});

it('a process is stale if it carries the marks of a finished run of this workspace', () => {
  const one = (pid: number, isZombie = false) => ({ pid, parent: 1, name: 'x', isZombie, memory: 0, startedAt: 0 });
  const marks = new Map([
    [1, { workspace: '/w', run: 'over' }],
    [2, { workspace: '/w', run: 'running' }],
    [3, { workspace: '/other', run: 'over' }],
    [4, { workspace: null, run: null }],
    [5, { workspace: '/w', run: 'over' }],
  ]);
  const all = [one(1), one(2), one(3), one(4), one(5, true), one(6)];
  const stale = findStale(all, ({ pid }) => marks.get(pid) ?? null, '/w', new Set(['running']));
  expect(stale.orphans.map(({ pid, run }) => `${pid} ${run}`)).toEqual(['1 over']);
  expect(stale.zombies.map(({ pid }) => pid)).toEqual([5]);
});

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** A process with the marks of a run; one that does not mind SIGTERM, where it is stubborn. */
async function startMarked(workspace: string, run: string, isStubborn = false): Promise<ChildProcess> {
  const text = `${isStubborn ? "process.on('SIGTERM', () => {});" : ''}console.log('ready');setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', text], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, RHYTHM_WORKSPACE: workspace, RHYTHM_RUN_ID: run },
  });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

describe.concurrent('cleanup_processes.ts', () => {
  it.skipIf(!isLinux)('reports the processes that dead runs left, and ends them with --kill', async () => {
    const [folder, outputs] = [temporaryFolder(), temporaryFolder()];
    const state = { schemaVersion: 1, leases: { main: { group: 'a', runId: 'running' } } };
    writeFileSync(join(outputs, 'master_scheduler_state.json'), JSON.stringify(state));
    const dead = await startMarked(folder, 'dead');
    const stubborn = await startMarked(folder, 'dead', true);
    const running = await startMarked(folder, 'running');
    const foreign = await startMarked('/elsewhere', 'dead');
    const clean = (...args: string[]) => runScript(argvOf('cleanup_processes.ts', ...args), outputs, folder, folder);

    const looked = await clean();
    expect(looked).toMatchObject({ exitCode: 1, stderr: '' });
    expect(looked.stdout).toMatch(/^processes: 2 orphans \(/);
    for (const { pid } of [dead, stubborn]) {
      expect(looked.stdout).toMatch(new RegExp(`node, pid ${pid}, .* old, \\d+ MB, of run dead`));
    }
    expect(looked.stdout).toMatch(/run it with --kill to end the orphans\n$/);
    expect([dead, stubborn, running, foreign].map(({ exitCode }) => exitCode)).toEqual([null, null, null, null]);

    const ended = Promise.all([once(dead, 'exit'), once(stubborn, 'exit')]);
    const killed = await clean('--kill');
    expect(killed).toMatchObject({ exitCode: 0, stderr: '' });
    expect(killed.stdout).toMatch(/^processes: no orphans left, 2 ended/);
    expect((await ended).map(([, signal]) => signal)).toEqual(['SIGTERM', 'SIGKILL']);
    expect([running.exitCode, running.signalCode, foreign.exitCode, foreign.signalCode]).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });

  it.skipIf(!isLinux)('reports a zombie with its parent, and exits 0', async () => {
    // A shell that starts something, and then becomes a program that takes note of nothing.
    const parent = spawn('sh', ['-c', 'sleep 0 & exec sleep 30'], { stdio: 'ignore' });
    children.push(parent);
    await expect
      .poll(async () => (await readProcesses()).some((one) => one.isZombie && one.parent === parent.pid))
      .toBe(true);
    const { exitCode, stdout } = await runScript(argvOf('cleanup_processes.ts'), temporaryFolder());
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^processes: no orphans left, \d+ zombies? \(of process /);
  });

  it('exits 1 with the reason if it can’t read the state', async () => {
    const outputs = temporaryFolder();
    writeFileSync(join(outputs, 'master_scheduler_state.json'), '{');
    const { exitCode, stderr } = await runScript(argvOf('cleanup_processes.ts', '--kill'), outputs);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^cleanup_processes\.ts: .*master_scheduler_state\.json can't be understood; .*\n$/);
  });
});
