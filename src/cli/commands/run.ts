import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config, Group } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { suggest } from '../../config/problems.ts';
import { UsageError } from '../../errors.ts';
import { formatInstant } from '../../plan/because.ts';
import { openStore } from '../../state/store.ts';
import { makeEventLogger } from '../../tick/event-logger.ts';
import { type ManualRunReport, runManually } from '../../tick/manual-run.ts';
import { makeTickId } from '../../tick/session.ts';
import { readDuration } from '../arguments.ts';
import type { Context } from '../context.ts';
import { findGroup } from '../find-group.ts';
import { openDisplay } from '../progress.ts';
import { listenForStop } from '../signals.ts';
import { printLine } from '../streams.ts';

interface RunFlags {
  readonly withDependencies?: boolean;
  readonly ignoreDependencies?: boolean;
  readonly wait?: string;
  readonly json?: boolean;
}

/** Declares `rhythm run`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('run <target>')
    .description('run a group now, or one script of it (group/script), under the same locks and records as a tick')
    .option('--with-dependencies', 'run what it depends on first')
    .option('--ignore-dependencies', 'run it whatever became of what it depends on')
    .option('--wait <duration>', 'wait up to <duration> for a lane that is held')
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
      finish(await run(workspace(), target, flags));
    });
}

/** `rhythm run GROUP[/SCRIPT]`: 0 where it succeeded, 1 where it failed or may not run, 75 where its lane is held. */
async function run(workspace: string, target: string, flags: RunFlags): Promise<number> {
  if (flags.withDependencies && flags.ignoreDependencies) {
    throw new UsageError('--with-dependencies and --ignore-dependencies are mutually exclusive.');
  }
  const wait = flags.wait === undefined ? 0 : readDuration('--wait', flags.wait);
  const stop = listenForStop();
  const { config } = await loadConfig(resolve(workspace), { cache: 'write' });
  const now = Date.now();
  const [name = '', ...rest] = target.split('/');
  const group = findGroup(config, name);
  const only = rest.length === 0 ? null : findScript(group, rest.join('/'));
  const display = flags.json ? null : openDisplay(config.outputs, { isLive: true });
  const logger = makeEventLogger(config, process.env, (event) => display?.tell(event));
  try {
    const onNotice = (text: string) => logger.emit({ kind: 'notice', text });
    const store = await openStore({ outputs: config.outputs, onNotice });
    const dependencies = flags.withDependencies ? 'run' : flags.ignoreDependencies ? 'ignore' : 'check';
    const session = {
      ...{ config, store, tick: makeTickId(now), now, stop: stop.signal, hurry: stop.hurry, logger },
      ...(display === null ? {} : { onLine: display.showLine }),
    };
    const report = await runManually({ group: group.name, dependencies }, only, session, wait, Date.now);
    await logger.flush();
    display?.close();
    if (flags.json) printLine(JSON.stringify(documentReport(report), null, 2));
    else for (const line of describeReport(report, target, only !== null, config)) printLine(line);
    return stop.exitCode() ?? exitCodeOf(report);
  } finally {
    display?.close();
    logger.close();
    stop.ignore();
  }
}

function findScript(group: Group, name: string): string {
  const names = group.scripts.map((script) => script.name);
  if (names.includes(name)) return name;
  const some = names.length === 0 ? '; it has none.' : `; its scripts are ${names.join(', ')}.`;
  throw new UsageError(`${group.name} has no script ${JSON.stringify(name)}${suggest(name, names) || some}`);
}

function exitCodeOf(report: ManualRunReport): number {
  if (report.kind === 'lanes-held') return 75;
  if (report.kind === 'blocked') return 1;
  return report.asked.every(({ group }) => report.runs.get(group)?.outcome === 'succeeded') ? 0 : 1;
}

function describeReport(report: ManualRunReport, target: string, isScript: boolean, config: Config): string[] {
  if (report.kind === 'lanes-held') return [`${target} was not run.`];
  if (report.kind === 'blocked') {
    const why = report.because.join(', and ');
    return [`${target} was not run: ${why}. --with-dependencies runs them first, --ignore-dependencies does without.`];
  }
  if (isScript) return ["A single script by hand: no beat is consumed, and the group's last run stays what it was."];
  return report.asked.map(({ group, beat }) => {
    if (!report.runs.has(group)) return `${group} was not run, for what it depends on did not succeed.`;
    return beat === null
      ? `${group}: no beat was due, so none is consumed.`
      : `${group}: its ${formatInstant(beat, Date.now(), config.timezone)} beat was due and is consumed.`;
  });
}

function documentReport(report: ManualRunReport) {
  if (report.kind !== 'ran') return { schemaVersion: 1, ...report };
  const runs = [...report.runs].map(([group, record]) => ({ group, ...record }));
  return { schemaVersion: 1, kind: report.kind, runs };
}
