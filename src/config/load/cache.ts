import { existsSync, realpathSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { hash, hashFile } from '../../bundle/build.ts';
import { adoptSegments, isUtc, type Segment, surveyZone } from '../../schedule/zone.ts';
import { cacheName, readCache, writeCache } from '../../user-cache.ts';
import type { Bundle } from '../bundle.ts';
import type { Config } from '../config.ts';
import { isRoot, writableByOthers } from './ownership.ts';
import { readFirstLine } from './shebang.ts';

/** Put in by the bundler: identifies the program's sources. Unbundled, nothing is cached. */
declare const rhythmBuild: string;

const year = 365 * 86_400_000;

/** What reading a configuration file produced. */
export interface CachedConfig {
  /** The configuration file. */
  readonly file: string;
  /** Every file whose content went into it; the hash is null for one that would, if it were there. */
  readonly inputs: Bundle['inputs'];
  /** Null for JSON, which is not bundled. */
  readonly bundle: Bundle | null;
  /** The checked configuration; null if it may depend on the environment, files or the clock. */
  readonly config: Config | null;
  /** The first lines of scripts, which chose their interpreters; null for a script that is missing. */
  readonly firstLines: readonly (readonly [path: string, line: string | null])[];
  /** The file URL of the loader for TypeScript scripts, if the configuration needs it. */
  readonly tsxLoader: string | null;
}

interface Entry extends CachedConfig {
  readonly machine: string;
  /** What Intl said about the configuration's time zones: its formatter takes 20 ms to make. */
  readonly zones: readonly (readonly [timezone: string, segments: readonly Segment[]])[];
}

/**
 * What the last reading of this file produced, if all files that went into it are unchanged, and so are the program and
 * the machine; null otherwise. Its `config` is null as well if the scripts have changed so that they need reading again.
 * Time zones that it knows are not asked of Intl any more. Writes nothing.
 */
export function readCachedConfig(file: string): CachedConfig | null {
  if (typeof rhythmBuild === 'undefined') return null;
  const content = readCache(cacheName(file, 'config'));
  if (content === null) return null;
  const end = content.indexOf('\n');
  const json = content.slice(end + 1);
  // A loss of power or a bad disk may have damaged it, and what is in it is executed.
  if (content.slice(0, Math.max(0, end)) !== hash(json)) return null;
  const entry = JSON.parse(json) as Entry;
  const isCurrent =
    entry.file === file &&
    entry.machine === describeMachine() &&
    entry.inputs.every(({ path, sha256 }) => hashFile(path) === sha256);
  if (!isCurrent) return null;
  // Reading the sources names the file that others may write.
  const programs = entry.inputs.filter(({ runs }) => runs).map(({ path }) => path);
  if (isRoot() && [file, ...programs].some(writableByOthers)) return null;
  for (const [timezone, segments] of entry.zones) adoptSegments(timezone, segments);
  const scriptsAreCurrent =
    entry.firstLines.every(([path, line]) => readFirstLine(path) === line) &&
    (entry.tsxLoader === null || existsSync(fileURLToPath(entry.tsxLoader)));
  return scriptsAreCurrent ? entry : { ...entry, config: null };
}

/** Caches what reading a configuration file produced. Best effort. */
export function writeCachedConfig(cached: CachedConfig, timezones: Iterable<string>, now: number): void {
  if (typeof rhythmBuild === 'undefined') return;
  const foreign = [...new Set(timezones)].filter((timezone) => !isUtc(timezone));
  const zones = foreign.map((timezone) => [timezone, surveyZone(timezone, now - year, now + year)] as const);
  const json = JSON.stringify({ ...cached, machine: describeMachine(), zones } satisfies Entry);
  writeCache(cacheName(cached.file, 'config'), `${hash(json)}\n${json}`);
}

/**
 * What a checked configuration takes from the program and the machine: programs that are put into command lines, the
 * system's time zone, the names of time zones that Node knows, and their rules.
 */
function describeMachine(): string {
  const { platform, arch, execPath, env, version, versions } = process;
  // An empty TZ means something else than none.
  const timezone = [versions.tz, env.TZ ?? null, describeSystemZone()];
  return JSON.stringify([rhythmBuild, version, platform, arch, execPath, env.ComSpec ?? null, ...timezone]);
}

/** What changes when the system's time zone does: the file that holds it, by its name and, where it is a copy, its time. */
function describeSystemZone(): unknown[] {
  if (process.platform === 'win32') return [new Date().getTimezoneOffset()];
  try {
    const path = realpathSync.native('/etc/localtime');
    const { mtimeMs, size } = statSync(path);
    return [path, mtimeMs, size];
  } catch {
    return [];
  }
}
