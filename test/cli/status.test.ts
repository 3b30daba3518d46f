import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CheckDocument } from '../../src/cli/commands/status.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';
import { writeQuarter } from '../report/quarter.ts';
import { gate, hasFaketime, isLinux, makeGate, makeWorkspace, note, program, release, type Workspace } from '../rig.ts';

const hasTmux = spawnSync('tmux', ['-V']).status === 0;

function smallWorkspace(groups: object = { g: { every: '10m', scripts: [{ shell: 'true' }] } }): Workspace {
  const workspace = makeWorkspace();
  workspace.configure({ timezone: 'UTC', groups });
  return workspace;
}

/** A workspace whose only script waits at a gate, with a line of output behind it; the tick that runs it. */
async function busyWorkspace(config: object = {}) {
  const workspace = makeWorkspace();
  const shell = `printf 'first\\n\\033[31mcopied 3 of 10\\a s3cret-value\\n'; ${note('begun')}; ${gate('go')}`;
  workspace.configure({
    timezone: 'UTC',
    ...config,
    groups: { backup: { every: '10m', scripts: [{ shell, name: '备份' }] }, other: { every: '1h', scripts: [] } },
  });
  makeGate(workspace, 'go');
  const env = { TOKEN: 's3cret-value' };
  const tick = workspace.start(['tick'], { env });
  await workspace.ledgerHas('begun');
  return { workspace, tick, env };
}

