import type { Command } from 'commander';
import { enableCompileCache } from './compile-cache.ts';
import type { Context } from './context.ts';

interface CommandFile {
  declare(program: Command, context: Context): void;
}

/** Every command and the file that holds it, in the order of the help. */
const files = {
  tick: () => import('./commands/tick.ts'),
  run: () => import('./commands/run.ts'),
  pause: () => import('./commands/pause.ts'),
  resume: () => import('./commands/resume.ts'),
  status: () => import('./commands/status.ts'),
  explain: () => import('./commands/explain.ts'),
  history: () => import('./commands/history.ts'),
  log: () => import('./commands/log.ts'),
  graph: () => import('./commands/graph.ts'),
  config: () => import('./commands/config.ts'),
  validate: () => import('./commands/validate.ts'),
  stop: () => import('./commands/stop.ts'),
  cleanup: () => import('./commands/cleanup.ts'),
  doctor: () => import('./commands/doctor.ts'),
  init: () => import('./commands/init.ts'),
  completion: () => import('./commands/completion.ts'),
  install: () => import('./commands/install.ts'),
  uninstall: () => import('./commands/uninstall.ts'),
  import: () => import('./commands/import.ts'),
} satisfies Record<string, () => Promise<CommandFile>>;

type CommandName = keyof typeof files;

/** The commands that change records anyway; all others leave every file untouched, the caches included. */
const writing: readonly CommandName[] = ['tick', 'run', 'pause', 'resume', 'cleanup'];
const readOnlyFlags = ['--dry-run', '--help', '-h'];

/**
 * Declares the command that the words name. Each command's file is loaded only for that command, or for what needs to
 * know all of them: help, shell completion, and the suggestion for a word that is not a command.
 *
 * @param words what `program.parseOptions` makes of the command line
 */
export async function declareCommands(
  program: Command,
  { operands, unknown }: { readonly operands: readonly string[]; readonly unknown: readonly string[] },
  context: Context,
): Promise<void> {
  const isGeneralHelp = operands.length === 0 && unknown.some((word) => word === '--help' || word === '-h');
  const [name = isGeneralHelp ? 'help' : 'tick'] = operands;
  if (!isCommand(name)) {
    const all = await Promise.all(Object.values(files).map((load) => load()));
    for (const file of all) file.declare(program, context);
    return;
  }
  if (writing.includes(name) && !unknown.some((word) => readOnlyFlags.includes(word))) enableCompileCache();
  const file = await files[name]();
  file.declare(program, context);
}

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(files, name);
}
