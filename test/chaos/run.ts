import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { breakCalls } from './calls.ts';
import { chooseSeed, describeChaos, describeViolation, makeChaos } from './chaos.ts';
import { month, passDays } from './days.ts';
import { canMount, fillDisks } from './disk.ts';
import { flood } from './floods.ts';
import { killAtRandom } from './kills.ts';
import { stopAtRandom } from './signals.ts';

/**
 * The long form: `npm run chaos`, with names of scenarios for some of them. SEED repeats the choices of an earlier run,
 * PROGRAM names another build to be tried.
 */
const say = (text: string) => process.stdout.write(`${text}\n`);
const chaos = makeChaos(chooseSeed(process.env), (violation) => say(describeViolation(violation)));
const scenarios = {
  kills: () => killAtRandom(chaos, 500),
  calls: () => breakCalls(chaos, { situations: 8, kills: 500, failures: 200 }),
  floods: () => flood(chaos, 20, 200),
  days: () => passDays(chaos, month),
  disk: () => (canMount() ? fillDisks(chaos, 1) : say('No full disks: to mount one takes root on Linux.')),
  signals: () => stopAtRandom(chaos, 100),
};

if (process.env.PROGRAM === undefined) {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  execFileSync(process.execPath, ['esbuild.config.js'], { cwd: root, stdio: 'inherit' });
}
const chosen = process.argv.slice(2);
for (const [name, play] of Object.entries(scenarios)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  say(`${new Date().toISOString()} ${name}, SEED=${chaos.seed}`);
  await play();
}
say(describeChaos(chaos));
process.exitCode = chaos.violations.length > 0 ? 1 : 0;
