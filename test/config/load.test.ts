import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { writableByOthers } from '../../src/config/load/ownership.ts';
import { describePlatform } from '../../src/config/load/platform.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';

const isRoot = process.getuid?.() === 0;
let folder: string;
let workspace: string;
/** Where rhythm caches; the folder above it is the user's. */
let cache: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'rhythm-load-')));
  workspace = join(folder, 'work space');
  cache = join(folder, 'cache', 'rhythm');
  mkdirSync(workspace);
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
  vi.stubEnv('LOCALAPPDATA', join(folder, 'cache'));
  // Only a bundled program caches anything; the bundler defines this.
  vi.stubGlobal('rhythmBuild', 'build A');
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(workspace, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** Loads the configuration and returns the description of its only group. */
async function load(mode: 'read' | 'write' | 'off' = 'off'): Promise<string | null> {
  const { config } = await loadConfig(workspace, { cache: mode });
  expect(config.groups).toHaveLength(1);
  return config.groups[0]?.description ?? null;
}

/** The message with which loading fails, the temporary folder left out. */
async function loadInVain(): Promise<string> {
  const error = await loadConfig(workspace, { cache: 'off' }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).exitCode).toBe(2);
  return (error as ConfigError).message.replaceAll(workspace, 'W');
}

const exporting = (description: string) =>
  `export default { groups: { a: { manual: true, description: ${description} } } };\n`;

describe('finding the configuration', () => {
  it('fails with the file names it looked for', async () => {
    expect(await loadInVain()).toBe(
      'W has 1 problem:\n  there is no configuration (looked for tasks.config.ts, tasks.config.mts, tasks.config.js, ' +
        'tasks.config.mjs and tasks.config.json); make one with rhythm init, or name the workspace with -C',
    );
  });

  it('fails for a workspace that does not exist', async () => {
    rmSync(workspace, { recursive: true });
    expect(await loadInVain()).toBe('W has 1 problem:\n  there is no such folder; name the workspace with -C');
  });

  it('fails for a workspace that is a file', async () => {
    write({ file: '' });
    workspace = join(workspace, 'file');
    expect(await loadInVain()).toMatch(/^W has 1 problem:\n {2}there is no configuration/);
  });

  it('refuses several configurations in one workspace', async () => {
    write({ 'tasks.config.ts': '', 'tasks.config.json': '' });
    expect(await loadInVain()).toBe(
      'W has 1 problem:\n  there are several configurations, tasks.config.ts and tasks.config.json; keep one',
    );
  });
});

