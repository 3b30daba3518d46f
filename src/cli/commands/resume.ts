import type { Command } from 'commander';
import { resumeGroups } from '../../tick/pause-groups.ts';
import { changeGroups } from '../change-groups.ts';
import type { Context } from '../context.ts';

interface ResumeFlags {
  readonly json?: boolean;
}

/** Declares `rhythm resume`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('resume [groups...]')
    .description('resume paused groups (default: all)')
    .option('--json', 'print JSON')
    .action(async (groups: string[], flags: ResumeFlags) => {
      finish(await resume(workspace(), groups, flags));
    });
}

/** `rhythm resume [GROUP…]`: lets groups go again, all that are paused where none is named. */
async function resume(workspace: string, names: readonly string[], flags: ResumeFlags): Promise<number> {
  const now = Date.now();
  return changeGroups(workspace, names, flags, (state, groups) => resumeGroups(state, groups, now), {
    toEvent: ({ group, passedBeats }) => ({ kind: 'resumed', group, passedBeats }),
    describe: ({ group, changed, passedBeats }) => {
      const beats = passedBeats === 1 ? '1 beat' : `${passedBeats} beats`;
      return changed
        ? `${group} goes on; ${beats} passed meanwhile and count as consumed.`
        : `${group} was not paused.`;
    },
  });
}
