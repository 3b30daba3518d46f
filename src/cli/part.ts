import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { borrowMemory, keepBytes, nameFor, readKeptBytes } from '../config/place.ts';
import { requireLater } from '../require.ts';

/*
 * The program is made of parts, files beside the one that this is in, which are loaded when they are asked for. To compile
 * them takes most of the time that a command takes, so ticks keep what came of that, and all use it. Node's own cache of
 * compiled code would do less: Node 20 has none, and the others write to it whatever the command is.
 */

interface Part {
  readonly file: string;
  readonly script: Script;
  /** The end of its text, which stands for all of it: V8 takes any text of the same length for the one it compiled. */
  readonly seal: string;
  readonly isKept: boolean;
}

/** The bundler ends each part with a line of so many characters. */
const sealSize = 32;

/** What Node puts around a file, and the bundler around a large one that only this loads: a copy less is made of it. */
const wrapper = '(function (exports, require, module, __filename, __dirname) {';

const loaded = new Map<string, { readonly exports: unknown }>();
const parts: Part[] = [];

/** Loads a part, by its name beside this file, unless that has been done; with what was kept of it where that holds. */
export function loadPart(name: string): unknown {
  const known = loaded.get(name);
  if (known !== undefined) return known.exports;
  const file = join(import.meta.dirname, name);
  const source = readSource(file);
  const seal = source.trimEnd().slice(-sealSize);
  const compiled = readKeptBytes(nameOf(file), seal);
  const script = new Script(source.startsWith(wrapper) ? source : `${wrapper}${source}\n})`, {
    filename: file,
    ...(compiled === null ? {} : { cachedData: compiled }),
  });
  parts.push({ file, script, seal, isKept: compiled !== null && script.cachedDataRejected === false });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, requireFromPart, module, file, dirname(file));
  loaded.set(name, module);
  return module.exports;
}

/** A file of ASCII. */
function readSource(file: string): string {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = borrowMemory(fstatSync(descriptor).size);
    return bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** Whether a part was loaded of which nothing was kept. */
export function isAnyNew(): boolean {
  return parts.some(({ isKept }) => !isKept);
}

/**
 * Keeps what came of compiling the parts that were loaded, the functions that were called included. Tells whether all of
 * it could be kept; where it could not, nothing else happens.
 */
export function keepParts(): boolean {
  return parts.every(({ file, script, seal }) => keepBytes(nameOf(file), seal, script.createCachedData()));
}

/** What parts load others with, and all else. */
const requireFromPart = Object.assign(
  (id: string): unknown => (id.startsWith('./lib/') ? loadPart(id.slice(2)) : requireLater(id)),
  requireLater,
);

function nameOf(file: string): string {
  const { version, arch, execPath, execArgv, env } = process;
  // What was compiled under other flags is of no use.
  const flags = [...execArgv, env.NODE_OPTIONS ?? ''].join(' ');
  return nameFor(`${file} ${execPath} ${version} ${arch} ${flags}`, 'code');
}
