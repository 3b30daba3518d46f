import type { Command } from 'commander';
import type { Context } from './program.ts';
import type { StatusFlags } from './status.ts';

/** Declares `status`. */
export function declareInsight(program: Command, { workspace, finish }: Context): void {
  program
    .command('status')
    .description(
      'each group: last outcome, next beat, why it waits; the last tick, and whether the trigger still comes',
    )
    .option('--check', 'print one line, and exit with 0 (well), 1 (a group failed or is late) or 2 (nothing ticks)')
    .option('--watch', 'draw it anew each second, with what runs and prints, until Ctrl-C')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm status                            how everything is
  rhythm status --watch                    and goes on
  rhythm status --check                    for Nagios, Icinga, Monit and their like
  rhythm status --json | jq '.groups[] | select(.state == "late")'`,
    )
    .action(async (flags: StatusFlags) => {
      if (flags.watch) {
        const { watch } = await import('./watch.ts');
        return finish(await watch(workspace(), flags));
      }
      const { status } = await import('./status.ts');
      finish(await status(workspace(), flags));
    });
}
