import type { Command } from 'commander';
import { enableCompileCache } from './compile-cache.ts';
import type { Context } from './context.ts';

interface CommandFile {
  declare(program: Command, context: Context): void;
}

const loadOthers = () => import('./other-commands.ts');

/** Every command and the file that holds it, in the order of the help. */
const files = {
  tick: () => import('./commands/tick.ts'),
  run: async () => (await loadOthers()).run,
  pause: async () => (await loadOthers()).pause,
  resume: async () => (await loadOthers()).resume,
  status: () => import('./commands/status.ts'),
  explain: async () => (await loadOthers()).explain,
  history: async () => (await loadOthers()).history,
  log: async () => (await loadOthers()).log,
  graph: async () => (await loadOthers()).graph,
  config: async () => (await loadOthers()).config,
  validate: async () => (await loadOthers()).validate,
  stop: async () => (await loadOthers()).stop,
  cleanup: async () => (await loadOthers()).cleanup,
  doctor: async () => (await loadOthers()).doctor,
  init: async () => (await loadOthers()).init,
  completion: async () => (await loadOthers()).completion,
  install: async () => (await loadOthers()).install,
  uninstall: async () => (await loadOthers()).uninstall,
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
