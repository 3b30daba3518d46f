import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { describePlatform } from '../../config/load/platform.ts';
import { suggest } from '../../config/problems.ts';
import { UsageError } from '../../errors.ts';
import { isAnacrontab, readAnacrontabs } from '../../import/crontab/anacrontab.ts';
import { readCrontabs } from '../../import/crontab/crontab.ts';
import { type Reading, type Setting, type SourceKind, type SourceText, sourceKinds } from '../../import/entry.ts';
import { type Grouping, groupEntries } from '../../import/grouping/group-entries.ts';
import { readAgents } from '../../import/launchd/agents.ts';
import { disableOriginals, findBackup, planSwitch, renderSteps, restoreOriginals } from '../../import/originals.ts';
import { documentImport } from '../../import/output/import-document.ts';
import { compareLoad } from '../../import/output/import-report.ts';
import { mergeConfig } from '../../import/output/merge-config.ts';
import { writeConfig } from '../../import/output/write-config.ts';
import { readTasks } from '../../import/schtasks/tasks.ts';
import { readTimers } from '../../import/systemd/timers.ts';
import { readNamed, readOwn } from '../../import/text/read-sources.ts';
import { planRuns, verifyMember } from '../../import/verify/verify.ts';
import { neutralise } from '../../log/safe-text.ts';
import { countOf } from '../../report/quantities.ts';
import { isTimeZone } from '../../schedule/zone.ts';
import { readDuration } from '../arguments.ts';
import type { Context } from '../context.ts';
import { print, printLine } from '../streams.ts';
import { foretellRefusal, loadText, readThere, refuseDisabled, writeOut } from './import-destination.ts';
import { type OutputFlags, printResult, summarise } from './import-output.ts';

interface ImportFlags extends OutputFlags {
  readonly system?: boolean;
  readonly timezone?: string;
  readonly verify?: boolean;
  readonly for?: string;
  readonly disableOriginals?: boolean;
  readonly restore?: boolean | string;
  readonly json?: boolean;
}

/** Declares `rhythm import`. */
export function declare(program: Command, { workspace, finish }: Context): void {
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
      finish(await importSchedules(workspace(), source, files, flags));
    });
}

/** `rhythm import SOURCE [FILE…]`: the exit code; 1 where `--verify` finds a difference that nothing explains. */
async function importSchedules(
  workspace: string,
  source: string,
  files: readonly string[],
  flags: ImportFlags,
): Promise<number> {
  const kind = readKind(source);
  const folder = resolve(workspace);
  if (flags.restore !== undefined && flags.restore !== false) return restore(folder, kind, flags);
  const span = flags.for === undefined ? null : readDuration('--for', flags.for);
  if (span !== null && !flags.verify && !flags.report) throw new UsageError('--for requires --verify or --report.');
  const out = flags.out === undefined ? null : resolveOut(folder, flags.out);
  if (flags.disableOriginals && out === null) {
    throw new UsageError('--disable-originals needs --out: what replaces the originals has to be there first.');
  }
  if (flags.timezone !== undefined && !isTimeZone(flags.timezone)) {
    throw new UsageError(`--timezone ${flags.timezone} is not a time zone such as UTC or Europe/Berlin.`);
  }

  const there = out === null || !existsSync(out) ? null : await readThere(out);
  const timezone = flags.timezone ?? describePlatform().systemTimezone;
  const { texts, notices } =
    files.length === 0 ? readOwn(kind, flags.system === true) : readNamed(kind, files, process.cwd());
  const setting: Setting = { timezone, now: Date.now(), home: homeFor(kind, files, flags) };
  const reading = readTexts(kind, texts, setting);
  const say = (text: string) => {
    if (!flags.json) print('stderr', `${neutralise(text)}\n`);
  };
  for (const notice of notices) say(`rhythm: ${notice}.`);

  const taken = new Set(there?.names.map((name) => name.toLowerCase()) ?? []);
  const fresh = groupEntries(reading.entries, { applies: flags.inferDependencies === true });
  const grouping =
    there === null
      ? fresh
      : groupEntries(reading.entries, {
          applies: flags.inferDependencies === true,
          isTaken: (name) => taken.has(name.toLowerCase()),
        });
  const sources = nameSources(texts);
  const text = writeConfig(fresh.groups, {
    sources,
    timezone: commonZone(fresh, timezone),
    enables: flags.enable === true,
  });
  const config = await loadText(text);
  const merge =
    out === null || there === null
      ? null
      : mergeConfig(
          there.text,
          grouping.groups,
          { timezone: there.timezone ?? timezone, enables: flags.enable === true },
          out,
        );

  const length = span ?? 30 * 86_400_000;
  const from = Math.floor(setting.now / 60_000) * 60_000;
  const asks = flags.verify === true || flags.report === true || flags.json === true;
  const runs = asks ? planRuns(config, from, from + length) : new Map();
  const load = asks ? compareLoad(fresh.groups, runs, from, from + length) : null;
  const verifications = flags.verify
    ? fresh.groups.flatMap((group) =>
        group.members.map((member) =>
          verifyMember(member, group.name, runs.get(group.name) ?? [], {
            from,
            until: from + length,
            tickEvery: config.tickEvery,
            timezone,
          }),
        ),
      )
    : null;

  const plan = flags.disableOriginals ? planSwitch(kind, reading.entries, texts, flags.system === true) : null;
  let backup: string | null = null;
  const isWritten = out !== null && !flags.dryRun && reading.entries.length > 0;
  if (isWritten && out !== null) {
    if (merge === null || merge.text !== there?.text) await writeOut(out, merge?.text ?? text, there?.text ?? null);
    if (plan !== null) {
      await refuseDisabled(out, grouping, reading);
      backup = disableOriginals(join(folder, 'outputs', 'import-backups'), kind, plan, texts, setting.now);
    }
  }

  if (flags.json) {
    const document = documentImport({
      kind,
      reading,
      grouping: there === null ? fresh : grouping,
      applied: flags.inferDependencies === true,
      load,
      verifications,
      merge,
      out: isWritten ? out : null,
      config: merge?.text ?? text,
      commands: plan === null ? [] : renderSteps(plan.disable),
      backup,
    });
    printLine(JSON.stringify(document, null, 2));
  } else {
    printResult({ flags, reading, grouping: fresh, load, verifications, text, say });
    if (out !== null) say(summarise(out, reading, grouping, merge, flags));
    if (plan !== null && flags.dryRun) {
      for (const line of renderSteps(plan.disable)) printLine(neutralise(line));
      const refusal =
        out === null ? null : await foretellRefusal(out, there === null, flags.enable === true, grouping, reading);
      if (refusal !== null) print('stderr', `rhythm: as things are, this would be refused: ${refusal}\n`);
    }
    if (backup !== null) say(`Switched off ${countOf(reading.entries.length, 'original')}; the backup is ${backup}.`);
  }
  return (verifications ?? []).some(({ differences }) => differences.some(({ why }) => why === 'unexplained')) ? 1 : 0;
}

