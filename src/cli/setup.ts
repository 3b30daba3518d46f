import { type Command, Option } from 'commander';
import type { InstallFlags } from './install.ts';
import type { Context } from './program.ts';
import type { UninstallFlags } from './uninstall.ts';

/** Declares `install`, `uninstall`. */
export function declareSetup(program: Command, { workspace, finish }: Context): void {
  const trigger = () =>
    new Option('--trigger <name>', "which one (default: this system's)").choices([
      'cron',
      'systemd',
      'launchd',
      'schtasks',
    ]);

  program
    .command('install')
    .description('register the trigger that starts a tick every few minutes; again: replace it')
    .addOption(trigger())
    .option('--every <duration>', "how often (default: the configuration's tickEvery)")
    .option('--print', 'show what would be registered, for any system, and change nothing')
    .option('--no-guard', 'start Node each time, also where nothing can be due')
    .option('--system', 'with systemd, as root: a timer of the machine rather than of the user')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm install                           the usual trigger here, every five minutes
  rhythm install --trigger cron --every 10m
  rhythm install --print                   what it would be
  rhythm install --print --trigger launchd > rhythm.plist
  rhythm -C /srv/jobs install              for another workspace; each has its own`,
    )
    .action(async (flags: InstallFlags) => {
      const { install } = await import('./install.ts');
      finish(await install(workspace(), flags));
    });

  program
    .command('uninstall')
    .description('take out what install registered for this workspace, and nothing else')
    .addOption(trigger())
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm uninstall
  rhythm -C /srv/old uninstall             of a workspace that is there no more`,
    )
    .action(async (flags: UninstallFlags) => {
      const { uninstall } = await import('./uninstall.ts');
      finish(await uninstall(workspace(), flags));
    });
}
