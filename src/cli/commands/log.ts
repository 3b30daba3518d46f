import { resolve } from 'node:path';
import { styleText } from 'node:util';
import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import { UsageError } from '../../errors.ts';
import { follow, openFollower, readLogBackward } from '../../log/follow.ts';
import {
  formatLogLine,
  type LogFilter,
  type LogLevel,
  type LogLine,
  logLevels,
  matchesLine,
  parseLogLine,
} from '../../log/log-line.ts';
import { logPath } from '../../tick/event-logger.ts';
import { readCount, readSince } from '../arguments.ts';
import type { Context } from '../context.ts';
import { listenForStop } from '../signals.ts';
import { print, printLine, streamOf } from '../streams.ts';
import { hasColours } from '../terminal.ts';

interface LogFlags {
  readonly lines?: string;
  readonly follow?: boolean;
  readonly group?: string;
  readonly script?: string;
  readonly level?: string;
  readonly since?: string;
  readonly json?: boolean;
}

/** The lines of the central log as others rely on them: `log --json`. With `--follow` each line is an object of its own. */
export interface LogDocument {
  readonly schemaVersion: 1;
  /** The newest file. */
  readonly file: string;
  /** Oldest first. */
  readonly lines: readonly LogLine[];
}

/** How many lines are shown by default, as by `tail`. */
const usualCount = 10;
/** Lines are out of order by no more than this, ms: a clock that was set back further hides what came before it. */
const disorder = 3_600_000;

/** Declares `rhythm log`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('log')
    .description('the end of the central log, through its rotations')
    .option('-n, --lines <count>', 'show at most <count> lines (default: 10, all with --since)')
    .option('-f, --follow', 'go on with what is added, until Ctrl-C')
    .option('--group <group>', 'only lines of this group (rhythm: what it says of itself)')
    .option('--script <script>', 'only lines of scripts of this name')
    .option('--level <level>', 'only lines of this level or a more severe one: error, warn, info')
    .option('--since <when>', 'from an instant (ISO 8601) or a duration ago on')
    .option('--json', 'print JSON; with --follow an object a line')
    .addHelpText(
      'after',
      `
Examples:
  rhythm log -n 50
  rhythm log -f --group backup
  rhythm log --level error --since 1d`,
    )
    .action(async (flags: LogFlags) => {
      finish(await log(workspace(), flags));
    });
}

/** `rhythm log`: the end of the central log; 0, or what a signal asks for where it is followed. */
async function log(workspace: string, flags: LogFlags): Promise<number> {
  const { filter, count } = readFlags(flags, Date.now());
  const { config } = await loadConfig(resolve(workspace), { cache: 'read' });
  const file = logPath(config.outputs);
  if (!flags.follow) {
    const lines = lastLines(readLogBackward(file), filter, count);
    if (flags.json) printLine(JSON.stringify({ schemaVersion: 1, file, lines } satisfies LogDocument, null, 2));
    else printLines(lines);
    return 0;
  }

  const show = flags.json
    ? (lines: readonly LogLine[]) =>
        print('stdout', lines.map((line) => `${JSON.stringify({ schemaVersion: 1, ...line })}\n`).join(''))
    : printLines;
  const stop = listenForStop();
  // A reader that goes away (`rhythm log -f | head`) ends this; the stream reports it.
  const gone = new AbortController();
  const leave = () => gone.abort();
  streamOf('stdout').on('error', leave);
  const follower = openFollower(file, (lines) => show(lastLines(lines, filter, count)));
  try {
    await follow(follower, file, {
      stop: AbortSignal.any([stop.signal, gone.signal]),
      onLines: (lines) => show(lines.map(parseLogLine).filter((line) => matchesLine(line, filter))),
      onGap: () => print('stderr', 'rhythm: the log was rotated faster than it was read; lines may be missing.\n'),
    });
    return stop.exitCode() ?? 0;
  } finally {
    follower.close();
    stop.ignore();
    streamOf('stdout').off('error', leave);
  }
}

function readFlags(flags: LogFlags, now: number): { filter: LogFilter; count: number } {
  const { group, script, level, since } = flags;
  const isLevel = (name: string): name is LogLevel => logLevels.some((known) => known === name);
  if (level !== undefined && !isLevel(level)) {
    throw new UsageError(`--level ${level} is no level of the log: write error, warn or info.`);
  }
  const from = since === undefined ? undefined : readSince('--since', since, now);
  const count = flags.lines === undefined ? null : readCount('-n', flags.lines);
  return {
    filter: { group, script, level, since: from },
    count: count ?? (from === undefined ? usualCount : Number.POSITIVE_INFINITY),
  };
}

/** The newest lines that are asked for, oldest first; reads no further back than it has to. */
function lastLines(newestFirst: Iterable<string>, filter: LogFilter, count: number): LogLine[] {
  const found: LogLine[] = [];
  if (count === 0) return found;
  for (const text of newestFirst) {
    const line = parseLogLine(text);
    const isBefore =
      filter.since !== undefined && line.time !== null && Date.parse(line.time) < filter.since - disorder;
    if (isBefore) break;
    if (matchesLine(line, filter) && found.push(line) === count) break;
  }
  return found.reverse();
}

const colours = { error: 'red', warn: 'yellow' } as const;

function printLines(lines: readonly LogLine[]): void {
  if (lines.length === 0) return;
  const isPlain = !hasColours();
  const paint = (word: string, level: LogLevel) =>
    isPlain || level === 'info' ? word : styleText(colours[level], word);
  printLine(lines.map((line) => formatLogLine(line, paint)).join('\n'));
}
