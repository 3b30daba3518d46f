import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll } from 'vitest';

/** A folder for the tests of one file, and in it the program of writer.ts, to be run as real processes. */
export function makeWriter(): { readonly root: string; readonly writer: string } {
  const root = mkdtempSync(join(tmpdir(), 'rhythm-log-'));
  const writer = join(root, 'writer.mjs');
  beforeAll(async () => {
    symlinkSync(resolve('node_modules'), join(root, 'node_modules'), 'junction');
    await build({
      entryPoints: [join(import.meta.dirname, 'writer.ts')],
      outfile: writer,
      bundle: true,
      packages: 'external',
      format: 'esm',
      platform: 'node',
    });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return { root, writer };
}
