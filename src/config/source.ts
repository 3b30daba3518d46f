import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { basename, dirname, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { requireLater } from '../require.ts';
import { isTimeZone } from '../schedule/zone.ts';
import type { Platform } from './argv.ts';
import { asksNothing, type Bundle, bundleConfig, findJsonProblems, hash } from './bundle.ts';
import type { CachedConfig } from './cache.ts';
import type { Config } from './config.ts';
import { findDuplicateKeys } from './json.ts';
import { isRoot, writableByOthers } from './ownership.ts';
import { ConfigError } from './problems.ts';
import { resolveConfig } from './resolve.ts';
import { readFirstLine } from './shebang.ts';

/** In ms. Without a limit, a configuration that waits for something that never comes would end the tick silently. */
const patience = 30_000;

/** A configuration that was read from its sources. */
export interface SourceConfig {
  readonly config: Config;
  /** The files that it was read from, absolute. */
  readonly inputs: readonly string[];
  /** What the user wrote, before any default was filled in. */
  readonly raw: unknown;
  /** What can be cached of it. */
  readonly origin: CachedConfig;
}

/**
 * Reads and checks a configuration file. Throws a ConfigError that lists every problem.
 *
 * @param cached the bundle of its sources, if they are unchanged
 */
export async function readSource(file: string, cached: Bundle | null): Promise<SourceConfig> {
  const folder = dirname(file);
  refuseForeign([file], folder);
  const { value, inputs, bundle, isPure } = await (file.endsWith('.json') ? readJson(file) : readModule(file, cached));
  const firstLines = new Map<string, string | null>();
  let tsxLoader: string | null = null;
  const machine = describePlatform();
  // What a cached configuration depends on is noted; what takes milliseconds to find is looked up only if it is needed.
  const platform: Platform = {
    platform: machine.platform,
    execPath: machine.execPath,
    comSpec: machine.comSpec,
    get systemTimezone() {
      return machine.systemTimezone;
    },
    get tsxLoader() {
      tsxLoader = machine.tsxLoader;
      return tsxLoader;
    },
    readFirstLine(path) {
      const line = machine.readFirstLine(path);
      firstLines.set(path, line);
      return line;
    },
  };
  const result = resolveConfig(value, { workspace: folder, file }, platform);
  if ('problems' in result) throw new ConfigError(basename(file), result.problems);
  const { config } = result;
  return {
    config,
    inputs: inputs.map(({ path }) => path),
    raw: value,
    origin: { file, inputs, bundle, config: isPure ? config : null, firstLines: [...firstLines], tsxLoader },
  };
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

interface Read {
  readonly value: unknown;
  readonly inputs: Bundle['inputs'];
  readonly bundle: Bundle | null;
  /** Whether the same inputs always make the same value. */
  readonly isPure: boolean;
}

async function readJson(file: string): Promise<Read> {
  const whole = readConfig(file);
  const text = whole.replace(/^\uFEFF/, '');
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
  return { value, inputs: [{ path: file, sha256: hash(whole), runs: false }], bundle: null, isPure: true };
}

async function readModule(file: string, cached: Bundle | null): Promise<Read> {
  readConfig(file);
  if (cached !== null) {
    try {
      return await runBundle(cached, file);
    } catch (error) {
      // A package that has moved since is looked up again.
      const { cause } = error as { cause?: { code?: unknown } };
      if (cause?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    }
  }
  return await runBundle(await bundleConfig(file), file);
}

async function runBundle(bundle: Bundle, file: string): Promise<Read> {
  const sources = bundle.inputs.filter(({ runs }) => runs).map(({ path }) => path);
  refuseForeign(sources, dirname(file));
  const value = await evaluate(bundle, file);
  return { value, inputs: bundle.inputs, bundle, isPure: asksNothing(bundle.code) };
}

function readConfig(file: string): string {
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
    const module = await import(`data:text/javascript;base64,${code}#${name}`);
    const { written } = module as { written: Record<string, unknown> };
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

/** Describes this machine. */
export function describePlatform(): Platform {
  return {
    platform: process.platform,
    execPath: process.execPath,
    get tsxLoader() {
      return pathToFileURL(requireLater.resolve('tsx')).href;
    },
    get systemTimezone() {
      const name = new Intl.DateTimeFormat().resolvedOptions().timeZone;
      return name && isTimeZone(name) ? name : 'UTC';
    },
    comSpec: process.env.ComSpec ?? 'cmd.exe',
    readFirstLine,
  };
}
