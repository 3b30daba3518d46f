import type { Findings, Format } from './imports.ts';

/**
 * For esbuild's `define`: what CommonJS has and an ES module lacks, so that `typeof require` is `undefined` there. esbuild
 * replaces only what is neither declared by the script nor part of a text.
 */
export const markers: Readonly<Record<Format, Readonly<Record<string, string>>>> = {
  esm: { module: '__rhythm_no_module', exports: '__rhythm_no_exports', require: '__rhythm_no_require' },
  cjs: {},
};

/** What would not work, or not as with tsx. In doubt it matches: a false alarm costs time, a miss breaks a script. */
const obstacles: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/\b__rhythm_no_\w/, 'it uses require, module or exports in an ES module'],
  [/(?<![\w$.])import\s*\((?!\s*"(?:node|file):)/, 'it imports a module whose name is computed'],
  [/(?<![\w$.])require\b(?!\(")/, 'it uses require in other ways than with the name of a module'],
  [/\bimport\.meta\b|\bimport_meta\b/, 'it uses more of import.meta than the location of the file'],
  [/\bfork\b/, 'it may fork a process'],
  [/\bexecArgv\b/, 'it uses process.execArgv'],
  [/\bmainModule\b|\bgetBuiltinModule\b/, 'it reaches into the module system'],
  [/\bprepareStackTrace\b|\bgetCallSites?\b/, 'it examines its own stack'],
  [/(?<![\w$.])eval\s*\(/, 'it uses eval'],
];

/** In CommonJS: any use of `module` but for its exports, which esbuild provides. */
const moduleObject = /(?<![\w$.])module\d*\b(?!\.exports\b|\) \{)/;
/** A path or pattern of TypeScript files: a package may load them, which only tsx allows. */
const typescriptPath = /[/\\*}{][\w.-]*\.[mc]?tsx?\b|\b(?:join|resolve|URL)\([^()]*\.[mc]?tsx?\b/;

/** Why a script must not run from its bundle; null where nothing speaks against it. */
export function findObstacle(code: string, { hasPackages, format }: Findings): string | null {
  // Without what names files: comments, the locations that we have declared, and packages.
  const own = code
    .replace(/^\s*(\/\/.*|var __rhythm_.*|"[^"]*"\([\w, ]*\) \{)$/gm, '')
    .replace(/"rhythm-package:[^"]*"|(?<=require\(")[^"]*(?="\))/g, '');
  const found = obstacles.find(([pattern]) => pattern.test(own));
  if (found) return found[1];
  if (format === 'cjs' && moduleObject.test(own)) return 'it uses more of module than its exports';
  return hasPackages && typescriptPath.test(own) ? 'it names a TypeScript file that a package might load' : null;
}
