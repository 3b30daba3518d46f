import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { declareLocal } from '../schedule/zone.ts';
import type { Config } from './config.ts';
import { type KeptConfig, openKept } from './kept.ts';
import { ConfigError, joinWords } from './problems.ts';
import type { SourceConfig } from './source.ts';

/**
 * A configuration, and the files that it was read from, absolute: it is to be read anew when one of them changes. Some
 * may not be there (a tsconfig.json that would count): then when it appears.
 */
export interface LoadedConfig {
  readonly config: Config;
  readonly inputs: readonly string[];
  /** Stands for what is kept of it (`KeptConfig`); null where nothing is. */
  readonly keptId: string | null;
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
 * Finds, reads and checks the configuration of a workspace. `cache` says what becomes of the work: it is looked up
 * (`read`), kept for the next time as well (`write`), or neither (`off`); with `read` and `off` nothing is written
 * anywhere. What was kept is used only while everything that it rests on is as it was; and of a configuration that may
 * ask the environment, a file or the clock the bundled sources are kept, never the values. Throws a ConfigError that
 * lists every problem.
 */
export async function loadConfig(
  workspace: string,
  { cache }: { readonly cache: 'read' | 'write' | 'off' },
): Promise<LoadedConfig> {
  const file = findConfigFile(resolve(workspace));
  const kept = cache === 'off' ? null : openKept(file);
  if (kept !== null) return loadKept(kept);
  // What reads and checks sources takes ten times as long to load as what was kept takes to be read.
  const { readSource } = await import('./source.ts');
  return readSource(file, cache);
}

/** What was kept of a configuration file, as it was found a moment ago. */
export interface FoundConfig {
  readonly file: string;
  readonly kept: KeptConfig;
}

/** Finds what was kept of the configuration of a workspace; null where that is not to be used, for whatever reason. */
export function findKept(workspace: string): FoundConfig | null {
  try {
    const file = findConfigFile(resolve(workspace));
    const kept = openKept(file);
    return kept === null ? null : { file, kept };
  } catch {
    // Whatever is wrong, the full reading comes upon it and says so.
    return null;
  }
}

/** As `loadConfig`, without a look at what it rests on. */
export function loadKept(kept: KeptConfig): LoadedConfig {
  for (const zone of kept.localZones) declareLocal(zone);
  return { config: kept.config(), inputs: kept.inputs, keptId: kept.id };
}

/** The same from its sources, with what is written there. Writes nothing. */
export async function loadWritten(workspace: string): Promise<SourceConfig> {
  const { readSource } = await import('./source.ts');
  return readSource(findConfigFile(resolve(workspace)), 'read');
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
    // Where the folder can't be looked into, nothing was found; the message says where.
    return false;
  }
}
