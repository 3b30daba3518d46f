import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Config } from './config.ts';
import type { ScriptFiles } from './lint.ts';
import type { Written } from './written.ts';

const extensions = '.ts .mts .cts .js .mjs .cjs .py .ps1 .sh .rb .pl .bat .cmd'.split(' ');
/** Types, tests and the like lie beside scripts and are none. */
const noScript = /^[._]|\.d\.[cm]?ts$|\.(test|spec)\./;
/** What is longer, in bytes, is not looked through for the names of others. */
const longest = 1 << 20;

/**
 * Looks at the files that a configuration runs, and at those beside them that it does not. Reads only; what can't be
 * read counts as missing, or as naming nobody.
 *
 * @param inputs the files that the configuration was read from, absolute: they are no scripts
 */
export function surveyScripts(config: Config, written: Written, inputs: readonly string[]): ScriptFiles {
  const scripts = config.groups.flatMap((group) => group.scripts);
  const used = new Set(scripts.flatMap(({ file }) => file ?? []));
  const flawed: [string, { flaw: 'missing' | 'not-executable'; shown: string }][] = [...used].flatMap((file) => {
    const flaw = !isFile(file) ? 'missing' : may(file, constants.X_OK) ? null : 'not-executable';
    return flaw === null ? [] : [[file, { flaw, shown: shownAs(file, config.workspace) }]];
  });

  const interpreters = written.at(['interpreters']) ?? {};
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
