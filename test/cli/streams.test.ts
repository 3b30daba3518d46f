import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isLinux, makeWorkspace, program } from '../rig.ts';

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

describe('what is printed', () => {
  it.each([
    ['at once', asJson, '"group":'],
    ['part by part', asText, 'first run'],
  ])(
    '%s is the same in a file, in a pipe, and in a pipe that is full and does not wait',
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

  it('is let go where its reader has gone away', async () => {
    const child = makeLarge().start('pipe');
    child.stdout?.destroy();
    let told = '';
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      told += text;
    });
    expect([await once(child, 'close'), told]).toEqual([[0, null], '']);
  });
});
