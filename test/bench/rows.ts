import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build as bundle } from 'esbuild';
import example from '../../tasks.config.ts';
import { writeQuarter } from '../report/quarter.ts';
import { type Command, measurePeaks, measureTimes, quantile, run } from './measure.ts';
import { type Bench, type Build, makeDue, makeDueExample, makeIdleExample, type Workspace } from './workspace.ts';

export interface Setup {
  readonly bench: Bench;
  readonly build: Build;
  /** An older build to compare with. */
  readonly against: Build | null;
  readonly runs: number;
}

/** One line of the table. */
export interface Result {
  readonly row: string;
  /** Medians: ms of user and system time, or MiB. */
  readonly ours: number;
  /** Null where the target is an amount. */
  readonly base: number | null;
  readonly unit: 'ms' | 'MiB';
  /** The ratio, or ours where there is no base. */
  readonly value: number;
  /** The quartiles of this value over the rounds. */
  readonly spread: readonly [number, number];
  readonly target: number;
}

type Values = readonly number[];
type Measure = (setup: Setup) => Promise<Result[]> | Result[];

/** The rows of the table by the names that `--only` takes. */
export const rows: Readonly<Record<string, Measure>> = {
  async example({ bench, build, against, runs }) {
    const { workspace, tick } = makeDueExample(bench, build);
    const bare = { argv: await writeBareExample(workspace, build.node), prepare: tick.prepare };
    const others = against === null ? [] : [makeDueExample(bench, against).tick];
    const [ours = [], base = [], older] = measureTimes([tick, bare, ...others], runs);
    const results = [compare('example, all due / its scripts bundled, bare', ours, base, 1.6)];
    if (older) results.push(compare('example, all due / the other build', ours, older, 0.35));
    return results;
  },

  async guard({ bench, build, runs }) {
    const workspace = await makeIdleExample(bench, build);
    const [ours = [], base = []] = measureTimes([readGuard(workspace), startAnacron(workspace)], runs, 10);
    return [compare('idle tick under the guard / idle anacron', ours, base, 1)];
  },

  async idle(setup) {
    const workspace = await makeIdleExample(setup.bench, setup.build);
    return compareWithNode('idle tick with Node', workspace.rhythm('tick'), 2.2, setup);
  },

  groups({ bench, build, runs }) {
    const count = 42;
    const { workspace, tick } = makeDue(bench, build, count);
    workspace.write('loop.cjs', durableLoop);
    const loop = { argv: [build.node, join(workspace.folder, 'loop.cjs'), workspace.folder, `${count}`] };
    const [ours = [], base = []] = measureTimes([tick, loop], runs);
    return [compare(`${count} groups of true / a loop of spawns and durable records`, ours, base, 2.5)];
  },

  async changed(setup) {
    const workspace = await makeIdleExample(setup.bench, setup.build);
    const edit = ['sh', '-c', 'echo "// edited" >>"$1"', 'sh', join(workspace.folder, 'tasks.config.ts')];
    return compareWithNode('changed configuration', { ...workspace.rhythm('tick'), prepare: edit }, 6, setup);
  },

  status(setup) {
    const workspace = setup.bench.make(setup.build);
    const write = () => writeQuarter(workspace.outputs, Date.now());
    workspace.write('tasks.config.json', JSON.stringify(write().config));
    // A tick leaves the configuration in the cache; the second history is as if it had not been.
    run(workspace.rhythm('tick').argv);
    workspace.write('outputs/master_scheduler_state.json', JSON.stringify(write().state, null, 2));
    return compareWithNode('status, 90 days of history', workspace.rhythm('status'), 3, setup);
  },

  preview(setup) {
    const workspace = setup.bench.make(setup.build);
    workspace.write('tasks.config.ts', `export default ${JSON.stringify(graphOf(42))};\n`);
    workspace.write('package.json', '{ "type": "module" }\n');
    run(workspace.rhythm('tick').argv);
    return compareWithNode('dry run of 42 groups', workspace.rhythm('tick', '--dry-run'), 2.2, setup);
  },

  large({ bench, build, runs }) {
    const [one, thousand, tenThousand] = [1, 1_000, 10_000].map((count) => {
      const workspace = bench.make(build);
      workspace.write('tasks.config.json', JSON.stringify(graphOf(count)));
      return workspace.rhythm('tick', '--dry-run');
    }) as [Command, Command, Command];
    const [times = []] = measureTimes([tenThousand], runs);
    const [least = [], some = [], many = []] = measurePeaks([one, thousand, tenThousand], runs);
    const growthOf = (peaks: Values) => peaks.map((peak, round) => peak - (least[round] ?? Number.NaN));
    return [
      compare('dry run of 10,000 groups', times, null, 1_500),
      compare('its memory over that of 1 group / the same of 1,000', growthOf(many), growthOf(some), 10, 'MiB'),
    ];
  },

  growth({ bench, build, runs }) {
    const ticks = [1_000, 100].map((count) => makeDue(bench, build, count).tick);
    const [thousand = [], hundred = []] = measureTimes(ticks, Math.ceil(runs / 4));
    const perGroup = (times: Values, count: number) => times.map((time) => time / count);
    return [
      compare('tick of 1,000 groups / of 100, per group', perGroup(thousand, 1_000), perGroup(hundred, 100), 1.5),
    ];
  },
};

