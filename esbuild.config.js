// Bundles the command and the public API into dist/. What Node has to find, read and compile at each start is kept small:
// `rhythm.cjs`, where every tick begins, is all that an idle one loads; `main.cjs` holds our own code, each module of
// which is run when it is first asked for; large libraries are files of their own in lib/. All of that is CommonJS, which
// Node starts some milliseconds sooner than modules.
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

/** Libraries that few commands use. */
const libraries = [
  'commander',
  'conf',
  'croner',
  'execa',
  'fast-xml-parser',
  'graphlib',
  'winston',
  'winston-transport',
];

/** A file that is loaded when it is first asked for, by `require`: Node looks through what is imported much longer. */
const separate = {
  name: 'separate files',
  setup({ onResolve, onLoad }) {
    const toFile = (name) => (args) =>
      args.kind === 'entry-point' ? undefined : { path: name(args), namespace: 'separate' };
    onResolve(
      { filter: /\/main\.ts$/ },
      toFile(() => './main.cjs'),
    );
    onResolve(
      { filter: new RegExp(`^(${libraries.join('|')})$`) },
      toFile(({ path }) => `./lib/${path}.cjs`),
    );
    onResolve({ filter: /\/schema\.ts$/ }, (args) => {
      const isOurs = /[/\\]config[/\\]schema\.ts$/.test(join(args.resolveDir, args.path));
      return isOurs ? toFile(() => './lib/schema.cjs')(args) : undefined;
    });
    onResolve({ filter: /.*/, namespace: 'separate' }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /.*/, namespace: 'separate' }, ({ path }) => {
      const file = JSON.stringify(path);
      return { contents: `import * as all from ${file}; export * from ${file}; export default all.default;` };
    });
  },
};

/** conf checks values by ajv where it is given a schema. It is given none, and ajv would be nine tenths of it. */
const withoutAjv = {
  name: 'conf without ajv',
  setup(build) {
    build.onResolve({ filter: /^ajv(-formats)?(\/|$)/ }, ({ path }) => ({ path, namespace: 'left-out' }));
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};' }));
  },
};

const common = {
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  legalComments: 'linked',
  minifyWhitespace: true,
  logLevel: 'warning',
};
const commonjs = {
  ...common,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  // Native code and programs stay in node_modules; so does what is found through its package's own path.
  external: ['esbuild', 'tsx', 'fs-native-extensions'],
  define: {
    rhythmBuild: JSON.stringify(hashSources()),
    bundledRequire: 'require',
    'import.meta.url': 'bundle.url',
  },
  banner: { js: "const bundle = { get url() { return require('node:url').pathToFileURL(__filename).href; } };" },
};

await build({ ...common, entryPoints: { index: 'src/index.ts' }, format: 'esm' });
await build({
  ...commonjs,
  outdir: 'dist/lib',
  // The schema of configurations takes as much of zod along as it uses, which is a fifth.
  entryPoints: { ...Object.fromEntries(libraries.map((name) => [name, name])), schema: 'src/config/schema.ts' },
  plugins: [withoutAjv],
});
await build({
  ...commonjs,
  entryPoints: { main: './src/cli/main.ts' },
  plugins: [separate],
});
await build({
  ...commonjs,
  entryPoints: { rhythm: 'src/cli/start.ts' },
  plugins: [separate],
  // Each byte of it is read by every tick.
  minify: true,
});