async function statusOf(workspace: Workspace, options: object = {}): Promise<StatusDocument> {
  const { stdout, stderr } = await workspace.rhythm(['status', '--json'], options);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

describe('status', () => {
  it('tells before a first tick and after it how everything is, and writes nothing', async () => {
    const workspace = smallWorkspace();
    const env = { XDG_CACHE_HOME: `${workspace.folder}/cache` };
    for (const round of ['before', 'after']) {
      const untouched = workspace.fingerprint();
      const { code, stdout } = await workspace.rhythm(['status'], { env });
      expect(code).toBe(0);
      expect(stdout).toMatch(/\nGROUP {2}STATE {2}LAST .*\ng {6}(due|idle) /);
      expect(stdout.includes('No tick has come yet')).toBe(round === 'before');
      for (const flags of [['--json'], ['--check'], ['--check', '--json']])
        await workspace.rhythm(['status', ...flags], { env });
      expect([round, workspace.fingerprint()]).toEqual([round, untouched]);
      await workspace.rhythm(['tick'], { env });
    }
  });

  it('shows what runs while it runs, its last line made harmless and without secrets', async () => {
    const { workspace, tick, env } = await busyWorkspace({ redact: ['TOKEN'] });
    const { stdout } = await workspace.rhythm(['status'], { env });
    expect(stdout).toMatch(/^Last tick .*: it runs\. /m);
    expect(stdout).toMatch(
      /^Running: backup\/备份 for \S+ \S+ \(lane main, pid \d+\)\n {2}\| copied 3 of 10\\x07 \[redacted\]\n/m,
    );
    expect(stdout).toMatch(/^backup {2}running /m);
    const { running, groups } = await statusOf(workspace, { env });
    expect(running).toMatchObject([
      { lane: 'main', group: 'backup', script: '备份', pid: tick.child.pid, isOrphan: false },
    ]);
    expect(groups.map(({ state }) => state)).toEqual(['running', 'due']);
    expect(groups[1]?.waitsFor).toBe('lane main is held: backup runs');
    release(workspace, 'go');
    await tick.done;
    expect((await statusOf(workspace)).running).toEqual([]);
  });

  it.runIf(isLinux)('shows a script whose tick was killed as running on', async () => {
    const { workspace, tick } = await busyWorkspace();
    tick.child.kill('SIGKILL');
    await tick.done;
    const { running, groups, lastTick } = await statusOf(workspace);
    expect(running).toMatchObject([{ group: 'backup', isOrphan: true, pid: null }]);
    expect([groups[0]?.state, lastTick?.isRunning]).toEqual(['running', false]);
    const { stdout } = await workspace.rhythm(['status']);
    expect(stdout).toContain('(lane main; its tick died)');
    expect(stdout).toContain(': it did not end.');
    release(workspace, 'go');
    await workspace.rhythm(['tick']);
    expect((await statusOf(workspace)).groups[0]?.lastRun?.outcome).toBe('succeeded');
  });

  it('answers while the state is damaged, and says so', async () => {
    const workspace = smallWorkspace();
    await workspace.rhythm(['tick']);
    workspace.write('outputs/master_scheduler_state.json', '{');
    const { code, stdout, stderr } = await workspace.rhythm(['status']);
    expect([code, /^g .* succeeded /m.test(stdout)]).toEqual([0, true]);
    expect(stderr).toMatch(/^rhythm: The state .*master_scheduler_state\.json can't be used/);
    expect((await statusOf(workspace)).notices).toHaveLength(1);
    expect(workspace.read('outputs/master_scheduler_state.json')).toBe('{');
  });

  it('refuses a state of a newer version with 74', async () => {
    const workspace = smallWorkspace();
    workspace.write('outputs/master_scheduler_state.json', '{"schemaVersion": 2}');
    const { code, stdout, stderr } = await workspace.rhythm(['status']);
    expect([code, stdout]).toEqual([74, '']);
    expect(stderr).toContain('install a newer rhythm');
  });

  it.runIf(hasFaketime)('measures the distance between real ticks, and takes the pulse of the trigger', async () => {
    const workspace = smallWorkspace();
    for (const time of ['16:00', '16:05', '16:10', '16:15']) await workspace.tick({ at: `2026-11-22T${time}:00Z` });
    const later = { at: '2026-11-22T16:17:30Z' };
    expect((await workspace.rhythm(['status', '--check'], later)).stdout).toBe(
      'well: 1 group; the trigger comes every 5 min; last 2 min ago\n',
    );
    const muchLater = { at: '2026-11-22T17:02:10Z' };
    const silent = await workspace.rhythm(['status', '--check'], muchLater);
    expect([silent.code, silent.stdout]).toEqual([
      2,
      'unknown: no tick for 47 min: is the trigger installed? `rhythm doctor`; g is late\n',
    ]);
    const pulse = join(workspace.outputs, 'pulse');
    writeFileSync(pulse, '');
    utimesSync(pulse, new Date('2026-11-22T17:00:00Z'), new Date('2026-11-22T17:00:00Z'));
    const alive = await workspace.rhythm(['status', '--check'], muchLater);
    expect([alive.code, alive.stdout]).toEqual([1, 'unwell: g is late; the trigger comes; last 2 min ago\n']);
  });
});

describe('status --check', () => {
  const lineOf = async (workspace: Workspace, args: readonly string[] = []) => {
    const { code, stdout, stderr } = await workspace.rhythm(['status', '--check', ...args]);
    expect([stdout.split('\n').length, stderr]).toEqual([2, '']);
    return `${code} ${stdout.trim()}`;
  };

  it('answers with 0, 1 and 2, and one line', async () => {
    const workspace = smallWorkspace();
    expect(await lineOf(workspace)).toMatch(/^2 unknown: no tick has come yet/);
    await workspace.rhythm(['tick']);
    expect(await lineOf(workspace)).toMatch(/^0 well: 1 group; /);

    const failing = smallWorkspace({ g: { every: '10m', scripts: [{ shell: 'exit 3' }] } });
    await failing.rhythm(['tick']);
    expect(await lineOf(failing)).toMatch(/^1 unwell: g failed; /);

    failing.write('outputs/master_scheduler_state.json', '{');
    expect(await lineOf(failing)).toMatch(/^2 unknown: The state /);
    failing.write('outputs/master_scheduler_state.json', '{"schemaVersion": 2}');
    expect(await lineOf(failing)).toMatch(/^2 unknown: .* install a newer rhythm\.$/);
    failing.configure({ groups: { g: { evry: '5m' }, h: {} } });
    expect(await lineOf(failing)).toMatch(/^2 unknown: tasks\.config\.json has \d problems: groups\.g\.evry: /);
  });

  it('gives one object with --json', async () => {
    const workspace = smallWorkspace({ g: { every: '10m', scripts: [{ shell: 'exit 3' }] } });
    await workspace.rhythm(['tick']);
    const verdict: CheckDocument = JSON.parse((await workspace.rhythm(['status', '--check', '--json'])).stdout);
    expect(verdict).toEqual({
      schemaVersion: 1,
      at: expect.any(String),
      exitCode: 1,
      text: expect.stringMatching(/^unwell: g failed; /),
      failed: ['g'],
      late: [],
    });
  });
});

describe('status of a workspace that has been at work for long', () => {
  /** All bytes that a command read, its own program among them. */
  async function bytesRead(workspace: Workspace): Promise<number> {
    const io = join(workspace.folder, 'io');
    const code = `import fs from 'node:fs'; process.on('exit', () => fs.writeFileSync(${JSON.stringify(io)}, fs.readFileSync('/proc/self/io')));`;
    workspace.write('count.mjs', code);
    const env = { NODE_OPTIONS: `--import=${new URL(`file://${workspace.folder.replaceAll(' ', '%20')}/count.mjs`)}` };
    const { code: exit, stderr } = await workspace.rhythm(['status'], { env });
    expect([exit, stderr]).toEqual([0, '']);
    return Number(/^rchar: (\d+)/m.exec(readFileSync(io, 'utf8'))?.[1]);
  }

  it.runIf(existsSync('/proc/self/io'))('reads the end of a history of 90 days, and no more', async () => {
    const read = async (days: number) => {
      const workspace = makeWorkspace();
      const { config, state, records } = writeQuarter(workspace.outputs, Date.now(), days);
      workspace.configure(config);
      workspace.write('outputs/master_scheduler_state.json', JSON.stringify(state));
      return { records, bytes: await bytesRead(workspace) };
    };
    const short = await read(1);
    const long = await read(90);
    expect(long.records).toBeGreaterThan(85_000);
    expect(long.bytes - short.bytes).toBeLessThan(2.5 * 2 ** 20);
  });
});

describe('status --watch', () => {
  it.each([
    [[], '--watch draws on a terminal, and this is none: run rhythm status as often as you like, or rhythm log -f.'],
    [['--json'], '--watch does not go with --json: run rhythm status --json as often as you like.'],
    [['--check'], '--watch does not go with --check: run rhythm status --check as often as you like.'],
  ])('is refused where it can not be: %j', async (flags, message) => {
    const { code, stdout, stderr } = await smallWorkspace().rhythm(['status', '--watch', ...flags]);
    expect([code, stdout, stderr]).toEqual([2, '', `rhythm: ${message}\n`]);
  });

  interface Terminal {
    keys(...keys: readonly string[]): void;
    resize(columns: number, rows: number): void;
    /** Waits until the screen shows what is asked for, and answers with the screen. */
    shows(pattern: RegExp): Promise<string>;
    flag(name: string): string;
  }

  /** A terminal with a shell in it. */
  function openTerminal(workspace: Workspace, columns: number, rows: number): Terminal {
    const socket = join(workspace.folder, 'tmux');
    const tmux = (...args: readonly string[]) => {
      const { stdout, stderr, status } = spawnSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`tmux ${args.join(' ')}: ${stderr}`);
      return stdout;
    };
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', LC_ALL: 'C.UTF-8', PS1: '$ ' };
    spawnSync(
      'tmux',
      ['-S', socket, '-u', '-f', '/dev/null', 'new-session', '-d', '-x', `${columns}`, '-y', `${rows}`, 'sh'],
      {
        env,
        cwd: workspace.folder,
      },
    );
    onTestFinished(() => void spawnSync('tmux', ['-S', socket, 'kill-server']));
    return {
      keys: (...keys) => void tmux('send-keys', ...keys),
      resize: (x, y) => void tmux('resize-window', '-x', `${x}`, '-y', `${y}`),
      async shows(pattern) {
        const end = performance.now() + 20_000;
        for (;;) {
          const screen = tmux('capture-pane', '-p');
          if (pattern.test(screen)) return screen;
          if (performance.now() > end) throw new Error(`the terminal does not show ${pattern}:\n${screen}`);
          await sleep(100);
        }
      },
      flag: (name) => tmux('display-message', '-p', `#{${name}}`).trim(),
    };
  }
  const command = `'${process.execPath}' '${program}' status --watch`;

  it.runIf(hasTmux)('draws what runs, goes on after it, and leaves the terminal as it was', async () => {
    const { workspace, tick } = await busyWorkspace();
    const terminal = openTerminal(workspace, 80, 24);
    terminal.keys(`echo before; ${command}; echo "ended with $?"`, 'Enter');
    const screen = await terminal.shows(/Running: backup/);
    expect(screen).toMatch(
      /^Running: backup\/备份 for \d+ s \(lane main, pid \d+\)\n {2}\| copied 3 of 10\\x07 s3cret-value\n/m,
    );
    expect([terminal.flag('alternate_on'), terminal.flag('cursor_flag')]).toEqual(['1', '0']);
    const seconds = Number(/ for (\d+) s/.exec(screen)?.[1]);
    await terminal.shows(new RegExp(` for ${seconds + 2} s`));

    terminal.resize(50, 12);
    const small = await terminal.shows(/^GROUP +STATE +AGE +NEXT$/m);
    expect(Math.max(...small.split('\n').map((line) => line.length))).toBeLessThanOrEqual(50);

    release(workspace, 'go');
    await tick.done;
    await terminal.shows(/^backup +succeeded/m);
    expect(await terminal.shows(/^GROUP/m)).not.toContain('Running');

    terminal.keys('C-c');
    const left = await terminal.shows(/ended with \d/);
    expect(left).toMatch(/before\nended with 130\n/);
    expect([terminal.flag('alternate_on'), terminal.flag('cursor_flag')]).toEqual(['0', '1']);
  });

  it.runIf(hasTmux)('reads a configuration anew when it changes, and says where it is wrong', async () => {
    const workspace = smallWorkspace();
    const terminal = openTerminal(workspace, 80, 10);
    terminal.keys(command, 'Enter');
    await terminal.shows(/^g +due/m);
    workspace.configure({ timezone: 'UTC', groups: { g: { evry: '5m', scripts: [] } } });
    const wrong = await terminal.shows(/groups\.g\.evry/);
    expect(wrong).toMatch(/^g +due/m);
    const many = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [`job_${index}`, { every: '10m', scripts: [] }]),
    );
    workspace.configure({ timezone: 'UTC', groups: many });
    await terminal.shows(/^… \d+ more lines: the window is too low$/m);
    terminal.keys('C-z');
    await terminal.shows(/Stopped|suspended/i);
    expect(terminal.flag('cursor_flag')).toBe('1');
    terminal.keys('fg', 'Enter');
    await terminal.shows(/^job_0 /m);
    terminal.keys('C-c');
    await terminal.shows(/^[$#] *$/m);
  });

  it.runIf(hasTmux)('fits the terminal also without watching', async () => {
    const workspace = smallWorkspace({
      a_group_with_quite_a_long_name: { every: '10m', scripts: [{ shell: 'true' }] },
    });
    const terminal = openTerminal(workspace, 60, 20);
    terminal.keys(`clear; '${process.execPath}' '${program}' status`, 'Enter');
    const screen = await terminal.shows(/^a_group_with_quite_a_long_name/m);
    expect(screen).toMatch(/^GROUP +STATE +AGE +NEXT$/m);
    expect(screen).toMatch(/^ {4}due now$/m);
  });
});
