import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { createRequire, SourceMap } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isTimeZone } from '../schedule/zone.ts';
import type { Platform } from './argv.ts';
import { type Bundle, bundleConfig, findJsonProblems } from './bundle.ts';
import { readBundle, writeBundle } from './cache.ts';
import type { Config } from './config.ts';
import { findDuplicateKeys } from './json.ts';
import { isRoot, writableByOthers } from './ownership.ts';
import { ConfigError, joinWords } from './problems.ts';
import { resolveConfig } from './resolve.ts';

/**
 * A configuration, and the files that it was read from, absolute: it is to be read anew when one of them changes. Some
 * may not be there (a tsconfig.json that would count): then when it appears.
 */
export interface LoadedConfig {
  readonly config: Config;
  readonly inputs: readonly string[];
}

const fileNames = ['tasks.config.ts', 'tasks.config.mts', 'tasks.config.js', 'tasks.config.mjs', 'tasks.config.json'];

/** A configuration that waits for something that never comes would else end the tick without a word. */
const patience = 30_000;

/**
 * Finds, reads and checks the configuration of a workspace. `cache` says what becomes of the bundled sources: they are
 * looked up (`read`), kept for the next time as well (`write`), or neither (`off`); with `read` and `off` nothing is
 * written anywhere. Only sources are kept, never values, for a configuration may ask the environment or the clock.
 * Throws a ConfigError that lists every problem.
 */
export async function loadConfig(
  workspace: string,
  { cache }: { readonly cache: 'read' | 'write' | 'off' },
): Promise<LoadedConfig> {
  const folder = resolve(workspace);
  const file = findConfigFile(folder);
  refuseForeign([file], folder);
  const { value, inputs } = file.endsWith('.json') ? await readJson(file) : await readModule(file, cache);
  const result = resolveConfig(value, { workspace: folder, file }, describePlatform());
  if ('problems' in result) throw new ConfigError(basename(file), result.problems);
  return { config: result.config, inputs };
}

/** The configuration file of a workspace, absolute; a ConfigError unless there is exactly one. */
export function findConfigFile(workspace: string): string {
  const folder = resolve(workspace);
  const [file, ...others] = fileNames.filter((name) => isFile(join(folder, name)));
  if (!file) {
    const looked = joinWords(fileNames, 'and');
    const message = existsSync(folder)
      ? `there is no configuration (looked for ${looked}); create tasks.config.ts as the README shows, or name the workspace with -C`
      : 'there is no such folder; name the workspace with -C';
    throw new ConfigError(folder, [{ path: '', message }]);
  }
  if (others.length > 0) {
    const message = `there are several configurations, ${joinWords([file, ...others], 'and')}; keep one`;
    throw new ConfigError(folder, [{ path: '', message }]);
  }
  return join(folder, file);
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    // Where the folder can't be looked into, nothing was found; the message says where.
    return false;
  }
}

/** For root a file that somebody else may write is somebody else's program. */
function refuseForeign(files: readonly string[], folder: string): void {
  if (!isRoot()) return;
  const foreign = files.filter(writableByOthers);
  if (foreign.length === 0) return;
  throw new ConfigError(
    basename(files[0] ?? folder),
    foreign.map((file) => ({
      path: relative(folder, file),
      message:
        'others may write it, and root would run it; make root its owner and take the right to write from group and others (chown root, chmod go-w)',
    })),
  );
}

async function readJson(file: string): Promise<{ value: unknown; inputs: string[] }> {
  const text = readText(file).replace(/^\uFEFF/, '');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const located = await findJsonProblems(file, text);
    const problems = located.length > 0 ? located : [{ path: basename(file), message: (cause as Error).message }];
    throw new ConfigError(basename(file), problems, { cause });
  }
  const duplicates = findDuplicateKeys(text);
  if (duplicates.length > 0) {
    throw new ConfigError(
      basename(file),
      duplicates.map(({ key, line, column }) => ({
        path: `${basename(file)}:${line}:${column}`,
        message: `${JSON.stringify(key)} stands twice in one object; remove or rename one`,
      })),
    );
  }
  return { value, inputs: [file] };
}

