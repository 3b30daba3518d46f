import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Command, commandOf } from '../../src/bundle/script.ts';

const tsxLoader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A folder with files and a cache folder of its own, for one test. */
export interface Project {
  readonly folder: string;
  readonly cache: string;
  readonly args: readonly string[];
  write(files: Readonly<Record<string, string>>): void;
  read(name: string): string;
  /** The command line of a script of the folder. */
  command(script: string): Promise<Command>;
  /** Runs a script through tsx. */
  runByTsx(script: string): Ran;
  /** Runs a script from its bundle. Fails if there is none. */
  runBundled(script: string): Promise<Ran>;
}

export const esm = { 'package.json': '{ "type": "module" }' };

export function makeProject(files: Readonly<Record<string, string>>): Project {
  // Real, because macOS links its temporary folder; and with characters that addresses escape.
  const folder = join(realpathSync(mkdtempSync(join(tmpdir(), 'rhythm bundle '))), 'ü #1');
  const cache = mkdtempSync(join(tmpdir(), 'rhythm-cache-'));
  const before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = cache;
  onTestFinished(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
    for (const one of [dirname(folder), cache]) rmSync(one, { recursive: true, force: true });
  });
  const args = ['one', 'two words'];
  const originalArgv = (script: string) => [process.execPath, '--import', tsxLoader, join(folder, script), ...args];
  const project: Project = {
    folder,
    cache: join(cache, 'rhythm'),
    args,
    write(more) {
      for (const [name, text] of Object.entries(more)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
    },
    read: (name) => readFileSync(join(folder, name), 'utf8'),
    command: (script) =>
      commandOf({ argv: originalArgv(script), file: join(folder, script), cwd: folder, env: {}, bundles: true }),
    runByTsx: (script) => run(originalArgv(script), folder),
    async runBundled(script) {
      const { argv, note } = await project.command(script);
      if (note !== null) throw new Error(note);
      return run(argv, folder);
    },
  };
  project.write(files);
  return project;
}

function run([program = '', ...args]: readonly string[], cwd: string): Ran {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined, NODE_OPTIONS: undefined, TSX_DISABLE_CACHE: '1' };
  const { stdout, stderr, status, signal } = spawnSync(program, args, { cwd, env, encoding: 'utf8', input: 'input' });
  return { stdout, stderr, status, signal };
}