function readKind(source: string): SourceKind {
  const kind = sourceKinds.find((known) => known === source);
  if (kind !== undefined) return kind;
  throw new UsageError(
    `there is nothing called ${JSON.stringify(source)} to import from${suggest(source, sourceKinds) || `; the sources are ${sourceKinds.join(', ')}.`}`,
  );
}

function resolveOut(folder: string, out: string): string {
  const file = isAbsolute(out) ? out : join(folder, out);
  if (!/\.m?[tj]s$/.test(file))
    throw new UsageError(
      `--out ${out} has to be a file such as tasks.config.ts: the configuration is written as code.`,
    );
  return file;
}

/** The home of those whose table it is; of a file that was named nobody knows whose it is. */
function homeFor(kind: SourceKind, files: readonly string[], flags: ImportFlags): string | null {
  if (files.length > 0 || flags.system) return null;
  return kind === 'crontab' || kind === 'systemd' ? homedir() : null;
}

function readTexts(kind: SourceKind, texts: readonly SourceText[], setting: Setting): Reading {
  switch (kind) {
    case 'crontab': {
      const [daily, plain] = [texts.filter(isAnacrontab), texts.filter((one) => !isAnacrontab(one))];
      const readings = [readCrontabs(plain, setting), readAnacrontabs(daily, { ...setting, home: null })];
      return {
        entries: readings.flatMap(({ entries }) => entries),
        accounts: readings.flatMap(({ accounts }) => accounts),
      };
    }
    case 'systemd':
      return readTimers(texts, setting);
    case 'launchd':
      return readAgents(texts, setting);
    case 'schtasks':
      return readTasks(texts, setting);
  }
}

function nameSources(texts: readonly SourceText[]): string {
  const names = texts.map(({ name }) => (name === '-' ? 'the standard input' : name));
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more files`;
}

/** The zone that most calendars are of, so that few groups have to name one. */
function commonZone({ groups }: Grouping, fallback: string): string {
  const counts = new Map<string, number>();
  for (const { rhythm } of groups) {
    if (rhythm.kind === 'calendar') counts.set(rhythm.timezone, (counts.get(rhythm.timezone) ?? 0) + 1);
  }
  const most = Math.max(0, ...counts.values());
  if ((counts.get(fallback) ?? 0) === most) return fallback;
  return [...counts].find(([, count]) => count === most)?.[0] ?? fallback;
}

function restore(folder: string, kind: SourceKind, flags: ImportFlags): number {
  const named = typeof flags.restore === 'string' ? resolve(flags.restore) : null;
  const backup = findBackup(join(folder, 'outputs', 'import-backups'), kind, named);
  if (flags.dryRun) {
    for (const line of renderSteps(backup.restore)) printLine(neutralise(line));
    return 0;
  }
  restoreOriginals(backup, Date.now());
  if (flags.json) printLine(JSON.stringify({ schemaVersion: 1, restored: backup.place }, null, 2));
  else printLine(`Restored from ${backup.place}.`);
  return 0;
}