async function readModule(
  file: string,
  cache: 'read' | 'write' | 'off',
): Promise<{ value: unknown; inputs: string[] }> {
  readText(file);
  const kept = cache === 'off' ? null : readBundle(file);
  if (kept) {
    try {
      return await runBundle(kept, file);
    } catch (error) {
      // A package that has moved since is looked for anew.
      const { cause } = error as { cause?: { code?: unknown } };
      if (cause?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    }
  }
  const bundle = await bundleConfig(file);
  if (cache === 'write') writeBundle(file, bundle);
  return await runBundle(bundle, file);
}

async function runBundle(bundle: Bundle, file: string): Promise<{ value: unknown; inputs: string[] }> {
  const sources = bundle.inputs.filter(({ runs }) => runs).map(({ path }) => path);
  refuseForeign(sources, dirname(file));
  return { value: await evaluate(bundle, file), inputs: bundle.inputs.map(({ path }) => path) };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const message = `it can't be read (${(cause as Error).message}); give its owner the right to read it`;
    throw new ConfigError(basename(file), [{ path: '', message }], { cause });
  }
}

/** Counts evaluations: Node evaluates each address once, and the same sources may yield another value later. */
let evaluations = 0;

/** Runs a bundle and returns what it exports: a configuration, a promise of one, or a function that returns either. */
async function evaluate(bundle: Bundle, file: string): Promise<unknown> {
  const name = `rhythm-config-${++evaluations}`;
  // From its text rather than from a file: so nothing has to be written, and what was checked is what is run.
  const code = Buffer.from(`${bundle.code}\n//# sourceURL=${name}\n`).toString('base64');
  const refusal = (message: string): ConfigError => new ConfigError(basename(file), [{ path: '', message }]);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `it was not ready after ${patience / 1_000} s; let it wait for nothing`;
    timer = setTimeout(() => reject(refusal(message)), patience);
  });
  const work = async (): Promise<unknown> => {
    const module: { written: Record<string, unknown> } = await import(`data:text/javascript;base64,${code}#${name}`);
    const { written } = module;
    if (!('default' in written)) throw refusal('it exports no configuration; write export default defineConfig({ … })');
    return typeof written.default === 'function' ? await written.default() : await written.default;
  };
  try {
    return await Promise.race([work(), late]);
  } catch (thrown) {
    throw thrown instanceof ConfigError ? thrown : explainThrown(thrown, name, bundle, file);
  } finally {
    clearTimeout(timer);
  }
}

/** Tells what a configuration threw, and where: the lines of the bundle mean nothing to anybody. */
function explainThrown(thrown: unknown, name: string, bundle: Bundle, file: string): ConfigError {
  const map = new SourceMap(JSON.parse(bundle.map));
  const folder = dirname(file);
  let place: string | null = null;
  // A stack names the bundle, or its address, which is all of its text; an error of linking gives no column.
  const address = 'data:text/javascript;base64,[\\w+/=]+#';
  const position = new RegExp(`(?:${address})?${name}:(\\d+)(?::(\\d+))?`, 'g');
  const clean = (text: string): string =>
    text
      .replace(position, (frame, line: string, column = '1') => {
        const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
        if (!('originalSource' in entry)) return frame;
        const origin = `${entry.originalLine + 1}:${entry.originalColumn + 1}`;
        place ??= `${relative(folder, entry.originalSource)}:${origin}`;
        return `${entry.originalSource}:${origin}`;
      })
      .replace(new RegExp(`${address}${name}`, 'g'), file);
  if (thrown instanceof Error) {
    thrown.stack = clean(thrown.stack ?? '');
    thrown.message = clean(thrown.message);
  }
  const what = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : clean(String(thrown));
  const message = `it failed while it was read: ${what.replace(/\s*\n\s*/g, ' ')}`;
  return new ConfigError(basename(file), [{ path: place ?? '', message }], { cause: thrown });
}

/** What this machine is like. */
export function describePlatform(): Platform {
  // What takes milliseconds to find is looked for only when it is asked for.
  let tsxLoader: string | undefined;
  return {
    platform: process.platform,
    execPath: process.execPath,
    get tsxLoader() {
      tsxLoader ??= pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
      return tsxLoader;
    },
    get systemTimezone() {
      const name = new Intl.DateTimeFormat().resolvedOptions().timeZone;
      return name && isTimeZone(name) ? name : 'UTC';
    },
    comSpec: process.env.ComSpec ?? 'cmd.exe',
    readFirstLine,
  };
}

function readFirstLine(file: string): string | null {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    // Linux reads as much of such a line.
    const buffer = Buffer.alloc(256);
    const length = readSync(descriptor, buffer);
    return buffer.toString('utf8', 0, length).split('\n', 1)[0] ?? null;
  } catch {
    // A script that is missing is told of when it is to run.
    return null;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
