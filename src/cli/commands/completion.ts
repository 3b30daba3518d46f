import type { Command, Option } from 'commander';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import type { Context } from '../context.ts';
import { print, printLine } from '../streams.ts';
import { completionScript, pathMarker, type Shell } from './completion-scripts.ts';

/** What a word may become, and what that is for. */
interface Candidate {
  readonly word: string;
  readonly about?: string;
}

/** Nobody waits longer at a Tab, ms: a configuration may ask the network. */
const patience = 2_000;
/** Declares `rhythm completion`, and `rhythm __complete`, which the shells' scripts call. */
export function declare(program: Command, { workspace }: Context): void {
  program
    .command('completion')
    .description('print what lets a shell complete commands, options, groups and scripts')
    .addArgument(program.createArgument('<shell>').choices(['bash', 'zsh', 'fish', 'powershell']))
    .addHelpText(
      'after',
      `
Examples:
  eval "$(rhythm completion bash)"                              in ~/.bashrc
  eval "$(rhythm completion zsh)"                               in ~/.zshrc, after compinit
  rhythm completion fish | source                               in ~/.config/fish/completions/rhythm.fish
  rhythm completion powershell | Out-String | Invoke-Expression in $PROFILE`,
    )
    .action((shell: Shell) => {
      print('stdout', completionScript(shell));
    });

  program
    .command('__complete [words...]', { hidden: true })
    .option('--new-word')
    .action(async (words: string[], { newWord }: { newWord?: boolean }) => {
      await printCandidates(program, newWord ? [...words, ''] : words, workspace());
    });
}

/** Prints what the last of the words may become, one a line, for the shells' scripts. It never fails: it finds nothing. */
async function printCandidates(program: Command, words: readonly string[], workspace: string): Promise<void> {
  const candidates = await complete(program, words, () => readGroups(workspaceOf(words) ?? workspace));
  for (const { word, about } of candidates) printLine(about ? `${word}\t${about.replace(/\s+/g, ' ')}` : word);
}

/**
 * What the last of the words after `rhythm` may become. What stands for a group is known by its name in the command's
 * declaration.
 */
async function complete(
  program: Command,
  words: readonly string[],
  readNames: () => Promise<Config['groups']>,
): Promise<Candidate[]> {
  const help = program.createHelp();
  const current = words.at(-1) ?? '';
  const { command, position, awaiting } = follow(program, words.slice(0, -1));
  const fits = (found: readonly Candidate[]) =>
    found.filter(({ word }) => word.startsWith(current) && !/[\x00-\x1f\x7f]/.test(word));
  const asWords = (list: readonly string[]) => list.map((word) => ({ word }));

  if (awaiting !== null) {
    if (awaiting.argChoices) return fits(asWords(awaiting.argChoices));
    if (/<groups?(\.\.\.)?>/.test(awaiting.flags)) return fits(asWords((await readNames()).map(({ name }) => name)));
    return /<(dir|file|folder|path)>/.test(awaiting.flags) ? [{ word: pathMarker }] : [];
  }
  if (current.startsWith('-')) {
    const options = new Set([...help.visibleOptions(command ?? program), ...help.visibleOptions(program)]);
    const own = [...options].map((option) => ({ word: option.long ?? option.short ?? '', about: option.description }));
    return fits([...new Map(own.map((option) => [option.word, option])).values()]);
  }
  if (command === null) {
    return fits(help.visibleCommands(program).map((known) => ({ word: known.name(), about: known.description() })));
  }
  if (command.name() === 'help') return position === 0 ? fits(asWords(program.commands.map((one) => one.name()))) : [];
  const { registeredArguments: all } = command;
  const argument = all[position] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined);
  if (argument?.argChoices) return fits(asWords(argument.argChoices));
  if (argument && ['group', 'groups', 'target'].includes(argument.name())) {
    const groups = await readNames();
    const [name, script] = current.split('/', 2);
    if (argument.name() !== 'target' || script === undefined) {
      return fits(
        groups.map((group) => ({ word: group.name, ...(group.description ? { about: group.description } : {}) })),
      );
    }
    const scripts = groups.find((group) => group.name === name)?.scripts ?? [];
    return fits(scripts.map((one) => ({ word: `${name}/${one.name}` })));
  }
  return argument && ['dir', 'file', 'files'].includes(argument.name()) ? [{ word: pathMarker }] : [];
}

/** Where the words lead: the command, how many of its arguments are there, and the option whose value is to come. */
function follow(program: Command, words: readonly string[]) {
  let command: Command | null = null;
  let position = 0;
  let awaiting: Option | null = null;
  for (const word of words) {
    if (awaiting !== null) {
      awaiting = null;
    } else if (word.startsWith('-')) {
      const known: readonly Option[] = [...(command?.options ?? []), ...program.options];
      const option = known.find(({ long, short }) => long === word || short === word);
      if (option?.required) awaiting = option;
    } else if (command === null) {
      command = findCommand(program, word);
    } else {
      position++;
    }
  }
  return { command, position, awaiting };
}

function findCommand(program: Command, word: string): Command | null {
  const all = program.createHelp().visibleCommands(program);
  return all.find((command) => command.name() === word || command.aliases().includes(word)) ?? null;
}

/** The workspace that the words name themselves. */
function workspaceOf(words: readonly string[]): string | null {
  const at = words.findIndex((word) => word === '-C' || word === '--workspace');
  return at === -1 ? null : (words[at + 1] ?? null);
}

async function readGroups(workspace: string): Promise<Config['groups']> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patience);
  });
  try {
    const loaded = await Promise.race([loadConfig(workspace, { cache: 'read' }), late]);
    // What the configuration waits for would keep the process, and with it the shell.
    if (loaded === null) process.exit(0);
    return loaded.config.groups;
  } catch {
    return [];
  } finally {
    clearTimeout(timer);
  }
}
