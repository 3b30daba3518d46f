import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunRecord, State } from '../../src/state/state-schema.ts';
import { type Ended, findObstacle, makeWindows, repository, toWindows, type Windows } from './windows.ts';

/**
 * Runs the program as Windows would: `npm run test:wine`. Wine is not Windows: what it can't do is told as skipped. Ends
 * with 1 where something is wrong; with 0, having done nothing, where wine is missing.
 */

/** What wine can't do; the rest of a check then says nothing about us. */
class Lack extends Error {}

type Check = (place: Place) => Promise<void>;

/** A workspace, and the program in it. */
interface Place {
  readonly windows: Windows;
  readonly folder: string;
  configure(groups: object): void;
  write(name: string, text: string): void;
  has(name: string): boolean;
  /** Waits for a file that a script writes. */
  appears(name: string): Promise<void>;
  rhythm(...args: string[]): Promise<Ended>;
  state(): State;
  lastRun(group: string): RunRecord | undefined;
  /** The output of a group's last run, by its script's number. */
  output(group: string, number: number): string;
}

const arguments_ = ['a b', 'c"d', 'e\\f\\', 'ü & ^ !x! (y) |<>', '', '*', 'last'];
const tell = `process.stdout.write(JSON.stringify(process.argv.slice(2)));`;
const notePids = `import { writeFileSync } from 'node:fs'; writeFileSync(process.env.RHYTHM_WORKSPACE + '/runs', String(process.pid));`;
/** Ends as soon as the test says so. */
const wait = `${notePids}
import { existsSync } from 'node:fs';
const timer = setInterval(() => existsSync(process.env.RHYTHM_WORKSPACE + '/go') && clearInterval(timer), 100);`;

