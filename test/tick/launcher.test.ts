import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, test, vi } from 'vitest';
import { filesOf } from '../../src/tick/evidence.ts';
import { type Launcher, makeLaunchers, notOpened, preparation, wordOrder } from '../../src/tick/launcher.ts';
import { identify, isSame, listProcesses } from '../../src/tick/process.ts';
import { makeWorkbench, until, type Workbench } from './job.ts';

let bench: Workbench;
beforeEach(() => {
  bench = makeWorkbench();
});
afterEach(() => bench.remove());

const launchOf = (...argv: [string, ...string[]]) => {
  const [path, ...args] = argv;
  const files = filesOf(bench.runFolder, 1, 'it');
  return { path, args, variables: { RHYTHM_RUN_ID: 'r', RHYTHM_SCRIPT: 'it' }, attempt: 4, files, isFollowed: false };
};
const output = () => readFileSync(launchOf('x').files.log, 'utf8');
const status = () => readFileSync(launchOf('x').files.pid, 'utf8');
const [shortest] = ['/bin/true', '/usr/bin/true'].filter((path) => existsSync(path));
const nothing = shortest as string;

/** What no shell may take for anything but text; as UTF-8 it has bytes that old shells use for themselves. */
const text = 'a\'b"c\n$x ${x} `y` $(z) \\ \\\\ ! é ā \u0081\u0088 日本 🎵 \t*?[x] #~ ; & | < > %s = -n {a,b}';

describe('an order', () => {
  const shells = [
    ['dash'],
    ['bash', '--posix'],
    ['busybox', 'sh'],
    ['mksh'],
    ['ksh'],
    ['zsh', '--emulate', 'sh'],
    ['yash', '--posixly-correct'],
  ];
  const found = shells.filter(([shell = '']) =>
    (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, shell))),
  );

  describe.each(found)('to %s', (...shell) => {
    let child: ChildProcess;
    let told = '';
    let end: Promise<unknown>;
    beforeEach(() => {
      const [program = '', ...options] = shell;
      child = spawn(program, [...options, '-s', 'rhythm'], {
        cwd: bench.folder,
        detached: true,
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      child.stdin?.on('error', () => undefined);
      told = '';
      child.stdout?.on('data', (data) => (told += data));
      end = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
      child.stdin?.write(preparation);
    });
    afterEach(() => void child.kill('SIGKILL'));

    it.each([false, true])('is carried out word by word, one after another (followed: %s)', async (isFollowed) => {
      const launch = (...argv: [string, ...string[]]) => ({ ...launchOf(...argv), isFollowed });
      child.stdin?.write(wordOrder(launch('/usr/bin/env', 'printf', '<%s>', text, '', '-e')));
      await until(() => told === '0 \n');
      expect(output()).toBe(`<${text}><><-e>`);
      const show = 'printf "%s|" "$RHYTHM_SCRIPT" "$@"; exit 3';
      const variables = { RHYTHM_RUN_ID: 'r', RHYTHM_SCRIPT: text };
      child.stdin?.write(wordOrder({ ...launch('/bin/sh', '-c', show, 'x', '1'), variables }));
      await until(() => told === '0 \n3 \n');
      expect(output()).toBe(`<${text}><><-e>${text}|1|`);
      expect(status()).toBe('ended 4 0\nended 4 3\n');
      child.stdin?.end();
      expect(await end).toBe(0);
    });

    it('is seen through to its end, whatever signal comes to the group; then the shell tells that it goes', async () => {
      // Ready is only what has begun another program: a shell's child has the shell's handlers until then.
      const ready = 'trap "echo heard; exit 11" TERM; sh -c "echo >ready; exec sleep 60" & wait';
      child.stdin?.write(wordOrder(launchOf('/bin/sh', '-c', ready)));
      await until(() => existsSync(bench.path('ready')));
      for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.kill(child.pid ?? 0, signal);
      process.kill(-(child.pid ?? 0), 'SIGTERM');
      await until(() => told !== '');
      expect([told, await end, status()]).toEqual(['11 1\n', 11, 'ended 4 11\n']);
      expect(output()).toBe('heard\n');
    });

    it('that is cut short, or whose output can not be opened, starts nothing', async () => {
      const wanted = launchOf('/bin/sh', '-c', 'echo >started');
      mkdirSync(wanted.files.log);
      child.stdin?.write(wordOrder(wanted));
      expect(await end).toBe(notOpened);
      const order = wordOrder({ ...wanted, files: filesOf(bench.runFolder, 2, 'it') });
      const started = () => existsSync(bench.path('started'));
      for (const length of [Math.floor(order.length / 2), order.length - 2, order.length]) {
        const [program = '', ...options] = shell;
        const other = spawn(program, [...options, '-s', 'rhythm'], {
          cwd: bench.folder,
          stdio: ['pipe', 'ignore', 'ignore'],
        });
        const isOver = new Promise((resolve) => other.once('close', resolve));
        other.stdin.end(preparation + order.slice(0, length));
        await isOver;
        expect(started()).toBe(length === order.length);
      }
    });
  });
});

