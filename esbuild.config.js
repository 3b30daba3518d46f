// Bundles the command and the public API into dist/. Splitting keeps what a tick does not use out of its start-up:
// everything imported dynamically becomes a chunk of its own.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

if (process.argv.includes('--clean')) rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: { rhythm: 'src/cli/main.ts', index: 'src/index.ts' },
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // Native code and programs stay in node_modules; so does what is found through its package's own path.
  external: ['esbuild', 'tsx', 'fs-native-extensions'],
  // Bundled CommonJS packages ask for Node's own modules through `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);",
  },
  sourcemap: 'linked',
  legalComments: 'linked',
  logLevel: 'warning',
});
