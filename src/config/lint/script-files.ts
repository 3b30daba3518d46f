import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Config } from '../config.ts';
import type { RawConfig } from '../load/raw-config.ts';

/** What was found out about the files that a configuration names, and those beside them. */
export interface ScriptFiles {
  /** Those of `run` scripts that can't be run, by their absolute path; `shown` is the path for people. */
  readonly flawed: ReadonlyMap<string, { readonly flaw: 'missing' | 'not-executable'; readonly shown: string }>;
  /** Files beside them that nothing runs or mentions, relative to the folder of scripts. */
  readonly unused: readonly string[];
}

const extensions = '.ts .mts .cts .js .mjs .cjs .py .ps1 .sh .rb .pl .bat .cmd'.split(' ');
/** Types, tests and the like lie beside scripts. */
const noScript = /^[._]|\.d\.[cm]?ts$|\.(test|spec)\./;
/** In bytes; longer files are not searched for the names of others. */
const longest = 1 << 20;

/**
 * Looks at the files that a configuration runs, and at those beside them that it does not. Reads only; a file that can't be
 * read counts as missing, or as naming no other.
 *
 * @param inputs the files that the configuration was read from, absolute: they are no scripts
 */
export function findScriptFiles(config: Config, raw: RawConfig, inputs: readonly string[]): ScriptFiles {
  const scripts = config.groups.flatMap((group) => group.scripts);
  const used = new Set(scripts.flatMap(({ file }) => file ?? []));
  const flawed: [string, { flaw: 'missing' | 'not-executable'; shown: string }][] = [...used].flatMap((file) => {
    const flaw = !isFile(file) ? 'missing' : may(file, constants.X_OK) ? null : 'not-executable';
    return flaw === null ? [] : [[file, { flaw, shown: shownAs(file, config.workspace) }]];
  });

  const interpreters = raw.at(['interpreters']) ?? {};
  const known = new Set([...extensions, ...Object.keys(interpreters).map((key) => `.${key.replace(/^\./, '')}`)]);
  const folders = new Set([config.scriptsDir, ...[...used].map(dirname).filter((folder) => isInside(folder, config))]);
  const files = [...folders].flatMap(listFiles);
  const idle = files.filter((file) => {
    const extension = extname(file).toLowerCase();
    const isScript = extension === '' ? may(file, constants.X_OK) : known.has(extension);
    return isScript && !noScript.test(basename(file)) && !used.has(file) && !inputs.includes(file);
  });
  if (idle.length === 0) return { flawed: new Map(flawed), unused: [] };

  // A script that calls or imports another names it, and so does a line for the shell.
  const words = new Map(files.map((file) => [file, wordsOf(readText(file))]));
  const called = new Set(scripts.flatMap(({ argv }) => argv.flatMap((text) => [...wordsOf(text)])));
  const unused = idle.filter((file) => {
    const name = stemOf(file);
    return !called.has(name) && ![...words].some(([other, theirs]) => other !== file && theirs.has(name));
  });
  const named = unused.map((file) => relative(config.scriptsDir, file).split(sep).join('/')).sort();
  return { flawed: new Map(flawed), unused: named };
}

/** The name by which others call or import a file: without its folder and what follows the first dot. */
function stemOf(file: string): string {
  return basename(file).split('.', 1)[0] ?? '';
}

function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.match(/[\p{L}\p{N}_-]+/gu) ?? []);
}

function isInside(folder: string, { scriptsDir }: Config): boolean {
  const path = relative(scriptsDir, folder);
  return !isAbsolute(path) && path.split(sep)[0] !== '..';
}

/** The regular files of a folder, absolute, in order; none where there is no such folder. */
function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name))
      .filter(isFile);
  } catch {
    return [];
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function may(path: string, what: number): boolean {
  // Windows knows no such right.
  if (process.platform === 'win32') return true;
  try {
    accessSync(path, what);
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string {
  try {
    return statSync(path).size > longest ? '' : readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** A path as people know it: from the workspace, where it lies in there. */
function shownAs(path: string, workspace: string): string {
  const inside = relative(workspace, resolve(path)).split(sep).join('/');
  return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? path : inside;
}
