import { execFileSync, spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Result, rows } from './rows.ts';
import { openBench, repository } from './workspace.ts';

/**
 * `npm run bench -- [options]`: what rhythm costs in user and system time, as ratios to something else that is measured in
 * the same rounds. Other work on the machine moves even these ratios: look at the load and the spread.
 *
 *   --only NAME     only this row of rows.ts; may be repeated
 *   --runs N        rounds in which each program is started once (21)
 *   --node FILE     the Node to measure on (the one that runs this)
 *   --against DIR   another checkout, installed and built, to compare the example with
 *   --strict        exit with 1 if a target is missed
 */
const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: Object.keys(rows) },
    runs: { type: 'string', default: '21' },
    node: { type: 'string', default: process.execPath },
    against: { type: 'string' },
    strict: { type: 'boolean', default: false },
  },
});
const runs = Number(flags.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs takes a number of rounds, not ${flags.runs}`);
const unknown = flags.only.filter((name) => !Object.hasOwn(rows, name));
if (unknown.length > 0) {
  throw new Error(`no row is called ${unknown.join(', ')}; the rows are ${Object.keys(rows).join(', ')}`);
}
const needed = ['hyperfine', '/usr/bin/time', 'anacron'];
const missing = needed.filter((name) => spawnSync('sh', ['-c', 'command -v "$1"', 'sh', name]).status !== 0);
if (missing.length > 0) throw new Error(`install ${missing.join(', ')} first`);

execFileSync(process.execPath, ['esbuild.config.js'], { cwd: repository, stdio: 'inherit' });
const node = resolve(flags.node);
const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
const load = () => `load ${loadavg()[0]?.toFixed(1)}`;
console.log(`Node ${version}, ${cpus().length} x ${cpus()[0]?.model}, rounds: ${runs}, ${load()}`);
const bench = openBench();
const results: Result[] = [];
try {
  const against = flags.against === undefined ? null : { root: resolve(flags.against), node };
  for (const [name, measureRow] of Object.entries(rows)) {
    if (!flags.only.includes(name)) continue;
    console.log(`measuring ${name} ...`);
    results.push(...(await measureRow({ bench, build: { root: repository, node }, against, runs })));
  }
} finally {
  bench.remove();
}
console.log(`\n${render(results)}\n\n${load()}`);
if (flags.strict && !results.every(isMet)) process.exitCode = 1;

function isMet({ value, target }: Result): boolean {
  return value <= target;
}

/** The table: medians, and in brackets the quartiles. */
function render(all: readonly Result[]): string {
  const lines = all.map((result) => {
    const { row, ours, base, unit, value, spread, target } = result;
    const show = (number: number) => (base === null ? `${number.toFixed(0)} ${unit}` : number.toFixed(2));
    const amount = (number: number) => `${number.toFixed(1)} ${unit}`;
    return [
      row,
      amount(ours),
      base === null ? '-' : amount(base),
      base === null ? '-' : show(value),
      `[${spread.map(show).join(' .. ')}]`,
      `<= ${base === null ? show(target) : target}`,
      isMet(result) ? 'met' : 'MISSED',
    ];
  });
  const table = [['row', 'ours', 'base', 'ratio', 'spread', 'target', ''], ...lines];
  const widths = [0, 1, 2, 3, 4, 5, 6].map((column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  const pad = (cell: string, column: number) => cell.padEnd(widths[column] ?? 0);
  return table.map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}