describe.skipIf(process.platform === 'win32')('a launcher', () => {
  const environment = { PATH: process.env.PATH };
  async function take(launchers = makeLaunchers()): Promise<Launcher> {
    onTestFinished(() => launchers.close());
    const launcher = await launchers.take(bench.folder, environment);
    if ('obstacle' in launcher) throw new Error(`no launcher: ${launcher.obstacle}`);
    return launcher;
  }

  it('leads a group of its own and ends when it is let go', async () => {
    const launcher = await take();
    expect(isSame(launcher.leader)).toBe(true);
    expect(await launcher.launch(launchOf(nothing))).toEqual({ exitCode: 0, signal: null });
    expect(status()).toBe('ended 4 0\n');
    launcher.dismiss();
    expect(await launcher.ended).toEqual({ exitCode: 0, signal: null, obstacle: null });
    expect(identify(launcher.leader.pid)).toBeNull();
  });

  it('tells nothing of its script when it was killed, and is not used again', async () => {
    const launchers = makeLaunchers();
    const launcher = await take(launchers);
    const end = launcher.launch(launchOf('/bin/sh', '-c', 'echo $$ >ready; exec sleep 60'));
    await until(() => existsSync(bench.path('ready')) && bench.read('ready') !== '');
    process.kill(-launcher.leader.pid, 'SIGKILL');
    expect(await end).toBeNull();
    expect(await launcher.ended).toMatchObject({ signal: 'SIGKILL' });
    launcher.release(listProcesses());
    expect((await take(launchers)).leader.pid).not.toBe(launcher.leader.pid);
  });

  test.runIf(process.platform === 'linux')('that was prepared is taken', async () => {
    const launchers = makeLaunchers();
    launchers.prepare(bench.folder, environment);
    const present = listProcesses();
    const launcher = await take(launchers);
    expect(present.ids).toContain(launcher.leader.pid);
    expect(await launcher.launch(launchOf(nothing))).toEqual({ exitCode: 0, signal: null });
  });

  test.runIf(process.platform === 'linux')('is used again while it lives, and only then', async () => {
    const launchers = makeLaunchers();
    const first = await take(launchers);
    await first.launch(launchOf(nothing));
    first.release(listProcesses());
    const again = await take(launchers);
    expect(again).toBe(first);
    expect((await take(launchers)).leader.pid).not.toBe(first.leader.pid);
    again.release(listProcesses());
    process.kill(first.leader.pid, 'SIGKILL');
    await first.ended;
    expect((await take(launchers)).leader.pid).not.toBe(first.leader.pid);
  });

  test.runIf(process.platform === 'linux')('waits for further scripts only beside a few others', async () => {
    const launchers = makeLaunchers();
    const taken: Launcher[] = [];
    for (let number = 0; number < 6; number++) {
      const launcher = await launchers.take(bench.folder, { ...environment, NUMBER: String(number) });
      if ('obstacle' in launcher) throw new Error(`no launcher: ${launcher.obstacle}`);
      taken.push(launcher);
    }
    for (const launcher of taken) launcher.release(listProcesses());
    const [first, second, ...rest] = taken;
    await Promise.all([first?.ended, second?.ended]);
    expect(rest.map(({ leader }) => isSame(leader))).toEqual([true, true, true, true]);
    await launchers.close();
    expect(taken.map(({ leader }) => identify(leader.pid))).toEqual([null, null, null, null, null, null]);
  });

  test.runIf(process.platform === 'linux')('that has waited long is not used again', async () => {
    const launchers = makeLaunchers();
    const launcher = await take(launchers);
    launcher.release(listProcesses());
    const [seconds] = process.hrtime();
    vi.spyOn(process, 'hrtime').mockReturnValue([seconds + 5, 0]);
    onTestFinished(() => void vi.restoreAllMocks());
    expect((await take(launchers)).leader.pid).not.toBe(launcher.leader.pid);
    expect(await launcher.ended).toMatchObject({ exitCode: 0 });
  });

  it('that can not be started says why', async () => {
    expect(await makeLaunchers().take(bench.path('missing'), environment)).toMatchObject({ obstacle: 'ENOENT' });
    symlinkSync('loop', bench.path('loop'));
    const launchers = makeLaunchers();
    launchers.prepare(bench.path('loop'), environment);
    expect(await launchers.take(bench.path('loop'), environment)).toMatchObject({ obstacle: 'ELOOP' });
  });

  it('ends with the tick that started it, before it has an order or after it has carried it out', async () => {
    const source = join(import.meta.dirname, '../../src/tick/launcher.ts');
    for (const work of ['', 'sleep 0.2; echo done']) {
      const order = launchOf('/bin/sh', '-c', work);
      const program = bench.write(
        'tick.mts',
        `import { makeLaunchers } from ${JSON.stringify(source)};
         const launcher = await makeLaunchers().take('/', { PATH: process.env.PATH });
         if (${work !== ''}) launcher.launch(${JSON.stringify(order)});
         console.log(launcher.leader.pid);
         setInterval(() => undefined, 1000);`,
      );
      const tick = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const pid = await new Promise<number>((resolve) => tick.stdout.once('data', (data) => resolve(Number(data))));
      expect(identify(pid)).not.toBeNull();
      tick.kill('SIGKILL');
      await until(() => identify(pid) === null);
    }
    expect([output(), status()]).toEqual(['done\n', 'ended 4 0\n']);
  });
});
