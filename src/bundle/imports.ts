import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, extname, isAbsolute, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild';
import { findUpwards, hashFile, type Inputs } from './build.ts';

/** How Node runs a file. */
export type Format = 'esm' | 'cjs';

/** What resolving a script's imports finds out. */
export interface Findings {
  readonly format: Format;
  /** Files on whose content the result depends. */
  readonly inputs: Inputs;
  /** Folders in which packages were looked for, with their real path; null where there is none. */
  readonly links: Map<string, string | null>;
  /** Why the script can't run from a bundle. */
  readonly reasons: string[];
  /** Whether packages are imported, which bring code of their own. */
  hasPackages: boolean;
}

/** Modules of Node that can start or load files which only tsx can read. */
const loadingModules: Readonly<Record<string, string>> = {
  worker_threads: 'it uses worker threads',
  cluster: 'it starts a cluster',
  module: 'it loads modules through node:module',
};

/** Packages that load the user's files by themselves, which can be TypeScript under tsx. */
const loadingPackages = new Set(
  (
    'agenda awilix bree c12 cosmiconfig drizzle-kit esbuild-register fastify-autoload @fastify/autoload globby-loader ' +
    'graphile-worker jest jiti knex kysely-ctl lilconfig @mikro-orm/core mocha moleculer objection piscina sequelize-cli ' +
    'sequelize-typescript tinypool ts-node tsx typeorm umzug unconfig vite vitest workerpool'
  ).split(' '),
);

const sourceExtensions = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json'];
const namespace = 'rhythm-package';

/**
 * Resolves the imports of a script as tsx does. Sources become part of the bundle. Packages stay where they are and are
 * loaded when their turn comes, as imports that Node hoists would not be: a source in front of them may set what they
 * read.
 */
