import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { esm, makeProject } from './rig.ts';

const packages = {
  'node_modules/plain/package.json': '{ "main": "plain.js" }',
  // Names that Node does not see in the text of a CommonJS file.
  'node_modules/plain/plain.js':
    'const all = { ["group" + "By"]: () => "grouped" }; all.stat = 2; module.exports = all;',
  'node_modules/compiled/package.json': '{ "main": "compiled.js" }',
  'node_modules/compiled/compiled.js':
    'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = "its default"; exports.named = 3;',
  'node_modules/modern/package.json': '{ "type": "module", "exports": "./modern.js" }',
  'node_modules/modern/modern.js':
    'export default "modern"; export let live = 1; export const raise = () => { live++; }; export const setup = globalThis.setup;',
  'node_modules/dual/package.json': '{ "exports": { "import": "./dual.mjs", "require": "./dual.cjs" } }',
  'node_modules/dual/dual.mjs': 'export const kind = "import";',
  'node_modules/dual/dual.cjs': 'exports.kind = "require";',
};

const usePackages = `
  import './setup.ts';
  import plain from 'plain';
  import compiled, { named } from 'compiled';
  import modern, { live, raise, setup } from 'modern';
  import { kind } from 'dual';
  raise();
  console.log(JSON.stringify([Object.keys(plain), compiled, named, modern, live, setup, kind]));
`;
const setup = '(globalThis as any).setup = "before the package"; export {};';

