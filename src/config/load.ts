import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from './config.ts';
import { readCachedConfig, writeCachedConfig } from './load/cache.ts';
import type { SourceConfig } from './load/read-source.ts';
import { ConfigError, joinWords } from './problems.ts';

/**
 * A configuration, and the files that it was read from, absolute: it has to be read again when one of them changes. Some
 * may not exist (a tsconfig.json that would count): then when it appears.
 */
export interface LoadedConfig {
  readonly config: Config;
  readonly inputs: readonly string[];
}

/** What a configuration may be called. */
export const fileNames = [
  'tasks.config.ts',
  'tasks.config.mts',
  'tasks.config.js',
  'tasks.config.mjs',
  'tasks.config.json',
];

/**
 * Finds, reads and checks the configuration of a workspace. `cache` says what the user's cache is used for: to look the
 * result up (`read`), to store it as well (`write`), or for nothing (`off`); with `read` and `off` nothing is written
 * anywhere. A cached result counts only while everything that it depends on is unchanged; of a configuration that may ask
 * the environment, a file or the clock only the bundled sources are cached. Throws a ConfigError that lists every problem.
 */
export async function loadConfig(
  workspace: string,
  { cache }: { readonly cache: 'read' | 'write' | 'off' },
): Promise<LoadedConfig> {
  const file = findConfigFile(resolve(workspace));
  const cached = cache === 'off' ? null : readCachedConfig(file);
  if (cached?.config != null) return { config: cached.config, inputs: cached.inputs.map(({ path }) => path) };
  // What reads and checks sources takes longer to load than a cached configuration takes to read.
  const { readSource } = await import('./load/read-source.ts');
  const source = await readSource(file, cached?.bundle ?? null);
  const { config, origin } = source;
  const isCached = cached !== null && cached.bundle === origin.bundle && origin.config === null;
  if (cache === 'write' && !isCached) {
    const calendars = config.groups.flatMap(({ schedule }) => (schedule.kind === 'calendar' ? schedule.timezone : []));
    writeCachedConfig(origin, [config.timezone, ...calendars], Date.now());
  }
  return source;
}

/** The same, always from its sources, and with what the user wrote. Writes nothing. */
export async function loadSource(workspace: string): Promise<SourceConfig> {
  const file = findConfigFile(resolve(workspace));
  const { readSource } = await import('./load/read-source.ts');
  return readSource(file, readCachedConfig(file)?.bundle ?? null);
}

/** The configuration file of a workspace, absolute; a ConfigError unless there is exactly one. */
export function findConfigFile(workspace: string): string {
  const folder = resolve(workspace);
  const [file, ...others] = fileNames.filter((name) => isFile(join(folder, name)));
  if (!file) {
    const looked = joinWords(fileNames, 'and');
    const message = existsSync(folder)
      ? `there is no configuration (looked for ${looked}); make one with rhythm init, or name the workspace with -C`
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
    return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  } catch {
    // A folder that can't be read holds no configuration; the message names the folder.
    return false;
  }
}