const checks: Readonly<Record<string, Check>> = {
  async 'scripts start with their arguments, and their ends are recorded'(place) {
    const script = { run: 'tell.mjs', args: arguments_ };
    place.configure({
      node: { every: '1h', scripts: [script] },
      batch: { every: '1h', dependsOn: ['node'], scripts: [{ ...script, run: 'täll it.cmd', successExitCodes: [5] }] },
      command: { every: '1h', scripts: [{ command: 'cmd', args: ['/d', '/c', 'echo', 'told'] }] },
      found: { every: '1h', scripts: [{ command: 'hostname' }] },
      shell: { every: '1h', scripts: [{ shell: 'echo one&& echo "two  words" & exit 3' }] },
      after: { every: '1h', dependsOn: ['shell'], scripts: ['tell.mjs'] },
      missing: { every: '1h', scripts: ['missing.mjs'] },
    });
    place.write('scripts/tell.mjs', tell);
    place.write(
      'scripts/täll it.cmd',
      `@echo off\r\n"${toWindows(place.windows.node)}" "%~dp0tell.mjs" %*\r\nexit /b 5\r\n`,
    );
    const { code, stderr } = await place.rhythm('tick');
    same('the exit code', code, 1);
    same('stderr', stderr, '');
    const outcomes = { node: 'succeeded', batch: 'succeeded', command: 'succeeded', found: 'succeeded' };
    const failed = { shell: 'failed', after: undefined, missing: 'failed' };
    for (const [group, outcome] of Object.entries({ ...outcomes, ...failed })) {
      same(`the outcome of ${group}`, place.lastRun(group)?.outcome, outcome);
    }
    same('the arguments of a module', argsOf(place.output('node', 1)), arguments_);
    same('the arguments of a batch file', argsOf(place.output('batch', 1)), arguments_);
    same('what cmd wrote', place.output('command', 1).trim(), 'told');
    same('what a shell wrote', place.output('shell', 1).split(/\s*\r\n/), ['one', '"two  words"', '']);
    same('the exit code of a shell', place.lastRun('shell')?.scripts?.[0]?.exitCode, 3);
  },

  async 'a % in an argument reaches a batch file'(place) {
    place.write('probe.cmd', '@echo off\r\necho [%1] [%1]\r\n');
    const probe = await place.windows.run(place.folder, ['cmd', '/d', '/c', 'probe.cmd', '5%']);
    if (probe.stdout.trim() !== '[5%] [5%]') throw new Lack(`its cmd takes them for variables: ${probe.stdout.trim()}`);
    place.configure({ batch: { every: '1h', scripts: [{ run: 'say.cmd', args: ['50%', '%PATH%'] }] } });
    place.write('scripts/say.cmd', '@echo off\r\necho [%1] [%2]\r\n');
    await place.rhythm('tick');
    same('what it got', place.output('batch', 1).trim(), '["50%"] ["%PATH%"]');
  },

  async 'a second tick finds nothing to do'(place) {
    place.configure({ once: { every: '24h', scripts: ['tell.mjs'] } });
    place.write('scripts/tell.mjs', tell);
    same('the first tick', (await place.rhythm('tick')).code, 0);
    for (const which of ['second', 'third']) {
      const { code, stdout } = await place.rhythm('tick');
      same(`the exit code of the ${which}`, code, 0);
      contains(`the ${which} tick`, stdout, /^Nothing is due; next: once at /);
    }
    same('the state', place.state().lastTick?.outcome, 'nothing-due');
  },

  'of two ticks at once one runs (LockFileEx)': (place) => keepOut(place, 'native'),

  async 'of two ticks at once one runs (without the native package)'(place) {
    const native = join(place.windows.folder, 'program/node_modules/fs-native-extensions');
    renameSync(native, `${native}.away`);
    try {
      await keepOut(place, 'exclusive-open');
    } finally {
      renameSync(`${native}.away`, native);
    }
  },

  async 'a timeout ends a script'(place) {
    place.configure({ late: { every: '1h', scripts: [{ run: 'wait.mjs', timeout: '2s', killAfter: '1s' }] } });
    place.write('scripts/wait.mjs', wait);
    const { code } = await place.rhythm('tick');
    same('the exit code', code, 1);
    const run = place.lastRun('late');
    same('the outcome', run?.outcome, 'timed-out');
    const took = run?.durationMs ?? Number.NaN;
    if (!(took < 20_000)) throw new Error(`it took ${took} ms`);
    const alive = `try { process.kill(${readFileSync(join(place.folder, 'runs'), 'utf8')}, 0); console.log('lives'); } catch { console.log('gone'); }`;
    const { stdout } = await place.windows.run(place.folder, [place.windows.node, '-e', alive]);
    same('its process', stdout.trim(), 'gone');
  },

  async "a timeout ends a script's children"({ windows, folder }) {
    const spawner = `require('child_process').execFile('taskkill', ['/PID', '99999', '/T', '/F'], (error, out, err) => console.log(out + err));`;
    const { stdout } = await windows.run(folder, [windows.node, '-e', spawner]);
    if (!/99999/.test(stdout)) throw new Lack(`its taskkill knows no /T: ${stdout.trim().split('\n')[0]}`);
  },

  async 'the reports answer'(place) {
    place.configure({ one: { every: '1h', scripts: ['tell.mjs'] } });
    place.write('scripts/tell.mjs', tell);
    await place.rhythm('tick');
    const commands = [
      'status',
      'explain one',
      'doctor',
      'validate',
      'graph',
      'history',
      'log',
      'tick --dry-run',
      'cleanup',
    ];
    for (const command of commands) {
      const { code, stderr } = await place.rhythm(...command.split(' '));
      same(`${command}: exit code and stderr`, [code, stderr], [0, '']);
    }
    contains('doctor', (await place.rhythm('doctor')).stdout, /native locks/);
  },

  async 'what a killed tick leaves is taken up'(place) {
    place.configure({ one: { every: '1h', scripts: ['wait.mjs'] } });
    place.write('scripts/wait.mjs', wait);
    const first = place.rhythm('tick');
    await place.appears('runs');
    const { pid } = JSON.parse(readFileSync(join(place.folder, 'outputs/locks/lane-main.lock'), 'utf8'));
    await place.windows.run(place.folder, [place.windows.node, '-e', `process.kill(${pid}, 'SIGKILL')`]);
    place.write('go', '');
    await first;
    const { stdout } = await place.rhythm('tick');
    contains('the next tick', stdout, /whose tick died|still runs/);
    same('the outcome', place.lastRun('one')?.outcome, 'succeeded');
  },

  async 'a configuration in TypeScript, and a script'(place) {
    const probe = await place.windows.run(place.folder, [
      join(place.windows.folder, 'program/node_modules/@esbuild/win32-x64/esbuild.exe'),
      '--version',
    ]);
    if (probe.code !== 0) throw new Lack(`it does not run esbuild: ${probe.stderr.split('\n')[0]}`);
    rmSync(join(place.folder, 'tasks.config.json'), { force: true });
    place.write(
      'tasks.config.ts',
      `import { defineConfig } from 'rhythm-scheduler';\nexport default defineConfig({ groups: { one: { every: '1h', scripts: ['tell.ts'] } } });\n`,
    );
    place.write('scripts/tell.ts', `const text: string = 'told';\nconsole.log(text);\n`);
    same('the exit code', (await place.rhythm('tick')).code, 0);
    same('what it wrote', place.output('one', 1).trim(), 'told');
  },

  async 'a task is registered, found and taken out'(place) {
    place.configure({ one: { every: '1h', scripts: ['tell.mjs'] } });
    place.write('scripts/tell.mjs', tell);
    const printed = await place.rhythm('install', '--trigger', 'schtasks', '--print');
    same('the exit code of --print', printed.code, 0);
    contains('what it prints', printed.stdout, /<Command>%SystemRoot%\\System32\\conhost\.exe<\/Command>/);
    const { code, stdout, stderr } = await place.rhythm('install', '--trigger', 'schtasks');
    same('the exit code of install', [code, stderr], [0, '']);
    const id = /\\rhythm\\(\S+)/.exec(stdout)?.[1] ?? '';
    const task = join(place.windows.drive, 'windows/system32/tasks/rhythm', id);
    if (id === '' || !existsSync(task)) throw new Error('wine has no such task');
    // Wine writes down what it understands, which is neither the trigger nor the action.
    const kept = readFileSync(task, 'utf8');
    contains('the task', kept, new RegExp(`<URI>\\\\rhythm\\\\${id}</URI>`));
    contains('the task', kept, /<MultipleInstancesPolicy>IgnoreNew</);
    const query = await place.windows.run(place.folder, ['schtasks', '/Query', '/XML', 'ONE']);
    if (query.stdout === '') throw new Lack('its schtasks registers tasks, but /Query answers nothing');
    same('the exit code of uninstall', (await place.rhythm('uninstall')).code, 0);
    if (existsSync(task)) throw new Error('the task is still there');
  },
};

