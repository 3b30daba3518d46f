import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { BuildOptions, Loader, Plugin } from 'esbuild';
import { requireLater } from '../require.ts';

/** A file whose content went into a module; the hash is null for a file that would count if it existed. */
export interface Input {
  readonly path: string;
  readonly sha256: string | null;
}

/** Inputs by path. */
export type Inputs = Map<string, Input>;

/** A file and the sources that it imports as one module. */
export interface BuiltModule {
  readonly code: string;
  /** Its source map, whose sources are absolute paths. */
  readonly map: { readonly sources: readonly string[]; readonly mappings: string };
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

/** The names in the output that stand for the location of the source file that uses them. */
const locations = { url: '__rhythm_url', dirname: '__rhythm_dirname', filename: '__rhythm_filename' } as const;

/** How many uses of esbuild are under way: one esbuild process serves all of them. */
let underway = 0;

/**
 * Builds one module from the entry in `options` and all sources that it imports. `import.meta.url` and its like keep the
 * value that they have in each source file. Adds the files that it read to `inputs`. Writes nothing. Rejects with
 * esbuild's error, whose `errors` say what is wrong in which file and line.
 *
 * @param folder absolute; paths in esbuild's messages are relative to it
 */
export function buildModule(folder: string, inputs: Inputs, options: BuildOptions): Promise<BuiltModule> {
  return withEsbuild(async ({ build }) => {
    const { outputFiles = [] } = await build({
      absWorkingDir: folder,
      outfile: join(folder, 'bundle.js'),
      write: false,
      bundle: true,
      platform: 'node',
      // Without this esbuild would follow the condition `module`, which Node does not know.
      conditions: [],
      resolveExtensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.cts', '.json'],
      sourcemap: 'external',
      sourcesContent: false,
      logLevel: 'silent',
      ...options,
      define: {
        'import.meta.url': locations.url,
        'import.meta.dirname': locations.dirname,
        'import.meta.filename': locations.filename,
        __dirname: locations.dirname,
        __filename: locations.filename,
        ...options.define,
      },
      plugins: [provideLocations(), ...(options.plugins ?? []), readSources(inputs)],
    });
    const [map, code] = ['.map', '.js'].map((end) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? '');
    const parsed = JSON.parse(map ?? '') as BuiltModule['map'];
    return {
      code: code ?? '',
      map: { ...parsed, sources: parsed.sources.map((source) => join(folder, source)) },
    };
  });
}

/** Gives esbuild to `use` and ends esbuild's process when nothing needs it any more. */
export async function withEsbuild<T>(use: (esbuild: typeof import('esbuild')) => Promise<T>): Promise<T> {
  // By `require`: Node looks through an imported CommonJS file for names, which takes as long as loading it.
  const esbuild: typeof import('esbuild') = requireLater('esbuild');
  underway++;
  try {
    return await use(esbuild);
  } finally {
    underway--;
    // Otherwise its process would idle beside us for as long as the scripts take.
    if (underway === 0) await esbuild.stop();
  }
}

/** The SHA-256 of a file's content; null if there is no file or it can't be read. */
export function hashFile(path: string): string | null {
  try {
    // Many files are asked for that do not exist, and exceptions are slow.
    return statSync(path, { throwIfNoEntry: false })?.isFile() ? hash(readFileSync(path)) : null;
  } catch {
    return null;
  }
}

/** The SHA-256 of a content, in hexadecimal digits. */
export function hash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * Looks for the nearest file of that name, from a folder upwards. Returns all files that it looked for as inputs, since
 * one that appears later would be nearer; only the last one may exist.
 */
export function findUpwards(start: string, name: string): Input[] {
  const inputs: Input[] = [];
  for (let folder = start; ; folder = dirname(folder)) {
    const path = join(folder, name);
    const sha256 = hashFile(path);
    inputs.push({ path, sha256 });
    if (sha256 !== null || folder === dirname(folder)) return inputs;
  }
}

/** The module that `rhythm-scheduler` exports, as it lies beside the running program: in the sources or in dist/. */
export function findPublicApi(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = [join(here, 'index.js'), join(dirname(here), 'index.ts')];
  return candidates.find(existsSync) ?? join(here, 'index.js');
}

/** Reads the sources itself, so that the hashes are of the very bytes that went into the module. */
function readSources(inputs: Inputs): Plugin {
  return {
    name: 'sources',
    setup(build) {
      build.onLoad({ filter: /.*/, namespace: 'file' }, ({ path }) => {
        const content = readFileSync(path);
        inputs.set(path, { path, sha256: hash(content) });
        const loader = loaders[extname(path)];
        if (!loader) return undefined;
        const text = content.toString('utf8').replace(/^\uFEFF/, '');
        const asksLocation = loader !== 'json' && /\bimport\s*\.\s*meta\b|\b__(dir|file)name\b/.test(text);
        const contents = asksLocation ? addLocations(text.replace(/^#!/, '//'), path) : text;
        return { contents, loader, resolveDir: dirname(path) };
      });
    },
  };
}

/**
 * Imports the location at the end of the file, so that no line or column changes. In CommonJS, where an import would make
 * it another kind of module, it is declared in front of the first line.
 */
function addLocations(text: string, path: string): string {
  const isModule = /^\s*(import|export)\b|\bimport\s*\.\s*meta\b/m.test(text);
  if (!isModule) return declareLocations(path, '') + text;
  return `${text}\nimport { ${Object.values(locations).join(', ')} } from ${JSON.stringify(`rhythm-location:${path}`)};`;
}

function declareLocations(path: string, prefix: 'export ' | ''): string {
  const values = { url: pathToFileURL(path).href, dirname: dirname(path), filename: path };
  const parts = Object.entries(values).map(
    ([key, value]) => `${locations[key as keyof typeof locations]} = ${JSON.stringify(value)}`,
  );
  return `${prefix}const ${parts.join(', ')};`;
}

function provideLocations(): Plugin {
  const namespace = 'rhythm-location';
  return {
    name: 'locations',
    setup(build) {
      build.onResolve({ filter: /^rhythm-location:/ }, ({ path }) => ({
        path: path.slice(namespace.length + 1),
        namespace,
      }));
      build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({ contents: declareLocations(path, 'export ') }));
    },
  };
}
