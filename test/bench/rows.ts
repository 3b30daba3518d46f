import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeLine } from '../../src/trigger/guard.ts';
import { writeQuarter } from '../report/quarter.ts';
import { makeOrder } from '../trigger/orders.ts';
import { type Command, countCalls, isInstalled, measure, measurePeak, run, spreadOf } from './measure.ts';
import { measurePeers } from './peers.ts';
import { compareBoth, compareMemory, limit, type Result } from './result.ts';
import { groupsInGraph, groupsOfTrue, makeDue, makeExample, type Place, type Workspace, warm } from './workspace.ts';

export interface Bench {
  readonly place: Place;
  readonly node: string;
  readonly runs: number;
  /** For what stands beside the table. */
  readonly say: (text: string) => void;
}

/** Nothing may come due while idle ticks are measured, ms. */
const quietFor = 60_000;
const nothing = (node: string): Command => ({ argv: [node, '-e', '0'] });

/** Each row of the table by its name. */
export const rows: Record<string, (bench: Bench) => Promise<Result[]> | Result[]> = {
  idle: measureIdle,
  guard: measureGuard,
  changed: measureChanged,
  full: measureFull,
  graph: measureGraph,
  forecast: measureForecast,
  status: measureStatus,
  output: measureOutput,
  growth: measureGrowth,
  peers: measurePeers,
};

async function measureIdle({ place, node, runs }: Bench): Promise<Result[]> {
  const workspace = await makeExample(place, node, quietFor);
  const tick = workspace.rhythm('tick');
  const before = countRuns(workspace);
  const [ours, base] = measureTwo(tick, nothing(node), runs);
  const memory = compareMemory('idle tick', measurePeak(tick), measurePeak(nothing(node)), 8);
  if (countRuns(workspace) !== before) throw new Error('a tick that was measured as idle ran something');
  return [...compareBoth('idle tick', ours, base, 1.3), memory];
}

async function measureGuard({ place, node, runs, say }: Bench): Promise<Result[]> {
  if (!isInstalled('anacron')) {
    say('guard: anacron is not installed.');
    return [];
  }
  const workspace = await makeExample(place, node, quietFor);
  run(workspace.rhythm('tick', '--stamp').argv);
  const { folder, outputs } = workspace;
  // A tick that is started all the same fails, and with it the benchmark.
  const line = writeLine(makeOrder({ workspace: folder, outputs, node: '/bin/false', program: 'x' }));
  const spool = join(folder, 'spool');
  mkdirSync(spool);
  workspace.write('anacrontab', '1 0 nothing true\n');
  const anacron = ['anacron', '-d', '-s', '-t', join(folder, 'anacrontab'), '-S', spool];
  // As if its job had run today already.
  run([...anacron, '-u']);
  const guard: Command = { argv: ['/bin/sh', '-c', line] };
  // Both take about a millisecond: more runs cost little.
  const [ours, base] = measureTwo(guard, { argv: anacron }, runs * 10);
  return compareBoth('suppressed tick / anacron', ours, base, 1);
}

async function measureChanged({ place, node, runs }: Bench): Promise<Result[]> {
  const workspace = await makeExample(place, node, quietFor);
  const append = 'echo "// changed" >>"$1"';
  const prepare = ['sh', '-c', append, 'sh', join(workspace.folder, 'tasks.config.ts')];
  const [ours, base] = measureTwo({ ...workspace.rhythm('tick'), prepare }, nothing(node), runs);
  return compareBoth('changed configuration', ours, base, 4);
}

function measureFull({ place, node, runs, say }: Bench): Result[] {
  const shapes = [
    { name: '11 scripts in 5 groups', sizes: [2, 3, 2, 2, 2], target: 1.5 },
    { name: '42 scripts in 42 groups', sizes: Array<number>(42).fill(1), target: 1.5 },
    { name: '42 scripts in 1 group', sizes: [42], target: null },
  ];
  return shapes.flatMap(({ name, sizes, target }) => {
    const { workspace, tick } = makeDue(place, node, groupsOfTrue(sizes));
    const count = sizes.reduce((sum, size) => sum + size, 0);
    workspace.write(
      'loop.cjs',
      `${spawnOne}\n(async () => { for (let n = 0; n < ${count}; n++) await spawnOne(); })();`,
    );
    workspace.write(
      'records.cjs',
      `${spawnOne}\n${recordOne}\n(async () => {
  for (let n = 0; n < ${count}; n++, recordOne()) await spawnOne();
})();`,
    );
    const bare: Command = { argv: [node, join(workspace.folder, 'loop.cjs')] };
    const recording: Command = { argv: [node, join(workspace.folder, 'records.cjs'), workspace.folder] };
    const [ours, base, recorded] = measure([tick, bare, recording], runs);
    if (ours === undefined || base === undefined || recorded === undefined) throw new Error('three were measured');
    tellRest(name, workspace, tick, bare, say);
    return [
      ...compareBoth(name, ours, base, target),
      ...compareBoth(`${name} / the loop with durable records`, ours, recorded, target),
    ];
  });
}

