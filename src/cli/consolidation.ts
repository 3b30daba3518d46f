import type { Command } from 'commander';
import type { ImportFlags } from './import.ts';
import type { Context } from './program.ts';

/** Declares `import`. */
export function declareConsolidation(program: Command, { workspace, finish }: Context): void {
  program
    .command('import <source> [files...]')
    .description(
      'turn crontabs, systemd timers, launchd agents or Task Scheduler exports into groups of one configuration (source: crontab, systemd, launchd, schtasks)',
    )
    .option('--out <file>', 'write the configuration, or merge into one that is there (default: print it)')
    .option('--system', 'without files: what the whole machine has, not only this user')
    .option('--timezone <zone>', 'the time zone of schedules that name none (default: that of this machine)')
    .option('--infer-dependencies', 'put the proposed dependencies into effect')
    .option('--enable', 'switch the groups on; else each has enabled: false')
    .option('--report', 'print what changes: before and after')
    .option('--verify', 'replay the old schedules against the plan and list every beat that differs')
    .option('--for <duration>', 'with --verify and --report: how much time to look at (default: 30d)')
    .option('--disable-originals', 'switch off what was imported, after a backup')
    .option('--restore [backup]', 'switch on again what --disable-originals switched off (default: the newest backup)')
    .option('--dry-run', 'write nothing; with --disable-originals or --restore: print the commands')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Without files it reads what this user has: crontab -l, systemctl --user, ~/Library/LaunchAgents, schtasks /Query.
A file may be a folder, or - for the standard input.

Examples:
  rhythm import crontab                                 print the configuration for this user's crontab
  rhythm import crontab --report                        what would change
  rhythm import crontab --out tasks.config.ts           write it, or merge into it
  rhythm import crontab /etc/crontab /etc/cron.d --verify --for 30d
  rhythm import systemd ~/.config/systemd/user --out tasks.config.ts
  rhythm import schtasks tasks.xml --timezone Europe/Berlin --infer-dependencies
  rhythm import crontab --out tasks.config.ts --enable --disable-originals --dry-run
  rhythm import crontab --restore                       the way back`,
    )
    .action(async (source: string, files: string[], flags: ImportFlags) => {
      const { importSchedules } = await import('./import.ts');
      finish(await importSchedules(workspace(), source, files, flags));
    });
}
