import { readdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { CleanupDocument } from '../../src/cli/commands/cleanup.ts';
import { gate, isLinux, makeGate, makeWorkspace, note, release, type Workspace } from '../rig.ts';

const day = 86_400_000;

/** A workspace that has run once, and in which much was left that is old. */
async function makeLitter(): Promise<Workspace> {
  const workspace = makeWorkspace();
  workspace.configure({ groups: { a: { every: '1h', scripts: [{ name: 'one', shell: note('a') }] } } });
  await workspace.tick();
  const put = (name: string, text: string, ageInDays: number) => {
    workspace.write(`outputs/${name}`, text);
    const time = new Date(Date.now() - ageInDays * day);
    utimesSync(join(workspace.outputs, name), time, time);
  };
  put('runs/2026-01-01/a-old/1-one.log', 'x'.repeat(2048), 20);
  put('runs/2026-01-02/a-older/1-one.log', 'x'.repeat(1024), 15);
  put('.master_scheduler_state.json.123-abc.tmp', '{', 1);
  put('.history.jsonl.123-abc.tmp', '{', 0);
  put('locks/stop-20260101T000000-abcdef', 'now\n', 1);
  put('my.tmp', 'not ours', 400);
  const old = { at: '2026-01-01T00:00:00.000Z', type: 'tick', tick: 'x', outcome: 'nothing-due', durationMs: 1 };
  writeFileSync(
    join(workspace.outputs, 'history.jsonl'),
    `${JSON.stringify(old)}\n${JSON.stringify(old)}\ntorn\n${workspace.read('outputs/history.jsonl')}`,
  );
  return workspace;
}

it('a dry run says what would go, and touches nothing', async () => {
  const workspace = await makeLitter();
  const before = workspace.fingerprint();
  const { code, stdout } = await workspace.rhythm(['cleanup', '--dry-run']);
  expect(stdout.split('\n')).toEqual([
    "Would remove 2 runs' files (3 KB): older than 2w (runs.keep).",
    'Would remove 3 lines of the history: older than 90d (history.keep).',
    'Would remove one temporary file (1 B): left by a process that was killed.',
    'Would remove one request to stop: for a tick that has ended.',
    '',
  ]);
  expect(code).toBe(0);
  expect(workspace.fingerprint()).toEqual(before);
});

it('removes it, and nothing else', async () => {
  const workspace = await makeLitter();
  const planned = await workspace.rhythm(['cleanup', '--dry-run', '--json']);
  const { code, stdout } = await workspace.rhythm(['cleanup', '--json']);
  const done = JSON.parse(stdout) as CleanupDocument;
  expect([code, done]).toEqual([0, { ...JSON.parse(planned.stdout), dryRun: false }]);
  expect(done).toMatchObject({ schemaVersion: 1, size: 3073, historyLines: 3, leases: [] });
  expect(readdirSync(join(workspace.outputs, 'runs')).filter((name) => name.startsWith('2026-01'))).toEqual([]);
  expect(readdirSync(join(workspace.outputs, 'locks')).filter((name) => !name.endsWith('.lock'))).toEqual([]);
  // The next write of the history removes what a killed one left.
  expect(workspace.has('outputs/.history.jsonl.123-abc.tmp')).toBe(false);
  expect(workspace.has('outputs/my.tmp')).toBe(true);
  expect(workspace.history().map(({ type }) => type)).toEqual(['pruned', 'seen', 'run-start', 'run-end', 'tick']);
  const again = await workspace.rhythm(['cleanup']);
  expect([again.code, again.stdout]).toEqual([0, 'There is nothing to clean up.\n']);
});

it('prunes by size, oldest first', async () => {
  const workspace = makeWorkspace();
  workspace.configure({
    runs: { maxSize: '1MB' },
    groups: { a: { every: '1h', scripts: [{ name: 'one', shell: note('a') }] } },
  });
  for (const [name, hours] of [
    ['older', 3],
    ['newer', 2],
  ] as const) {
    workspace.write(`outputs/runs/2026-11-22/a-${name}/1-one.log`, '');
    const file = join(workspace.outputs, `runs/2026-11-22/a-${name}/1-one.log`);
    truncateSync(file, 700_000);
    utimesSync(file, new Date(Date.now() - hours * 3_600_000), new Date(Date.now() - hours * 3_600_000));
  }
  const { stdout } = await workspace.rhythm(['cleanup']);
  expect(stdout).toBe('Removed the files of one run (684 KB): the oldest beyond 1 MB in all (runs.maxSize).\n');
  expect(readdirSync(join(workspace.outputs, 'runs/2026-11-22'))).toEqual(['a-newer']);
});

it.runIf(isLinux)('settles the run of a dead tick, but lets live what runs, and keeps off what is held', async () => {
  const workspace = makeWorkspace();
  workspace.configure({
    groups: {
      a: {
        every: '1h',
        scripts: [
          { name: 'one', shell: `${note('one')}; ${gate('gate')}; ${note('one ends')}` },
          { name: 'two', shell: note('two') },
        ],
      },
    },
  });
  makeGate(workspace, 'gate');
  const tick = workspace.start(['tick']);
  await workspace.ledgerHas('one');
  expect((await workspace.rhythm(['cleanup'])).stdout).toBe('There is nothing to clean up.\n');

  tick.child.kill('SIGKILL');
  await tick.done;
  const left = await workspace.rhythm(['cleanup']);
  expect(left.stdout).toBe('Left a/one: it runs still, though its tick died; the next tick waits for it.\n');
  expect(workspace.state().leases).toHaveProperty('main');

  release(workspace, 'gate');
  await workspace.ledgerHas('one ends');
  const pid = workspace.read(`outputs/${String(workspace.state().leases?.main?.folder)}/1-one.pid`);
  const leader = Number(pid.split('\n')[1]?.split(' ')[1]);
  while (isAlive(leader)) await new Promise((resolve) => setImmediate(resolve));
  expect((await workspace.rhythm(['cleanup', '--dry-run'])).stdout).toBe('Would settle a/one, whose tick died.\n');
  expect((await workspace.rhythm(['cleanup'])).stdout).toBe('Settled a/one, whose tick died: interrupted.\n');
  expect(workspace.state()).toMatchObject({
    leases: {},
    groups: { a: { lastRun: { outcome: 'interrupted', scripts: [{ name: 'one', outcome: 'succeeded' }] } } },
  });
  expect(workspace.ledger()).toEqual(['one', 'one ends']);
});

it('removes a damaged state only once it is older than the history', async () => {
  const workspace = makeWorkspace();
  workspace.configure({ groups: { a: { every: '1h', scripts: [{ name: 'one', shell: 'true' }] } } });
  const stamp = (age: number) => new Date(Date.now() - age * day).toISOString().replace(/[:-]|\.\d+/g, '');
  const [old, fresh] = [100, 80].map((age) => `outputs/master_scheduler_state.json.corrupt-${stamp(age)}`);
  workspace.write(String(old), '{');
  workspace.write(String(fresh), '{');
  expect((await workspace.rhythm(['cleanup'])).stdout).toMatch(
    /^Removed one damaged state \(1 B\): set aside longer ago than 90d.\n$/,
  );
  expect([workspace.has(String(old)), workspace.has(String(fresh))]).toEqual([false, true]);
});

it('follows no link out of the folder of runs', async () => {
  const workspace = await makeLitter();
  workspace.write('elsewhere/keep.txt', 'mine');
  symlinkSync(join(workspace.folder, 'elsewhere'), join(workspace.outputs, 'runs/2026-01-01/linked'));
  const past = new Date(Date.now() - 30 * day);
  utimesSync(join(workspace.folder, 'elsewhere/keep.txt'), past, past);
  await workspace.rhythm(['cleanup']);
  expect(workspace.read('elsewhere/keep.txt')).toBe('mine');
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
