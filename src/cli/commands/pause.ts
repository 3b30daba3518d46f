import type { Command } from 'commander';
import { formatInstant } from '../../plan/because.ts';
import { pauseGroups } from '../../tick/pause-groups.ts';
import { readEnd } from '../arguments.ts';
import { changeGroups } from '../change-groups.ts';
import type { Context } from '../context.ts';

interface PauseFlags {
  readonly until?: string;
  readonly reason?: string;
  readonly json?: boolean;
}

/** Declares `rhythm pause`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('pause [groups...]')
    .description('pause groups (default: all); paused groups accumulate no beats')
    .option('--until <when>', 'resume by itself: an instant (ISO 8601) or a duration from now')
    .option('--reason <text>', 'why, for those who wonder')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm pause                             hold everything back
  rhythm pause backup --until 2h --reason 'the disk is being replaced'`,
    )
    .action(async (groups: string[], flags: PauseFlags) => {
      finish(await pause(workspace(), groups, flags));
    });
}

/** `rhythm pause [GROUP…]`: holds groups back, all of them where none is named. */
async function pause(workspace: string, names: readonly string[], flags: PauseFlags): Promise<number> {
  const now = Date.now();
  const until = flags.until === undefined ? null : readEnd('--until', flags.until, now);
  const reason = flags.reason ?? null;
  return changeGroups(workspace, names, flags, (state, groups) => pauseGroups(state, groups, now, { until, reason }), {
    toEvent: ({ group }) => ({
      kind: 'paused',
      group,
      until: until === null ? null : new Date(until).toISOString(),
      reason,
    }),
    describe: ({ group, changed }, config) => {
      const end = until === null ? '' : ` until ${formatInstant(until, now, config.timezone)} (${config.timezone})`;
      return `${group} ${changed ? 'is paused' : 'was paused already, and stays so'}${end}.`;
    },
  });
}
