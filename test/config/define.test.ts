import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const tsc = join(root, 'node_modules/typescript/bin/tsc');
let folder: string;

/** A project of a user's, with the package as it is published. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rhythm-types-'));
  const types = join(folder, 'node_modules/rhythm-scheduler/dist/types');
  execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', types]);
  writeFileSync(
    join(folder, 'node_modules/rhythm-scheduler/package.json'),
    JSON.stringify({
      name: 'rhythm-scheduler',
      type: 'module',
      exports: { '.': { types: './dist/types/index.d.ts' } },
    }),
  );
  symlinkSync(join(root, 'node_modules/zod'), join(folder, 'node_modules/zod'), 'junction');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Compiles a configuration; returns what tsc says, a line each, without the paths of files. */
function compile(text: string, ...options: string[]): string[] {
  writeFileSync(join(folder, 'tasks.config.ts'), text);
  const common = ['--noEmit', '--target', 'es2022', '--lib', 'es2022', '--types', '', '--strict', '--pretty', 'false'];
  const args = [tsc, ...common, ...options, 'tasks.config.ts'];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  return stdout.split('\n').filter((line) => /^\S/.test(line));
}

const nodenext = ['--module', 'nodenext', '--moduleResolution', 'nodenext'];
const bundler = ['--module', 'esnext', '--moduleResolution', 'bundler'];

describe('defineConfig', () => {
  const good = `import { defineConfig, type GroupConfig, type RhythmConfig, type ScriptConfig } from 'rhythm-scheduler';
declare global { interface URL { href: string } } // zod's declarations name it
const script: ScriptConfig = { run: 'a b.ts', args: ['x'], env: { A: 1, B: true, C: 'c' }, timeout: '1h', successExitCodes: [0, 3] };
const shared: GroupConfig = { every: '10m', priority: 'high', scripts: [script] };
export const generated: RhythmConfig = defineConfig({
  groups: Object.fromEntries(['x', 'y'].map((name) => [name, { every: '5m', scripts: [name + '.ts'] }])),
});
export default defineConfig({
  timezone: 'UTC', tickEvery: '5m', interpreters: { py: ['uv', 'run'] }, log: { output: 'all' },
  groups: {
    first: { ...shared },
    second: { daily: ['03:00', '15:00'], dependsOn: ['first', { group: 'first', when: 'finished', within: '20m' }], after: ['third'] },
    third: { cron: '0 3 * * 1-5', lane: 'disk', retryAfter: ['5m'] },
    constructor: { manual: true },
  },
});
`;

  it('compiles in projects of several kinds, its declarations checked as well', () => {
    expect(compile(good, ...nodenext, '--skipLibCheck', 'false', '--exactOptionalPropertyTypes')).toEqual([]);
    expect(compile(good, ...bundler, '--skipLibCheck')).toEqual([]);
  });

  it('makes a misspelt name, key or value an error at that place', () => {
    const text = `import { defineConfig } from 'rhythm-scheduler';
export default defineConfig({
  groups: {
    health: { every: '10m' },
    upload: {
      every: '10m',
      dependsOn: ['helth', { group: 'heath' }, 'health'],
      after: ['healt'],
    },
    report: { every: '10m', priority: 'highest' },
  },
});
export const two = defineConfig({ groups: { health: { evry: '10m' } } });
export const three = defineConfig({ groups: {}, tickEvry: '10m' });
`;
    const errors = compile(text, ...nodenext, '--skipLibCheck');
    expect(errors.map((error) => error.replace(/: .*/, ''))).toEqual([
      'tasks.config.ts(7,19)',
      'tasks.config.ts(7,30)',
      'tasks.config.ts(8,15)',
      'tasks.config.ts(10,29)',
      'tasks.config.ts(13,55)',
      'tasks.config.ts(14,49)',
    ]);
    expect(errors[1]).toContain(`Type '"heath"' is not assignable to type`);
  });
});
