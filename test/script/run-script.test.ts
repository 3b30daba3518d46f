import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, test, vi } from 'vitest';
import {
  asSignalled,
  endOf,
  filesOf,
  forgetEvidence,
  noteEnding,
  readEvidence,
  statusOf,
} from '../../src/script/evidence.ts';
import { identify, isSame, living } from '../../src/script/process.ts';
import { longestDuration, retryIn, runScript } from '../../src/script/run-script.ts';
import { letThrough } from '../rig.ts';
import { makeWorkbench, until, type Workbench } from './job.ts';

const isRoot = process.geteuid?.() === 0;

let bench: Workbench;
beforeEach(() => {
  bench = makeWorkbench();
});
afterEach(() => bench.remove());

/** A named pipe: reading it waits until a script has written and closed it. */
function pipe(name: string): string {
  execFileSync('mkfifo', [bench.path(name)]);
  return bench.path(name);
}

const logFile = (number = 1, name = 'it') => `outputs/runs/r/${number}-${name}.log`;
const evidence = () => readEvidence(bench.runFolder, 1, 'it');
const pidsIn = (text: string) => text.trim().split(/\s+/).map(Number);

describe('how a script ends', () => {
  test.each([
    ['exit 0', [], 'succeeded', 0, null],
    ['exit 3', [], 'failed', 3, null],
    ['exit 3', [3, 5], 'succeeded', 3, null],
    ['exit 74', [], 'failed', 74, null],
    ['exit 127', [], 'failed', 127, null],
    ['exit 255', [], 'failed', 255, null],
    ['kill -TERM $$', [143], 'succeeded', 143, null],
  ])('%s with success codes %j: %s', async (text, successExitCodes, outcome, exitCode, signal) => {
    const record = await runScript(bench.sh(text, { successExitCodes }));
    expect(record).toMatchObject({ name: 'it', outcome, exitCode, signal, attempts: 1, outputFile: 'runs/r/1-it.log' });
    expect(record.message).toBe(outcome === 'succeeded' ? null : `exited with code ${exitCode}`);
    expect(bench.read(logFile())).toBe('');
    expect(evidence()).toMatchObject({ attempt: 1, isTimedOut: false, exit: { exitCode, signal } });
    expect(Date.parse(record.finishedAt as string)).toBeGreaterThanOrEqual(Date.parse(record.startedAt as string));
  });

  test.each([
    ['exit 137', 137, 'SIGKILL'],
    ['exit 130', 130, 'SIGINT'],
    ['kill -KILL $$', 137, 'SIGKILL'],
    ['kill -SEGV $$', 139, 'SIGSEGV'],
    ['kill -INT $$', 130, 'SIGINT'],
  ])('%s is recorded as code %i, because a shell can not tell it from %s', async (text, exitCode, signal) => {
    const record = await runScript(bench.sh(text));
    expect(record).toMatchObject({ outcome: 'failed', exitCode, signal: null });
    expect(record.message).toBe(`exited with code ${exitCode} (as after ${signal})`);
    expect(evidence().exit).toMatchObject({ exitCode, signal: null });
  });

  it.each([129 + 18, 148, 149, 150, 200, 255])(
    'exit %i, which stands for no signal that ends, is only a code',
    async (code) => {
      const record = await runScript(bench.sh(`exit ${code}`));
      expect(record).toMatchObject({ exitCode: code, signal: null, message: `exited with code ${code}` });
    },
  );

  test.each([
    ['that kills itself', 'echo hello; kill -9 $$', 'hello\n'],
    ['that kills its whole group', 'echo hello; kill -s TERM 0; sleep 60', 'hello\n'],
    ['in whose shell a child is killed', "sh -c 'kill -KILL $$'; exit $?", null],
  ])('the output of a script %s is exactly what it printed', async (_, text, printed) => {
    const alone = spawnSync('sh', ['-c', text], { encoding: 'utf8', detached: true, timeout: 10_000 } as object);
    await runScript(bench.sh(text));
    expect(bench.read(logFile())).toBe(printed ?? alone.stderr);
  });

  test.each([
    ['by its timeout', { timeout: 200 }, {}],
    ['by its timeout, while its lines are followed', { timeout: 200 }, { onLine: (): void => undefined }],
    ['by itself, while its lines are followed', {}, { onLine: (): void => undefined }],
  ])('the output of a script that a signal ends %s is exactly what it printed', async (_, script, rest) => {
    const end = 'timeout' in script ? 'exec sleep 60' : 'kill -TERM $$';
    // The words that a shell would add.
    const text = `printf 'Terminated\nTerminated\n'; ${end}`;
    await runScript(bench.sh(text, { ...script, retries: 1 }, rest));
    const words = 'Terminated\nTerminated\n';
    expect(bench.read(logFile())).toBe(`${words}--- attempt 2 ---\n${words}`);
  });

  it('the process id of the start is the script’s own', async () => {
    await runScript(bench.sh('echo $$; exit 1', { retries: 1, name: 'first' }));
    await runScript(bench.job({ argv: ['sh', '-c', 'echo $$'], name: 'second' }, { number: 2 }));
    const started = bench.events.flatMap((event) => (event.kind === 'started' ? [event.pid] : []));
    const printed = `${bench.read(logFile(1, 'first'))}${bench.read(logFile(2, 'second'))}`;
    expect(printed.match(/^\d+$/gm)?.map(Number)).toEqual(started);
    expect(new Set(started).size).toBe(3);
  });

  it('tells the last lines of what failed, and none of what succeeded', async () => {
    const text =
      'i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo "line $i"; done; printf "\\033[31mlast\\033[0m" >&2; exit';
    const failed = await runScript(bench.sh(`${text} 1`));
    expect(failed.tail).toHaveLength(20);
    expect(failed.tail.slice(-2)).toEqual(['line 30', 'last']);
    expect((await runScript(bench.sh(`${text} 0`, {}, { number: 2 }))).tail).toEqual([]);
  });

  it('does not wait for a grandchild that holds stdout', async () => {
    pipe('go');
    const record = await runScript(bench.sh('(read x <go; echo late) & exit 4'));
    expect(record).toMatchObject({ exitCode: 4, outcome: 'failed' });
    expect(bench.events.map(({ kind }) => kind)).toEqual(['started', 'left-behind']);
    letThrough(bench.path('go'));
    await until(() => bench.read(logFile()).includes('late'));
  });
});

