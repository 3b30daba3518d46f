import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { suggest } from '../../config/problems.ts';
import { UsageError } from '../../errors.ts';
import { readMonotonic } from '../../monotonic.ts';
import { nextWakeup } from '../../plan/next-wakeup.ts';
import { documentPlan, nothingRuns } from '../../report/plan-document.ts';
import { type Ground, listGround, writeStamp } from '../../state/stamp.ts';
import { openStore, type Store } from '../../state/store.ts';
import { makeEventLogger } from '../../tick/event-logger.ts';
import { runTick, type TickReport } from '../../tick/tick.ts';
import { readDuration } from '../arguments.ts';
import type { Context } from '../context.ts';
import { openDisplay } from '../progress.ts';
import { listenForStop } from '../signals.ts';
import { printLine } from '../streams.ts';
import { type PreviewFlags, previewTick } from './tick-preview.ts';

interface TickFlags extends PreviewFlags {
  readonly dryRun?: boolean;
  readonly stamp?: boolean;
}

/** Declares `rhythm tick`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('tick', { isDefault: true })
    .description('run what is due, record it, exit (the default)')
    .allowExcessArguments()
    .option('--dry-run', 'print the plan and change nothing')
    .option('--at <instant>', 'with --dry-run: plan for this instant (ISO 8601)')
    .option('--for <duration>', 'with --dry-run: forecast every tick that would do something, for so long')
    .option('--wait <duration>', 'wait up to <duration> for lanes that another tick holds')
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
  rhythm tick --wait 30s                   wait for a finishing tick`,
    )
    .action(async (flags: TickFlags, command: Command) => {
      refuseArguments(command.args, program);
      finish(await (flags.dryRun ? previewTick : performTick)(workspace(), flags));
    });
}

/** The default command gets every word that is not the name of a command. */
function refuseArguments([first]: readonly string[], program: Command): void {
  if (first === undefined) return;
  const commands = program.createHelp().visibleCommands(program);
  const names = commands.map((command) => command.name());
  throw new UsageError(
    `there is no command ${JSON.stringify(first)}${suggest(first, names) || '; see rhythm --help.'}`,
  );
}

/** `rhythm tick`: the exit code, 0 also where nothing is due or the lanes are held. */
async function performTick(workspace: string, flags: TickFlags): Promise<number> {
  for (const [name, value] of [
    ['--at', flags.at],
    ['--for', flags.for],
  ] as const) {
    if (value !== undefined)
      throw new UsageError(`${name} goes with --dry-run only: a tick runs for the present instant.`);
  }
  const wait = flags.wait === undefined ? 0 : readDuration('--wait', flags.wait);
  const stop = listenForStop();
  // Both clocks are read before the configuration: the guard must notice an edit made while it was being read.
  const [readAt, clock] = [Date.now(), readMonotonic()];
  const { config, inputs } = await loadConfig(resolve(workspace), { cache: 'write' });
  const display = flags.json ? null : openDisplay(config.outputs, { isLive: false });
  const logger = makeEventLogger(config, process.env, (event) => display?.tell(event));
  try {
    const store = await openStore({
      outputs: config.outputs,
      onNotice: (text) => logger.emit({ kind: 'notice', text }),
    });
    const report = await runTick({
      config,
      store,
      readNow: Date.now,
      wait,
      stop: stop.signal,
      hurry: stop.hurry,
      logger,
    });
    display?.close();
    if (flags.json) printLine(JSON.stringify(documentPlan(report.plan, config, report.runs), null, 2));
    else printLine(summarise(report, config));
    await logger.flush();
    // Last of all: if anything failed before, the guard must not hold back the next tick.
    if (flags.stamp && !stop.signal.aborted)
      leaveStamp({ inputs: listGround(config.file, inputs), readAt, clock }, config, store);
    return stop.exitCode() ?? exitCodeOf(report, flags.wait !== undefined);
  } finally {
    display?.close();
    logger.close();
    stop.ignore();
  }
}

/** Leaves a stamp for the trigger's guard, which starts no Node until there can be something to do. */
function leaveStamp(ground: Ground, config: Config, store: Store): void {
  // Under the state's lock: a later writer of the state removes the stamp.
  store.updateState((state) => {
    const until = nextWakeup(config, state, Date.now());
    if (until !== null) writeStamp(config.outputs, until, ground);
    return state;
  });
}

function exitCodeOf({ outcome, plan, runs }: TickReport, waited: boolean): number {
  // A tick that was asked to stop may have seen a failure before.
  const ended = [...runs.values()].map((run) => run.outcome);
  if (outcome === 'failed' || ended.includes('failed') || ended.includes('timed-out')) return 1;
  return waited && plan.decisions.some(({ reason }) => reason === 'lane-held') ? 75 : 0;
}

function summarise({ plan, runs }: TickReport, config: Config): string {
  if (runs.size === 0) return nothingRuns(plan, config);
  const counts = new Map<string, number>();
  for (const { outcome } of runs.values()) counts.set(outcome ?? 'failed', (counts.get(outcome ?? 'failed') ?? 0) + 1);
  const skipped = plan.decisions.filter(({ decision }) => decision === 'skip').length;
  const parts = [...counts].map(([outcome, count]) => `${count} ${outcome}`);
  if (skipped > 0) parts.push(`${skipped} held back`);
  return `Ran ${runs.size} of ${config.groups.length} groups: ${parts.join(', ')}.`;
}
