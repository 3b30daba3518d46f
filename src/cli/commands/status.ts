import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { RhythmError } from '../../errors.ts';
import { neutralise } from '../../log/safe-text.ts';
import type { StatusDocument } from '../../report/status-document.ts';
import { renderStatus } from '../../report/status-text.ts';
import { isoOf } from '../../state/state-schema.ts';
import type { Context } from '../context.ts';
import { print, printLine } from '../streams.ts';
import { painter, terminalWidth } from '../terminal.ts';
import { neutraliseAll, openRecentHistory, surveyStatus } from './status-survey.ts';
import { watchStatus } from './status-watch.ts';

interface StatusFlags {
  readonly check?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** `rhythm status --check --json`: the verdict alone. `at` is when it was given. */
export interface CheckDocument {
  readonly schemaVersion: 1;
  readonly at: string;
  readonly exitCode: 0 | 1 | 2;
  readonly text: string;
  readonly failed: readonly string[];
  readonly late: readonly string[];
}

/** Declares `rhythm status`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('status')
    .description(
      'each group: last outcome, next beat, why it waits; the last tick, and whether the trigger still comes',
    )
    .option('--check', 'print one line, and exit with 0 (well), 1 (a group failed or is late) or 2 (nothing ticks)')
    .option('--watch', 'refresh every second, with running scripts and their output, until Ctrl-C')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm status                            how everything is
  rhythm status --watch                    the same, refreshed every second
  rhythm status --check                    for Nagios, Icinga, Monit and their like
  rhythm status --json | jq '.groups[] | select(.state == "late")'`,
    )
    .action(async (flags: StatusFlags) => {
      finish(await (flags.watch ? watchStatus : status)(workspace(), flags));
    });
}

/** `rhythm status`. Reads only: no file is written, no lock taken, nothing is cached. */
async function status(workspace: string, flags: StatusFlags): Promise<number> {
  if (flags.check) return check(workspace, flags);
  const { found, config } = await survey(workspace);
  const board = { timezone: config.timezone, width: terminalWidth(), paint: painter() };
  const text = flags.json ? JSON.stringify(found, null, 2) : renderStatus(neutraliseAll(found), board);
  for (const notice of found.notices) print('stderr', `rhythm: ${notice}\n`);
  printLine(text);
  return 0;
}

async function survey(workspace: string): Promise<{ readonly found: StatusDocument; readonly config: Config }> {
  const { config } = await loadConfig(resolve(workspace), { cache: 'read' });
  const now = Date.now();
  return { found: surveyStatus(config, openRecentHistory(config.outputs, now), now), config };
}

/** One line for those who watch many machines; whatever keeps a tick from its work is 2 as well. */
async function check(workspace: string, { json }: StatusFlags): Promise<number> {
  const verdict = await judge(workspace);
  printLine(json ? JSON.stringify(verdict, null, 2) : neutralise(verdict.text));
  return verdict.exitCode;
}

async function judge(workspace: string): Promise<CheckDocument> {
  try {
    const { found } = await survey(workspace);
    return { schemaVersion: 1, at: found.at, ...found.check };
  } catch (error) {
    if (!(error instanceof RhythmError)) throw error;
    const text = `unknown: ${error.message.replace(/\s*\n\s*/g, ' ')}`;
    return { schemaVersion: 1, at: isoOf(Date.now()), exitCode: 2, text, failed: [], late: [] };
  }
}
