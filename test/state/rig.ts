import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll } from 'vitest';

export const isLinuxRoot = process.platform === 'linux' && process.getuid?.() === 0;

const root = mkdtempSync(join(tmpdir(), 'rhythm-state-'));
const mounts: string[] = [];
const children = new Set<ChildProcessWithoutNullStreams>();
let serial = 0;

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const mount of mounts) spawnSync('umount', ['-l', mount]);
  rmSync(root, { recursive: true, force: true });
});

/** A new, empty folder that goes when the test file has ended. */
export function folder(): string {
  const path = join(root, String(++serial));
  mkdirSync(path);
  return path;
}

/** A small disk; only where `isLinuxRoot`. */
export function disk(size: string): string {
  const path = folder();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]);
  if (status !== 0) throw new Error('mount failed');
  mounts.push(path);
  return path;
}

export function makeReadOnly(path: string): void {
  spawnSync('mount', ['-o', 'remount,ro', path]);
}

/** Every file below a folder with its content, mode and inode: equal before and after what must not write. */
export function everything(path: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()) {
    const stats = statSync(join(path, name));
    const content = stats.isDirectory() ? '' : readFileSync(join(path, name), 'latin1');
    found[name] = `${stats.mode} ${stats.ino} ${stats.mtimeMs} ${content}`;
  }
  return found;
}

let bundled: Promise<string> | undefined;

/** child.ts, bundled; its native package is found as in an installed copy. */
export async function program(): Promise<string> {
  bundled ??= (async () => {
    const file = join(root, 'child.mjs');
    symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
    // As on a system for which the package has no build.
    writeFileSync(
      join(root, 'no-native.cjs'),
      `const { Module } = require('node:module');
       const resolveFilename = Module._resolveFilename;
       Module._resolveFilename = function (name, ...rest) {
         if (name.startsWith('fs-native-extensions')) throw new Error('no build');
         return resolveFilename.call(this, name, ...rest);
       };`,
    );
    await build({
      entryPoints: [resolve('test/state/child.ts')],
      outdir: root,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      external: ['fs-native-extensions'],
      banner: {
        js: "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);",
      },
    });
    return file;
  })();
  return bundled;
}

export interface Child {
  readonly process: ChildProcessWithoutNullStreams;
  /** The next line that it prints; undefined at its end. */
  line(): Promise<string | undefined>;
  /** Waits for its end: its exit code, or the signal that ended it. */
  end(): Promise<number | string>;
}

/** Starts child.ts; `native: false` as where fs-native-extensions has no build. */
export async function start(args: readonly string[], { native = true } = {}): Promise<Child> {
  const file = await program();
  const hook = native ? [] : ['--require', join(root, 'no-native.cjs')];
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const child = spawn(process.execPath, [...hook, file, ...args], { env });
  children.add(child);
  const ended = once(child, 'close').then(([code, signal]) => {
    children.delete(child);
    return (code ?? signal) as number | string;
  });
  child.stderr.on('data', (text) => console.error(String(text)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    line: async () => (await lines.next()).value as string | undefined,
    end: () => ended,
  };
}