/** The file called `main` is the script. */
const fixtures: Record<string, Record<string, string>> = {
  'arguments and the idiom that asks whether a file is the main one': {
    ...esm,
    'main.ts': `
      import { pathToFileURL } from 'node:url';
      import { isMain } from './helper.ts';
      const own = import.meta.url === pathToFileURL(process.argv[1]!).href;
      console.log(process.argv.slice(1).join('|'), own, isMain());
    `,
    'helper.ts': `
      import { pathToFileURL } from 'node:url';
      export const isMain = () => import.meta.url === pathToFileURL(process.argv[1]!).href;
    `,
  },
  'the location of each source file': {
    ...esm,
    'main.ts':
      '#!/usr/bin/env node\nimport { here } from "./lib/ä b.ts"; console.log(import.meta.url, import.meta.dirname, import.meta.filename, here);',
    'lib/ä b.ts': 'export const here = [import.meta.url, import.meta.dirname, import.meta.filename].join();',
  },
  'enums, namespaces, parameter properties and names that occur in two files': {
    ...esm,
    'main.ts': `
      import { helper, Thing as Other } from './helper.ts';
      enum Color { Red = 1, Green }
      const enum Size { Small = 'small' }
      namespace Space { export const inner = 4; }
      class Thing { constructor(readonly value: number) {} }
      function local<T>(value: T): T { return value; }
      console.log(Color[2], Size.Small, Space.inner, new Thing(5).value, Thing.name, Other.name, helper.name, local.name);
    `,
    'helper.ts': 'export class Thing {} function local() {} export const helper = local;',
  },
  'decorators of the kind that tsconfig.json asks for': {
    ...esm,
    'tsconfig.json': '{ "compilerOptions": { "experimentalDecorators": true, "useDefineForClassFields": false } }',
    'main.ts': 'import "./lib/a.ts";',
    'lib/a.ts': `
      export {};
      function show(target: object, key: string) { console.log(typeof target, key); }
      class Base { set value(next: number) { console.log('set', next); } }
      class Thing extends Base { @show method() {} override value = 1; }
      new Thing();
    `,
  },
  'paths of tsconfig.json, and of one that it extends': {
    ...esm,
    'base.json': '{ "compilerOptions": { "baseUrl": ".", "paths": { "@lib/*": ["lib/*"] } } }',
    'tsconfig.json': '{ "extends": "./base" /* a comment */ }',
    'main.ts': 'import { name } from "@lib/name"; console.log(name);',
    'lib/name.ts': 'export const name = "by path";',
  },
  'a tsconfig.json that is not above the current folder': {
    ...esm,
    'lib/main.ts':
      'import "./a.ts"; class A { set a(value: number) { console.log(value); } } class B extends A { override a = 1; } new B();',
    'lib/tsconfig.json': '{ "compilerOptions": { "useDefineForClassFields": false } }',
    'lib/a.ts': `
      class A { set a(value: number) { console.log('set', value); } }
      class B extends A { override a = 1; }
      console.log(Object.keys(new B()));
    `,
  },
  'files named in every usual way': {
    ...esm,
    'main.ts': `
      import { a } from './a.js';
      import { b } from './b';
      import { c } from './c';
      import { d } from './d.mjs';
      import data from './data.json' with { type: 'json' };
      const { e } = await import('./e.ts');
      console.log(a, b, c, d, data.value, e);
    `,
    'a.ts': 'export const a = 1;',
    'b.ts': 'export const b = 2;',
    'c/index.ts': 'export const c = 3;',
    'd.mts': 'export const d = 4;',
    'data.json': '{ "value": 5 }',
    'e.ts': 'export const e = 6;',
  },
  'the order of evaluation, with await at the top level': {
    ...esm,
    'main.ts': `
      console.log('main');
      import './first.ts';
      import { second } from './second.ts';
      console.log(second, await Promise.resolve('awaited'));
    `,
    'first.ts': 'console.log("first"); export {};',
    'second.ts': 'console.log("second"); export const second = await Promise.resolve(2);',
  },
  'files whose package.json says that they have no side effects': {
    'package.json': '{ "type": "module", "sideEffects": false }',
    'main.ts': 'import "./effect.ts"; /* @__PURE__ */ console.log("main");',
    'effect.ts': 'console.log("effect");',
  },
  'packages of every kind, from an ES module': { ...esm, ...packages, 'main.ts': usePackages, 'setup.ts': setup },
  'packages of every kind, from CommonJS': { ...packages, 'main.ts': usePackages, 'setup.ts': setup },
  'a package with await at the top level': {
    ...esm,
    'node_modules/slow/package.json': '{ "type": "module", "exports": "./slow.js" }',
    'node_modules/slow/slow.js': 'export const value = await new Promise((resolve) => setTimeout(resolve, 1, "late"));',
    'main.ts': 'import { value } from "slow"; console.log(value);',
  },
  'packages that are imported when they are needed': {
    ...esm,
    ...packages,
    'main.ts': `
      const [compiled, modern] = await Promise.all([import('compiled'), import('modern')]);
      console.log(compiled.default, compiled.named, modern.default, Object.keys(modern));
    `,
  },
  'names that Node does not find in a CommonJS package, from CommonJS': {
    ...packages,
    'main.ts':
      'import { groupBy, stat } from "plain"; import * as all from "plain"; console.log(groupBy(), stat, Object.keys(all));',
  },
  'a CommonJS script': {
    'package.json': '{}',
    'main.ts': `
      import { join } from 'node:path';
      import legacy = require('./legacy');
      const { later } = require('./later') as typeof import('./later');
      const os = require('os');
      console.log(join(__dirname, 'x'), __filename, legacy.value, later, typeof os.cpus, import.meta.url);
    `,
    'legacy.ts': 'export const value = 1; console.log("legacy", __filename);',
    'later.ts': 'console.log("later"); export const later = 2;',
  },
  'CommonJS exports': {
    'main.ts':
      'exports.a = 1; const old = require("./old.js"); console.log(old.value, typeof exports, this === exports);',
    'old.js': 'module.exports = { value: 7 };',
  },
  'a CommonJS script whose package asks for the main file': {
    'main.ts': 'import { main } from "asking"; console.log(main);',
    'node_modules/asking/package.json': '{ "main": "asking.js" }',
    'node_modules/asking/asking.js': 'exports.main = require.main.filename;',
  },
  'a .mts script': {
    'main.mts': 'import { a } from "./a.mjs"; console.log(a, typeof (await null));',
    'a.mts': 'export const a = 1;',
  },
  'a .cts script': {
    ...esm,
    'main.cts': 'import { a } from "./a.cjs"; console.log(a, __filename);',
    'a.cts': 'export const a = 1;',
  },
  'an exit code that is set': { ...esm, 'main.ts': 'process.exitCode = 3; console.log("set");' },
  'an exit': { ...esm, 'main.ts': 'process.on("exit", (code) => console.log("exit", code)); process.exit(4);' },
  'an error that nothing catches': { ...esm, 'main.ts': 'console.log("before"); throw new Error("uncaught");' },
  'a rejection that nothing handles': {
    ...esm,
    'main.ts': 'setTimeout(() => console.log("never"), 5000); Promise.reject(new Error("unhandled"));',
  },
  'a signal': { ...esm, 'main.ts': 'process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 5000);' },
  'a signal that is handled': {
    ...esm,
    'main.ts':
      'process.on("SIGTERM", () => { console.log("handled"); process.exit(5); }); process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 5000);',
  },
  'an await that never ends': { ...esm, 'main.ts': 'console.log("waits"); await new Promise(() => {});' },
  'standard input': {
    ...esm,
    'main.ts': 'let text = ""; for await (const part of process.stdin) text += part; console.log(text);',
  },
  'texts and comments that name what can not be bundled': {
    ...esm,
    'main.ts':
      '// import(name), require(name) and module.exports\nexport const text = "module.exports = exports"; console.log(text);',
  },
};