describe('loading', () => {
  it.each(['ts', 'mts', 'js', 'mjs'])('reads tasks.config.%s', async (extension) => {
    write({
      [`tasks.config.${extension}`]: `import { defineConfig } from 'rhythm-scheduler';\n${exporting('"x"').replace(/\{.*\}/, 'defineConfig($&)')}`,
    });
    expect(await load()).toBe('x');
  });

  it('reads JSON, with a byte order mark and with groups in a list', async () => {
    write({
      'tasks.config.json': '\uFEFF{ "$schema": "x", "groups": [{ "name": "a", "manual": true, "description": "x" }] }',
    });
    expect(await load()).toBe('x');
  });

  it.each([
    ['a promise', 'Promise.resolve(config)'],
    ['a function', '() => config'],
    ['a function that returns a promise', 'async () => config'],
    ['what top-level await yields', 'await Promise.resolve(config)'],
  ])('accepts %s as the default export', async (_, expression) => {
    write({
      'tasks.config.ts': `const config = { groups: { a: { manual: true, description: 'x' } } };\nexport default ${expression};`,
    });
    expect(await load()).toBe('x');
  });

  it('reads CommonJS', async () => {
    write({
      'tasks.config.js': `const { defineConfig } = require('rhythm-scheduler');
const { sep } = require('path');
module.exports = defineConfig({ groups: { a: { manual: true, description: sep + require('./part.cjs') } } });`,
      'part.cjs': 'module.exports = __dirname;',
    });
    expect(await load()).toMatch(/^[/\\].*work space$/);
  });

  it('follows imports of every kind', async () => {
    write({
      'tasks.config.ts': `#!/usr/bin/env node
import { createRequire } from 'node:module';
import { existsSync } from 'fs';
import old from 'old';
import { named } from '@scope/new/sub';
import data from './data.json' with { type: 'json' };
import { one } from './lib/one';
import { two } from './lib/two.js';
import type { Nothing } from './nowhere.ts';
import { alias } from '#alias';
enum Kind { A = 'enum' }
const require = createRequire(import.meta.url);
const later = await import('./lib/later.ts');
${exporting(`[existsSync(import.meta.filename), old.name, named, data.name, one, two, alias, Kind.A, require('old').name, later.name].join() as string`)}`,
      'package.json': '{ "imports": { "#alias": "./lib/alias.ts" } }',
      'data.json': '{ "name": "data" }',
      'lib/one.ts': 'export const one: string = "one";',
      'lib/two.ts': 'export const two: string = "two";',
      'lib/alias.ts': 'export const alias: string = "alias";',
      'lib/later.ts': 'export const name: string = "later";',
      'node_modules/old/package.json': '{ "main": "main.js" }',
      'node_modules/old/main.js': 'exports.name = require("fs").existsSync(__filename) && "old";',
      'node_modules/@scope/new/package.json':
        '{ "type": "module", "exports": { "./sub": { "module": "./no.js", "import": "./sub.js" } } }',
      'node_modules/@scope/new/sub.js': 'export const named = import.meta.url.startsWith("file:") && "new";',
    });
    expect(await load()).toBe('true,old,new,data,one,two,alias,enum,old,later');
  });

  it('gives each bundled file its own import.meta and __dirname', async () => {
    const place = '[import.meta.url, import.meta.dirname, import.meta.filename, __dirname, __filename].join("|")';
    write({
      'tasks.config.ts': `import { inner } from './lib/inner';\n${exporting(`${place} + '|' + inner`)}`,
      'lib/inner.ts': `export const inner = ${place};`,
    });
    const placeOf = (file: string) => [pathToFileURL(file).href, dirname(file), file, dirname(file), file];
    expect((await load())?.split('|')).toEqual([
      ...placeOf(join(workspace, 'tasks.config.ts')),
      ...placeOf(join(workspace, 'lib/inner.ts')),
    ]);
  });

  it('asks the environment each time', async () => {
    write({ 'tasks.config.ts': exporting('process.env.RHYTHM_TEST') });
    for (const value of ['one', 'two']) {
      vi.stubEnv('RHYTHM_TEST', value);
      expect(await load('write')).toBe(value);
    }
  });

  it('returns the files that were read', async () => {
    write({
      'tasks.config.ts': `import { x } from './lib/x';\n${exporting('x')}`,
      'lib/x.ts': 'export const x = "x";',
      'tsconfig.json': '{}',
    });
    const { inputs } = await loadConfig(workspace, { cache: 'off' });
    expect(inputs).toEqual(['tsconfig.json', 'tasks.config.ts', 'lib/x.ts'].map((name) => join(workspace, name)));
  });
});

