import { readFileSync } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import { asksNothing, type Bundle, bundleConfig, findJsonProblems, hash } from '../bundle.ts';
import type { Config } from '../config.ts';
import { ConfigError } from '../problems.ts';
import type { Platform } from '../resolve/argv.ts';
import { resolveConfig } from '../resolve/resolve.ts';
import type { CachedConfig } from './cache.ts';
import { findDuplicateKeys } from './duplicate-keys.ts';
import { evaluate } from './evaluate.ts';
import { isRoot, writableByOthers } from './ownership.ts';
import { describePlatform } from './platform.ts';

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

/** A file that other users may write is their program, and root must not run it. */
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
