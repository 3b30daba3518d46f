import { join, relative, resolve } from 'node:path';
import { styleText } from 'node:util';
import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import { UsageError } from '../../errors.ts';
import { renderHistory } from '../../report/history-text.ts';
import {
  collectHistory,
  documentHistory,
  type HistoryItem,
  type HistoryQuery,
  preselect,
} from '../../report/run-history.ts';
import { usualLengths } from '../../report/usual-durations.ts';
import { identify } from '../../script/process.ts';
import { type HistoryLine, readNewest, readOnward } from '../../state/history.ts';
import { isHeld } from '../../state/lock.ts';
import { outcomes } from '../../state/state-schema.ts';
import { readState } from '../../state/store.ts';
import { lanePath } from '../../tick/lane.ts';
import { readCount, readSince } from '../arguments.ts';
import type { Context } from '../context.ts';
import { findGroup } from '../find-group.ts';
import { describeSkipped } from '../skipped-lines.ts';
import { print, printLine } from '../streams.ts';
import { hasColours, terminalWidth } from '../terminal.ts';

interface HistoryFlags {
  readonly lines?: string;
  readonly since?: string;
  readonly until?: string;
  readonly outcome?: string;
  readonly run?: string;
  readonly details?: boolean;
  readonly json?: boolean;
}

/** How many items are shown by default. */
const usualCount = 20;
/** So many successful runs are looked through for how long groups usually take. */
const fewLines = 300;
const isSuccess = (json: string) => json.includes('"type":"run-end"') && json.includes('"outcome":"succeeded"');
const day = 86_400_000;

/** Declares `rhythm history`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('history [group]')
    .description('past runs, newest first, and what else happened to groups')
    .option('-n, --lines <count>', 'show at most <count> (default: 20, all with --since)')
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
      finish(await history(workspace(), group, flags));
    });
}

/** `rhythm history [GROUP]`: 0, also where there is nothing to tell. */
async function history(workspace: string, name: string | undefined, flags: HistoryFlags): Promise<number> {
  const now = Date.now();
  const query = readQuery(name, flags, now);
  const asked = flags.lines === undefined ? null : readCount('-n', flags.lines);
  const count = asked ?? (flags.since === undefined ? usualCount : Number.POSITIVE_INFINITY);
  const { config } = await loadConfig(resolve(workspace), { cache: 'read' });
  const { outputs } = config;
  const { state, notices } = readState(outputs);
  for (const notice of notices) print('stderr', `rhythm: ${notice}\n`);

  let skipped = 0;
  const met: HistoryLine[] = [];
  const isWanted = preselect(query);
  const newest = readNewest(outputs, {
    group: name,
    containing: query.run === undefined ? undefined : JSON.stringify(query.run),
    // A run that began before `until` may have ended after it; one that took longer is looked for by itself.
    until: query.until === undefined ? undefined : query.until + day,
    isWanted,
    onSkipped: () => skipped++,
  });
  const inProgress = Object.entries(state.leases ?? {}).filter(([lane]) =>
    isHeld(lanePath(outputs, lane), (holder) => identify(holder.pid) !== null),
  );
  const running = new Set(inProgress.map(([, { runId }]) => runId));
  const source = {
    newestFirst: remember(newest, met),
    isRunning: (run: string) => running.has(run),
    findEnd: (start: HistoryLine & { type: 'run-start' }) => {
      if (query.until === undefined) return null;
      for (const line of readOnward(outputs, Date.parse(start.at), { group: start.group })) {
        if (line.type === 'run-end' && line.run.id === start.run) return line;
      }
      return null;
    },
  };
  const items: HistoryItem[] = [];
  if (count > 0) {
    for (const item of collectHistory(source, query)) if (items.push(item) >= count) break;
  }
  if (name !== undefined && items.length === 0 && !met.some(({ group }) => group === name)) findGroup(config, name);
  if (query.run !== undefined && items.length === 0) {
    throw new UsageError(
      `the history has no run ${JSON.stringify(query.run)}; rhythm history --details shows their ids.`,
    );
  }

  const groups = new Set(items.map(({ group }) => group));
  // What was met on the way tells how long a group usually takes, unless it was chosen from.
  const isWhole = name !== undefined && isWanted === undefined && query.run === undefined && query.until === undefined;
  const samples = isWhole ? met : first(readNewest(outputs, { group: name, isWanted: isSuccess }), fewLines);
  const usual = usualLengths(samples, groups);
  if (flags.json) printLine(JSON.stringify(documentHistory(items, usual), null, 2));
  else if (items.length === 0) printLine('Nothing of the kind is recorded.');
  else {
    const isPlain = !hasColours();
    const place = (file: string) => {
      const [near, far] = [relative(process.cwd(), join(outputs, file)), join(outputs, file)];
      return near.startsWith('..') ? far : near;
    };
    printLine(
      renderHistory(items, {
        config,
        usual,
        width: terminalWidth(),
        details: flags.details === true || query.run !== undefined,
        place,
        paint: (word, outcome) => (isPlain ? word : styleText(colourOf(outcome), word)),
      }),
    );
  }
  if (skipped > 0) print('stderr', `rhythm: ${describeSkipped(skipped, outputs)}\n`);
  return 0;
}

function readQuery(group: string | undefined, flags: HistoryFlags, now: number): HistoryQuery {
  const { outcome, run } = flags;
  const known = [...outcomes, 'running'];
  if (outcome !== undefined && !known.includes(outcome)) {
    throw new UsageError(
      `--outcome ${outcome} is no outcome: write ${known.slice(0, -1).join(', ')} or ${known.at(-1)}.`,
    );
  }
  return {
    group,
    since: flags.since === undefined ? undefined : readSince('--since', flags.since, now),
    until: flags.until === undefined ? undefined : readSince('--until', flags.until, now),
    outcome,
    run,
  };
}

function colourOf(outcome: string) {
  if (outcome === 'succeeded') return 'green';
  if (outcome === 'failed' || outcome === 'timed-out' || outcome === 'expired') return 'red';
  return outcome === 'paused' || outcome === 'resumed' ? 'blue' : 'yellow';
}

function* remember<T>(items: Iterable<T>, met: T[]): Generator<T> {
  for (const item of items) {
    met.push(item);
    yield item;
  }
}

function* first<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}
