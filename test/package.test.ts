import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/*
 * The package as its users get it: packed, installed into an empty folder, used there. It is packed from a copy, because
 * packing builds anew and other tests run what is built.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const isWindows = process.platform === 'win32';

const goodConfig = `import { defineConfig } from 'rhythm-scheduler';

export default defineConfig({
  groups: {
    hello: { every: '10m', scripts: ['hello.ts --loud'] },
    farewell: { every: '10m', dependsOn: ['hello'], scripts: [{ shell: 'echo bye' }] },
  },
});
`;

let base = '';
let folder = '';
let packed: string[] = [];

function npm(args: readonly string[], cwd: string): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', shell: isWindows, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs the installed command the way a user does. */
function rhythm(...args: string[]) {
  return spawnSync('npx', ['--no-install', 'rhythm', ...args], {
    cwd: folder,
    encoding: 'utf8',
    shell: isWindows,
    env: { ...process.env, NO_COLOR: '1' },
  });
}

/** Checks a file of the folder with the compiler of this repository, without types of Node's. */
function compile(file: string, moduleResolution: string) {
  const settings = {
    compilerOptions: {
      module: moduleResolution === 'bundler' ? 'esnext' : moduleResolution,
      moduleResolution,
      target: 'es2023',
      strict: true,
      noEmit: true,
      types: [],
    },
    files: [file],
  };
  const project = join(folder, `tsconfig.${moduleResolution}.json`);
  writeFileSync(project, JSON.stringify(settings));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  return spawnSync(process.execPath, [compiler, '--project', project, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  });
}

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'rhythm package '));
  const copy = join(base, 'copy');
  const left = ['node_modules', 'dist', '.git', 'outputs'];
  cpSync(root, copy, { recursive: true, filter: (path) => !left.includes(relative(root, path)) });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
  mkdirSync(join(copy, 'outputs'));
  writeFileSync(join(copy, 'outputs/master_scheduler_state.json'), '{}');
  npm(['pack', '--pack-destination', base], copy);
  const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const tarball = join(base, `${name}-${version}.tgz`);

  folder = join(base, 'workspace');
  mkdirSync(join(folder, 'scripts'), { recursive: true });
  npm(['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], folder);
  const list = execFileSync('tar', ['-tzf', basename(tarball)], { cwd: base, encoding: 'utf8' });
  packed = list
    .trim()
    .split(/\r?\n/)
    .map((path) => path.replace(/^package\//, ''));
  writeFileSync(join(folder, 'tasks.config.ts'), goodConfig);
  writeFileSync(
    join(folder, 'scripts/hello.ts'),
    `const words: readonly string[] = ['hello', ...process.argv.slice(2), process.env.RHYTHM_GROUP ?? ''];\nconsole.log(words.join(' '));\n`,
  );
}, 180_000);

afterAll(() => rmSync(base, { recursive: true, force: true, maxRetries: 5 }));

describe('the packed files', () => {
  it('are the program, its types and its documents, and nothing else', () => {
    const top = [...new Set(packed.map((path) => path.split('/')[0]))].sort();
    expect(top).toEqual(['ARCHITECTURE.md', 'CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json']);
    expect(packed.filter((path) => /\.test\.|(^|\/)(test|outputs|node_modules)\//.test(path))).toEqual([]);
  });

  it('are all that package.json speaks of', () => {
    const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const spoken: string[] = [...Object.values<string>(bin), ...Object.values<string>(exports['.'])];
    expect(spoken).toHaveLength(3);
    for (const path of spoken) expect(packed).toContain(path.replace(/^\.\//, ''));
  });
});

describe('the installed package', () => {
  it('plans, and writes nothing', () => {
    const { status, stdout, stderr } = rhythm('tick', '--dry-run');
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/1\. run {7}hello {5}first run/);
    expect(stdout).toMatch(/2\. run {7}farewell {2}first run, .*; hello runs first/);
    expect(existsSync(join(folder, 'outputs'))).toBe(false);
  });

  it('starts by the file that triggers of earlier versions name', () => {
    const program = join(folder, 'node_modules/rhythm-scheduler/dist/rhythm.cjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '-C', folder, 'tick', '--dry-run'], {
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/1\. run {7}hello/);
  });

  it('runs a TypeScript file', () => {
    const { status, stdout, stderr } = rhythm('tick', '--json');
    expect(status, stderr).toBe(0);
    const { groups } = JSON.parse(stdout);
    expect(groups.map(({ outcome }: { outcome: string }) => outcome)).toEqual(['succeeded', 'succeeded']);
    const output = readFileSync(join(folder, 'outputs', groups[0].scripts[0].outputFile), 'utf8');
    expect(output).toBe('hello --loud hello\n');
  });

  it.each(['nodenext', 'bundler'])('types a configuration (%s)', { timeout: 120_000 }, (moduleResolution) => {
    const good = compile('tasks.config.ts', moduleResolution);
    expect(good.stdout).toBe('');
    expect(good.status).toBe(0);

    const lines = goodConfig.replace("dependsOn: ['hello']", "dependsOn: ['helo']").split('\n');
    writeFileSync(join(folder, 'misspelt.ts'), lines.join('\n'));
    const line = lines.findIndex((text) => text.includes("'helo'"));
    const column = lines[line]?.indexOf("'helo'") ?? -1;
    const bad = compile('misspelt.ts', moduleResolution);
    expect(bad.stdout).toMatch(`misspelt.ts(${line + 1},${column + 1}): error TS`);
    expect(bad.stdout.match(/error TS/g)).toHaveLength(1);
    expect(bad.status).not.toBe(0);
  });
});

describe('a new workspace', () => {
  // Outside of the folder that the package is installed in, as with one for the whole machine; and inside of it.
  it.each(['elsewhere/of its own', 'workspace/below'])('in %s is planned and typed', { timeout: 60_000 }, (name) => {
    const fresh = join(base, name);
    expect(rhythm('init', fresh).status).toBe(0);
    const { stdout } = rhythm('-C', fresh, 'tick', '--dry-run');
    expect(stdout).toMatch(/1\. run {7}hello {2}first run/);

    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const check = () =>
      spawnSync(process.execPath, [compiler, '-p', fresh, '--pretty', 'false'], { cwd: fresh, encoding: 'utf8' });
    const good = check();
    expect([good.stdout, good.status]).toEqual(['', 0]);
    const config = join(fresh, 'tasks.config.ts');
    writeFileSync(config, readFileSync(config, 'utf8').replace("every: '10m'", "every: '10m', dependsOn: ['helo']"));
    expect(check().stdout).toMatch(/^tasks\.config\.ts\(\d+,\d+\): error TS\d+: Type '"helo"'/m);
  });
});

it('the lock file names no registry, so that any will do', () => {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  expect(text).not.toContain('"resolved"');
  expect(text).not.toMatch(/registry\.|\.tgz"/);
});
