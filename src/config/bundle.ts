import { isBuiltin } from 'node:module';
import { basename, dirname, extname, isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Message, Plugin } from 'esbuild';
import { buildModule, findPublicApi, findUpwards, type Input, type Inputs, withEsbuild } from '../bundle/build.ts';
import { ConfigError, type Problem } from './problems.ts';

export { hash, hashFile } from '../bundle/build.ts';

/** A configuration file and all that it imports, except packages, as one module, which exports it as `written`. */
export interface Bundle {
  readonly code: string;
  /** The source map of the code; its sources are absolute paths. */
  readonly map: string;
  /** Every file whose content went into it; the hash is null for one that would, if it were there. */
  readonly inputs: readonly { readonly path: string; readonly sha256: string | null; readonly runs: boolean }[];
}

/**
 * Makes one module of a configuration file. Packages stay where they are: bare imports become absolute file URLs, since
 * the module will be run from nowhere in particular; `rhythm-scheduler` is always this program's own. What can't be
 * bundled is a ConfigError that names file, line and column. Writes nothing.
 */
export async function bundleConfig(file: string): Promise<Bundle> {
  const folder = dirname(file);
  // esbuild obeys the nearest tsconfig.json.
  const settings = findUpwards(folder, 'tsconfig.json');
  const inputs: Inputs = new Map(settings.map((input) => [input.path, input]));
  try {
    const { code, map } = await buildModule(folder, inputs, {
      // Exported as a whole: a module that exports a promise, or anything called `then`, is itself taken for a promise.
      stdin: { contents: `export * as written from './${basename(file)}';`, resolveDir: folder },
      format: 'esm',
      target: 'node20.19',
      // A name that is not exported, and a group that is written twice, would go unnoticed until they do harm.
      logOverride: { 'import-is-undefined': 'error', 'duplicate-object-key': 'error' },
      banner: { js: createRequireOf(file) },
      plugins: [resolveImports()],
    });
    const runs = ({ path }: Input) => path !== findPublicApi() && !settings.some((setting) => setting.path === path);
    return {
      code,
      map: JSON.stringify(map),
      inputs: [...inputs.values()].map((input) => ({ ...input, runs: runs(input) })),
    };
  } catch (error) {
    throw new ConfigError(basename(file), listProblems(error), { cause: error });
  }
}

/** What esbuild objects to in a JSON text; empty where it finds nothing wrong. */
export async function findJsonProblems(file: string, text: string): Promise<Problem[]> {
  try {
    await withEsbuild(({ transform }) =>
      transform(text, { loader: 'json', sourcefile: basename(file), logLevel: 'silent' }),
    );
    return [];
  } catch (error) {
    return listProblems(error);
  }
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

function listProblems(error: unknown): Problem[] {
  const messages = (error as { errors?: Message[] }).errors;
  if (Array.isArray(messages) && messages.length > 0) return messages.map(toProblem);
  const reason = error instanceof Error ? error.message : String(error);
  return [
    { path: '', message: `esbuild, which reads it, does not work here (${reason}); install rhythm-scheduler anew` },
  ];
}

function toProblem({ text, location }: Message): Problem {
  if (!location) return { path: '', message: text };
  // esbuild counts bytes from 0.
  const before = Buffer.from(location.lineText).subarray(0, location.column).toString();
  return { path: `${location.file}:${location.line}:${before.length + 1}`, message: text };
}