async function keepOut(place: Place, locks: string): Promise<void> {
  place.configure({
    one: { every: '24h', scripts: ['wait.mjs'] },
    two: { every: '24h', scripts: ['tell.mjs'] },
  });
  place.write('scripts/wait.mjs', wait);
  place.write('scripts/tell.mjs', tell);
  const first = place.rhythm('tick');
  await place.appears('runs');
  const second = await place.rhythm('tick');
  const status = await place.rhythm('status');
  place.write('go', '');
  same('the exit code of the one', (await first).code, 0);
  contains('the other', second.stdout, /lane main is held/);
  same('the exit code of the other', second.code, 0);
  contains('status meanwhile', status.stdout, /running/);
  contains('doctor', (await place.rhythm('doctor')).stdout, new RegExp(`no lane is held \\(${locks} locks\\)`));
  for (const group of ['one', 'two']) {
    same(`the outcome of ${group}`, place.lastRun(group)?.outcome, 'succeeded');
  }
}

function same(what: string, found: unknown, wanted: unknown): void {
  const [is, ought] = [found, wanted].map((value) => JSON.stringify(value));
  if (is !== ought) throw new Error(`${what}: ${is} instead of ${ought}`);
}

function argsOf(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch {
    return output;
  }
}

function contains(what: string, text: string, wanted: RegExp): void {
  if (!wanted.test(text)) throw new Error(`${what} lacks ${wanted}:\n${text}`);
}

function makePlace(windows: Windows, number: number): Place {
  const folder = join(windows.folder, `Größe & Co. it's (${number})^`);
  mkdirSync(join(folder, 'scripts'), { recursive: true });
  const state = (): State => JSON.parse(readFileSync(join(folder, 'outputs/master_scheduler_state.json'), 'utf8'));
  const lastRun = (group: string) => state().groups?.[group]?.lastRun ?? undefined;
  const has = (name: string) => existsSync(join(folder, name));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  return {
    windows,
    folder,
    configure: (groups) => write('tasks.config.json', JSON.stringify({ timezone: 'Europe/Berlin', groups })),
    write,
    has,
    async appears(name) {
      const watcher = watch(folder);
      try {
        const until = AbortSignal.timeout(30_000);
        while (!has(name)) await once(watcher, 'change', { signal: until });
      } finally {
        watcher.close();
      }
    },
    rhythm: (...args) => windows.run(folder, [windows.node, toWindows(windows.program), ...args]),
    state,
    lastRun,
    output(group, number) {
      const file = lastRun(group)?.scripts?.[number - 1]?.outputFile;
      return readFileSync(join(folder, 'outputs', file ?? `no output of ${group}`), 'utf8');
    },
  };
}

const say = (text: string) => process.stdout.write(`${text}\n`);
const obstacle = findObstacle();
if (obstacle !== null) {
  say(`skipped: ${obstacle}.`);
} else {
  execFileSync(process.execPath, ['esbuild.config.js'], { cwd: repository, stdio: 'inherit' });
  const windows = makeWindows();
  const count = { ok: 0, skipped: 0, FAILED: 0 };
  try {
    let number = 0;
    for (const [name, check] of Object.entries(checks)) {
      if (process.argv[2] !== undefined && !name.includes(process.argv[2])) continue;
      const problem = await check(makePlace(windows, ++number)).then(
        () => null,
        (error: Error) => error,
      );
      const verdict = problem === null ? 'ok' : problem instanceof Lack ? 'skipped' : 'FAILED';
      count[verdict]++;
      const why = problem === null ? '' : `: ${problem instanceof Lack ? 'wine can not: ' : ''}${problem.message}`;
      say(`${verdict.padEnd(8)} ${name}${why}`);
    }
  } finally {
    windows.close();
  }
  say(`${count.ok} ok, ${count.skipped} skipped, ${count.FAILED} failed.`);
  process.exitCode = count.FAILED > 0 ? 1 : 0;
}