describe('loading a broken configuration', () => {
  it.each<[string, Record<string, string>, string]>([
    ['a syntax error', { 'tasks.config.ts': 'export default {\n  groups: }' }, 'tasks.config.ts:2:11: Unexpected "}"'],
    [
      'a syntax error after wide letters and a place',
      { 'tasks.config.ts': 'const u = "ü€😀" + import.meta.url; let = ;' },
      'tasks.config.ts:1:43: Unexpected ";"',
    ],
    [
      'a syntax error elsewhere',
      { 'tasks.config.ts': 'import x from "./lib/x";\nexport default x;', 'lib/x.ts': '\n)' },
      'lib/x.ts:2:1: Unexpected ")"',
    ],
    [
      'a missing file',
      { 'tasks.config.ts': 'import x from "./x.js";\nexport default x;' },
      'tasks.config.ts:1:15: Could not resolve "./x.js"',
    ],
    [
      'a missing package',
      { 'tasks.config.ts': '\nimport x from "nowhere";\nexport default x;' },
      'tasks.config.ts:2:15: Could not find "nowhere"; is it installed here?',
    ],
    [
      'a missing export',
      { 'tasks.config.ts': 'import { x } from "./x.ts";\nexport default x;', 'x.ts': 'export const y = 1;' },
      'tasks.config.ts:1:10: No matching export in "x.ts" for import "x"',
    ],
    [
      'a group written twice',
      { 'tasks.config.ts': 'export default { groups: {\n a: {},\n a: {} } };' },
      'tasks.config.ts:3:2: Duplicate key "a" in object literal',
    ],
    [
      'an exception',
      {
        'tasks.config.ts':
          'interface A { a: 1 }\n\n\nconst f = (): A => { throw new TypeError("boom\\n  bang"); };\nexport default f();',
      },
      'tasks.config.ts:4:28: it failed while it was read: TypeError: boom bang',
    ],
    [
      'an exception elsewhere',
      { 'tasks.config.ts': 'import "./lib/x";\nexport default 1;', 'lib/x.ts': '\n\n  null!.foo();' },
      "lib/x.ts:3:9: it failed while it was read: TypeError: Cannot read properties of null (reading 'foo')",
    ],
    [
      'an exception of the function',
      { 'tasks.config.ts': 'export default async () => {\n  await null;\n  throw new Error("late");\n};' },
      'tasks.config.ts:3:9: it failed while it was read: Error: late',
    ],
    [
      'what is thrown without being an error',
      { 'tasks.config.ts': 'throw "text"' },
      'it failed while it was read: text',
    ],
    [
      'a missing export of Node',
      { 'tasks.config.ts': '\n import { nothing } from "node:fs";\nexport default nothing;' },
      "tasks.config.ts:2:2: it failed while it was read: SyntaxError: The requested module 'node:fs' does not provide an export named 'nothing'",
    ],
    [
      'no default export',
      { 'tasks.config.ts': 'export const config = {};' },
      'it exports no configuration; write export default defineConfig({ … })',
    ],
    ['the wrong value', { 'tasks.config.ts': 'export default 5;' }, 'expected a configuration object, found 5'],
    [
      'JSON with a comma too many',
      { 'tasks.config.json': '{\n "groups": {,} }' },
      'tasks.config.json:2:13: Expected string in JSON but found ","',
    ],
    [
      'JSON that ends too early',
      { 'tasks.config.json': '{"groups": {' },
      'tasks.config.json:1:13: Expected string in JSON but found end of file',
    ],
    ['an empty JSON file', { 'tasks.config.json': '' }, 'tasks.config.json:1:1: Unexpected end of file in JSON'],
    [
      'JSON with comments',
      { 'tasks.config.json': '{ // x\n "groups": {} }' },
      'tasks.config.json:1:3: JSON does not support comments',
    ],
    [
      'a group twice in JSON',
      { 'tasks.config.json': '{"groups": {"a":{},\n "a":{}}}' },
      'tasks.config.json:2:2: "a" stands twice in one object; remove or rename one',
    ],
  ])('fails for %s', async (_, files, problem) => {
    write(files);
    expect(await loadInVain()).toBe(
      `tasks.config.${'tasks.config.json' in files ? 'json' : 'ts'} has 1 problem:\n  ${problem}`,
    );
  });

  it('reports every problem, one per line', async () => {
    write({ 'tasks.config.ts': 'export default { groups: { a: { every: 5 }, b: {} } };' });
    const error = await loadConfig(workspace, { cache: 'off' }).catch((reason: unknown) => reason);
    expect((error as ConfigError).problems.map(({ path }) => path)).toEqual(['groups.a.every', 'groups.b']);
    expect((error as ConfigError).message.split('\n')).toEqual([
      'tasks.config.ts has 2 problems:',
      '  groups.a.every: expected a duration such as "10m" or "1h30m", at least 1s, found 5',
      '  groups.b: it has no schedule; give it exactly one of every, daily, cron and manual: true',
    ]);
  });

  it('throws with the original error as the cause, its stack in terms of the sources', async () => {
    write({ 'tasks.config.ts': '\nthrow new Error("x");' });
    const { cause } = (await loadConfig(workspace, { cache: 'off' }).catch((reason: unknown) => reason)) as Error;
    expect((cause as Error).stack).toContain(`${join(workspace, 'tasks.config.ts')}:2:7`);
    expect((cause as Error).stack).not.toContain('base64');
  });
});

