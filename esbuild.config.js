// Bundles the command and the public API into dist/.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

if (process.argv.includes('--clean')) rmSync('dist', { recursive: true, force: true });

/** Identifies the program: what one build has cached, no other uses. */
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
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  legalComments: 'linked',
  logLevel: 'warning',
};

await build({ ...common, entryPoints: { index: 'src/index.ts' } });
await build({
  ...common,
  entryPoints: { rhythm: 'src/cli/main.ts' },
  // A command loads its own code and what it shares with others, not the whole program.
  splitting: true,
  // Native code and programs stay in node_modules.
  external: ['esbuild', 'tsx', 'fs-native-extensions'],
  alias: Object.fromEntries(
    ['ajv/dist/2020.js', 'ajv-formats', 'semver', 'env-paths'].map((name) => [name, './src/state/conf-unused.ts']),
  ),
  // With DEBUG set, winston's diagnostics would print to stdout unless this is a production build.
  define: { rhythmBuild: JSON.stringify(hashSources()), 'process.env.NODE_ENV': '"production"' },
  // For the CommonJS libraries in the bundle, which call `require` for Node's modules.
  banner: {
    js: "import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);",
  },
});

// Triggers that earlier versions installed start this file.
writeFileSync('dist/rhythm.cjs', "import('./rhythm.js');\n");
