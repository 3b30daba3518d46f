import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeWorkspace, program, type Running, type Workspace } from '../rig.ts';

const logName = 'outputs/master_scheduler.log';
const line = (minute: number, level: string, source: string, text: string) =>
  `2026-11-22T16:${String(minute).padStart(2, '0')}:00.000Z ${level.padEnd(5)} [${source}] ${text}\n`;

function workspaceOf(...files: string[]): Workspace {
  const workspace = makeWorkspace();
  workspace.configure({ timezone: 'UTC', groups: { g: { every: '10m', scripts: [] } } });
  for (const [place, text] of files.entries()) workspace.write(place === 0 ? logName : `${logName}.${place}`, text);
  return workspace;
}

/** Waits until a running command has printed so many lines. */
async function printed({ child }: Running, count: number): Promise<string[]> {
  let text = '';
  const signal = AbortSignal.timeout(20_000);
  while (text.split('\n').length - 1 < count)
    text += (await once(child.stdout as NodeJS.ReadableStream, 'data', { signal }))[0];
  return text.split('\n').slice(0, -1);
}

describe('log', () => {
  const older = line(0, 'INFO', 'g', 'one') + line(1, 'ERROR', 'g/a.sh', 'two') + line(2, 'WARN', 'rhythm', 'three');
  const newer = Array.from({ length: 9 }, (_, index) => line(index + 10, 'INFO', 'h', `h${index}`)).join('');
  const texts = (stdout: string) =>
    stdout
      .split('\n')
      .slice(0, -1)
      .map((text) => text.replace(/^.*\] /, ''));

  it.each([
    [[], ['three', 'h0', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'h7', 'h8']],
    [
      ['-n', '2'],
      ['h7', 'h8'],
    ],
    [['-n', '0'], []],
    [
      ['--group', 'g'],
      ['one', 'two'],
    ],
    [['--group', 'rhythm'], ['three']],
    [['--script', 'a.sh'], ['two']],
    [
      ['--level', 'warn'],
      ['two', 'three'],
    ],
    [
      ['--since', '2026-11-22T16:01:30Z', '-n', '3'],
      ['h6', 'h7', 'h8'],
    ],
    [['--since', '2026-11-22T16:02:00Z', '--level', 'warn'], ['three']],
    [
      ['--since', '2026-11-22T16:01:30Z'],
      ['three', 'h0', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'h7', 'h8'],
    ],
  ])('%j', async (args, expected) => {
    const { stdout, code } = await workspaceOf(newer, older).rhythm(['log', ...args]);
    expect([code, texts(stdout)]).toEqual([0, expected]);
  });

  it('prints lines as they are in the file, JSON lines as text, and what is foreign made harmless', async () => {
    const json =
      '{"time":"2026-11-22T16:05:00.000Z","level":"error","group":"g","script":"a.sh","message":"no","event":{}}\n';
    const workspace = workspaceOf(`${older}${json}foreign \x1b[31mred\n`);
    const { stdout } = await workspace.rhythm(['log']);
    expect(stdout).toBe(`${older}${line(5, 'ERROR', 'g/a.sh', 'no')}foreign red\n`);
    const told = JSON.parse((await workspace.rhythm(['log', '--json', '-n', '2'])).stdout);
    expect(told).toEqual({
      schemaVersion: 1,
      file: join(workspace.folder, logName),
      lines: [
        { time: '2026-11-22T16:05:00.000Z', level: 'error', group: 'g', script: 'a.sh', message: 'no' },
        { time: null, level: null, group: null, script: null, message: 'foreign red' },
      ],
    });
  });
});

describe('log --follow', () => {
  it('goes on through rotations, with filters, until Ctrl-C', async () => {
    const workspace = workspaceOf(line(0, 'INFO', 'g', 'before') + line(0, 'INFO', 'h', 'other'));
    const file = join(workspace.folder, logName);
    const following = workspace.start(['log', '-f', '--group', 'g', '-n', '5']);
    expect(await printed(following, 1)).toEqual([line(0, 'INFO', 'g', 'before').trim()]);
    const all = printed(following, 6);
    for (let round = 1; round <= 5; round++) {
      appendFileSync(file, line(round, 'INFO', 'h', 'other'));
      for (let place = round; place > 1; place--) renameSync(`${file}.${place - 1}`, `${file}.${place}`);
      renameSync(file, `${file}.1`);
      appendFileSync(`${file}.1`, line(round, 'INFO', 'g', `late ${round}`));
    }
    writeFileSync(file, line(9, 'INFO', 'g', 'last'));
    expect((await all).map((text) => text.replace(/^.*\] /, ''))).toEqual([
      'late 1',
      'late 2',
      'late 3',
      'late 4',
      'late 5',
      'last',
    ]);
    following.child.kill('SIGINT');
    expect(await following.done).toMatchObject({ code: 130, stderr: '' });
  });

  it('waits for a log that is not there yet, and prints an object a line', async () => {
    const workspace = makeWorkspace();
    workspace.configure({ timezone: 'UTC', groups: { g: { every: '10m', scripts: [] } } });
    const following = workspace.start(['log', '--follow', '--json']);
    const first = printed(following, 1);
    workspace.write(logName, line(0, 'WARN', 'g/s', 'first'));
    expect((await first).map((text) => JSON.parse(text))).toEqual([
      { schemaVersion: 1, time: '2026-11-22T16:00:00.000Z', level: 'warn', group: 'g', script: 's', message: 'first' },
    ]);
    following.child.kill('SIGTERM');
    expect((await following.done).code).toBe(143);
  });

  it('ends where its reader goes away', async () => {
    const workspace = workspaceOf(line(0, 'INFO', 'g', 'before'));
    const following = workspace.start(['log', '-f']);
    await printed(following, 1);
    following.child.stdout?.destroy();
    appendFileSync(join(workspace.folder, logName), line(1, 'INFO', 'g', 'after'));
    appendFileSync(join(workspace.folder, logName), line(1, 'INFO', 'g', 'after'));
    expect((await once(following.child, 'exit'))[0]).toBe(0);
  });

  it.runIf(spawnSync('tmux', ['-V']).status === 0)(
    'colours levels on a terminal, and ends cleanly by Ctrl-C there',
    async () => {
      const workspace = workspaceOf(line(0, 'ERROR', 'g', 'bad') + line(1, 'INFO', 'g', 'good'));
      const socket = `rhythm-${process.pid}-log`;
      const tmux = (...args: string[]) =>
        execFileSync('tmux', ['-L', socket, ...args], {
          encoding: 'utf8',
          env: { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined },
        });
      onTestFinished(() => void spawnSync('tmux', ['-L', socket, 'kill-server']));
      const command = `'${process.execPath}' '${program}' -C '${workspace.folder}' log -f; echo "ended with $?"; read _`;
      tmux('-f', '/dev/null', 'new-session', '-d', '-x', '80', '-y', '24', command);
      const screen = () => tmux('capture-pane', '-p', '-e');
      await expect
        .poll(screen, { timeout: 20_000 })
        .toMatch(/\x1b\[31mERROR\x1b\[39m \[g\] bad\n.*Z INFO {2}\[g\] good/);
      tmux('send-keys', 'C-c');
      await expect.poll(screen, { timeout: 20_000 }).toContain('ended with 130');
    },
  );
});