describe('the cache', () => {
  const listCache = () => (existsSync(cache) ? readdirSync(cache) : []);
  const cached = () => join(cache, listCache()[0] as string);

  /** Makes a valid cache file say something else: the proof that it is used. */
  function forge(from: string, to: string): void {
    const json = readFileSync(cached(), 'utf8').replace(/^.*\n/, '');
    const forged = json.replaceAll(new RegExp(`\\b${from}\\b`, 'g'), to);
    expect(forged).not.toBe(json);
    writeFileSync(cached(), `${createHash('sha256').update(forged).digest('hex')}\n${forged}`);
  }

  it('is used while no source changes, and only then', async () => {
    write({
      'tasks.config.ts': `import { x } from './lib/x';\n${exporting('x')}`,
      'lib/x.ts': 'export const x = "one";',
    });
    expect(await load('write')).toBe('one');
    forge('one', 'kept');
    expect(await load('write')).toBe('kept');
    expect(await load('read')).toBe('kept');
    expect(await load('off')).toBe('one');
    write({ 'lib/x.ts': 'export const x = "two";' });
    expect(await load('read')).toBe('two');
    expect(await load('write')).toBe('two');
    expect(listCache()).toHaveLength(1);
    write({
      'tsconfig.json': '{ "compilerOptions": { "paths": { "y": ["./lib/x.ts"] } } }',
      'tasks.config.ts': `import { x } from 'y';\n${exporting('x')}`,
    });
    expect(await load('write')).toBe('two');
    write({
      'lib/z.ts': 'export const x = "three";',
      'tsconfig.json': '{ "compilerOptions": { "paths": { "y": ["./lib/z.ts"] } } }',
    });
    expect(await load('write')).toBe('three');
  });

  const head = (text: string) => text.indexOf('\n') + 1;
  it.each<[string, (text: string) => string]>([
    ['is empty', () => ''],
    ['is cut off', (text) => text.slice(0, -20)],
    ['lacks its last byte', (text) => text.slice(0, -1)],
    ['is altered', (text) => text.replace('one', 'bad')],
    ['is something else', () => 'x\n{}'],
    ['consists of zeros', (text) => text.replace(/./gs, '\0')],
    [
      'consists of zeros after its first line',
      (text) => text.slice(0, head(text)) + text.slice(head(text)).replace(/./gs, '\0'),
    ],
    ['consists of its first line', (text) => text.slice(0, head(text))],
  ])('is ignored and replaced where it %s', async (_, damage) => {
    for (const value of ['"one"', 'process.env.HOME && "one"']) {
      write({ 'tasks.config.ts': exporting(value) });
      await load('write');
      writeFileSync(cached(), damage(readFileSync(cached(), 'utf8')));
      expect(await load('read')).toBe('one');
      expect(await load('write')).toBe('one');
      forge('one', 'kept');
      expect(await load('write')).toBe('kept');
    }
  });

  it('holds the checked configuration unless that may depend on the environment', async () => {
    for (const [value, isCached] of [
      ['"one"', true],
      ['process.env.HOME && "one"', false],
    ] as const) {
      write({ 'tasks.config.ts': exporting(value) });
      await load('write');
      const { config } = JSON.parse(readFileSync(cached(), 'utf8').replace(/^.*\n/, ''));
      expect(config === null).toBe(!isCached);
    }
  });

  it('is not used by another build of the program, in another time zone of the system, or by another Node', async () => {
    write({ 'tasks.config.json': '{ "groups": { "a": { "manual": true, "description": "one" } } }' });
    vi.stubEnv('TZ', 'UTC');
    await load('write');
    forge('one', 'cached');
    expect(await load('read')).toBe('cached');
    vi.stubGlobal('rhythmBuild', 'build B');
    expect(await load('read')).toBe('one');
    vi.stubGlobal('rhythmBuild', 'build A');
    vi.stubEnv('TZ', 'Asia/Tokyo');
    expect(await load('read')).toBe('one');
    vi.stubEnv('TZ', 'UTC');
    expect(await load('read')).toBe('cached');
    vi.spyOn(process, 'execPath', 'get').mockReturnValue('/other/node');
    expect(await load('read')).toBe('one');
  });

  it('is not used where the first line of a script has changed', async () => {
    write({
      'tasks.config.json': '{ "groups": { "a": { "manual": true, "scripts": ["a.sh"] } } }',
      'scripts/a.sh': '#!/bin/bash\n',
    });
    const readProgram = async () =>
      (await loadConfig(workspace, { cache: 'write' })).config.groups[0]?.scripts[0]?.argv[0];
    expect(await readProgram()).toBe('/bin/bash');
    write({ 'scripts/a.sh': '#!/bin/dash\n' });
    expect(await readProgram()).toBe('/bin/dash');
    rmSync(join(workspace, 'scripts/a.sh'));
    expect(await readProgram()).toBe('sh');
  });

  it('is not written by a program that was not bundled', async () => {
    vi.unstubAllGlobals();
    write({ 'tasks.config.ts': exporting('"one"') });
    expect(await load('write')).toBe('one');
    expect(listCache()).toEqual([]);
  });

  it('is replaced where a package has moved', async () => {
    write({
      'tasks.config.ts': `import x from 'p';\n${exporting('x')}`,
      'node_modules/p/package.json': '{ "main": "one.cjs" }',
      'node_modules/p/one.cjs': 'module.exports = "one";',
    });
    expect(await load('write')).toBe('one');
    write({
      'node_modules/p/package.json': '{ "main": "two.cjs" }',
      'node_modules/p/two.cjs': 'module.exports = "two";',
    });
    rmSync(join(workspace, 'node_modules/p/one.cjs'));
    expect(await load('write')).toBe('two');
  });

  it.each(['read', 'off'] as const)('is not written, nor anything else, in mode %s', async (mode) => {
    write({ 'tasks.config.ts': exporting('"x"') });
    const before = readdirSync(folder, { recursive: true });
    expect(await load(mode)).toBe('x');
    expect(readdirSync(folder, { recursive: true })).toEqual(before);
  });

  it('is not needed: the configuration loads where it can’t be written', async () => {
    write({ 'tasks.config.ts': exporting('"x"') });
    writeFileSync(join(folder, 'cache'), '');
    expect(await load('write')).toBe('x');
  });

  it.skipIf(process.platform === 'win32')(
    'is readable and writable by its user alone, and not used where others may write to it',
    async () => {
      write({ 'tasks.config.ts': exporting('"one"') });
      await load('write');
      expect(execFileSync('ls', ['-ldn', cache], { encoding: 'utf8' }).slice(0, 10)).toBe('drwx------');
      expect(execFileSync('ls', ['-ln', cached()], { encoding: 'utf8' }).slice(0, 10)).toBe('-rw-------');
      forge('one', 'evil');
      chmodSync(cache, 0o777);
      const before = readFileSync(cached(), 'utf8');
      expect(await load('write')).toBe('one');
      expect(readFileSync(cached(), 'utf8')).toBe(before);
      chmodSync(cache, 0o700);
      expect(await load('write')).toBe('evil');
      symlinkSync(cache, `${cache}-link`);
      rmSync(join(folder, 'other'), { recursive: true, force: true });
      mkdirSync(join(folder, 'other'));
      symlinkSync(cache, join(folder, 'other', 'rhythm'));
      vi.stubEnv('XDG_CACHE_HOME', join(folder, 'other'));
      expect(await load('write')).toBe('one');
    },
  );

  it.skipIf(!isRoot)('is not used if it belongs to another user', async () => {
    write({ 'tasks.config.ts': exporting('"one"') });
    await load('write');
    forge('one', 'evil');
    chownSync(cache, 65_534, 65_534);
    expect(await load('write')).toBe('one');
    // Root's folder is as little ours when we are somebody else.
    chownSync(cache, 0, 0);
    chmodSync(cache, 0o755);
    expect(await load('read')).toBe('evil');
    vi.spyOn(process, 'geteuid').mockReturnValue(65_533);
    expect(await load('read')).toBe('one');
  });
});

