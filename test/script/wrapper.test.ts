import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wrap } from '../../src/script/wrapper.ts';
import { makeWorkbench, until, type Workbench } from './job.ts';

/** No shell may take this for anything but text; as UTF-8 it has bytes that old shells use for themselves. */
const text = 'a\'b"c\n$x ${x} `y` $(z) \\ \\\\ ! é ā \u0081\u0088 日本 🎵 \t*?[x] #~ ; & | < > %s = -n {a,b}';

const folders = (process.env.PATH ?? '').split(delimiter);
const shells = ['dash', 'bash', 'busybox', 'mksh', 'ksh', 'zsh', 'yash'].flatMap((name) => {
  const file = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  return file === undefined ? [] : [[name, file] as const];
});

describe.each(shells)('the wrapper in %s', (_, shell) => {
  let bench: Workbench;
  let child: ChildProcess;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    bench = makeWorkbench();
    writeFileSync(bench.path('evidence'), '');
    // By this name they all behave as the system's shell does.
    symlinkSync(shell, bench.path('sh'));
  });
  afterEach(() => {
    for (const { pid } of children.splice(0)) {
      try {
        process.kill(-(pid as number), 'SIGKILL');
      } catch {}
    }
    bench.remove();
  });

  /** Starts the wrapper as a tick does; `go` lets it start the program. */
  function start(program: readonly [string, ...string[]], env: NodeJS.ProcessEnv = {}) {
    const [path, ...args] = program;
    const words = wrap(bench.path('evidence'), 4, path, args);
    words[1] = words[1]?.replace('/bin/sh', `"${bench.path('sh')}"`) as string;
    const output = openSync(bench.path('output'), 'a');
    child = spawn(bench.path('sh'), words, {
      cwd: bench.folder,
      detached: true,
      // yash decodes its arguments.
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', ...env },
      stdio: ['pipe', output, 'ignore', 'pipe'],
    });
    closeSync(output);
    children.push(child);
    const stdin = child.stdin as Writable;
    stdin.on('error', () => undefined);
    let reported = '';
    (child.stdio[3] as Readable).on('data', (data) => (reported += data));
    const status = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    return { go: () => stdin.end('go\n'), cut: () => stdin.end('g'), status, reported: () => reported };
  }
  const evidence = () => bench.read('evidence');
  const output = () => readFileSync(bench.path('output'), 'utf8');

  it('passes every argument on as it is and records the script’s own process id', async () => {
    const show = 'printf "%s|" "$$" "$@"; exit 3';
    const { go, status, reported } = start(['/bin/sh', '-c', show, 'x', text, '', '-e']);
    go();
    expect(await status).toBe(3);
    const pid = Number(reported());
    expect(output()).toBe(`${pid}|${text}||-e|`);
    expect(evidence()).toBe(`pid 4 ${pid}\nended 4 3\n`);
  });

  it('leaves the environment as it is', async () => {
    const env = { RHYTHM_SCRIPT: text, a: '1', _rhythm: '2' };
    const { go, status } = start([process.execPath, '-p', 'JSON.stringify(process.env)'], env);
    go();
    await status;
    const seen = JSON.parse(output());
    expect(seen).toMatchObject(env);
    expect(Object.keys(seen)).not.toContain('_rhythm_go');
  });

  it('adds nothing to the output of a script that is killed', async () => {
    const { go, status } = start(['/bin/sh', '-c', 'echo hello; kill -9 $$']);
    go();
    await status;
    expect(output()).toBe('hello\n');
    expect(evidence()).toMatch(/^pid 4 \d+\nended 4 (137|265|393)\n$/);
  });

  it('starts nothing when the tick dies before it says go', async () => {
    for (const order of ['nothing', 'a part of it'] as const) {
      const { cut, status } = start(['/bin/sh', '-c', 'echo >started']);
      if (order === 'nothing') child.stdin?.end();
      else cut();
      await status;
    }
    expect([existsSync(bench.path('started')), evidence()]).toEqual([false, '']);
  });

  it('records the status when the tick died meanwhile, with the pipe to it closed', async () => {
    const { go, status } = start(['/bin/sh', '-c', 'echo done; exit 7']);
    (child.stdio[3] as Readable).destroy();
    go();
    expect(await status).toBe(7);
    expect(output()).toBe('done\n');
    expect(evidence()).toMatch(/^pid 4 \d+\nended 4 7\n$/);
  });

  it('sees the script through to its end, whatever signal comes to the group', async () => {
    // Ready is only what has begun another program: a shell's child has the shell's handlers until then.
    const ready = 'trap "echo heard; exit 11" TERM; sh -c "echo >ready; exec sleep 60" & wait';
    const { go, status } = start(['/bin/sh', '-c', ready]);
    go();
    await until(() => existsSync(bench.path('ready')));
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.kill(child.pid as number, signal);
    process.kill(-(child.pid as number), 'SIGTERM');
    expect(await status).toBe(11);
    expect([output(), evidence()]).toEqual(['heard\n', expect.stringMatching(/\nended 4 11\n$/)]);
  });

  it('exits with the status although its evidence can not be written', async () => {
    rmSync(bench.path('evidence'));
    mkdirSync(bench.path('evidence'));
    const { go, status, reported } = start(['/bin/sh', '-c', 'echo $$; exit 5']);
    go();
    expect(await status).toBe(5);
    expect(output()).toBe(reported());
  });

  it('gives the script its three descriptors and signals in their default state', async () => {
    // What this process itself passes on to every child is not the wrapper's doing.
    const outside = spawnSync('/bin/sh', ['-c', 'ls /proc/self/fd'], { encoding: 'utf8' }).stdout;
    const { go, status } = start(['/bin/sh', '-c', 'cat /proc/self/status; ls /proc/self/fd']);
    go();
    await status;
    if (!existsSync('/proc/self/fd')) return;
    // Those from 32 on belong to the C library; ksh ignores two of them.
    const masks = [...output().matchAll(/^Sig(?:Blk|Ign|Cgt):\s.*(.{8})$/gm)].map(([, mask]) => Number(`0x${mask}`));
    expect(masks.map((mask) => mask & 0x7fffffff)).toEqual([0, 0, 0]);
    expect(output().endsWith(`\n${outside}`)).toBe(true);
  });
});
