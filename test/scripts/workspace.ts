import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll } from 'vitest';

export const repository = resolve(import.meta.dirname, '../..');
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program and arguments that run one of the example's scripts as rhythm would: by Node.js, through tsx. */
export function argvOf(script: string, ...args: string[]): string[] {
  return [process.execPath, '--import', tsx, join(repository, 'scripts', script), ...args];
}

/**
 * Runs a script to its end, in a folder, with `RHYTHM_OUTPUTS` set to another, or without it. Its workspace is this
 * repository, or that folder.
 */
export async function runScript(
  argv: readonly string[],
  outputs: string | null,
  cwd = tmpdir(),
  workspace = repository,
): Promise<Ended> {
  const [program = '', ...args] = argv;
  const { RHYTHM_OUTPUTS: _, NODE_EXTRA_CA_CERTS: __, ...inherited } = process.env;
  const env = outputs === null ? inherited : { ...inherited, RHYTHM_OUTPUTS: outputs, RHYTHM_WORKSPACE: workspace };
  return new Promise((settle) => {
    execFile(program, args, { env, cwd }, (error, stdout, stderr) => {
      settle({ exitCode: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that lasts as long as the file of tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-scripts-'));
  folders.push(folder);
  return folder;
}

export function writeHistory(outputs: string, lines: readonly object[]): void {
  writeJsonLines(join(outputs, 'history.jsonl'), lines);
}

export function readJsonLines(file: string): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export function writeJsonLines(file: string, records: readonly object[]): void {
  writeFileSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
}

export function iso(instant: number): string {
  return new Date(instant).toISOString();
}

let serial = 0;

/** A line of the history for the end of a run, as rhythm writes it. */
export function runEnd(
  group: string,
  at: number,
  run: {
    id?: string;
    beat?: string | null;
    startedAt?: string;
    outcome?: string;
    durationMs?: number;
    missedBeats?: number;
    scripts?: object[];
  } = {},
): object {
  serial += 1;
  const durationMs = run.durationMs ?? 1000;
  return {
    at: iso(at),
    type: 'run-end',
    tick: `t${serial}`,
    group,
    lane: 'main',
    run: {
      id: `r${serial}`,
      beat: iso(at - (at % 600_000)),
      startedAt: iso(at - durationMs),
      finishedAt: iso(at),
      durationMs,
      outcome: 'succeeded',
      missedBeats: 0,
      scripts: [],
      ...run,
    },
    entry: { consecutiveFailures: 0 },
  };
}

/** What the history says of one script of a run. */
export function scriptEnd(name: string, script: object = {}): object {
  return {
    name,
    outcome: 'succeeded',
    exitCode: 0,
    signal: null,
    attempts: 1,
    durationMs: 1000,
    outputFile: null,
    message: null,
    ...script,
  };
}