describe('files of others', () => {
  it.skipIf(process.platform === 'win32')('are recognised by their mode', () => {
    write({ x: '' });
    const path = join(workspace, 'x');
    for (const [mode, expected] of [
      [0o644, false],
      [0o600, false],
      [0o664, true],
      [0o646, true],
      [0o755, false],
    ] as const) {
      chmodSync(path, mode);
      expect(writableByOthers(path)).toBe(expected);
    }
    expect(writableByOthers(join(workspace, 'nothing'))).toBe(false);
  });

  it.skipIf(!isRoot)('are not run as root, neither the configuration nor what it imports', async () => {
    const mend =
      'others may write it, and root would run it; make root its owner and take the right to write from group and others (chown root, chmod go-w)';
    write({
      'tasks.config.ts': `import { x } from './lib/x';\n${exporting('x')}`,
      'lib/x.ts': 'export const x = "x";',
    });
    chmodSync(join(workspace, 'tasks.config.ts'), 0o666);
    expect(await loadInVain()).toBe(`tasks.config.ts has 1 problem:\n  tasks.config.ts: ${mend}`);
    chmodSync(join(workspace, 'tasks.config.ts'), 0o644);
    expect(await load('write')).toBe('x');
    chownSync(join(workspace, 'lib/x.ts'), 65_534, 65_534);
    expect(await loadInVain()).toBe(`tasks.config.ts has 1 problem:\n  lib/x.ts: ${mend}`);
    await expect(load('write')).rejects.toThrow('lib/x.ts: others may write it');
  });
});

