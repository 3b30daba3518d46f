import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { formatSize } from '../../config/resolve/byte-size.ts';
import { countOf } from '../../report/quantities.ts';
import { formatDuration } from '../../schedule/duration.ts';
import { openStore, readState } from '../../state/store.ts';
import { makeEventLogger } from '../../tick/event-logger.ts';
import { cleanUp, findStale, type Stale } from '../../tick/find-stale.ts';
import { makeTickId } from '../../tick/session.ts';
import type { Context } from '../context.ts';
import { listenForStop } from '../signals.ts';
import { print, printLine } from '../streams.ts';

interface CleanupFlags {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `rhythm cleanup --json`: what was removed and settled, with `--dry-run` what would be. */
export interface CleanupDocument extends Stale {
  readonly schemaVersion: 1;
  readonly dryRun: boolean;
  /** Of the files, bytes in all; the history is not counted. */
  readonly size: number;
}

/** Declares `rhythm cleanup`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('cleanup')
    .description('remove what is older or larger than the configuration keeps, and what killed processes left')
    .option('--dry-run', 'say what would be removed and change nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Ticks prune by themselves, once a day; this does it now, to the last line. The run of a tick that died is settled as the
next tick would; a script of it that still runs may continue until its timeout.

Examples:
  rhythm cleanup --dry-run                 what would go, and how much
  rhythm cleanup`,
    )
    .action(async (flags: CleanupFlags) => {
      finish(await cleanup(workspace(), flags));
    });
}

/** `rhythm cleanup`: prunes by age and size and reaps what is stale. 74 where something could not be removed. */
async function cleanup(workspace: string, flags: CleanupFlags): Promise<number> {
  const { config } = await loadConfig(resolve(workspace), { cache: flags.dryRun ? 'read' : 'write' });
  const now = Date.now();
  const { state, notices } = readState(config.outputs);
  const stale = findStale(config, state, now);
  if (flags.dryRun) {
    for (const notice of notices) print('stderr', `rhythm: ${notice}\n`);
    printResult(stale, config, flags);
    return 0;
  }
  if (isNothing(stale)) {
    printResult(stale, config, flags);
    return 0;
  }
  const stop = listenForStop();
  const logger = makeEventLogger(config, process.env, () => undefined);
  try {
    const onNotice = (text: string) => logger.emit({ kind: 'notice', text });
    const store = await openStore({ outputs: config.outputs, onNotice });
    const tick = makeTickId(now);
    const { signal, hurry } = stop;
    const session = { config, store, tick, now, stop: signal, hurry, isAskedToEnd: () => signal.aborted, logger };
    const done = await cleanUp(stale, session);
    await logger.flush();
    printResult(done, config, flags);
    const left = stale.runs.length + stale.files.length - done.runs.length - done.files.length;
    if (left > 0) {
      print(
        'stderr',
        `rhythm: ${countOf(left, 'file')} in ${config.outputs} could not be removed; see whose they are (ls -lR).\n`,
      );
    }
    return stop.exitCode() ?? (left > 0 ? 74 : 0);
  } finally {
    logger.close();
    stop.ignore();
  }
}

function isNothing({ runs, historyLines, files, leases }: Stale): boolean {
  return runs.length + historyLines + files.length + leases.length === 0;
}

function printResult(stale: Stale, config: Config, { dryRun = false, json }: CleanupFlags): void {
  const size = sum(stale.runs) + sum(stale.files);
  if (json) {
    printLine(JSON.stringify({ schemaVersion: 1, dryRun, size, ...stale } satisfies CleanupDocument, null, 2));
    return;
  }
  for (const line of describe(stale, config, dryRun)) printLine(line);
}

function describe(stale: Stale, { keep }: Config, dryRun: boolean): string[] {
  if (isNothing(stale)) return ['There is nothing to clean up.'];
  const removed = dryRun ? 'Would remove' : 'Removed';
  const lines: string[] = [];
  const say = (count: number, [one, many]: readonly [string, string], size: number, why: string) => {
    if (count > 0)
      lines.push(
        `${removed} ${count === 1 ? one : `${count} ${many}`}${size > 0 ? ` (${formatSize(size)})` : ''}: ${why}.`,
      );
  };
  const files = ['the files of one run', "runs' files"] as const;
  const aged = stale.runs.filter(({ why }) => why === 'age');
  const beyond = stale.runs.filter(({ why }) => why === 'size');
  say(aged.length, files, sum(aged), `older than ${formatDuration(keep.runs)} (runs.keep)`);
  say(beyond.length, files, sum(beyond), `the oldest beyond ${formatSize(keep.runsSize)} in all (runs.maxSize)`);
  say(
    stale.historyLines,
    ['one line of the history', 'lines of the history'],
    0,
    `older than ${formatDuration(keep.history)} (history.keep)`,
  );
  const of = (kind: Stale['files'][number]['kind']) => stale.files.filter((file) => file.kind === kind);
  const [temporary, corrupt, requests] = [of('temporary'), of('corrupt-state'), of('stop-request')];
  say(temporary.length, ['one temporary file', 'temporary files'], sum(temporary), 'left by a process that was killed');
  say(
    corrupt.length,
    ['one damaged state', 'damaged states'],
    sum(corrupt),
    `set aside longer ago than ${formatDuration(keep.history)}`,
  );
  say(requests.length, ['one request to stop', 'requests to stop'], 0, 'for a tick that has ended');
  for (const { group, script, found, outcome } of stale.leases) {
    const what = script === null ? group : `${group}/${script}`;
    if (found === 'running')
      lines.push(`Left ${what}: it runs still, though its tick died; the next tick waits for it.`);
    else if (outcome !== null) lines.push(`Settled ${what}, whose tick died: ${outcome}.`);
    else if (dryRun && found === 'late')
      lines.push(`Would end ${what}: its tick died, and it runs beyond its timeout.`);
    else if (dryRun) lines.push(`Would settle ${what}, whose tick died.`);
    else lines.push(`Left ${what}, whose tick died: another tick has taken it over.`);
  }
  return lines;
}

function sum(parts: readonly { readonly size: number }[]): number {
  return parts.reduce((total, { size }) => total + size, 0);
}
