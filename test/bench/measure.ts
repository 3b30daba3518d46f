import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A program that is started again and again, without a shell. */
export interface Command {
  readonly argv: readonly string[];
  /** Runs before each start and is not measured. */
  readonly prepare?: readonly string[];
}

/** NODE_EXTRA_CA_CERTS makes every start of Node 20 slower by 55 ms, which would hide what rhythm itself costs. */
export const environment: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1', TZ: 'UTC' };
delete environment.NODE_EXTRA_CA_CERTS;
delete environment.NODE_OPTIONS;

/**
 * Measures the commands in rounds, in random order within each round, so that all of them meet the same machine. An extra
 * first round is not counted. Throws if a command fails.
 *
 * @returns for each command, its value in each round
 */
function measureInRounds(
  commands: readonly Command[],
  rounds: number,
  measureOnce: (command: Command) => number,
): number[][] {
  const values = commands.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    const order = commands.map((_, index) => ({ index, draw: Math.random() })).sort((a, b) => a.draw - b.draw);
    for (const { index } of order) {
      const value = measureOnce(commands[index] as Command);
      if (round >= 0) values[index]?.push(value);
    }
  }
  return values;
}

/**
 * The user and system time of a start of each command, in ms, by hyperfine.
 *
 * @param batch starts per round, for commands that take a millisecond
 */
export function measureTimes(commands: readonly Command[], rounds: number, batch = 1): number[][] {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-measure-'));
  const file = join(folder, 'result.json');
  try {
    return measureInRounds(commands, rounds, ({ argv, prepare }) => {
      const options = ['-N', '--style', 'none', '--runs', `${batch}`, '--export-json', file];
      if (prepare) options.push('--prepare', prepare.map(quote).join(' '));
      run(['hyperfine', ...options, argv.map(quote).join(' ')]);
      const [mean] = (JSON.parse(readFileSync(file, 'utf8')) as { results: [{ user: number; system: number }] })
        .results;
      return (mean.user + mean.system) * 1_000;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The peak memory of each command in MiB, by GNU time. */
export function measurePeaks(commands: readonly Command[], rounds: number): number[][] {
  return measureInRounds(commands, rounds, ({ argv }) => {
    const { status, stderr } = spawnSync('/usr/bin/time', ['-f', '%M', ...argv], {
      env: environment,
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (status !== 0) throw new Error(`${argv.join(' ')} failed: ${stderr}`);
    return Number(stderr.trim().split('\n').at(-1)) / 1_024;
  });
}

/** Runs a command and returns what it prints. Throws if it fails. */
export function run(argv: readonly string[]): string {
  const [program = '', ...args] = argv;
  return execFileSync(program, args, { env: environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The value below which this share of the values lies; 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const [below = Number.NaN, above = below] = [sorted[Math.floor(position)], sorted[Math.ceil(position)]];
  return below + (above - below) * (position % 1);
}

/** hyperfine splits its commands as a POSIX shell would. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
