import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileNames } from '../config/load.ts';
import { describePlatform } from '../config/source.ts';
import { alignRows } from '../report/table.ts';
import { codeOf, storageError } from '../state/failure.ts';
import { quoteWord } from '../trigger/guard.ts';
import { printLine } from './streams.ts';

export interface InitFlags {
  readonly json?: boolean;
}

/** `rhythm init --json`. */
export interface InitDocument {
  readonly schemaVersion: 1;
  /** The new workspace, absolute. */
  readonly folder: string;
  /** From the folder. */
  readonly created: readonly string[];
  /** What was there before, and stays as it was. */
  readonly kept: readonly string[];
}

/** A file of a new workspace, and what it is for. */
interface Template {
  readonly name: string;
  readonly purpose: string;
  readonly text: string;
  readonly isExecutable?: true;
}

/**
 * `rhythm init [DIR]`: makes a workspace that ticks at once. It asks nothing and overwrites nothing: what is there
 * already stays as it is.
 */
export function init(folder: string, flags: InitFlags): number {
  const root = resolve(folder);
  const created: Template[] = [];
  const kept: string[] = [];
  const config = findExistingConfig(root);
  if (config !== null) kept.push(config);
  for (const template of config === null ? [...ownFiles(), ...surroundings(root)] : surroundings(root)) {
    if (create(join(root, template.name), template)) created.push(template);
    else kept.push(template.name);
  }
  if (flags.json) {
    const document: InitDocument = { schemaVersion: 1, folder: root, created: created.map(({ name }) => name), kept };
    printLine(JSON.stringify(document, null, 2));
    return 0;
  }
  for (const line of describe(root, created, kept)) printLine(line);
  return 0;
}

/** The name of the configuration that is there; null where none is. Several are as good as one. */
function findExistingConfig(root: string): string | null {
  return fileNames.find((name) => existsSync(join(root, name))) ?? null;
}

/** False where something of that name is there already. StorageError where the file can't be written. */
function create(path: string, { text, isExecutable }: Template): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true });
    // Nobody else may write them, whatever the umask: root would refuse to run them.
    writeFileSync(path, text, { flag: 'wx', mode: 0o644 });
    if (isExecutable) chmodSync(path, 0o755);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && existsSync(path)) return false;
    throw storageError('written', path, error);
  }
}

function describe(root: string, created: readonly Template[], kept: readonly string[]): string[] {
  const lines: string[] = [];
  if (created.length > 0) lines.push(`A workspace in ${root}:`);
  lines.push(...alignRows(created.map(({ name, purpose }) => ['', name, purpose])));
  if (kept.length > 0) {
    const verb = kept.length === 1 ? 'is there already and stays as it is' : 'are there already and stay as they are';
    lines.push(`${kept.join(', ')} ${verb}.`);
  }
  if (kept.includes('.gitignore')) lines.push('See that .gitignore names outputs/.');
  const rhythm = process.env.npm_command === 'exec' ? 'npx rhythm' : 'rhythm';
  const steps = [
    [`${rhythm} tick --dry-run`, 'what would run now, and why'],
    [rhythm, 'run what is due'],
    [`${rhythm} install`, 'let it be started every five minutes'],
  ];
  lines.push(
    '',
    'Next:',
    ...(root === process.cwd() ? [] : [`  cd ${quote(root)}`]),
    ...alignRows(steps.map((step) => ['', ...step])),
  );
  return lines;
}

/** A path as a shell takes it. */
function quote(path: string): string {
  if (process.platform !== 'win32') return quoteWord(path);
  return /^[\w@%+=:,./\\-]+$/.test(path) ? path : `"${path}"`;
}

function ownFiles(): Template[] {
  return [
    { name: 'tasks.config.ts', purpose: 'what runs when, and after what', text: configText() },
    { name: 'scripts/hello.mjs', purpose: 'a script to begin with', text: scriptText, isExecutable: true },
  ];
}

function surroundings(root: string): Template[] {
  return [
    { name: 'tsconfig.json', purpose: 'lets an editor check and complete tasks.config.ts', text: typesText(root) },
    { name: '.gitignore', purpose: 'keeps the records out of the repository', text: 'outputs/\nnode_modules/\n' },
  ];
}

function configText(): string {
  return `import { defineConfig } from 'rhythm-scheduler';

// What would run now, and why: rhythm tick --dry-run
export default defineConfig({
  // For calendars (\`daily\`, \`cron\`). An interval (\`every\`) needs none: its beats lie on a fixed grid in UTC.
  timezone: '${describePlatform().systemTimezone}',

  groups: {
    hello: {
      description: 'Says hello.',
      // Beats at :00, :10, :20 …, however late the trigger comes. Instead: daily: '03:00', or cron: '0 3 * * 1-5'.
      every: '10m',
      // Files under scripts/ with their arguments, one after another; the interpreter follows from the extension.
      scripts: ['hello.mjs --loud'],
    },

    // Another one, that runs only if the last hello went well, and has more to say about its script:
    //
    // report: {
    //   daily: '03:00',
    //   dependsOn: ['hello'],
    //   scripts: [{ run: 'report.py', timeout: '10m', retries: 2 }],
    // },
  },
});
`;
}

const scriptText = `#!/usr/bin/env node
// What it prints is kept in a file of its own under outputs/runs/; a status other than 0 is a failure.
const words = process.argv.includes('--loud') ? 'HELLO' : 'hello';
console.log(\`\${words} from \${process.env.RHYTHM_GROUP}, for the beat \${process.env.RHYTHM_BEAT}\`);
`;

/**
 * Types come from the package where it is installed beside the workspace, else from this very program, wherever it is: so
 * an editor finds them also where rhythm is installed for the whole machine.
 */
function typesText(root: string): string {
  const installed = fileURLToPath(new URL('types/index.d.ts', import.meta.url));
  const beside = './node_modules/rhythm-scheduler/dist/types/index.d.ts';
  // Split output lies in a folder of its own below the program's.
  const own = existsSync(installed) ? installed : fileURLToPath(new URL('../types/index.d.ts', import.meta.url));
  const paths = [...new Set([beside, relative(root, own) === beside.slice(2) ? beside : own.replaceAll('\\', '/')])];
  const settings = {
    compilerOptions: {
      target: 'es2023',
      module: 'esnext',
      moduleResolution: 'bundler',
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      paths: { 'rhythm-scheduler': paths },
    },
    include: ['tasks.config.ts', 'scripts'],
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}
