import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { fileNames } from '../../config/load.ts';
import { alignRows } from '../../report/table.ts';
import { codeOf, storageError } from '../../state/storage-error.ts';
import { quoteWord } from '../../trigger/guard.ts';
import type { Context } from '../context.ts';
import { printLine } from '../streams.ts';
import { ownFiles, surroundings, type Template } from './init-templates.ts';

interface InitFlags {
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

/** Declares `rhythm init`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('init [dir]')
    .description('create a workspace that works immediately; never prompts or overwrites')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm init                              in the current folder
  rhythm init /srv/jobs`,
    )
    .action(async (dir: string | undefined, flags: InitFlags) => {
      finish(init(resolve(workspace(), dir ?? '.'), flags));
    });
}

/**
 * `rhythm init [DIR]`: makes a workspace that ticks at once. It asks nothing and overwrites nothing: what is there
 * already stays as it is.
 */
function init(folder: string, flags: InitFlags): number {
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
