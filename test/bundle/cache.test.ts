import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { bundleScript } from '../../src/bundle/script.ts';
import { esm, makeProject, type Project } from './rig.ts';

const greeting = {
  ...esm,
  'main.ts': 'import { text } from "./lib/text.ts"; console.log(text);',
  'lib/text.ts': 'export const text: string = "hello";',
};
const repository = fileURLToPath(new URL('../..', import.meta.url));

async function pathOf({ folder }: Project, script = 'main.ts'): Promise<string> {
  const bundle = await bundleScript(join(folder, script), folder);
  if ('reason' in bundle) throw new Error(bundle.reason);
  return bundle.path;
}

/** A program that bundles `main.ts` and prints the result, to be run by plain Node. */
async function makeDriver({ folder, cache }: Project): Promise<(env?: NodeJS.ProcessEnv) => ChildProcess> {
  const driver = join(dirname(cache), 'driver.mjs');
  symlinkSync(join(repository, 'node_modules'), join(dirname(cache), 'node_modules'));
  await build({
    stdin: {
      contents: `import { bundleScript } from './src/bundle/script.ts';
        console.log(JSON.stringify(await bundleScript(${JSON.stringify(join(folder, 'main.ts'))}, ${JSON.stringify(folder)})));`,
      resolveDir: repository,
    },
    outfile: driver,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['esbuild'],
  });
  return (env) =>
    spawn(process.execPath, [driver], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
}

/** The environment in which esbuild's program fails. */
function breakEsbuild({ cache }: Project): NodeJS.ProcessEnv {
  const path = join(dirname(cache), 'esbuild');
  writeFileSync(path, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  return { ESBUILD_BINARY_PATH: path };
}

async function outputOf(child: ChildProcess): Promise<unknown> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  await once(child, 'close');
  return JSON.parse(text);
}

describe('the bundle of a script', () => {
  it('is made once and found again without esbuild', async () => {
    const project = makeProject(greeting);
    const start = await makeDriver(project);
    const broken = breakEsbuild(project);
    expect(await outputOf(start(broken))).toEqual({ reason: expect.stringContaining("it can't be bundled") });
    const made = await outputOf(start());
    expect(made).toEqual({ path: expect.stringMatching(/[0-9a-f]{16}\.mjs$/) });
    expect(await outputOf(start(broken))).toEqual(made);
  });

  it('is found again where there is none, with its reason', async () => {
    const project = makeProject({ ...esm, 'main.ts': 'console.log(process.execArgv);' });
    const start = await makeDriver(project);
    const reason = { reason: 'it uses process.execArgv' };
    expect(await outputOf(start())).toEqual(reason);
    expect(await outputOf(start(breakEsbuild(project)))).toEqual(reason);
    project.write({ 'main.ts': 'console.log(1);' });
    expect((await project.runBundled('main.ts')).stdout).toBe('1\n');
  });

  it('survives several processes that make it at the same time', async () => {
    const project = makeProject(greeting);
    const start = await makeDriver(project);
    const results = await Promise.all(Array.from({ length: 6 }, () => outputOf(start())));
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect((await project.runBundled('main.ts')).stdout).toBe('hello\n');
    // One entry and one bundle, and no temporary files.
    expect(readdirSync(project.cache)).toHaveLength(2);
  });

  it('is only for its own user', async () => {
    const project = makeProject(greeting);
    await pathOf(project);
    chmodSync(project.cache, 0o777);
    const reason = { reason: "the user's cache folder can't be used" };
    expect(await bundleScript(join(project.folder, 'main.ts'), project.folder)).toEqual(reason);
  });

  it.each([
    ['that can not be made', (cache: string) => writeFileSync(cache, '')],
    ['that is a link', (cache: string) => symlinkSync(dirname(cache), cache)],
  ])('needs a cache folder, and not one %s', async (_, spoil) => {
    const project = makeProject(greeting);
    spoil(project.cache);
    const reason = { reason: "the user's cache folder can't be used" };
    expect(await bundleScript(join(project.folder, 'main.ts'), project.folder)).toEqual(reason);
  });
});

describe('a script is bundled again when there is a change', () => {
  it.each<[string, Record<string, string>, Record<string, string>, string, string]>([
    ['of the script', greeting, { 'main.ts': 'console.log("other");' }, 'hello', 'other'],
    ['of a file that it imports', greeting, { 'lib/text.ts': 'export const text = "other";' }, 'hello', 'other'],
    [
      'of tsconfig.json',
      {
        ...esm,
        'tsconfig.json': '{ "compilerOptions": { "paths": { "a": ["./a.ts"] } } }',
        'main.ts': 'import "a";',
        'a.ts': 'console.log("a");',
        'b.ts': 'console.log("b");',
      },
      { 'tsconfig.json': '{ "compilerOptions": { "paths": { "a": ["./b.ts"] } } }' },
      'a',
      'b',
    ],
    [
      'of a file that tsconfig.json extends',
      {
        ...esm,
        'tsconfig.json': '{ "extends": ["./settings/base.json"] }',
        'settings/base.json': '{ "compilerOptions": { "paths": { "a": ["../a.ts"] } } }',
        'main.ts': 'import "a";',
        'a.ts': 'console.log("a");',
        'b.ts': 'console.log("b");',
      },
      { 'settings/base.json': '{ "compilerOptions": { "paths": { "a": ["../b.ts"] } } }' },
      'a',
      'b',
    ],
    [
      'by a tsconfig.json that did not exist',
      {
        ...esm,
        'main.ts':
          'class A { set a(value: number) { console.log("set"); } } class B extends A { override a = 1; } new B(); console.log("end");',
      },
      { 'tsconfig.json': '{ "compilerOptions": { "useDefineForClassFields": false } }' },
      'end',
      'set\nend',
    ],
    [
      'by a package.json that makes it an ES module',
      { 'main.ts': 'console.log(typeof __filename, typeof this);' },
      esm,
      'string object',
      'string undefined',
    ],
    [
      "of a package's package.json",
      {
        ...esm,
        'main.ts': 'import "p";',
        'node_modules/p/package.json': '{ "main": "a.js" }',
        'node_modules/p/a.js': 'console.log("a");',
        'node_modules/p/b.js': 'console.log("b");',
      },
      { 'node_modules/p/package.json': '{ "main": "b.js" }' },
      'a',
      'b',
    ],
    [
      'by a package that is nearer',
      {
        ...esm,
        'scripts/main.ts': 'import "p";',
        'node_modules/p/index.js': 'console.log("far");',
        'node_modules/p/package.json': '{}',
      },
      { 'scripts/node_modules/p/index.js': 'console.log("near");', 'scripts/node_modules/p/package.json': '{}' },
      'far',
      'near',
    ],
  ])('%s', async (_, files, change, before, after) => {
    const project = makeProject(files);
    const script = 'main.ts' in files ? 'main.ts' : 'scripts/main.ts';
    expect((await project.runBundled(script)).stdout.trim()).toBe(before);
    const first = await pathOf(project, script);
    project.write(change);
    expect(await pathOf(project, script)).not.toBe(first);
    expect((await project.runBundled(script)).stdout.trim()).toBe(after);
  });

  it.each([
    ['without extension', 'import "./a";', { 'a/index.ts': '' }, { 'a.ts': '' }],
    ['by the name of its JavaScript', 'import "./a.js";', { 'a.js': 'export {};' }, { 'a.ts': '' }],
  ])('by a file that an import %s could mean as well', async (_, text, files, change) => {
    const project = makeProject({ ...esm, ...(files as Record<string, string>), 'main.ts': text });
    await pathOf(project);
    project.write(change);
    expect((await project.command('main.ts')).note).toContain('could mean');
  });

  it('of a package that lacked what is imported', async () => {
    const project = makeProject({
      ...esm,
      'main.ts': 'import "p/part";',
      'node_modules/p/package.json': '{ "exports": {} }',
      'node_modules/p/part.js': 'console.log("part");',
    });
    expect((await project.command('main.ts')).note).toContain('its import p/part was not found');
    project.write({ 'node_modules/p/package.json': '{ "exports": { "./part": "./part.js" } }' });
    expect((await project.runBundled('main.ts')).stdout).toBe('part\n');
  });

  it('of the file that a link leads to', async () => {
    const project = makeProject({ ...esm, 'a/main.ts': 'console.log(1);', 'b/main.ts': 'console.log(1);' });
    symlinkSync('a', join(project.folder, 'current'));
    const script = 'current/main.ts';
    const before = await pathOf(project, script);
    symlinkSync('b', join(project.folder, 'next'));
    renameSync(join(project.folder, 'next'), join(project.folder, 'current'));
    expect(await pathOf(project, script)).not.toBe(before);
  });

  it('and the bundle of a script that runs stays as it is', async () => {
    const project = makeProject(greeting);
    const first = await pathOf(project);
    const code = readFileSync(first, 'utf8');
    project.write({ 'lib/text.ts': 'export const text = "other";' });
    expect(await pathOf(project)).not.toBe(first);
    expect(readFileSync(first, 'utf8')).toBe(code);
  });
});

describe('a damaged cache is never run', () => {
  const isEntry = (name: string) => name.endsWith('.json');
  const damages: [string, (path: string) => void][] = [
    ['empty', (path) => truncateSync(path, 0)],
    ['cut off', (path) => truncateSync(path, 40)],
    ['full of zeros', (path) => writeFileSync(path, Buffer.alloc(readFileSync(path).length))],
    ['of another content', (path) => writeFileSync(path, '{ "format": 1 }')],
    [
      'a folder',
      (path) => {
        renameSync(path, `${path}.old`);
        mkdirSync(path);
        renameSync(`${path}.old`, join(path, 'old'));
      },
    ],
  ];
  it.each(damages)('where the bundle is %s', async (_, damage) => {
    const project = makeProject(greeting);
    const path = await pathOf(project);
    damage(path);
    const bundle = await bundleScript(join(project.folder, 'main.ts'), project.folder);
    // A folder in its place can't be replaced.
    if ('reason' in bundle) return expect(bundle.reason).toContain('cache folder');
    return expect((await project.runBundled('main.ts')).stdout).toBe('hello\n');
  });

  it.each(damages)('where the entry is %s', async (_, damage) => {
    const project = makeProject(greeting);
    await pathOf(project);
    damage(join(project.cache, readdirSync(project.cache).find(isEntry) ?? ''));
    const bundle = await bundleScript(join(project.folder, 'main.ts'), project.folder);
    if ('reason' in bundle) return expect(bundle.reason).toContain('cache folder');
    return expect((await project.runBundled('main.ts')).stdout).toBe('hello\n');
  });

  it('where the bundle is gone', async () => {
    const project = makeProject(greeting);
    renameSync(await pathOf(project), join(project.folder, 'elsewhere'));
    expect((await project.runBundled('main.ts')).stdout).toBe('hello\n');
  });

  it('where an entry of another script has its name', async () => {
    const project = makeProject({ ...greeting, 'other.ts': 'console.log("other");' });
    await pathOf(project);
    const [entry = ''] = readdirSync(project.cache).filter(isEntry);
    await pathOf(project, 'other.ts');
    const other = readdirSync(project.cache).find((name) => isEntry(name) && name !== entry) ?? '';
    writeFileSync(join(project.cache, entry), readFileSync(join(project.cache, other)));
    expect((await project.runBundled('main.ts')).stdout).toBe('hello\n');
  });
});