describe('what a script is given', () => {
  it('gets every argument as it is', async () => {
    const args = [
      '',
      ' ',
      'a b',
      "it's",
      '"quoted"',
      'line\nbreak',
      '$HOME `id` $(id)',
      '*',
      '\\',
      'ü 漢字 🎉',
      '-n',
      '--',
    ];
    const print = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))';
    await runScript(bench.job({ argv: [process.execPath, '-e', print, '--', ...args] }));
    expect(JSON.parse(bench.read(logFile()))).toEqual(args);
  });

  it('gets its environment, in which rhythm has the last word', async () => {
    process.env.RHYTHM_TEST_OF_TICK = 'tick';
    process.env.attempt = 'mine';
    onTestFinished(() => {
      delete process.env.RHYTHM_TEST_OF_TICK;
      delete process.env.attempt;
    });
    const env = { OWN: 'a=b\nc', HOME: '/elsewhere', RHYTHM_GROUP: 'forged', RHYTHM_ATTEMPT: '9' };
    const print = 'process.stdout.write(JSON.stringify(process.env))';
    await runScript(bench.job({ argv: [process.execPath, '-e', print], env }));
    expect(JSON.parse(bench.read(logFile()))).toMatchObject({
      RHYTHM_TEST_OF_TICK: 'tick',
      attempt: 'mine',
      OWN: 'a=b\nc',
      HOME: '/elsewhere',
      RHYTHM_WORKSPACE: bench.folder,
      RHYTHM_OUTPUTS: bench.path('outputs'),
      RHYTHM_GROUP: 'constructor',
      RHYTHM_SCRIPT: 'it',
      RHYTHM_RUN_ID: bench.job({ argv: [] }).runId,
      RHYTHM_BEAT: '2026-11-22T16:00:00.000Z',
      RHYTHM_ATTEMPT: '1',
    });
  });

  it('gets an empty beat where there is none, an empty stdin and its folder', async () => {
    mkdirSync(bench.path('inner'));
    const text = 'echo "[$RHYTHM_BEAT] [$(cat)]"; pwd';
    await runScript(bench.sh(text, { cwd: bench.path('inner') }, { beat: null }));
    expect(bench.read(logFile())).toBe(`[] []\n${bench.path('inner')}\n`);
  });

  it('gets signals in their default state and no descriptor but its three', async () => {
    const text = 'cat /proc/self/status; ls /proc/self/fd';
    const outside = execFileSync('sh', ['-c', 'ls /proc/self/fd'], { encoding: 'utf8' });
    await runScript(bench.sh(text));
    const output = bench.read(logFile());
    expect(output).toMatch(/^SigBlk:\s0+\nSigIgn:\s0+\nSigCgt:\s0+$/m);
    expect(output.endsWith(`\n${outside}`)).toBe(true);
  });

  it('runs the program of that name, never a builtin of a shell', async () => {
    expect(await runScript(bench.job({ argv: ['exit', '0'] }))).toMatchObject({ outcome: 'failed', attempts: 0 });
    const own = bench.write('bin/echo', '#!/bin/sh\nprintf "own %s" "$1"\n');
    const env = { PATH: `${join(own, '..')}${delimiter}${process.env.PATH}` };
    expect(await runScript(bench.job({ argv: ['echo', 'x'], env }))).toMatchObject({ outcome: 'succeeded' });
    expect(bench.read(logFile())).toBe('own x');
  });

  it('works without a PATH', async () => {
    const record = await runScript(bench.job({ argv: [process.execPath, '-e', 'process.exit(6)'], env: { PATH: '' } }));
    expect(record).toMatchObject({ exitCode: 6 });
    expect(evidence().exit).toMatchObject({ exitCode: 6 });
  });

  it('runs an executable file without a first line for an interpreter', async () => {
    const file = bench.write('scripts/plain', 'echo plain $1\n');
    await runScript(bench.job({ argv: [file, '1'], file }));
    expect(bench.read(logFile())).toBe('plain 1\n');
  });
});