const mainOf = (files: Record<string, string>) =>
  Object.keys(files).find((name) => /(^|\/)main\.[mc]?ts$/.test(name)) ?? '';

describe('a bundled script does the same as through tsx', () => {
  it.each(Object.entries(fixtures))('with %s', async (_, files) => {
    const project = makeProject(files);
    const main = mainOf(files);
    const expected = project.runByTsx(main);
    const { stdout, status, signal, stderr } = await project.runBundled(main);
    expect({ stdout, status, signal }, stderr).toEqual({
      stdout: expected.stdout,
      status: expected.status,
      signal: expected.signal,
    });
    // A fixture that fails for another reason than it means to would prove nothing.
    expect(expected.stderr).not.toMatch(/SyntaxError|ReferenceError|ERR_|TransformError/);
  });

  it('when it is a symbolic link', async () => {
    const project = makeProject({
      ...esm,
      'real/main.ts': 'import "./helper.ts"; console.log(import.meta.url, process.argv[1]);',
      'real/helper.ts': 'console.log("helper");',
    });
    symlinkSync('real/main.ts', join(project.folder, 'main.ts'));
    const { stdout } = await project.runBundled('main.ts');
    expect(stdout).toBe(project.runByTsx('main.ts').stdout);
  });

  it('with a linked package that consists of TypeScript', async () => {
    const project = makeProject({
      ...esm,
      'main.ts': 'import { linked } from "linked"; console.log(linked);',
      'packages/linked/package.json': '{ "type": "module", "exports": "./linked.ts" }',
      'packages/linked/linked.ts': 'export enum Kind { Linked } export const linked: string = Kind[0];',
    });
    mkdirSync(join(project.folder, 'node_modules'));
    symlinkSync('../packages/linked', join(project.folder, 'node_modules/linked'));
    const { stdout } = await project.runBundled('main.ts');
    expect(stdout).toBe('Linked\n');
    expect(stdout).toBe(project.runByTsx('main.ts').stdout);
  });

  it('with names that only tsx in CommonJS finds in a package', async () => {
    const project = makeProject({
      ...esm,
      ...packages,
      'main.ts': 'import { groupBy } from "plain"; console.log(groupBy());',
    });
    expect((await project.runBundled('main.ts')).stdout).toBe('grouped\n');
  });
});

describe('an uncaught error names file, line and column of the source', () => {
  const thrower = {
    'main.ts':
      'import { first, located } from "./helper.ts";\ntry { first(); } catch (error) { console.log((error as Error).stack); }\nlocated();\n',
    'helper.ts':
      'export function first(value: number | null = null): never { throw new Error("first"); }\ninterface Nothing {\n  a: 1;\n}\nexport function located(): never {\n  const no: Nothing | null = null;\n  throw new Error(`at ${typeof import.meta.url} ${no}`);\n}\n',
  };
  it.each([
    ['an ES module', esm],
    ['CommonJS', {}],
  ])('in %s', async (_, kind) => {
    const project = makeProject({ ...kind, ...thrower });
    const { stdout, stderr, status } = await project.runBundled('main.ts');
    const helper = join(project.folder, 'helper.ts');
    expect(status).toBe(1);
    expect(stdout).toContain(`at first (${helper}:1:67)`);
    expect(stdout).toContain(`(${join(project.folder, 'main.ts')}:2:7)`);
    expect(stderr).toContain(`at located (${helper}:7:9)`);
    expect(stderr).toContain(`${helper}:7\n  throw new Error`);
  });
});

