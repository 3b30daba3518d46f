import { accessSync, closeSync, constants, openSync, readSync, type Stats, statSync } from 'node:fs';
import { delimiter, isAbsolute, relative, resolve } from 'node:path';
import type { Script } from '../config/config.ts';

/** What to spawn, or why that can't be: one sentence for people. */
export type Program = { readonly path: string } | { readonly obstacle: string };

const isWindows = process.platform === 'win32';

/**
 * Looks, before anything is spawned, for what a script needs: its folder, its file, its interpreter or program (on the
 * PATH of its environment). As root it refuses a script file that others could have written,
 * as sudo and cron refuse theirs. Reads only; what stands in the way is data, not an exception.
 *
 * @param environments of a name that several of them have, the last one's value counts
 */
export function findProgram(script: Script, workspace: string, ...environments: readonly NodeJS.ProcessEnv[]): Program {
  const obstacle = obstacleAtFolder(script, workspace) ?? obstacleAtFile(script, workspace);
  if (obstacle !== null) return { obstacle };
  const [name = ''] = script.argv;
  const path = locate(name, script.cwd, environments);
  if (path === null) {
    const remedy = script.file === null ? 'correct the command' : "install it or set the configuration's interpreters";
    return {
      obstacle: hasFolder(name)
        ? `${name} does not exist or may not be executed: ${remedy}`
        : `${name} was not found on the PATH (${variable(environments, 'PATH') ?? 'which is not set'}): ${remedy}`,
    };
  }
  const missing = isWindows ? null : missingInterpreter(path);
  if (missing !== null) {
    return {
      obstacle: `${displayPath(path, workspace)} names ${missing} in its first line, which does not exist: install it`,
    };
  }
  return { path };
}

function obstacleAtFolder(script: Script, workspace: string): string | null {
  const stats = statOf(script.cwd);
  if (stats?.isDirectory()) return null;
  const folder = displayPath(script.cwd, workspace);
  return stats === null
    ? `its folder ${folder} does not exist: create it or correct cwd in the configuration`
    : `its cwd ${folder} is not a folder: correct it in the configuration`;
}

function obstacleAtFile(script: Script, workspace: string): string | null {
  if (script.file === null) return null;
  const { file } = script;
  const name = displayPath(file, workspace);
  const stats = statOf(file);
  if (stats === null) {
    return `${name} does not exist (looked for ${file}): restore it or correct its name in the configuration`;
  }
  if (!stats.isFile()) return `${name} is not a file: name the file to run in the configuration`;
  if (isWindows) return null;
  if (process.geteuid?.() === 0 && (stats.uid !== 0 || (stats.mode & 0o022) !== 0)) {
    return `${name} may be written by others and is not run as root: chown root ${name} && chmod go-w ${name}`;
  }
  const isDirect = script.argv[0] === file;
  if (isDirect && !may(file, constants.X_OK)) return `${name} may not be executed: chmod +x ${name}`;
  return isDirect || may(file, constants.R_OK) ? null : `${name} may not be read: chmod +r ${name}`;
}

/** The path of a program as execvp(3) finds it (and on Windows cmd, by PATHEXT); null where there is none. */
function locate(name: string, cwd: string, environments: readonly NodeJS.ProcessEnv[]): string | null {
  const endings = isWindows ? ['', ...(variable(environments, 'PATHEXT') ?? '.COM;.EXE;.BAT;.CMD').split(';')] : [''];
  // An empty entry stands for the current folder; without a PATH, execvp looks here.
  const entries = (variable(environments, 'PATH') ?? (isWindows ? '' : '/usr/bin:/bin')).split(delimiter);
  const folders = hasFolder(name) ? [''] : isWindows ? ['', ...entries] : entries;
  if (name === '') return null;
  for (const folder of folders) {
    for (const ending of endings) {
      const path = resolve(cwd, folder, name + ending);
      if (statOf(path)?.isFile() && (isWindows || may(path, constants.X_OK))) return path;
    }
  }
  return null;
}

/** The program after `#!` if it does not exist: the system would only say that the script itself is missing. */
function missingInterpreter(path: string): string | null {
  const buffer = Buffer.alloc(256);
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return null;
  }
  try {
    const text = buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0));
    const interpreter = /^#![ \t]*(\/[^\s]*)\s/.exec(text)?.[1];
    return interpreter !== undefined && statOf(interpreter) === null ? interpreter : null;
  } finally {
    closeSync(descriptor);
  }
}

/** Windows ignores the case of variable names. */
function variable(environments: readonly NodeJS.ProcessEnv[], name: string): string | undefined {
  for (const environment of environments.toReversed()) {
    const key = isWindows ? Object.keys(environment).find((key) => key.toUpperCase() === name) : name;
    const value = key === undefined ? undefined : environment[key];
    if (value !== undefined) return value;
  }
  return undefined;
}

function hasFolder(name: string): boolean {
  return name.includes('/') || (isWindows && name.includes('\\'));
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    // Missing, or behind a folder that may not be searched: out of reach either way.
    return null;
  }
}

function may(path: string, what: number): boolean {
  try {
    accessSync(path, what);
    return true;
  } catch {
    return false;
  }
}

/** A path for people: relative to the workspace where it lies inside. */
function displayPath(path: string, workspace: string): string {
  const inside = relative(workspace, path).replaceAll('\\', '/');
  return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? path : inside;
}
