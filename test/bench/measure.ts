import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quoteWord } from '../../src/trigger/guard.ts';

/** A program that is started again and again, as it is: without a shell. */
export interface Command {
  readonly argv: readonly string[];
  /** What is done before each start, and not measured. */
  readonly prepare?: readonly string[];
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** What a program costs: `wall` as the clock on the wall has it, `cpu` as user and system time together, both in ms. */
export interface Cost {
  readonly wall: Spread;
  /** Of rounds of a few runs each, for hyperfine tells no more. */
  readonly cpu: Spread;
  readonly runs: number;
}

/** Node takes 55 ms longer to start where this is set, in 20 at least, and that is nobody's merit. */
export const environment: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1', TZ: 'UTC' };
delete environment.NODE_EXTRA_CA_CERTS;
delete environment.NODE_OPTIONS;

/** Few enough that programs to be compared meet the same machine in turns, whatever else it does. */
const perRound = 3;

/**
 * Runs each command at least `runs` times, by hyperfine, in turns of a few; the first run of each is not counted. Throws
 * where one of them fails.
 */
export function measure(commands: readonly Command[], runs: number): Cost[] {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-measured-'));
  const times = commands.map(() => ({ wall: [] as number[], cpu: [] as number[] }));
  try {
    for (let round = 0; round < Math.ceil(runs / perRound); round++) {
      for (const [index, { argv, prepare }] of commands.entries()) {
        const file = join(folder, 'times.json');
        const words = ['-N', '--style', 'none', '--warmup', round === 0 ? '1' : '0', '--runs', `${perRound}`];
        if (prepare) words.push('--prepare', prepare.map(quoteWord).join(' '));
        words.push('--export-json', file, argv.map(quoteWord).join(' '));
        execFileSync('hyperfine', words, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
        const [result] = (JSON.parse(readFileSync(file, 'utf8')) as { results: HyperfineResult[] }).results;
        if (result === undefined) throw new Error('hyperfine tells nothing');
        times[index]?.wall.push(...result.times.map((seconds) => seconds * 1_000));
        times[index]?.cpu.push((result.user + result.system) * 1_000);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return times.map(({ wall, cpu }) => ({ wall: spreadOf(wall), cpu: spreadOf(cpu), runs: wall.length }));
}

interface HyperfineResult {
  readonly times: readonly number[];
  readonly user: number;
  readonly system: number;
}

/** The peak memory of a command, or of the largest process that it waited for, in MiB, by time(1); of five runs. */
export function measurePeak({ argv, prepare }: Command, runs = 5): Spread {
  const peaks = Array.from({ length: runs }, () => {
    if (prepare) run(prepare);
    const { status, stderr } = spawnSync('/usr/bin/time', ['-v', ...argv], {
      env: environment,
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const kibibytes = /Maximum resident set size \(kbytes\): (\d+)/.exec(stderr)?.[1];
    if (status !== 0 || kibibytes === undefined) throw new Error(`${argv.join(' ')} failed: ${stderr}`);
    return Number(kibibytes) / 1_024;
  });
  return spreadOf(peaks);
}

/** Runs a command and answers with what it prints; throws where it fails. */
export function run(argv: readonly string[]): string {
  const [program = '', ...args] = argv;
  return execFileSync(program, args, { env: environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** How often a command and all its children make some system calls, by strace; null where there is none. */
export function countCalls({ argv, prepare }: Command, calls: readonly string[]): Map<string, number> | null {
  if (!isInstalled('strace')) return null;
  if (prepare) run(prepare);
  const { stderr } = spawnSync('strace', ['-f', '-c', '-e', `trace=${calls.join(',')}`, ...argv], {
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const rows = [...stderr.matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/gm)];
  return new Map(rows.filter(([, , call]) => call !== 'total').map(([, count, call]) => [call ?? '', Number(count)]));
}

export function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
  return { min: sorted[0] ?? 0, median, max: sorted.at(-1) ?? 0 };
}
