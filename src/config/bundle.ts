import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, extname, isAbsolute, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Loader, Message, Plugin } from 'esbuild';
import { requireLater } from '../require.ts';
import { ConfigError, type Problem } from './problems.ts';

/** A configuration file and all that it imports, except packages, as one module, which exports it as `written`. */
export interface Bundle {
  readonly code: string;
  /** The source map of the code; its sources are absolute paths. */
  readonly map: string;
  /** Every file whose content went into it; the hash is null for one that would, if it were there. */
  readonly inputs: readonly { readonly path: string; readonly sha256: string | null; readonly runs: boolean }[];
}

const loaders: Readonly<Record<string, Loader>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
  '.jsx': 'jsx',
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
  '.json': 'json',
};

/** How many bundles are in the making: esbuild is one process for all of them. */
let underway = 0;

/**
 * Makes one module of a configuration file. Packages stay where they are: bare imports become absolute file URLs, since
 * the module will be run from nowhere in particular; `rhythm-scheduler` is always this program's own. What can't be
 * bundled is a ConfigError that names file, line and column. Writes nothing.
 */
export async function bundleConfig(file: string): Promise<Bundle> {
  const { build, stop } = loadBundler();
  const inputs = new Map<string, Bundle['inputs'][number]>(listTypeSettings(file).map((input) => [input.path, input]));
  underway++;
  try {
    const { outputFiles } = await build({
      // Exported as a whole: a module that exports a promise, or anything called `then`, is itself taken for a promise.
      stdin: { contents: `export * as written from './${basename(file)}';`, resolveDir: dirname(file) },
      absWorkingDir: dirname(file),
      outfile: `${file}.bundle.mjs`,
      write: false,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      // Without this esbuild would follow the condition `module`, which Node does not know.
      conditions: [],
      resolveExtensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.cts', '.json'],
      sourcemap: 'external',
      sourcesContent: false,
      logLevel: 'silent',
      // A name that is not exported, and a group that is written twice, would go unnoticed until they do harm.
      logOverride: { 'import-is-undefined': 'error', 'duplicate-object-key': 'error' },
      banner: { js: createRequireOf(file) },
      define: {
        'import.meta.url': places.url,
        'import.meta.dirname': places.dirname,
        'import.meta.filename': places.filename,
        __dirname: places.dirname,
        __filename: places.filename,
      },
      plugins: [resolveImports(), readSources(inputs)],
    });
    const [map, code] = ['.map', '.mjs'].map((end) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? '');
    return { code: code ?? '', map: toAbsolute(map ?? '', dirname(file)), inputs: [...inputs.values()] };
  } catch (error) {
    throw new ConfigError(basename(file), listProblems(error, dirname(file)), { cause: error });
  } finally {
    underway--;
    // Else its process would idle beside us for as long as the scripts take.
    if (underway === 0) await stop();
  }
}

/** What esbuild objects to in a JSON text; empty where it finds nothing wrong. */
export async function findJsonProblems(file: string, text: string): Promise<Problem[]> {
  const { transform, stop } = loadBundler();
  underway++;
  try {
    await transform(text, { loader: 'json', sourcefile: basename(file), logLevel: 'silent' });
    return [];
  } catch (error) {
    return listProblems(error, dirname(file));
  } finally {
    underway--;
    if (underway === 0) await stop();
  }
}

/** The hash of a file's content; null where there is no such file. */
export function hashFile(path: string): string | null {
  try {
    return hash(readFileSync(path));
  } catch {
    return null;
  }
}

/** What stands for a content: equal only where the content is. */
export function hash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** What the language itself offers; anything else that is global may answer differently the next time. */
const language = new Set(
  'Array BigInt Boolean Error Infinity JSON Map Math NaN Number Object RangeError RegExp Set String Symbol TypeError'.split(
    ' ',
  ),
);
const others = Object.getOwnPropertyNames(globalThis).filter((name) => !language.has(name) && name !== 'undefined');
const asking = new RegExp(
  `(?<![\\w$.])(?:${others.join('|')}|import|require|this|__rhythm_\\w+)(?![\\w$])|\\brandom\\b|\\bconstructor\\s*[.(\\[]`,
);

/**
 * Whether a bundle's value can only depend on its sources: it imports nothing that is not part of it, and names nothing
 * global but what the language offers. In doubt it may ask: wherever a slash is left, for instance, since a regular
 * expression can look like the beginning of a text.
 */