describe('the platform', () => {
  it('runs TypeScript from any folder, without a cache that others could fill', () => {
    write({ 'script.ts': 'enum A { B = "enum" }\nconsole.log(A.B, process.env.TSX_DISABLE_CACHE);' });
    const temporary = join(folder, 'tmp');
    mkdirSync(temporary);
    const output = execFileSync(
      process.execPath,
      ['--import', describePlatform().tsxLoader, join(workspace, 'script.ts')],
      {
        cwd: '/',
        env: { ...process.env, TSX_DISABLE_CACHE: '1', TMPDIR: temporary, TEMP: temporary },
        encoding: 'utf8',
      },
    );
    expect(output).toBe('enum 1\n');
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('reads the first line of a file that is there', () => {
    const { readFirstLine } = describePlatform();
    write({ one: '#!/bin/bash\nx', two: '', long: 'x'.repeat(10_000) });
    expect(readFirstLine(join(workspace, 'one'))).toBe('#!/bin/bash');
    expect(readFirstLine(join(workspace, 'two'))).toBe('');
    expect(readFirstLine(join(workspace, 'long'))).toHaveLength(256);
    expect(readFirstLine(join(workspace, 'nothing'))).toBeNull();
    expect(readFirstLine(workspace)).toBeNull();
  });

  it('finds the system’s time zone', () => {
    vi.stubEnv('TZ', 'Europe/Berlin');
    expect(describePlatform().systemTimezone).toBe('Europe/Berlin');
  });
});
