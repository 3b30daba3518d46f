import { resolve } from 'node:path';
import { Argument, type Command } from 'commander';
import type { CleanupFlags } from './cleanup.ts';
import type { Shell } from './completion.ts';
import type { DoctorFlags } from './doctor.ts';
import type { StopFlags } from './end.ts';
import type { InitFlags } from './init.ts';
import type { Context } from './program.ts';
import { print } from './streams.ts';

/** Declares what looks after a workspace: `stop`, `cleanup`, `doctor`, `init`, `completion`. */
export function declareUpkeep(program: Command, { workspace, finish }: Context): void {
  program
    .command('stop')
    .description('end the tick that runs, after its current script, and wait until it has ended')
    .option('--now', 'at once: its scripts are ended as at a timeout')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
A run that is cut off is resumed by the next tick. To keep that from happening, pause first.
Ctrl-C ends the waiting only.

Examples:
  rhythm stop                              let the script that runs end, start no other
  rhythm stop --now
  rhythm pause && rhythm stop              for a maintenance; rhythm resume afterwards`,
    )
    .action(async (flags: StopFlags) => {
      const { stop } = await import('./end.ts');
      finish(await stop(workspace(), flags));
    });

  program
    .command('cleanup')
    .description('remove what is older or larger than the configuration keeps, and what killed processes left')
    .option('--dry-run', 'say what would be removed and change nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Ticks prune by themselves, once a day; this does it now, to the last line. The run of a tick that died is settled as the
next tick would; a script of it that still runs is let live until its timeout.

Examples:
  rhythm cleanup --dry-run                 what would go, and how much
  rhythm cleanup`,
    )
    .action(async (flags: CleanupFlags) => {
      const { cleanup } = await import('./cleanup.ts');
      finish(await cleanup(workspace(), flags));
    });

  program
    .command('doctor')
    .description(
      'check the machine: programs, scripts, permissions, trigger, clock, locks, disk; each finding with its mend',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Changes nothing. Exit code 1 where there is a problem, 0 also with warnings.

Examples:
  rhythm doctor
  sudo -u jobs rhythm -C /srv/jobs doctor  as the user that ticks`,
    )
    .action(async (flags: DoctorFlags) => {
      const { doctor } = await import('./doctor.ts');
      finish(await doctor(workspace(), flags));
    });

  program
    .command('init [dir]')
    .description('make a new workspace, which ticks at once; overwrites nothing and asks nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm init                              in the current folder
  rhythm init /srv/jobs`,
    )
    .action(async (dir: string | undefined, flags: InitFlags) => {
      const { init } = await import('./init.ts');
      finish(init(resolve(workspace(), dir ?? '.'), flags));
    });

  program
    .command('completion')
    .description('print what lets a shell complete commands, options, groups and scripts')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish', 'powershell']))
    .addHelpText(
      'after',
      `
Examples:
  eval "$(rhythm completion bash)"                              in ~/.bashrc
  eval "$(rhythm completion zsh)"                               in ~/.zshrc, after compinit
  rhythm completion fish | source                               in ~/.config/fish/completions/rhythm.fish
  rhythm completion powershell | Out-String | Invoke-Expression in $PROFILE`,
    )
    .action(async (shell: Shell) => {
      const { completionScript } = await import('./completion.ts');
      print('stdout', completionScript(shell));
    });

  program
    .command('__complete [words...]', { hidden: true })
    .option('--new-word')
    .action(async (words: string[], { newWord }: { newWord?: boolean }) => {
      const { printCandidates } = await import('./completion.ts');
      await printCandidates(program, newWord ? [...words, ''] : words, workspace());
    });
}