export function asksNothing(code: string): boolean {
  const own = code
    .split('\n')
    .filter((line) => !line.startsWith('import { createRequire as __rhythm_create_require }'));
  const names = own
    .join('\n')
    .replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\$]|\\.)*`/g, '""');
  return !names.includes('/') && !asking.test(names);
}

/** What stands for a module's own place: the bundle is one module, but each of its parts keeps its own. */
const places = { url: '__rhythm_url', dirname: '__rhythm_dirname', filename: '__rhythm_filename' } as const;

/** Set before the first line without a line break, so that lines keep their numbers. */
function placePrefix(path: string): string {
  const values = { url: pathToFileURL(path).href, dirname: dirname(path), filename: path };
  const parts = Object.entries(values).map(
    ([key, value]) => `${places[key as keyof typeof places]} = ${JSON.stringify(value)}`,
  );
  return `const ${parts.join(', ')};`;
}

/** By `require`: an import of a CommonJS file has all of it searched for names first, which takes as long as to load it. */
function loadBundler(): typeof import('esbuild') {
  return requireLater('esbuild');
}

/** CommonJS parts ask for Node's modules through `require`, which a module does not have. */
function createRequireOf(file: string): string {
  const url = JSON.stringify(pathToFileURL(file).href);
  return `import { createRequire as __rhythm_create_require } from 'node:module'; const require = __rhythm_create_require(${url});`;
}

function resolveImports(): Plugin {
  // Marks what is asked of esbuild itself, which else would ask us again.
  const asked = Symbol('asked');
  return {
    name: 'imports',
    setup(build) {
      build.onResolve({ filter: /.*/ }, async ({ path, kind, importer, resolveDir, pluginData, with: attributes }) => {
        if (kind === 'entry-point' || pluginData === asked) return undefined;
        if (isBuiltin(path)) return { path: path.startsWith('node:') ? path : `node:${path}`, external: true };
        if (path === 'rhythm-scheduler') return { path: findPublicApi() };
        if (/^\.{0,2}(\/|$)/.test(path) || isAbsolute(path) || /^\w{2,}:/.test(path)) return undefined;
        const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: asked, with: attributes });
        if (found.errors.length > 0) return { errors: [{ text: `Could not find "${path}"; is it installed here?` }] };
        const isPackage =
          /[/\\]node_modules[/\\]/.test(found.path) && /^\.(js|mjs|cjs|node)$|^$/.test(extname(found.path));
        if (found.external || found.namespace !== 'file' || !isPackage)
          return { path: found.path, namespace: found.namespace, external: found.external };
        return { path: kind === 'require-call' ? found.path : pathToFileURL(found.path).href, external: true };
      });
    },
  };
}

/** Reads the sources itself, so that the hashes are of the very bytes that went into the bundle. */
function readSources(inputs: Map<string, Bundle['inputs'][number]>): Plugin {
  return {
    name: 'sources',
    setup(build) {
      build.onLoad({ filter: /.*/, namespace: 'file' }, ({ path }) => {
        const content = readFileSync(path);
        inputs.set(path, { path, sha256: hash(content), runs: path !== findPublicApi() });
        const loader = loaders[extname(path)];
        if (!loader) return undefined;
        const text = content.toString('utf8').replace(/^\uFEFF/, '');
        const knowsItsPlace = loader !== 'json' && /\bimport\s*\.\s*meta\b|__(dir|file)name\b/.test(text);
        const contents = knowsItsPlace ? placePrefix(path) + text.replace(/^#!/, '//') : text;
        return { contents, loader, resolveDir: dirname(path) };
      });
    },
  };
}

/** The module that `rhythm-scheduler` exports, as it stands beside the running program: in the sources or in dist/. */
function findPublicApi(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const places = [join(here, 'index.js'), join(dirname(here), 'index.ts')];
  return places.find(existsSync) ?? join(here, 'index.js');
}

/** esbuild obeys the nearest tsconfig.json, so it is an input as well: also where it is yet to be written. */
function listTypeSettings(file: string): Bundle['inputs'][number][] {
  const inputs: Bundle['inputs'][number][] = [];
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = join(folder, 'tsconfig.json');
    const sha256 = hashFile(path);
    inputs.push({ path, sha256, runs: false });
    if (sha256 !== null || folder === dirname(folder)) return inputs;
  }
}

function toAbsolute(map: string, folder: string): string {
  const parsed = JSON.parse(map) as { sources: string[] };
  return JSON.stringify({ ...parsed, sources: parsed.sources.map((source) => join(folder, source)) });
}

function listProblems(error: unknown, folder: string): Problem[] {
  const messages = (error as { errors?: Message[] }).errors;
  if (Array.isArray(messages) && messages.length > 0) return messages.map((message) => toProblem(message, folder));
  const reason = error instanceof Error ? error.message : String(error);
  return [
    { path: '', message: `esbuild, which reads it, does not work here (${reason}); install rhythm-scheduler anew` },
  ];
}

function toProblem({ text, location }: Message, folder: string): Problem {
  if (!location) return { path: '', message: text };
  // esbuild counts bytes from 0, and on the first line those of our prefix too.
  const before = Buffer.from(location.lineText).subarray(0, location.column).toString();
  const prefix = placePrefix(join(folder, location.file));
  const column = before.length - (before.startsWith(prefix) ? prefix.length : 0) + 1;
  return { path: `${location.file}:${location.line}:${column}`, message: text };
}
