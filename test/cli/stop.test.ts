import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { StopDocument } from '../../src/cli/commands/stop.ts';
import {
  gate,
  isLinux,
  makeGate,
  makeWorkspace,
  note,
  program,
  type Running,
  release,
  type Workspace,
} from '../rig.ts';

/** A tick whose first of three scripts waits at a gate; another group comes after. */
async function startTick(): Promise<{ workspace: Workspace; tick: Running }> {
  const workspace = makeWorkspace();
  workspace.configure({
    groups: {
      nightly: {
        every: '1h',
        scripts: [
          { name: 'one', shell: `${note('one')}; ${gate('gate')}; ${note('one ends')}` },
          { name: 'two', shell: note('two') },
        ],
      },
      later: { every: '1h', scripts: [{ name: 'only', shell: note('later') }] },
    },
  });
  makeGate(workspace, 'gate');
  const tick = workspace.start(['tick']);
  await workspace.ledgerHas('one');
  return { workspace, tick };
}

const requests = (workspace: Workspace) =>
  readdirSync(join(workspace.outputs, 'locks')).filter((name) => name.startsWith('stop-'));

it('has nothing to do where nothing runs, and writes nothing', async () => {
  const workspace = makeWorkspace();
  workspace.configure({ groups: { a: { every: '1h', scripts: [{ shell: 'true' }] } } });
  const { code, stdout } = await workspace.rhythm(['stop']);
  expect([code, stdout]).toEqual([0, 'Nothing runs here, so there is nothing to stop.\n']);
  expect(existsSync(workspace.outputs)).toBe(false);
  const json = await workspace.rhythm(['stop', '--now', '--json']);
  expect([json.code, JSON.parse(json.stdout)]).toEqual([0, { schemaVersion: 1, ticks: [] }]);
});

it.skipIf(process.platform === 'win32').each([[[]], [['--now']]])(
  'wakes a tick that is suspended (stop %j)',
  async (flags) => {
    const { workspace, tick } = await startTick();
    tick.child.kill('SIGSTOP');
    release(workspace, 'gate');
    expect((await workspace.rhythm(['stop', ...flags])).code).toBe(0);
    expect((await tick.done).signal).toBeNull();
    expect(workspace.state().leases).toEqual({});
  },
);

it('lets the script that runs end and starts no other; the next tick goes on behind it', async () => {
  const { workspace, tick } = await startTick();
  const stop = workspace.start(['stop']);
  stop.child.stdout?.once('data', () => release(workspace, 'gate'));
  const [ended, stopped] = await Promise.all([tick.done, stop.done]);

  expect(stopped.code).toBe(0);
  expect(stopped.stdout).toMatch(
    /^Tick \S+ \(pid \d+, since [\d:]+\) runs nightly\/one; it ends after that \(--now ends it at once\)\.\n/,
  );
  expect(stopped.stdout).toMatch(
    /\nnightly is interrupted; the next tick goes on where it was cut off\.\nEnded after .*\n$/,
  );
  expect([ended.code, ended.signal]).toEqual([0, null]);
  expect(workspace.ledger()).toEqual(['one', 'one ends']);
  expect(workspace.state()).toMatchObject({
    lastTick: { outcome: 'interrupted' },
    leases: {},
    groups: { nightly: { lastRun: { outcome: 'interrupted', scripts: [{ name: 'one', outcome: 'succeeded' }] } } },
  });
  expect(requests(workspace)).toEqual([]);

  const next = await workspace.tick();
  expect(next.groups.map(({ group, reason, outcome }) => [group, reason, outcome])).toEqual([
    ['nightly', 'resume-interrupted', 'succeeded'],
    ['later', 'first-run', 'succeeded'],
  ]);
  expect(workspace.ledger().slice(2)).toEqual(['two', 'later']);
});

it.runIf(isLinux)('--now ends it as SIGTERM does', async () => {
  const { workspace, tick } = await startTick();
  const { code, stdout } = await workspace.rhythm(['stop', '--now', '--json']);
  const ended = await tick.done;
  expect([code, ended.code]).toEqual([0, 143]);
  const { ticks } = JSON.parse(stdout) as StopDocument;
  expect(ticks).toMatchObject([
    {
      pid: tick.child.pid,
      asked: 'now',
      ended: true,
      runs: [{ group: 'nightly', script: 'one', outcome: 'interrupted', resumes: true }],
    },
  ]);
  expect(workspace.ledger()).toEqual(['one']);
  expect(requests(workspace)).toEqual([]);
});

it('a request alone ends a tick at once, where no signal reaches it', async () => {
  const { workspace, tick } = await startTick();
  const id = String(workspace.state().lastTick?.id);
  writeFileSync(join(workspace.outputs, 'locks', `stop-${id}`), 'now\n');
  expect((await tick.done).code).toBe(0);
  expect(workspace.ledger()).toEqual(['one']);
  expect(workspace.state().groups?.nightly?.lastRun?.outcome).toBe('interrupted');
});

it('a request for a tick that has died stops no other', async () => {
  const workspace = makeWorkspace();
  workspace.configure({ groups: { a: { every: '1h', scripts: [{ shell: note('a') }] } } });
  mkdirSync(join(workspace.outputs, 'locks'), { recursive: true });
  writeFileSync(join(workspace.outputs, 'locks', 'stop-20261122T160000-abcdef'), 'now\n');
  expect((await workspace.tick()).groups[0]?.outcome).toBe('succeeded');
});

it.runIf(isLinux)('signals no process but the one that holds the lane, whatever the lock file says', async () => {
  const { workspace, tick } = await startTick();
  const lock = 'outputs/locks/lane-main.lock';
  const holder = JSON.parse(workspace.read(lock));
  // The line now names this very test, truthfully but for the lock.
  const stat = readFileSync(`/proc/${process.pid}/stat`, 'utf8');
  const processStartedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  workspace.write(lock, JSON.stringify({ ...holder, pid: process.pid, processStartedAt }));
  let signalled = false;
  const listener = () => {
    signalled = true;
  };
  process.once('SIGTERM', listener);
  const { code } = await workspace.rhythm(['stop', '--now']);
  process.off('SIGTERM', listener);
  // The request reached the tick all the same.
  expect([code, signalled, (await tick.done).code]).toEqual([0, false, 0]);
});

it('stops a run by hand too, which nobody resumes', async () => {
  const { workspace, tick } = await startTick();
  release(workspace, 'gate');
  await tick.done;
  const run = workspace.start(['run', 'nightly']);
  await new Promise((resolve) =>
    run.child.stdout?.on('data', (text) => /one {2}started/.test(String(text)) && resolve(0)),
  );
  const { stdout } = await workspace.rhythm(['stop', '--now']);
  expect(stdout).toContain('nightly is interrupted.\n');
  expect((await run.done).code).toBe(143);
});

it('a script of the tick may ask for its end, and does not wait for itself', async () => {
  const workspace = makeWorkspace();
  workspace.configure({
    groups: {
      a: {
        every: '1h',
        scripts: [
          {
            name: 'asks',
            shell: `"${process.execPath}" "${program}" -C "$RHYTHM_WORKSPACE" stop; ${note('asked $?')}`,
          },
          { name: 'next', shell: note('next') },
        ],
      },
    },
  });
  await workspace.rhythm(['tick']);
  expect(workspace.ledger()).toEqual(['asked 0']);
});
