// Bundles the command and the public API into dist/. What Node has to find, read and compile at each start is kept small:
// `rhythm.cjs`, where every tick begins, is all that an idle one loads; `main.cjs` holds our own code, each module of
// which is run when it is first asked for; large libraries are files of their own in lib/. All of that is CommonJS, which
// Node starts some milliseconds sooner than modules.
import { createHash } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
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
const libraries = ['commander', 'conf', 'croner', 'fast-xml-parser', 'graphlib'];
/** Modules of ours that take along as much of a library as they use, and are as rarely needed. */
const parts = { schema: 'config/schema.ts', execa: 'tick/execa.ts', winston: 'log/winston.ts' };

/** A file that is loaded when it is first asked for, by `require`: Node looks through what is imported much longer. */
const separate = {
  name: 'separate files',
  setup({ onResolve, onLoad }) {
    const toFile = (name) => (args) =>
      args.kind === 'entry-point' ? undefined : { path: name(args), namespace: 'separate' };
    onResolve(
      { filter: /^\.\/main\.ts$/ },
      toFile(({ path }) => path.replace('.ts', '.cjs')),
    );
    onResolve(
      { filter: new RegExp(`^(${libraries.join('|')})$`) },
      toFile(({ path }) => `./lib/${path}.cjs`),
    );
    onResolve(
      { filter: /^\.\/module\.ts$/ },
      toFile(() => './module.cjs'),
    );
    onResolve({ filter: new RegExp(`/(${Object.keys(parts).join('|')})\\.ts$`) }, (args) => {
      const file = join(args.resolveDir, args.path);
      const part = Object.entries(parts).find(([, path]) => file === resolve('src', path));
      return part === undefined ? undefined : toFile(() => `./lib/${part[0]}.cjs`)(args);
    });
    onResolve({ filter: /.*/, namespace: 'separate' }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /.*/, namespace: 'separate' }, ({ path }) => {
      const file = JSON.stringify(path);
      return { contents: `import * as all from ${file}; export * from ${file}; export default all.default;` };
    });
  },
};

/** Modules of Node's that take milliseconds to load, and are loaded when a function of theirs is first called. */
const late = {
  name: 'late modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:(child_process|crypto|(fs|timers)\/promises)$/ }, ({ path, importer, namespace }) => {
      // execa is loaded to start a process.
      const isAtOnce = namespace === 'late' || /[\\/]node_modules[\\/]execa[\\/]/.test(importer);
      return isAtOnce ? { path, external: true } : { path, namespace: 'late' };
    });
    onLoad({ filter: /.*/, namespace: 'late' }, async ({ path }) => {
      const all = Object.entries(await import(path)).filter(([name]) => /^[a-z]/.test(name) && name !== 'default');
      const functions = all.filter(([, value]) => typeof value === 'function');
      // Those that nobody imports the bundler leaves out.
      const lines = functions.map(
        ([name]) => `export const ${name} = (...args) => require('${path}').${name}(...args);`,
      );
      lines.push(`export default new Proxy({}, { get: (_, name) => require('${path}')[name] });`);
      return { contents: lines.join('\n') };
    });
  },
};

/**
 * What libraries take along and never use here, and what stands in for it. conf checks by ajv where it is given a schema
 * and by semver where it is given migrations, handles bytes where it encrypts, looks for the user's folders, who may have
 * none, compares what it has read with its defaults, which are both empty here, and writes by atomically, for which our
 * own write stands in. winston brings transports, levels and colours, handlers of uncaught errors, a debugger of its own
 * that would print to stdout, and the streams that Node has.
 */
const replaced = [
  [
    /^ajv(-formats)?(\/|$)|^semver$|^env-paths$|^atomically$|^uint8array-extras$|^@colors\/colors\/safe$/,
    'module.exports = {};',
  ],
  [
    /^node:assert$/,
    'exports.deepEqual = (one, other) => { if (JSON.stringify(one) !== JSON.stringify(other)) throw new Error(); };',
  ],
  [
    /^winston$/,
    "exports.createLogger = require('winston/lib/winston/create-logger'); exports.format = { printf: require('logform/printf') };",
  ],
  [/^\.\/(exception|rejection)-handler$/, 'module.exports = class { unhandle() {} };'],
  [/^\.\/config$/, 'module.exports = {};'],
  [/^@dabh\/diagnostics$/, 'module.exports = () => () => false;'],
  [/^readable-stream$/, "module.exports = require('node:stream');"],
  [/^readable-stream\/lib\/_stream_writable\.js$/, "module.exports = require('node:stream').Writable;"],
];
const lean = {
  name: 'lean libraries',
  setup({ onResolve, onLoad }) {
    for (const [index, [filter, contents]] of replaced.entries()) {
      onResolve({ filter }, ({ path, kind }) =>
        kind === 'entry-point' ? undefined : { path, namespace: `replaced-${index}` },
      );
      onLoad({ filter: /.*/, namespace: `replaced-${index}` }, () => ({ contents, resolveDir: '.' }));
    }
    // conf wants these as a whole; the bundler would copy all their names, one by one.
    onResolve({ filter: /^node:(fs|path|process)$/ }, ({ path, importer, namespace }) =>
      namespace !== 'whole' && /[\\/]conf[\\/]dist[\\/]/.test(importer) ? { path, namespace: 'whole' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'whole' }, ({ path }) => ({
      contents: `export default require(${JSON.stringify(path)});`,
    }));
  },
};

const common = {
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  legalComments: 'linked',
  // What Node has to read is half as much then; where an error comes from is told by the map, see cli/start.ts.
  minify: true,
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
    'import.meta.dirname': '__dirname',
  },
  banner: { js: "const bundle = { get url() { return require('node:url').pathToFileURL(__filename).href; } };" },
};

/** Ends a file with what stands for all of it, see cli/part.ts, which takes it for ASCII. */
function seal(file) {
  const bytes = readFileSync(file);
  if (bytes.some((byte) => byte > 0x7f)) throw new Error(`${file} is not ASCII`);
  const hash = createHash('sha256').update(bytes).digest('hex');
  appendFileSync(file, `// ${hash.slice(0, 32)}\n`);
}

await build({ ...common, entryPoints: { index: 'src/index.ts' }, format: 'esm' });
await build({
  ...commonjs,
  outdir: 'dist/lib',
  entryPoints: {
    ...Object.fromEntries(libraries.map((name) => [name, name])),
    ...Object.fromEntries(Object.entries(parts).map(([name, path]) => [name, join('src', path)])),
  },
  plugins: [late, lean],
});
await build({
  ...commonjs,
  entryPoints: { main: './src/cli/main.ts', module: './src/config/module.ts' },
  plugins: [late, separate],
});
/** What is started most often, each by itself, so that no more has to be read than it takes. */
const plain = ['tick', 'preview', 'status'];
await build({
  ...commonjs,
  entryPoints: Object.fromEntries(plain.map((name) => [name, `./src/cli/plain/${name}.ts`])),
  plugins: [late, separate],
  // As cli/part.ts expects it.
  banner: { js: `(function (exports, require, module, __filename, __dirname) {${commonjs.banner.js}` },
  footer: { js: '})' },
});
for (const name of plain) seal(`dist/${name}.cjs`);
for (const name of [...libraries, ...Object.keys(parts)]) seal(`dist/lib/${name}.cjs`);
await build({
  ...commonjs,
  entryPoints: { rhythm: 'src/cli/start.ts' },
  plugins: [separate],
});
