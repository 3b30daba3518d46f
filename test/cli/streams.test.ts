import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { gate, isLinux, makeGate, makeWorkspace, program, release } from '../rig.ts';

/** Enough groups that what is printed of them does not fit into a pipe at once. */
const groups = Object.fromEntries(
  Array.from({ length: 1_000 }, (_, index) => [`group_${index}`, { every: '10m', scripts: [{ command: 'true' }] }]),
);
const asText = ['tick', '--dry-run', '--at', '2026-11-22T16:00:00Z'];
const asJson = [...asText, '--json'];

function makeLarge(args = asJson) {
  const workspace = makeWorkspace();
  workspace.configure({ timezone: 'UTC', groups });
  const start = (stdout: number | 'pipe') =>
    spawn(process.execPath, [program, '-C', workspace.folder, ...args], { stdio: ['ignore', stdout, 'pipe'] });
  return { workspace, start };
}

describe('printed output', () => {
  it.each([
    ['at once', asJson, '"group":'],
    ['part by part', asText, 'first run'],
  ])(
    'printed %s is the same in a file, in a pipe, and in a pipe that is full and does not wait',
    {
      timeout: 60_000,
    },
    async (_, args, mark) => {
      const { workspace, start } = makeLarge(args);
      const { stdout } = await workspace.rhythm(args);
      expect(stdout.split(mark)).toHaveLength(1_001);

      const path = join(workspace.folder, 'printed');
      const file = openSync(path, 'w');
      expect(await once(start(file), 'close')).toEqual([0, null]);
      closeSync(file);
      expect(readFileSync(path, 'utf8')).toBe(stdout);

      if (!isLinux) return;
      const pipe = join(workspace.folder, 'pipe');
      execFileSync('mkfifo', [pipe]);
      const end = openSync(pipe, constants.O_RDWR);
      const child = once(start(end), 'close');
      // Node makes it one that does not wait, also for whom it is shared with.
      const shared = new Socket({ fd: end, readable: false });
      const reader = spawn('sh', ['-c', 'sleep 1; exec cat "$1"', 'sh', pipe], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const isRead = once(reader, 'close');
      let read = '';
      reader.stdout.setEncoding('utf8').on('data', (text) => {
        read += text;
      });
      expect(await child).toEqual([0, null]);
      shared.destroy();
      await isRead;
      expect(read).toBe(stdout);
    },
  );

  it.runIf(isLinux)(
    'of a tick waits for a reader that starts reading only after the tick has done its work',
    { timeout: 60_000 },
    async () => {
      const workspace = makeWorkspace();
      // More than a pipe holds.
      const scripts = Array.from({ length: 400 }, (_, index) => ({
        command: '/bin/true',
        name: `s${index}_${'x'.repeat(80)}`,
      }));
      workspace.configure({ timezone: 'UTC', groups: { only: { every: '1d', scripts } } });
      makeGate(workspace, 'gate');
      const line = `"$1" "$2" -C "$RHYTHM_WORKSPACE" tick | { ${gate('gate')}; cat; }`;
      const child = spawn('sh', ['-c', line, 'sh', process.execPath, program], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, RHYTHM_WORKSPACE: workspace.folder },
      });
      onTestFinished(() => void child.kill());
      const isRead = once(child, 'close');
      let read = '';
      child.stdout.setEncoding('utf8').on('data', (text) => {
        read += text;
      });
      const state = join(workspace.folder, 'outputs', 'master_scheduler_state.json');
      const isOver = () => expect(JSON.parse(readFileSync(state, 'utf8')).lastTick.outcome).toBe('succeeded');
      await vi.waitFor(isOver, { timeout: 40_000, interval: 50 });
      release(workspace, 'gate');
      expect(await isRead).toEqual([0, null]);
      expect(read.match(/ started \(pid /g)).toHaveLength(400);
      expect(read).toMatch(/\nRan 1 of 1 groups: 1 succeeded\.\n$/);
    },
  );

  it.runIf(isLinux)('that a file takes only in part is reported, and the exit code is 74', async () => {
    const { workspace } = makeLarge();
    const file = join(workspace.folder, 'printed');
    // As on a full disk: the first write is cut off at the limit, in blocks of 512 or 1024 bytes, the next one fails.
    const line = `trap '' XFSZ; ulimit -f 8; exec "$0" "$@" >'${file}'`;
    const child = spawn('sh', ['-c', line, process.execPath, program, '-C', workspace.folder, ...asJson], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    expect(await once(child, 'close')).toEqual([74, null]);
    expect(stderr).toMatch(/^rhythm: what it prints can't be written \(EFBIG.*\)\.\n$/);
  });

  it('whose reader has gone away is not a failure', async () => {
    const child = makeLarge().start('pipe');
    child.stdout?.destroy();
    let told = '';
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      told += text;
    });
    expect([await once(child, 'close'), told]).toEqual([[0, null], '']);
  });
});
