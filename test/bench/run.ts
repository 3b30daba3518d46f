import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem, type } from 'node:os';
import { parseArgs } from 'node:util';
import { isInstalled } from './measure.ts';
import { type Result, renderResults } from './result.ts';
import { type Bench, rows } from './rows.ts';
import { openPlace, type Place, repository } from './workspace.ts';

/**
 * `npm run bench`, with names of rows for some of them: what rhythm costs, each time against something else that is
 * measured in the same run. RUNS changes how often each program is run (21), NODES names other Nodes than the one that
 * runs this, separated as in PATH; BYTES makes the row `output` smaller; `--json FILE` writes the results there, `-` to
 * stdout in place of the table. Needs hyperfine and GNU time. Not all of it says anything on a machine with other work:
 * look at the load, and at the least and the most beside each median.
 */
const { values: flags, positionals: chosen } = parseArgs({
  options: { json: { type: 'string' } },
  allowPositionals: true,
});
const say = (text: string) => void (flags.json === '-' ? process.stderr : process.stdout).write(`${text}\n`);
const wrong = chosen.filter((name) => !Object.hasOwn(rows, name));
if (wrong.length > 0) throw new Error(`there is no row ${wrong.join(', ')}; there are ${Object.keys(rows).join(', ')}`);
if (!isInstalled('hyperfine') || !isInstalled('/usr/bin/time')) throw new Error('it takes hyperfine and /usr/bin/time');

const runs = Number(process.env.RUNS ?? 21);
const nodes = process.env.NODES?.split(':') ?? [process.execPath];
execFileSync(process.execPath, ['esbuild.config.js'], {
  cwd: repository,
  stdio: ['ignore', process.stderr, 'inherit'],
});

const machine = {
  system: type(),
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  loadBefore: loadavg(),
};
say(`${machine.system}, ${machine.cores} x ${machine.processor}, ${machine.memoryGiB} GiB, load ${tellLoad()}.`);
say(`At least ${runs} runs of each; median [least..most].`);
const benches: { node: string; results: Result[] }[] = [];
const places: Place[] = [];
try {
  for (const node of nodes) {
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    const place = openPlace();
    places.push(place);
    const bench: Bench = { place, node, runs, say };
    const results: Result[] = [];
    for (const [name, measureRow] of Object.entries(rows)) {
      if (chosen.length > 0 && !chosen.includes(name)) continue;
      say(`Node ${version}, ${name} …`);
      const found = await measureRow(bench);
      results.push(...found);
      say(renderResults(found));
    }
    benches.push({ node: version, results });
  }
} finally {
  for (const place of places) place.remove();
}

for (const { node, results } of benches) say(`\nNode ${node}, load ${tellLoad()}\n${renderResults(results)}`);
if (flags.json !== undefined) {
  const document = { schemaVersion: 1, at: new Date().toISOString(), machine, loadAfter: loadavg(), runs, benches };
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (flags.json === '-') process.stdout.write(text);
  else writeFileSync(flags.json, text);
}

function tellLoad(): string {
  return loadavg()
    .map((load) => load.toFixed(1))
    .join(' ');
}