describe('a script that can not run from a bundle runs through tsx', () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ['import(expression)', { 'main.ts': 'const name: string = "./a.ts"; await import(name);' }, /name is computed/],
    [
      'import(template)',
      { 'main.ts': 'const a = "a"; await import(`./${a}.ts`);' },
      /name is computed|can't be bundled/,
    ],
    [
      'import(expression) in try',
      { 'main.ts': 'try { await import(process.argv[2]!); } catch {}' },
      /name is computed/,
    ],
    ['import.meta.main', { 'main.ts': 'console.log((import.meta as any).main);' }, /more of import.meta/],
    ['import.meta.resolve', { 'main.ts': 'console.log(import.meta.resolve("x"));' }, /more of import.meta/],
    ['import.meta in parts', { 'main.ts': 'const { url } = import.meta; console.log(url);' }, /more of import.meta/],
    ['require in an ES module', { 'main.ts': 'console.log(typeof require);' }, /in an ES module/],
    ['module in an ES module', { 'main.ts': 'console.log(typeof module);' }, /in an ES module/],
    [
      'a worker thread',
      { 'main.ts': 'import { Worker } from "node:worker_threads"; new Worker(new URL("a.ts", import.meta.url));' },
      /worker threads/,
    ],
    [
      'a worker thread in a helper',
      {
        'main.ts': 'import "./a.ts";',
        'a.ts': 'import { isMainThread } from "worker_threads"; console.log(isMainThread);',
      },
      /worker threads/,
    ],
    ['fork', { 'main.ts': 'import * as processes from "node:child_process"; processes.fork("a.ts");' }, /fork/],
    [
      'createRequire',
      { 'main.ts': 'import { createRequire } from "node:module"; createRequire(import.meta.url)("./a.ts");' },
      /node:module/,
    ],
    ['process.execArgv', { 'main.ts': 'const { execArgv } = process; console.log(execArgv);' }, /execArgv/],
    ['eval', { 'main.ts': 'console.log(eval("1"));' }, /eval/],
    ['native code', { 'main.ts': 'import "./a.node";', 'a.node': '' }, /can't be bundled/],
    ['a missing import', { 'main.ts': 'import "./missing.ts";' }, /\.\/missing\.ts was not found/],
    ['a missing package', { 'main.ts': 'import "missing";' }, /its import missing was not found/],
    ['a syntax error', { 'main.ts': 'const = 1;' }, /can't be bundled \(Expected/],
    ['a name that two files have', { 'main.ts': 'import "./a.js";', 'a.ts': '', 'a.js': '' }, /could mean/],
    ['a CommonJS helper of an ES module', { 'main.ts': 'import "./a.cts";', 'a.cts': 'export {};' }, /mixes/],
    [
      'a pattern that a package may load',
      {
        'main.ts': 'import p from "p"; p("./migrations/*.ts");',
        'node_modules/p/package.json': '{}',
        'node_modules/p/index.js': '',
      },
      /names a TypeScript file/,
    ],
    [
      'a package that loads files',
      {
        'main.ts': 'import p from "knex"; p();',
        'node_modules/knex/package.json': '{}',
        'node_modules/knex/index.js': '',
      },
      /uses knex/,
    ],
  ])('%s, in an ES module', async (_, files, reason) => {
    const { note, argv } = await makeProject({ ...esm, ...files }).command('main.ts');
    expect(note).toMatch(/^runs through tsx: /);
    expect(note).toMatch(reason);
    expect(argv[1]).toBe('--import');
  });

  it.each<[string, string, RegExp]>([
    ['require.main', 'if (require.main === module) console.log(1);', /require in other/],
    ['require.main alone', 'console.log(require.main);', /require in other/],
    ['require(expression)', 'require(process.argv[2]!);', /require in other/],
    ['require.resolve', 'console.log(require.resolve("./main.ts"));', /require in other|can't be bundled/],
    ['require under another name', 'const load = require; load("./main.ts");', /require in other/],
    ['the module object', 'console.log(module.filename);', /more of module/],
    ['the module object in a helper', 'require("./old.js");', /more of module/],
    ['await at the top level', 'await null; export {};', /can't be bundled/],
  ])('%s, in CommonJS', async (_, text, reason) => {
    const { note } = await makeProject({ 'main.ts': text, 'old.js': 'console.log(typeof module.parent);' }).command(
      'main.ts',
    );
    expect(note).toMatch(reason);
  });

  it('where TSX_TSCONFIG_PATH names the settings', async () => {
    const { folder, command } = makeProject({ ...esm, 'main.ts': '' });
    expect((await command('main.ts')).note).toBeNull();
    process.env.TSX_TSCONFIG_PATH = join(folder, 'other.json');
    try {
      expect((await command('main.ts')).note).toBe('runs through tsx: TSX_TSCONFIG_PATH is set');
    } finally {
      delete process.env.TSX_TSCONFIG_PATH;
    }
  });
});