const spawnOne = `const { spawn } = require('node:child_process');
const spawnOne = () => new Promise((done) => spawn('/bin/true', { stdio: 'ignore' }).on('close', done));`;

/** What is needed at least for a state and a history that outlive a loss of power: a replaced file and an added line. */
const recordOne = `const fs = require('node:fs');
const folder = process.argv[2];
const sync = (path, flags, text) => {
  const file = fs.openSync(path, flags);
  if (text !== undefined) fs.writeSync(file, text);
  fs.fsyncSync(file);
  fs.closeSync(file);
};
const recordOne = () => {
  sync(folder + '/records.jsonl', 'a', 'x'.repeat(1024) + '\\n');
  sync(folder + '/durable.tmp', 'w', 'x'.repeat(10240));
  fs.renameSync(folder + '/durable.tmp', folder + '/durable');
  sync(folder, 'r');
};`;

/** Where a full tick spends what it takes beyond the spawns. */
function tellRest(name: string, { folder }: Workspace, tick: Command, bare: Command, say: Bench['say']): void {
  const calls = ['fsync', 'fdatasync', 'rename', 'execve', 'clone', 'clone3', 'fork', 'vfork', 'openat', 'write'];
  for (const [who, command] of [
    ['tick', tick],
    ['bare loop', bare],
  ] as const) {
    const counts = countCalls(command, calls);
    if (counts === null) return;
    say(`  ${name}, ${who}: ${[...counts].map(([call, count]) => `${count} ${call}`).join(', ')}`);
  }
  const write = `${recordOne}
const start = performance.now();
for (let n = 0; n < 50; n++) recordOne();
console.log((performance.now() - start) / 50);`;
  writeFileSync(join(folder, 'durable.cjs'), write);
  const each = Number(run([process.execPath, join(folder, 'durable.cjs'), folder]));
  say(`  a durable record (10 KB replaced, 1 KB added: three fsyncs) takes ${each.toFixed(2)} ms here`);
}

function measureGraph({ place, node, runs }: Bench): Result[] {
  // What every planner has to do: read the same file, and sort it topologically (Kahn).
  const kahn = `const { groups } = JSON.parse(require('node:fs').readFileSync(process.argv[2], 'utf8'));
const names = Object.keys(groups);
const followers = new Map(names.map((name) => [name, []]));
const waiting = new Map();
for (const name of names) {
  waiting.set(name, groups[name].dependsOn.length);
  for (const other of groups[name].dependsOn) followers.get(other).push(name);
}
const order = names.filter((name) => waiting.get(name) === 0);
for (let done = 0; done < order.length; done++) {
  for (const follower of followers.get(order[done])) {
    waiting.set(follower, waiting.get(follower) - 1);
    if (waiting.get(follower) === 0) order.push(follower);
  }
}
if (order.length !== names.length) process.exitCode = 1;`;
  // Any tick leaves the program compiled.
  makeDue(place, node, groupsOfTrue([1]));
  const perGroup: number[] = [];
  const results = [1_000, 10_000, 100_000].flatMap((count) => {
    const workspace = place.make(node);
    workspace.write('tasks.config.json', JSON.stringify({ timezone: 'UTC', groups: groupsInGraph(count) }));
    workspace.write('kahn.cjs', kahn);
    const bare = { argv: [node, join(workspace.folder, 'kahn.cjs'), join(workspace.folder, 'tasks.config.json')] };
    const plan = workspace.rhythm('tick', '--dry-run');
    const name = `dry run of ${count.toLocaleString('en')} groups`;
    const [ours, base] = measureTwo(plan, bare, runs);
    const memory = compareMemory(name, measurePeak(plan, 3), measurePeak(bare, 3), null);
    perGroup.push((memory.ours.median - measurePeak(nothing(node), 3).median) / (count / 1_000));
    return [...compareBoth(name, ours, base, 2), memory];
  });
  const [, ten = 0, hundred = 0] = perGroup;
  // What 100,000 groups take may be no more than ten times what 10,000 do.
  const linear = { min: hundred, median: hundred, max: hundred };
  const earlier = { min: ten, median: ten, max: ten };
  const value = hundred / ten;
  const row = 'MiB per 1,000 groups, of 100,000 / of 10,000';
  const growth: Result = {
    row,
    unit: 'MiB',
    ours: linear,
    base: earlier,
    value,
    relation: 'ratio',
    target: 1.2,
    met: value <= 1.2,
  };
  return [...results, growth];
}

function measureForecast({ place, node, runs }: Bench): Result[] {
  const { workspace } = makeQuarter(place, node, 2);
  const [ours] = measure([workspace.rhythm('tick', '--dry-run', '--for', '30d')], runs);
  return ours === undefined ? [] : [limit('forecast of 30 days, 42 groups', ours.wall, 1_000)];
}

