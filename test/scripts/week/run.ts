import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { injected, repository } from './instruments.ts';
import { judgeWeek } from './verdicts.ts';
import { passWeek } from './week.ts';

/**
 * The long form: `npm run week`. A week of real ticks under a moved clock, with this machine's metrics and a process that
 * really leaks. SEED repeats a week, FROM (an instant) writes down at once what comes before it, KEEP names a folder for
 * what is left. Needs libfaketime; takes a quarter of an hour on a machine with nothing else to do.
 */
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const realFrom = process.env.FROM === undefined ? injected.start : Date.parse(process.env.FROM);
const say = (text: string) => process.stdout.write(`${text}\n`);
execFileSync(process.execPath, ['esbuild.config.js'], { cwd: repository, stdio: 'inherit' });
say(`SEED=${seed}`);
const week = await passWeek({ seed, realFrom, isLeakReal: true, spikeMs: 30_000, say: sayNow(say) });
const { missing, surplus } = judgeWeek(week);
if (process.env.KEEP) cpSync(week.outputs, join(process.env.KEEP, 'outputs'), { recursive: true });
say(`${week.ticks} ticks. Missing: ${missing.join('; ') || 'nothing'}.`);
say(`Reported besides, which on a busy machine may be true: ${surplus.join('; ') || 'nothing'}.`);
week.close();
process.exitCode = missing.length > 0 ? 1 : 0;

/** Once for each simulated six hours. */
function sayNow(tell: (text: string) => void) {
  let last = '';
  return (text: string) => {
    const part = `${text.slice(0, 11)}${Math.floor(Number(text.slice(11, 13)) / 6)}`;
    if (part !== last) tell(`${new Date().toISOString().slice(11, 19)} ${text}`);
    last = part;
  };
}
