import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readFirstLine } from './beginning.ts';
import type { Config } from './config.ts';
import { isRoot, writableByOthers } from './ownership.ts';
import { keep, nameFor, readKept } from './place.ts';

/** Put in by the bundler: it stands for the program's sources. Unbundled, nothing is kept. */
declare const rhythmBuild: string;

/** A file that a configuration was made of; the text is null for one that would be part of it, if it were there. */
export interface Input {
  readonly path: string;
  readonly text: string | null;
  /** Whether it is a program, rather than data. */
  readonly runs: boolean;
}

/** All that a checked configuration rests on: while it stays the same, so does the configuration. */
export interface Basis {
  readonly inputs: readonly Input[];
  /** The first lines of scripts, by which their interpreters were chosen; null for a script that is missing. */
  readonly firstLines: readonly (readonly [path: string, line: string | null])[];
  /** The address of the loader for scripts in TypeScript, if it was asked for. */
  readonly tsxLoader: string | null;
  /** Which of its time zones are the system's, see config/local.ts. */
  readonly localZones: readonly string[];
}

interface Header extends Basis {
  readonly build: string;
  readonly machine: readonly string[];
  readonly file: string;
}

/** A checked configuration that was kept, and what stands for it. */
export interface KeptConfig {
  readonly inputs: readonly string[];
  /** Equal only where the configuration and its basis are. */
  readonly id: string;
  readonly localZones: readonly string[];
  readonly config: () => Config;
}

/**
 * The checked configuration that was kept for this file, if all that it rests on is as it was: the content of each file,
 * the program, the machine. Null otherwise. Writes nothing.
 */
export function openKept(file: string): KeptConfig | null {
  if (typeof rhythmBuild === 'undefined') return null;
  const kept = readKept(nameFor(file, 'config'));
  if (kept === null) return null;
  const end = kept.text.indexOf('\n');
  const header = JSON.parse(kept.text.slice(0, end)) as Header;
  const isCurrent =
    header.build === rhythmBuild &&
    header.file === file &&
    `${header.machine}` === `${describeMachine()}` &&
    header.inputs.every(({ path, text }) => readText(path) === text) &&
    header.firstLines.every(([path, line]) => readFirstLine(path) === line) &&
    (header.tsxLoader === null || existsSync(fileURLToPath(header.tsxLoader)));
  if (!isCurrent) return null;
  // The full reading names the file that others may write.
  if (isRoot() && [file, ...header.inputs.filter(({ runs }) => runs).map(({ path }) => path)].some(writableByOthers))
    return null;
  return {
    inputs: header.inputs.map(({ path }) => path),
    id: kept.id,
    localZones: header.localZones,
    config: () => JSON.parse(kept.text.slice(end + 1)) as Config,
  };
}

/** Keeps a checked configuration for the next time; answers with the id that `openKept` will, null where it can't. */
export function keepConfig(config: Config, basis: Basis): string | null {
  if (typeof rhythmBuild === 'undefined') return null;
  const header: Header = { build: rhythmBuild, machine: describeMachine(), file: config.file, ...basis };
  return keep(nameFor(config.file, 'config'), `${JSON.stringify(header)}\n${JSON.stringify(config)}`);
}

export function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/**
 * What a configuration takes from the machine: programs that are put into command lines, and the system's time zone.
 * Which names of zones mean the same may change with Node.
 */
function describeMachine(): string[] {
  const { platform, arch, execPath, env, version } = process;
  // An empty TZ means something else than none.
  const named = env.TZ === undefined ? '' : `TZ=${env.TZ}`;
  return [platform, arch, execPath, version, env.ComSpec ?? '', named, describeZone()];
}

/** What changes when the system's time zone does. */
function describeZone(): string {
  if (process.platform === 'win32') return `${new Date().getTimezoneOffset()}`;
  const file = findZoneFile();
  const stats = file === null ? undefined : statSync(file, { throwIfNoEntry: false });
  return `${file} ${stats?.mtimeMs} ${stats?.size}`;
}

/** The file that holds the system's time zone where TZ names none, and by whose name it is known. */
export function findZoneFile(): string | null {
  try {
    return realpathSync.native('/etc/localtime');
  } catch {
    return null;
  }
}
