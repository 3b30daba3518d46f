// Bundles the command and the public API into dist/. Splitting keeps what a tick does not use out of its start-up:
// everything imported dynamically becomes a chunk of its own. Where a tick begins is one CommonJS file for itself, which
// Node starts some milliseconds sooner than a module.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

if (process.argv.includes('--clean')) rmSync('dist', { recursive: true, force: true });

/** Stands for the program: what an older one has kept is not used by a newer one. */
function hashSources() {
  const hash = createHash('sha256');
  const names = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  for (const name of ['../package.json', '../package-lock.json', ...names.sort()]) {
    hash.update(`${name}\n`).update(readFileSync(join('src', name)));
  }
  return hash.digest('hex').slice(0, 16);
}

const common = {
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  legalComments: 'linked',
  logLevel: 'warning',
};
const rhythmBuild = JSON.stringify(hashSources());

await build({
  ...common,
  entryPoints: { main: 'src/cli/main.ts' },
  chunkNames: 'chunks/[name]-[hash]',
  splitting: true,
  format: 'esm',
  // Native code and programs stay in node_modules; so does what is found through its package's own path.
  external: ['esbuild', 'tsx', 'fs-native-extensions'],
  define: { rhythmBuild },
  // Bundled CommonJS packages ask for Node's own modules through `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);",
  },
});
await build({ ...common, entryPoints: { index: 'src/index.ts' }, format: 'esm' });
await build({
  ...common,
  entryPoints: { rhythm: 'src/cli/start.ts' },
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
  external: ['./main.js', 'esbuild', 'tsx', 'fs-native-extensions'],
  define: { rhythmBuild, 'import.meta.url': '__filename' },
  plugins: [
    {
      name: 'the program itself',
      setup: ({ onResolve }) => onResolve({ filter: /\/main\.ts$/ }, () => ({ path: './main.js', external: true })),
    },
  ],
});