describe('what keeps a script from being started', () => {
  const obstacles: [string, () => Parameters<Workbench['job']>[0], string | RegExp][] = [
    [
      'a missing file',
      () => ({ argv: ['node', bench.path('scripts/x.ts')], file: bench.path('scripts/x.ts') }),
      /^scripts\/x\.ts does not exist \(looked for \/.*\/scripts\/x\.ts\): restore it or correct/,
    ],
    [
      'a folder',
      () => ({ argv: ['node', bench.path('outputs')], file: bench.path('outputs') }),
      'outputs is not a file: name the file to run in the configuration',
    ],
    [
      'no permission to execute',
      () => {
        const file = bench.write('scripts/x', '#!/bin/sh\n', 0o644);
        return { argv: [file], file };
      },
      'scripts/x may not be executed: chmod +x scripts/x',
    ],
    [
      'a missing interpreter',
      () => {
        const file = bench.write('scripts/x.rb', '');
        return { argv: ['no-such-ruby', file], file, env: { PATH: '/nowhere' } };
      },
      "no-such-ruby was not found on the PATH (/nowhere): install it or set the configuration's interpreters",
    ],
    [
      'a missing interpreter in the first line',
      () => {
        const file = bench.write('scripts/x', '#!/no/such/python3 -u\n');
        return { argv: [file], file };
      },
      'scripts/x names /no/such/python3 in its first line, which does not exist: install it',
    ],
    [
      'a missing program',
      () => ({ argv: ['no-such'] }),
      /^no-such was not found on the PATH \(.*\): correct the command/,
    ],
    [
      'a missing program by path',
      () => ({ argv: ['./no-such'] }),
      /^\.\/no-such does not exist or may not be executed/,
    ],
    ['an empty program', () => ({ argv: [''] }), /^ was not found/],
    [
      'a missing cwd',
      () => ({ argv: ['true'], cwd: bench.path('away') }),
      'its folder away does not exist: create it or correct cwd in the configuration',
    ],
    [
      'a cwd that is a file',
      () => ({ argv: ['true'], cwd: bench.write('file', '') }),
      'its cwd file is not a folder: correct it in the configuration',
    ],
  ];
  test.each(obstacles)('%s', async (_, script, message) => {
    const record = await runScript(bench.job({ ...script(), retries: 3 }));
    expect(record).toMatchObject({ outcome: 'failed', exitCode: null, signal: null, attempts: 0, outputFile: null });
    if (typeof message === 'string') expect(record.message).toBe(message);
    else expect(record.message).toMatch(message);
    expect(bench.events).toEqual([]);
  });

  test.runIf(isRoot)('as root, a file that others may write', async () => {
    const file = bench.write('scripts/x.sh', 'exit 0\n', 0o775);
    const job = bench.job({ argv: ['sh', file], file });
    const message =
      'scripts/x.sh may be written by others and is not run as root: chown root scripts/x.sh && chmod go-w scripts/x.sh';
    expect(await runScript(job)).toMatchObject({ outcome: 'failed', message });
    chmodSync(file, 0o755);
    expect(await runScript(job)).toMatchObject({ outcome: 'succeeded' });
    chownSync(file, 65534, 65534);
    expect(await runScript(job)).toMatchObject({ outcome: 'failed', message });
  });
});