export function resolveScriptImports(findings: Findings): Plugin {
  return {
    name: 'script imports',
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${namespace}:`) }, ({ path }) => ({
        path: path.slice(namespace.length + 1),
        namespace,
      }));
      build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({ contents: writePackageModule(path), loader: 'ts' }));
      build.onResolve({ filter: /^file:/, namespace }, ({ path }) => ({ path, external: true }));
      // Marks what is asked of esbuild itself, which would ask us again otherwise.
      const asked = Symbol('asked');
      build.onResolve({ filter: /.*/, namespace: 'file' }, async (args) =>
        args.kind === 'entry-point' || args.pluginData === asked || /^rhythm-\w+:/.test(args.path)
          ? undefined
          : resolveImport(args, build, asked, findings),
      );
    },
  };
}

/** The format of a file by its extension and the nearest package.json, which becomes an input. */
export function formatOf(path: string, inputs: Inputs): Format {
  const extension = extname(path);
  const manifests = findUpwards(dirname(path), 'package.json');
  for (const input of manifests) inputs.set(input.path, input);
  if (/^\.m[jt]s$/.test(extension)) return 'esm';
  if (/^\.c[jt]s$/.test(extension)) return 'cjs';
  const manifest = manifests.at(-1);
  if (!manifest?.sha256) return 'cjs';
  return (JSON.parse(readFileSync(manifest.path, 'utf8')) as { type?: unknown }).type === 'module' ? 'esm' : 'cjs';
}

async function resolveImport(
  { path, kind, importer, resolveDir, with: attributes }: OnResolveArgs,
  build: PluginBuild,
  asked: symbol,
  findings: Findings,
): Promise<OnResolveResult> {
  if (isBuiltin(path)) {
    const name = path.replace(/^node:/, '');
    const reason = loadingModules[name];
    if (reason !== undefined) findings.reasons.push(reason);
    return { path: `node:${name}`, external: true };
  }
  // tsx makes `require` of a static import where the script is CommonJS, and packages may answer that differently.
  const asRequire = kind === 'import-statement' && findings.format === 'cjs';
  const found = await build.resolve(path, {
    kind: asRequire ? 'require-call' : kind,
    importer,
    resolveDir,
    pluginData: asked,
    with: attributes,
  });
  const isRelative = /^\.{0,2}(\/|$)/.test(path) || isAbsolute(path);
  if (isRelative) noteAlternatives(join(isAbsolute(path) ? '' : resolveDir, path), found.path, findings);
  else noteFolders(path, resolveDir, findings);
  const obstacle = found.errors.length > 0 ? 'was not found' : found.namespace !== 'file' ? 'is not a file' : null;
  if (obstacle !== null || found.external) {
    findings.reasons.push(`its import ${path} ${obstacle ?? 'lies outside'}`);
    return { path, external: true };
  }
  if (isPackage(path, isRelative, resolveDir, found.path, findings))
    return importPackage(path, kind, found.path, findings);
  if (extname(found.path) !== '.json' && formatOf(found.path, findings.inputs) !== findings.format)
    findings.reasons.push(`it mixes ES modules and CommonJS (${path})`);
  return { path: found.path };
}

/**
 * Where a file without its extension, or `.js` for `.ts`, is imported, tsx and esbuild choose differently between several
 * files. Those that are missing today may be there tomorrow.
 */
function noteAlternatives(asked: string, found: string, { inputs, reasons }: Findings): void {
  if (/\.([mc]?ts|tsx|json)$/.test(asked)) return;
  const stem = asked.replace(/\.[mc]?jsx?$/, '');
  const alternatives = [asked, stem, join(stem, 'index')].flatMap((path) => [
    path,
    ...sourceExtensions.map((extension) => path + extension),
  ]);
  alternatives.push(join(stem, 'package.json'));
  for (const path of new Set(alternatives)) {
    const sha256 = hashFile(path);
    if (sha256 === null) inputs.set(path, { path, sha256 });
    else if (realpathSync(path) !== found) reasons.push(`one of its imports could mean ${found} or ${path}`);
  }
}

/** The folders in which Node looks for a package, as far as the one that has it. */
function noteFolders(path: string, start: string, { links, inputs }: Findings): void {
  const name = nameOf(path);
  for (let folder = start; ; folder = dirname(folder)) {
    const link = join(folder, 'node_modules', name);
    const target = existsSync(link) ? realpathSync(link) : null;
    links.set(link, target);
    if (target !== null) {
      const manifest = join(target, 'package.json');
      inputs.set(manifest, { path: manifest, sha256: hashFile(manifest) });
    }
    if (target !== null || folder === dirname(folder)) return;
  }
}

function nameOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** JavaScript that Node can load by itself. A linked package that lies elsewhere counts as well. */
function isPackage(path: string, isRelative: boolean, start: string, found: string, { links }: Findings): boolean {
  if (!['.js', '.mjs', '.cjs', '.node', ''].includes(extname(found))) return false;
  if (/[/\\]node_modules[/\\]/.test(found)) return true;
  if (isRelative) return false;
  for (let folder = start; ; folder = dirname(folder)) {
    const target = links.get(join(folder, 'node_modules', nameOf(path)));
    if (target) return found.startsWith(join(target, '/'));
    if (folder === dirname(folder)) return false;
  }
}

function importPackage(name: string, kind: string, path: string, findings: Findings): OnResolveResult {
  findings.hasPackages = true;
  if (loadingPackages.has(nameOf(name))) findings.reasons.push(`it uses ${nameOf(name)}, which loads files by itself`);
  const isModule = formatOf(path, findings.inputs) === 'esm' || hasModuleSyntax(path);
  const url = pathToFileURL(path).href;
  if (kind === 'dynamic-import') {
    return isModule ? { path: url, external: true } : { path: `interop:${path}`, namespace };
  }
  if (kind !== 'import-statement') return { path, external: true };
  if (findings.format === 'cjs') return { path: `interop:${path}`, namespace };
  return { path: isModule ? `module:${url}` : `plain:${path}`, namespace };
}

/** Node takes a file for a module by its syntax where no package.json says what it is. */
function hasModuleSyntax(path: string): boolean {
  return extname(path) === '.js' && /^\s*(import\s*[\w{*'"]|export\s*[\w{*])/m.test(readFileSync(path, 'utf8'));
}

/**
 * The module that stands for a package in the bundle. `interop` is what compilers make of an import of CommonJS, `plain`
 * what Node makes of it: they differ in the default export. `module` is an ES module.
 */
function writePackageModule(path: string): string {
  const [, kind = '', address = ''] = /^(\w+):(.*)$/s.exec(path) ?? [];
  const quoted = JSON.stringify(address);
  const from = (name: string) => JSON.stringify(`${namespace}:${name}:${address}`);
  switch (kind) {
    case 'interop':
      return `export * from ${from('value')}; export { default } from ${from('value')};`;
    case 'plain':
      return `export * from ${from('value')}; export default __rhythm_require(${quoted});`;
    case 'value':
      return `export = __rhythm_require(${quoted});`;
    case 'module':
      return `import ${from('load')}; export * from ${from('view')}; export { default } from ${from('view')};`;
    case 'load':
      return `__rhythm_modules[${quoted}] = await import(${quoted});`;
    case 'view':
      return `export = __rhythm_view(${quoted});`;
    default:
      throw new Error(`there is no module ${path}`);
  }
}

/** The line that runs before the script: `process.argv` names the script's file, and packages are loaded as from there. */
export function writePreamble(file: string, realFile: string, format: Format): string {
  const argv = `process.argv[1] = ${JSON.stringify(file)};`;
  if (format === 'cjs') {
    const [name, folder] = [JSON.stringify(realFile), JSON.stringify(dirname(realFile))];
    // Packages ask `require.main` where the program lies.
    return `${argv} module.filename = ${name}; module.path = ${folder}; module.paths = require("module")._nodeModulePaths(${folder}); const __rhythm_require = require;`;
  }
  const view =
    'Object.defineProperties({}, Object.fromEntries([["__esModule", { value: true }], ...Object.keys(__rhythm_modules[url]).map((key) => [key, { enumerable: true, get: () => __rhythm_modules[url][key] }])]))';
  return `import { createRequire as __rhythm_create_require } from "node:module"; ${argv} const __rhythm_require = __rhythm_create_require(${JSON.stringify(pathToFileURL(realFile).href)}); const __rhythm_modules = {}; const __rhythm_view = (url) => ${view};`;
}