function measureStatus({ place, node, runs, say }: Bench): Result[] {
  const { workspace, records } = makeQuarter(place, node, 90);
  say(`  the history has ${records.toLocaleString('en')} records`);
  const [ours, base] = measureTwo(workspace.rhythm('status'), nothing(node), runs);
  return compareBoth('status, 90 days of history', ours, base, 2);
}

/** A workspace of 42 groups that has been at work for days; its configuration is kept, as by its ticks. */
function makeQuarter(place: Place, node: string, days: number): { workspace: Workspace; records: number } {
  const workspace = place.make(node);
  const { config, state, records } = writeQuarter(workspace.outputs, Date.now(), days);
  workspace.write('tasks.config.json', JSON.stringify(config));
  // A tick leaves the configuration in the cache; then everything is as it was.
  run(workspace.rhythm('tick').argv);
  const again = writeQuarter(workspace.outputs, Date.now(), days);
  workspace.write('outputs/master_scheduler_state.json', JSON.stringify(days === 90 ? again.state : state, null, 2));
  return { workspace, records };
}

function measureOutput({ place, node, runs }: Bench): Result[] {
  const bytes = Number(process.env.BYTES ?? 1_000_000_000);
  const print = (count: number) => `yes 'a line of output as scripts print it' | head -c ${count}`;
  const group = (count: number) => ({ chatty: { every: '1s', scripts: [{ shell: print(count), name: 'print' }] } });
  const much = makeDue(place, node, group(1_000));
  const few = makeDue(place, node, group(1_000));
  much.workspace.write('tasks.config.json', JSON.stringify({ timezone: 'UTC', groups: group(bytes) }));
  const file = join(much.workspace.folder, 'printed');
  const bare: Command = {
    argv: ['/bin/sh', '-c', `${print(bytes)} >"$1"`, 'sh', file],
    prepare: ['rm', '-f', file],
  };
  const [ours, base] = measureTwo(much.tick, bare, Math.max(3, Math.floor(runs / 3)));
  const size = `${bytes / 1e9} GB of output`;
  return [
    ...compareBoth(size, ours, base, 2),
    compareMemory(`${size} / of 1 KB`, measurePeak(much.tick, 3), measurePeak(few.tick, 3), 20),
  ];
}

/** What a tick costs beside little and beside much that earlier ones left. */
async function measureGrowth({ place, node, runs }: Bench): Promise<Result[]> {
  // Noise aside nothing may grow; two medians of the same program differ by less than this on a busy machine.
  const noise = 1.15;
  const results: Result[] = [];
  for (const kind of ['idle', 'due'] as const) {
    const grown: Command[] = [];
    for (const factor of [1, 10, 100]) {
      const workspace = place.make(node);
      leaveBehind(workspace, factor);
      const every = kind === 'idle' ? '1d' : '1s';
      const groups = { only: { every, offset: '12h', scripts: [{ command: '/bin/true' }] } };
      if (kind === 'due') Object.assign(groups.only, { offset: '0s' });
      workspace.write('tasks.config.json', JSON.stringify({ timezone: 'UTC', groups }));
      // Also prunes, which is done once a day.
      run(workspace.rhythm('tick').argv);
      if (kind === 'idle') await warm(workspace, quietFor);
      grown.push(kind === 'idle' ? workspace.rhythm('tick') : waitForBeat(workspace));
    }
    const [one, ten, hundred] = measure(grown, runs);
    if (one === undefined || ten === undefined || hundred === undefined) throw new Error('three were measured');
    const peaks = grown.map((command) => measurePeak(command));
    results.push(
      ...compareBoth(`${kind} tick beside 10 x as much`, ten, one, noise),
      ...compareBoth(`${kind} tick beside 100 x as much`, hundred, one, noise),
      compareMemory(`${kind} tick beside 100 x as much`, peaks[2] ?? spreadOf([]), peaks[0] ?? spreadOf([]), 4),
    );
  }
  return results;
}

/** A tick that has a beat each second. Its outputs stay: to put back as much as there is would disturb what is measured. */
function waitForBeat(workspace: Workspace): Command {
  return { ...workspace.rhythm('tick'), prepare: ['sleep', '1'] };
}

/** A history of about 1,000 records and 50 old runs with their files, or so many times as much. */
function leaveBehind({ outputs }: Workspace, factor: number): void {
  writeQuarter(outputs, Date.now() - 3_600_000, 0.85 * factor);
  for (let index = 0; index < 50 * factor; index++) {
    const day = new Date(Date.now() - (1 + (index % 12)) * 86_400_000).toISOString().slice(0, 10);
    const folder = join(outputs, 'runs', day, `group_${index % 42}-${index}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '1-work.sh.log'), 'done\n');
  }
}

function countRuns({ outputs }: Workspace): number {
  return readFileSync(join(outputs, 'history.jsonl'), 'utf8').split('"type":"run-start"').length;
}

function measureTwo(ours: Command, base: Command, runs: number) {
  const [first, second] = measure([ours, base], runs);
  if (first === undefined || second === undefined) throw new Error('two were measured');
  return [first, second] as const;
}