describe('what the system refuses to start', () => {
  it.runIf(process.platform === 'linux')('is a failure of the script, and of nothing else', async () => {
    const tooLarge = await runScript(bench.sh('true', { env: { BIG: 'x'.repeat(200_000) } }));
    expect(tooLarge).toMatchObject({ outcome: 'failed', message: 'could not be started (E2BIG)' });
    const argument = await runScript(bench.job({ argv: ['/bin/sh', '-c', 'true', 'x'.repeat(200_000)] }));
    expect(argument).toMatchObject({ outcome: 'failed', message: 'could not be started (E2BIG)' });
    expect(await runScript(bench.sh('true'))).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('the timeout', () => {
  it('ends the whole tree: what ignores SIGTERM, what made a session of its own, what was forked twice', async () => {
    const ready = pipe('ready');
    const stubborn = "trap '' TERM; while :; do sleep 60; done";
    const text = `
      trap '' TERM
      sh -c "${stubborn}" & a=$!
      setsid sh -c "echo \\$\\$ >session; ${stubborn}" &
      (setsid sh -c "sh -c \\"echo \\\\\\$\\\\\\$ >twice; ${stubborn}\\" &" &)
      while [ ! -s session ] || [ ! -s twice ]; do sleep 0.01; done
      echo $$ $a $(cat session twice) >ready
      wait; wait; sleep 60`;
    const running = runScript(bench.sh(text, { timeout: 700, killAfter: 300, retries: 0 }));
    const members = pidsIn(await readFile(ready, 'utf8')).map((pid) => identify(pid));
    expect(members).toHaveLength(4);
    expect(members).not.toContain(null);
    const record = await running;
    expect(record).toMatchObject({ outcome: 'timed-out', exitCode: null, signal: 'SIGKILL' });
    expect(record.message).toBe('took longer than its timeout of 0.7 s');
    expect(record.durationMs).toBeGreaterThanOrEqual(999);
    expect(members.filter((identity) => identity !== null && isSame(identity))).toEqual([]);
    expect(bench.events.at(-1)).toEqual({ kind: 'timed-out', afterMs: 700 });
    expect(evidence()).toMatchObject({ isTimedOut: true });
  });

  it('lets a script that heeds SIGTERM end in its own way, and still counts as a timeout', async () => {
    const record = await runScript(bench.sh("trap 'echo bye; exit 0' TERM; sleep 60 & wait", { timeout: 300 }));
    expect(record).toMatchObject({ outcome: 'timed-out', exitCode: 0, signal: null });
    expect(record.tail).toEqual(['bye']);
    expect(evidence()).toMatchObject({ isTimedOut: true, exit: { exitCode: 0 } });
  });

  it('wakes a stopped script up so that it can end', async () => {
    const record = await runScript(bench.sh("trap 'exit 5' TERM; kill -STOP $$; sleep 60", { timeout: 300 }));
    expect(record).toMatchObject({ outcome: 'timed-out', exitCode: 5 });
  });

  it('may be longer than a timer can be', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    expect(await runScript(bench.sh('sleep 0.1; exit 2', { timeout: 40 * 86_400_000 }))).toMatchObject({ exitCode: 2 });
    expect(warned).not.toHaveBeenCalled();
  });

  it('counts for each attempt', async () => {
    const script = { timeout: 200, retries: 1, retryDelay: 1 };
    const record = await runScript(bench.sh('[ $RHYTHM_ATTEMPT = 2 ] || sleep 60', script));
    expect(record).toMatchObject({ outcome: 'succeeded', attempts: 2 });
  });
});

describe('retries', () => {
  it('go on until one succeeds, all in one output', async () => {
    const script = { retries: 5, retryDelay: 2 };
    const record = await runScript(bench.sh('printf "try $RHYTHM_ATTEMPT"; [ $RHYTHM_ATTEMPT = 3 ] || exit 9', script));
    expect(record).toMatchObject({ outcome: 'succeeded', attempts: 3, exitCode: 0, tail: [] });
    expect(bench.read(logFile())).toBe('try 1\n--- attempt 2 ---\ntry 2\n--- attempt 3 ---\ntry 3');
    expect(bench.events.map(({ kind }) => kind)).toEqual(['started', 'retrying', 'started', 'retrying', 'started']);
    expect(bench.events[1]).toMatchObject({ attempt: 2, why: 'exited with code 9' });
    expect(evidence()).toMatchObject({ attempt: 3, exit: { exitCode: 0 } });
  });

  it('end with the last failure', async () => {
    const record = await runScript(bench.sh('exit $RHYTHM_ATTEMPT', { retries: 2 }));
    expect(record).toMatchObject({ outcome: 'failed', attempts: 3, exitCode: 3 });
  });

  it('wait twice as long each time, between half and all of it, up to five minutes or the first delay', () => {
    expect([1, 2, 3, 9].map((attempt) => retryIn(1000, attempt, 1))).toEqual([1000, 2000, 4000, 256_000]);
    expect([10, 2000].map((attempt) => retryIn(1000, attempt, 1))).toEqual([300_000, 300_000]);
    expect(retryIn(600_000, 3, 1)).toBe(600_000);
    expect(retryIn(1000, 2, 0)).toBe(1000);
    const { script } = bench.job({ argv: [], timeout: 100, killAfter: 10, retries: 2, retryDelay: 7 });
    expect(longestDuration(script)).toBe(3 * 5110 + 7 + 14);
  });
});

describe('a tick that is told to stop', () => {
  it('starts nothing any more', async () => {
    const record = await runScript(bench.sh('exit 0', {}, { stop: AbortSignal.abort() }));
    expect(record).toMatchObject({ outcome: 'interrupted', attempts: 0, outputFile: null });
    expect(bench.events).toEqual([]);
  });

  it('ends the running tree, whose status then says nothing', async () => {
    const ready = pipe('ready');
    const stop = new AbortController();
    const script = { retries: 3 };
    const running = runScript(bench.sh('echo $$ >ready; sleep 60', script, { stop: stop.signal }));
    const [pid] = pidsIn(await readFile(ready, 'utf8'));
    stop.abort();
    expect(await running).toMatchObject({ outcome: 'interrupted', signal: 'SIGTERM', attempts: 1 });
    expect(identify(pid as number)).toBeNull();
    expect(evidence()).toMatchObject({ attempt: 1, exit: null });
  });

  it('does not take its outcome from a script that ended just before', async () => {
    const stop = new AbortController();
    const onEvent = (event: { kind: string }) => {
      if (event.kind !== 'started') return;
      // The tick does not hear of the end before it is told to stop, for this does not let go of it.
      while (evidence().exit === null);
      stop.abort();
    };
    expect(await runScript(bench.sh('exit 3', {}, { stop: stop.signal, onEvent }))).toMatchObject({
      outcome: 'failed',
      exitCode: 3,
    });
    expect(evidence().exit).toMatchObject({ exitCode: 3 });
  });

  it('ends a delay before a retry at once', async () => {
    const stop = new AbortController();
    const onEvent = ({ kind }: { kind: string }) => kind === 'retrying' && stop.abort();
    const job = bench.sh('exit 1', { retries: 3, retryDelay: 60_000 }, { stop: stop.signal, onEvent });
    const record = await runScript(job);
    expect(record).toMatchObject({ outcome: 'interrupted', attempts: 1, exitCode: 1 });
    expect(record.message).toBe('the tick was told to stop before attempt 2');
    expect(record.durationMs).toBeLessThan(20_000);
    expect(evidence().exit).toBeNull();
  });

  it('goes on in the same output when the run is resumed', async () => {
    await runScript(bench.sh('echo one; kill -KILL $$'));
    await runScript(bench.sh('echo two'));
    expect(bench.read(logFile())).toBe('one\n--- resumed ---\ntwo\n');
    expect(evidence()).toMatchObject({ attempt: 1, exit: { exitCode: 0 } });
  });
});

describe('scripts that follow each other', () => {
  it('learn nothing of each other, nor of a script that the tick was started by', async () => {
    vi.stubEnv('RHYTHM_RUN_ID', 'outer');
    vi.stubEnv('RHYTHM_ATTEMPT', '7');
    onTestFinished(() => void vi.unstubAllEnvs());
    await runScript(bench.sh('export LEFT=1; umask 0; cd /; trap "" TERM; exec 5>&1'));
    const job = bench.sh('env; umask; pwd; trap', {}, { number: 2 });
    expect(await runScript(job)).toMatchObject({ outcome: 'succeeded' });
    const lines = bench.read(logFile(2)).split('\n');
    expect(lines).toContain(`RHYTHM_RUN_ID=${job.runId}`);
    expect(lines).toContain(bench.folder);
    expect(lines.filter((line) => /^LEFT=|^0+$|^trap|=outer$|_rhythm_|^OLDPWD=\/$/.test(line))).toEqual([]);
    expect(lines.filter((line) => line.startsWith('RHYTHM_ATTEMPT'))).toEqual(['RHYTHM_ATTEMPT=1']);
  });

  it('end with their own status when one signalled its whole group', async () => {
    expect(await runScript(bench.sh('trap "exit 3" TERM; kill -s TERM 0', { name: 'first' }))).toMatchObject({
      exitCode: 3,
    });
    expect(await runScript(bench.sh('kill -s KILL 0', { name: 'second' }))).toMatchObject({
      outcome: 'failed',
      signal: 'SIGKILL',
    });
    expect(await runScript(bench.sh('true', { name: 'third' }))).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('what a script leaves behind', () => {
  const daemon = 'setsid sh -c "echo \\$\\$ >daemon; sleep 60" & while [ ! -s daemon ]; do sleep 0.01; done';

  it('lives, with a warning, also when a later script of the run is ended', async () => {
    expect(await runScript(bench.sh(daemon, { name: 'first' }))).toMatchObject({ outcome: 'succeeded' });
    const [pid = 0] = pidsIn(bench.read('daemon'));
    onTestFinished(() => void process.kill(-pid, 'SIGKILL'));
    const left = bench.events.at(-1) as { kind: string; pids: number[] };
    expect(left.kind).toBe('left-behind');
    expect(left.pids).toContain(pid);
    const second = await runScript(bench.sh('sleep 60', { timeout: 200 }, { number: 2 }));
    expect(second).toMatchObject({ outcome: 'timed-out' });
    expect(identify(pid)).not.toBeNull();
  });

  it('is no warning when it ends a moment later', async () => {
    await runScript(bench.sh('(sleep 0.05; exit) & exit 0'));
    expect(bench.events.map(({ kind }) => kind)).toEqual(['started']);
  });

  it('is ended when somebody kills the leader, for nobody would learn how the script ends', async () => {
    const ready = pipe('ready');
    const running = runScript(bench.sh('echo $$ >ready; sleep 60'));
    const [pid = 0] = pidsIn(await readFile(ready, 'utf8'));
    const leader = evidence().leader;
    expect(leader?.pid).not.toBe(pid);
    process.kill(leader?.pid ?? 0, 'SIGKILL');
    expect(await running).toMatchObject({ outcome: 'failed', signal: 'SIGKILL' });
    expect(identify(pid)).toBeNull();
  });
});

describe('a wrapper that is killed', () => {
  it('has lost nothing when it has written the status', async () => {
    const { evidence: pid } = filesOf(bench.runFolder, 1, 'it');
    const record = await runScript(bench.sh(`echo "ended 1 0" >>"${pid}"; kill -s KILL $PPID`));
    expect(record).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
  });
});

describe('the evidence', () => {
  it('names the leader, provably, while the script runs', async () => {
    const [ready, go] = [pipe('ready'), pipe('go')];
    const running = runScript(bench.sh('echo >ready; read x <go'));
    await readFile(ready);
    const { leader, startedAt, exit, attempt } = evidence();
    expect(bench.events).toEqual([{ kind: 'started', pid: evidence().pid, attempt: 1, note: null }]);
    expect(leader).toEqual(identify(leader?.pid ?? 0));
    expect(living().filter(({ group }) => group === leader?.pid)).toHaveLength(2);
    expect([attempt, exit]).toEqual([1, null]);
    expect(Math.abs((startedAt ?? 0) - Date.now())).toBeLessThan(10_000);
    expect(statSync(filesOf(bench.runFolder, 1, 'it').evidence).mode & 0o777).toBe(0o640);
    letThrough(go);
    await running;
  });

  it('holds the status of a script whose tick was killed', async () => {
    const [ready, go] = [pipe('ready'), pipe('go')];
    const source = pathToFileURL(join(import.meta.dirname, '../../src/script/run-script.ts')).href;
    const job = bench.sh('echo $$ >ready; read x <go; echo done; exit 7');
    const program = bench.write(
      'tick.mjs',
      `import { runScript } from ${JSON.stringify(source)};
       const job = ${JSON.stringify(job)};
       const { signal: stop } = new AbortController();
       await runScript({ ...job, stop, onEvent() {} });`,
    );
    const loader = import.meta.resolve('tsx');
    const tick = spawn(process.execPath, ['--import', loader, program], { stdio: 'inherit' });
    await readFile(ready);
    const isDead = new Promise((resolve) => tick.once('exit', resolve));
    tick.kill('SIGKILL');
    await isDead;
    const { leader } = evidence();
    expect(leader !== null && isSame(leader)).toBe(true);
    expect(evidence().exit).toBeNull();
    letThrough(go);
    await until(() => evidence().exit !== null);
    expect(evidence().exit).toMatchObject({ exitCode: 7 });
    expect(bench.read(logFile())).toBe('done\n');
  });

  it('is nothing where there is none, or an incomplete one', () => {
    const nothing = { attempt: null, leader: null, pid: null, startedAt: null, isTimedOut: false, exit: null };
    expect(evidence()).toEqual(nothing);
    bench.write(logFile().replace('.log', '.pid'), 'from 5\n1 123 boot');
    expect(evidence()).toEqual(nothing);
    const begun = 'from 5\n2 123 boot 77\n';
    for (const end of ['', 'ended 2 0', 'ended 1 0\n', 'ended 2\n', 'timed-out\n']) {
      bench.write(logFile().replace('.log', '.pid'), `${begun}${end}`);
      expect(evidence()).toMatchObject({ attempt: 2, startedAt: 5, exit: null });
      expect(evidence().leader).toEqual({ pid: 123, boot: 'boot', startedAt: '77' });
    }
    bench.write(logFile().replace('.log', '.pid'), `${begun}pid 1 6\npid 2 7\nended 2 0\n`);
    expect(evidence().pid).toBe(7);
    expect(evidence().exit).toMatchObject({ exitCode: 0 });
    noteEnding(filesOf(bench.runFolder, 1, 'it'), 'interrupted');
    expect(evidence().exit).toBeNull();
  });

  it('is found where version 0.1.0 left it', () => {
    bench.write(logFile().replace('.log', '.pid'), 'from 5\n1 123 boot 77\n');
    bench.write(logFile().replace('.log', '.exit'), '\n1 0');
    expect(evidence()).toMatchObject({ leader: { pid: 123 }, exit: null });
    bench.write(logFile().replace('.log', '.exit'), '\n1 3\n');
    expect(evidence().exit).toMatchObject({ exitCode: 3, at: expect.any(Number) });
    forgetEvidence(filesOf(bench.runFolder, 1, 'it'));
    expect(evidence()).toMatchObject({ attempt: null, exit: null });
  });

  it('takes a status apart and puts it together again', () => {
    const statuses = fc.integer({ min: 0, max: 255 });
    fc.assert(fc.property(statuses, (status) => statusOf(endOf(status)) === status));
    expect(endOf(137)).toEqual({ exitCode: 137, signal: null });
    expect(asSignalled(endOf(143), 'SIGTERM')).toEqual({ exitCode: null, signal: 'SIGTERM' });
    expect(asSignalled(endOf(137), 'SIGTERM')).toEqual({ exitCode: 137, signal: null });
  });

  it('is written under names that any file system takes', () => {
    expect(filesOf('/r', 3, '../ü/check it.ts').log).toBe(join('/r', '3-.._check_it.ts.log'));
    expect(filesOf('/r', 3, 'x'.repeat(500)).evidence.length).toBeLessThan(120);
  });

  it('is demanded: a script that could not be recorded does not start', async () => {
    mkdirSync(filesOf(bench.runFolder, 1, 'it').evidence);
    await expect(runScript(bench.sh('echo started >started'))).rejects.toThrow(/can't be written/);
    expect(existsSync(bench.path('started'))).toBe(false);
  });

  it('is read as signals also where a shell has other statuses for them', () => {
    // ksh93 and yash.
    expect([endOf(256 + 15), endOf(384 + 9)].map(({ signal }) => signal)).toEqual(['SIGTERM', 'SIGKILL']);
  });
});

describe('the output', () => {
  it('is the owner’s alone until secrets are replaced in it', async () => {
    const [ready, go] = [pipe('ready'), pipe('go')];
    const env = { TOKEN: 's3cret-value', EMPTY: '' };
    const lines: string[] = [];
    const onLine = (line: string) => lines.push(line);
    const text = 'printf "a s3cret"; echo "-value b" >&2; echo >ready; read x <go; echo "c s3cret-value"; exit 1';
    const running = runScript(bench.sh(text, { env }, { redact: ['TOKEN', 'EMPTY', 'MISSING'], onLine }));
    await readFile(ready);
    expect(statSync(bench.path(logFile())).mode & 0o777).toBe(0o600);
    await until(() => lines.length === 1);
    letThrough(go);
    expect((await running).tail).toEqual(['a [redacted] b', 'c [redacted]']);
    expect(lines).toEqual(['a [redacted] b', 'c [redacted]']);
    expect(bench.read(logFile())).toBe('a [redacted] b\nc [redacted]\n');
    expect(statSync(bench.path(logFile())).mode & 0o777).toBe(0o640);
  });

  it('stays the owner’s alone while something left behind may write secrets to it', async () => {
    const env = { TOKEN: 's3cret-value' };
    await runScript(bench.sh('sleep 60 & echo $! >left', { env }, { redact: ['TOKEN'] }));
    const pid = Number(bench.read('left'));
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    expect(statSync(bench.path(logFile())).mode & 0o777).toBe(0o600);
  });

  it('is handed over whole by the time that the script has ended', async () => {
    const lines: string[] = [];
    const text = 'i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo "line $i"; done; exit 1';
    await runScript(bench.sh(text, { retries: 1 }, { onLine: (line) => lines.push(line) }));
    expect(lines).toHaveLength(10_001);
    expect(lines[5000]).toBe('--- attempt 2 ---');
    expect(readFileSync(bench.path(logFile()), 'utf8')).toBe(`${lines.join('\n')}\n`);
  });
});
