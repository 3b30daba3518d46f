import type { Command } from 'commander';
import type { ExplainFlags } from './explain.ts';
import type { HistoryFlags } from './history.ts';
import type { LogFlags } from './log.ts';
import type { Context } from './program.ts';

/** Declares the commands that tell of what was recorded: `explain`, `history`, `log`. */
export function declareRecords(program: Command, { workspace, finish }: Context): void {
  program
    .command('explain <group>')
    .description('why a group ran, did not run, or will run: now, or at any instant')
    .option('--at <instant>', 'for this instant (ISO 8601), past or future')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm explain backup                    what it waits for, and until when
  rhythm explain backup --at 2026-11-22T03:00:00Z
                                           did that night's backup run, and if not, why not
  rhythm explain backup --at 2026-12-24T03:00:00Z
                                           what will happen then, if all goes well`,
    )
    .action(async (group: string, flags: ExplainFlags) => {
      const { explain } = await import('./explain.ts');
      finish(await explain(workspace(), group, flags));
    });

  program
    .command('history [group]')
    .description('past runs, newest first, and what else happened to groups')
    .option('-n, --lines <count>', 'so many at most (default: 20, all with --since)')
    .option('--since <when>', 'from an instant (ISO 8601) or a duration ago on')
    .option('--until <when>', 'up to an instant (ISO 8601) or a duration ago')
    .option('--outcome <outcome>', 'only runs that succeeded, failed, timed-out, were interrupted, or are running')
    .option('--run <id>', 'one run in full: its scripts, and where their output is')
    .option('-v, --details', 'every run with its scripts')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm history                           the last runs of all groups
  rhythm history backup -n 5 --details
  rhythm history --outcome failed --since 7d
  rhythm history --run 20261122T030002-4f9a2c1b`,
    )
    .action(async (group: string | undefined, flags: HistoryFlags) => {
      const { history } = await import('./history.ts');
      finish(await history(workspace(), group, flags));
    });

  program
    .command('log')
    .description('the end of the central log, through its rotations')
    .option('-n, --lines <count>', 'so many lines at most (default: 10, all with --since)')
    .option('-f, --follow', 'go on with what is added, until Ctrl-C')
    .option('--group <group>', 'only lines of this group (rhythm: what it says of itself)')
    .option('--script <script>', 'only lines of scripts of this name')
    .option('--level <level>', 'only lines of this level or a more severe one: error, warn, info')
    .option('--since <when>', 'from an instant (ISO 8601) or a duration ago on')
    .option('--json', 'print JSON; with --follow an object a line')
    .addHelpText(
      'after',
      `
Examples:
  rhythm log -n 50
  rhythm log -f --group backup
  rhythm log --level error --since 1d`,
    )
    .action(async (flags: LogFlags) => {
      const { log } = await import('./log.ts');
      finish(await log(workspace(), flags));
    });
}
