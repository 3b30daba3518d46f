import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { requireLater } from '../require.ts';
import { cacheName, findCacheFile, findCacheFolder, isTrusted, readCache, writeCache } from '../user-cache.ts';
import { buildModule, findUpwards, hash, hashFile } from './build.ts';
import { type Findings, formatOf, resolveScriptImports, writePreamble } from './imports.ts';
import { findObstacle, markers } from './obstacle.ts';
import { listExtended } from './tsconfig.ts';

/** A script's module, ready to be run by `node --enable-source-maps`, or why there is none. */
export type ScriptBundle = { readonly path: string } | { readonly reason: string };

/** What to run. */
export interface Command {
  readonly argv: readonly string[];
  /** Why a TypeScript script does not start from a bundle; null for all other scripts and where it does. */
  readonly note: string | null;
}

/** What a script's command depends on. */
export interface Runnable {
  readonly argv: readonly string[];
  /** Absolute. */
  readonly file: string | null;
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Whether `argv` runs a TypeScript file through tsx. */
  readonly bundles?: boolean;
}

/** Goes up whenever bundles are made differently, so that those of an older rhythm are not used. */
const format = 1;

/** What the cache knows of a script. It holds while everything that it was made from is unchanged. */
interface Entry {
  readonly format: number;
  /** The version of Node, whose built-in modules differ. */
  readonly node: string;
  readonly file: string;
  readonly folder: string;
  /** The file without symbolic links. */
  readonly realFile: string;
  readonly inputs: readonly (readonly [path: string, sha256: string | null])[];
  /** Folders where packages are, or may appear. */
  readonly links: readonly (readonly [path: string, target: string | null])[];
  readonly result: { readonly name: string; readonly sha256: string } | { readonly reason: string };
}

/**
 * The command line of a script. A TypeScript script runs from a bundle, which starts in a fraction of the time that tsx
 * takes, or through tsx where that is not possible.
 */
export async function commandOf({ argv, file, cwd, env, bundles }: Runnable): Promise<Command> {
  const [node] = argv;
  if (!bundles || file === null || node === undefined) return { argv, note: null };
  const setting = env.TSX_TSCONFIG_PATH ?? process.env.TSX_TSCONFIG_PATH;
  const bundle = setting ? { reason: 'TSX_TSCONFIG_PATH is set' } : await bundleScript(file, cwd);
  if ('reason' in bundle) return { argv, note: `runs through tsx: ${bundle.reason}` };
  return { argv: [node, '--enable-source-maps', bundle.path, ...argv.slice(argv.indexOf(file) + 1)], note: null };
}

/**
 * Makes one module of a TypeScript script and its sources, in the user's cache folder. It is made once, and again when
 * something that it was made from has changed. Never rejects: what can't be bundled has a reason, which completes the
 * sentence "runs through tsx: …".
 *
 * @param file absolute
 * @param folder the script's current folder, absolute: tsx obeys the nearest tsconfig.json from there
 */
export async function bundleScript(file: string, folder: string): Promise<ScriptBundle> {
  const entryName = cacheName(JSON.stringify([file, folder]), 'script.json');
  try {
    const cached = useEntry(readEntry(entryName), file, folder);
    if (cached !== null) return cached;
    // Asked first: what can't be cached would be built in vain at every start.
    if (!isCacheUsable()) return { reason: cacheObstacle };
    const { code, extension, ...origin } = await makeBundle(file, folder);
    const store = (result: Entry['result']) =>
      writeCache(entryName, JSON.stringify({ format, node: process.version, file, folder, ...origin, result }));
    if (typeof code !== 'string') {
      store(code);
      return code;
    }
    const name = cacheName(code, extension);
    const path = writeCache(name, code);
    if (path === null || store({ name, sha256: hash(code) }) === null) return { reason: cacheObstacle };
    return { path };
  } catch (error) {
    // tsx reports it in its own words, as the script's failure.
    return { reason: `it can't be bundled (${describeError(error)})` };
  }
}

const cacheObstacle = "the user's cache folder can't be used";

function isCacheUsable(): boolean {
  const folder = findCacheFolder();
  if (folder === null) return false;
  if (!existsSync(folder)) return true;
  try {
    accessSync(folder, constants.W_OK);
    return isTrusted(folder);
  } catch {
    return false;
  }
}

function readEntry(name: string): Entry | null {
  const text = readCache(name);
  try {
    return text === null ? null : (JSON.parse(text) as Entry);
  } catch {
    return null;
  }
}

/** What a cache entry says, if it is about this script and holds; its bundle is code, so its content is checked too. */
function useEntry(entry: Entry | null, file: string, folder: string): ScriptBundle | null {
  if (entry?.format !== format || entry.node !== process.version) return null;
  const holds =
    entry.file === file &&
    entry.folder === folder &&
    entry.realFile === realPathOf(file) &&
    entry.inputs.every(([path, sha256]) => hashFile(path) === sha256) &&
    entry.links.every(([path, target]) => realPathOf(path) === target);
  if (!holds) return null;
  const { result } = entry;
  if ('reason' in result) return result;
  const path = findCacheFile(result.name);
  return path !== null && hashFile(path) === result.sha256 ? { path } : null;
}

async function makeBundle(file: string, folder: string) {
  const realFile = realpathSync(file);
  const tsconfigs = findUpwards(folder, 'tsconfig.json');
  const tsconfig = tsconfigs.at(-1);
  const hasTsconfig = tsconfig !== undefined && tsconfig.sha256 !== null;
  // Its package.json names its version.
  const esbuild = requireLater.resolve('esbuild/package.json');
  const fixed = [
    ...tsconfigs,
    ...(hasTsconfig ? listExtended(tsconfig.path) : []),
    { path: esbuild, sha256: hashFile(esbuild) },
  ];
  const inputs: Findings['inputs'] = new Map(fixed.map((input) => [input.path, input]));
  const findings: Findings = {
    format: formatOf(realFile, inputs),
    inputs,
    links: new Map(),
    reasons: [],
    hasPackages: false,
  };
  const preamble = writePreamble(file, realFile, findings.format);
  const { code, map } = await buildModule(dirname(realFile), inputs, {
    entryPoints: [realFile],
    format: findings.format,
    target: `node${process.versions.node}`,
    // As tsx has it: otherwise a name that occurs in two files would change where one is a function's or a class's.
    keepNames: true,
    // A package.json that says `sideEffects: false` means nothing to Node.
    ignoreAnnotations: true,
    ...(hasTsconfig ? { tsconfig: tsconfig.path } : { tsconfigRaw: '{}' }),
    banner: { js: preamble },
    define: markers[findings.format],
    plugins: [resolveScriptImports(findings)],
  });
  const reason = findings.reasons[0] ?? findObstacle(code.replace(preamble, ''), findings);
  const sources = map.sources.map((source) => pathToFileURL(source).href);
  const inline = Buffer.from(JSON.stringify({ ...map, sources })).toString('base64');
  return {
    realFile,
    inputs: [...inputs.values()].map(({ path, sha256 }) => [path, sha256] as const),
    links: [...findings.links],
    code: reason === null ? `${code}//# sourceMappingURL=data:application/json;base64,${inline}\n` : { reason },
    extension: findings.format === 'esm' ? 'mjs' : 'cjs',
  };
}

function realPathOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

function describeError(error: unknown): string {
  const [first] = (error as { errors?: { text: string }[] }).errors ?? [];
  return first?.text ?? (error instanceof Error ? error.message : String(error));
}
