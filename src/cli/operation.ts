import type { Command } from 'commander';
import { suggest } from '../config/problems.ts';
import { UsageError } from '../errors.ts';
import type { PauseFlags } from './pause.ts';
import type { Context } from './program.ts';
import type { RunFlags } from './run.ts';
import type { TickFlags } from './tick.ts';

/** Declares the commands that do something: `tick`, `run`, `pause`, `resume`. */
export function declareOperation(program: Command, { workspace, finish }: Context): void {
  program
    .command('tick', { isDefault: true })
    .description('run what is due, record it, exit (the default)')
    .allowExcessArguments()
    .option('--dry-run', 'print the plan and change nothing')
    .option('--at <instant>', 'with --dry-run: plan for this instant (ISO 8601)')
    .option('--for <duration>', 'with --dry-run: forecast every tick that would do something, for so long')
    .option('--wait <duration>', 'wait for lanes that another tick holds, for so long at most')
    .option('--stamp', 'note until when nothing can be due, for the trigger that rhythm install makes')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm                                   run what is due
  rhythm tick --dry-run                    what would run now, and why
  rhythm tick --dry-run --at 2026-11-23T03:00:00Z
  rhythm tick --dry-run --for 24h          every coming tick of a day
  rhythm tick --wait 30s                   let a tick that is ending end`,
    )
    .action(async (flags: TickFlags, command: Command) => {
      refuseArguments(command.args, program);
      const act = flags.dryRun ? (await import('./preview.ts')).previewTick : (await import('./tick.ts')).performTick;
      finish(await act(workspace(), flags));
    });

  program
    .command('run <target>')
    .description('run a group now, or one script of it (group/script), under the same locks and records as a tick')
    .option('--with-dependencies', 'run what it depends on first')
    .option('--ignore-dependencies', 'run it whatever became of what it depends on')
    .option('--wait <duration>', 'wait for a lane that is held, for so long at most')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm run health_check                  counts as its last run; consumes its beat if one is due
  rhythm run health_check/check_health.ts  one script, which counts for nothing
  rhythm run daily_routine --with-dependencies`,
    )
    .action(async (target: string, flags: RunFlags) => {
      const { run } = await import('./run.ts');
      finish(await run(workspace(), target, flags));
    });

  program
    .command('pause [groups...]')
    .description('hold groups back, all of them where none is named; they collect no beats meanwhile')
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
      const { pause } = await import('./pause.ts');
      finish(await pause(workspace(), groups, flags));
    });

  program
    .command('resume [groups...]')
    .description('let groups go again, all that are paused where none is named')
    .option('--json', 'print JSON')
    .action(async (groups: string[], flags: PauseFlags) => {
      const { resume } = await import('./pause.ts');
      finish(await resume(workspace(), groups, flags));
    });
}

/** What is no command is taken for an argument of the default one. */
function refuseArguments([first]: readonly string[], program: Command): void {
  if (first === undefined) return;
  const meant = suggest(
    first,
    program
      .createHelp()
      .visibleCommands(program)
      .map((command) => command.name()),
  );
  throw new UsageError(`there is no command ${JSON.stringify(first)}${meant || '; see rhythm --help.'}`);
}