/** @param target at most, for ours over base; without a base, for ours in ms */
function compare(row: string, ours: Values, base: Values | null, target: number, unit: Result['unit'] = 'ms'): Result {
  const [own, other] = [quantile(ours, 0.5), base && quantile(base, 0.5)];
  const values = base === null ? ours : ours.map((value, round) => value / (base[round] ?? Number.NaN));
  const spread = [quantile(values, 0.25), quantile(values, 0.75)] as const;
  return { row, ours: own, base: other, unit, value: own / (other ?? 1), spread, target };
}

function compareWithNode(what: string, ours: Command, target: number, { build, runs }: Setup): Result[] {
  const [own = [], base = []] = measureTimes([ours, { argv: [build.node, '-e', '0'] }], runs);
  return [compare(`${what} / node -e 0`, own, base, target)];
}

/**
 * Bundles the scripts of the example and returns the argv of a shell that starts them one after another, as the tick does:
 * with its environment and their output in files. As in the tick, only optional scripts may exit with 1.
 */
async function writeBareExample({ folder, outputs, write }: Workspace, node: string): Promise<string[]> {
  const scripts = Object.values(example.groups)
    .flatMap((group) => group.scripts ?? [])
    .map((script) => (typeof script === 'string' ? { run: script, optional: false } : script))
    .map(({ run = '', optional }) => ({ words: run.split(' '), optional }));
  await bundle({
    entryPoints: scripts.map(({ words: [name = ''] }) => join(folder, 'scripts', name)),
    outdir: join(folder, 'bundles'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    sourcemap: 'linked',
  });
  const starts = scripts.map(({ words: [name = '', ...args], optional }) => {
    const bundled = join(folder, 'bundles', name.replace('.ts', '.mjs'));
    const start = `${node} --enable-source-maps ${[bundled, ...args].join(' ')} >${join(outputs, `${name}.log`)} 2>&1`;
    return `RHYTHM_SCRIPT=${name} ${start}${optional ? ' || [ $? = 1 ]' : ''}`;
  });
  const variables = [
    `export RHYTHM_WORKSPACE=${folder} RHYTHM_OUTPUTS=${outputs}`,
    'export RHYTHM_GROUP=example RHYTHM_RUN_ID=bare RHYTHM_ATTEMPT=1 RHYTHM_BEAT=2026-01-01T00:00:00.000Z',
  ];
  write('bare.sh', ['set -e', `cd ${folder}`, 'exec </dev/null', ...variables, ...starts, ''].join('\n'));
  return ['sh', join(folder, 'bare.sh')];
}

/** What the crontab has for a workspace, after its first run there. */
function readGuard(workspace: Workspace): Command {
  const printed = run(workspace.rhythm('install', '--trigger', 'cron', '--print').argv);
  const line = /^\*\/5 \* \* \* \* (.*)$/m.exec(printed)?.[1];
  if (line === undefined) throw new Error(`no line for cron in ${printed}`);
  const argv = ['/bin/sh', '-c', line];
  run(argv);
  return { argv };
}

/** An anacron whose only job has run today. */
function startAnacron({ folder, write }: Workspace): Command {
  const [table, spool] = [join(folder, 'anacrontab'), join(folder, 'spool')];
  write('anacrontab', '1 0 nothing true\n');
  mkdirSync(spool);
  const argv = ['anacron', '-d', '-s', '-t', table, '-S', spool];
  run([...argv, '-u']);
  return { argv };
}

/**
 * What a scheduler does at least if its history and state are to survive a loss of power: before the first start and after
 * each end it appends to a file and replaces another, with the fsyncs of the tick and as many bytes as in its records.
 */
const durableLoop = `const fs = require('node:fs');
const { spawn } = require('node:child_process');
const [, , folder, count] = process.argv;
const state = fs.readFileSync(folder + '/outputs/master_scheduler_state.json');
const sync = (path, flags, content) => {
  const file = fs.openSync(path, flags);
  if (content !== undefined) fs.writeSync(file, content);
  fs.fsyncSync(file);
  fs.closeSync(file);
};
const record = () => {
  sync(folder + '/records.jsonl', 'a', 'x'.repeat(2_000) + '\\n');
  sync(folder + '/record.tmp', 'w', state);
  fs.renameSync(folder + '/record.tmp', folder + '/record');
  sync(folder, 'r');
};
const spawnOne = () => new Promise((done) => spawn('/bin/true', { stdio: 'ignore' }).on('close', done));
(async () => {
  record();
  for (let n = 0; n < count; n++, record()) await spawnOne();
})();
`;

/** Groups that each depend on up to five earlier ones, scattered by a prime. */
function graphOf(count: number): object {
  const groups = Array.from({ length: count }, (_, index) => {
    const dependsOn = new Set(
      Array.from({ length: Math.min(5, index) }, (_, n) => `group_${(7_919 * (n + 1)) % index}`),
    );
    return [`group_${index}`, { every: '10m', dependsOn: [...dependsOn], scripts: [{ command: 'true' }] }];
  });
  return { timezone: 'UTC', groups: Object.fromEntries(groups) };
}
