import type { Command, Option } from 'commander';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { printLine } from './streams.ts';

export type Shell = 'bash' | 'zsh' | 'fish' | 'powershell';

/** What a word may become, and what that is for. */
interface Candidate {
  readonly word: string;
  readonly about?: string;
}

/** Nobody waits longer at a Tab, ms: a configuration may ask the network. */
const patience = 2_000;
/** Says that the shell is to complete a path. */
const paths = ':paths';

/** Prints what the last of the words may become, one a line, for the shells' scripts. It never fails: it finds nothing. */
export async function printCandidates(program: Command, words: readonly string[], workspace: string): Promise<void> {
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
    return /<(dir|file|folder|path)>/.test(awaiting.flags) ? [{ word: paths }] : [];
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
  return argument && ['dir', 'file', 'files'].includes(argument.name()) ? [{ word: paths }] : [];
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

/** The script that teaches a shell to complete rhythm's words; it asks rhythm itself each time. */
export function completionScript(shell: Shell): string {
  switch (shell) {
    case 'bash':
      return bash;
    case 'zsh':
      return zsh;
    case 'fish':
      return fish;
    case 'powershell':
      return powershell;
  }
}

const bash = `# rhythm's words for bash. In ~/.bashrc: eval "$(rhythm completion bash)"
_rhythm() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = '${paths}' ]; then
      compopt -o default 2>/dev/null
      return
    fi
    COMPREPLY+=("$(printf '%q' "\${line%%$'\\t'*}")")
  done < <(rhythm __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null)
}
complete -F _rhythm rhythm
`;

const zsh = `#compdef rhythm
# rhythm's words for zsh. In ~/.zshrc, after compinit: eval "$(rhythm completion zsh)"
_rhythm() {
  local line value
  local -a found
  while IFS= read -r line; do
    if [[ $line == '${paths}' ]]; then
      _files
      return
    fi
    value=\${line%%$'\\t'*}
    if [[ $line == *$'\\t'* ]]; then
      found+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
    else
      found+=("\${value//:/\\\\:}")
    fi
  done < <(rhythm __complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)
  _describe rhythm found
}
if [[ \${funcstack[1]} == _rhythm ]]; then
  _rhythm "$@"
else
  compdef _rhythm rhythm
fi
`;

const fish = `# rhythm's words for fish. In ~/.config/fish/completions/rhythm.fish: rhythm completion fish | source
function __rhythm_words
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  test (count $current) -eq 0; and set current ''
  for line in (rhythm __complete -- $before[2..-1] $current 2>/dev/null </dev/null)
    if test "$line" = '${paths}'
      __fish_complete_path $current
    else
      echo $line
    end
  end
end
complete -c rhythm -f -a '(__rhythm_words)'
`;

const powershell = `# rhythm's words for PowerShell. In $PROFILE: rhythm completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName rhythm -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
    ForEach-Object { $_.Extent.Text.Trim('"', "'") })
  # An empty argument would not arrive.
  $options = @(if ($wordToComplete -eq '') { '--new-word' })
  & rhythm __complete @options '--' @words 2>$null | Where-Object { $_ -ne '${paths}' } | ForEach-Object {
    $word, $about = $_ -split "\`t", 2
    if (-not $about) { $about = $word }
    $text = if ($word -match '[^\\w./:@%+=-]') { "'" + $word.Replace("'", "''") + "'" } else { $word }
    [System.Management.Automation.CompletionResult]::new($text, $word, 'ParameterValue', $about)
  }
}
`;
