import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { joinWords, suggest } from '../../config/problems.ts';
import { UsageError } from '../../errors.ts';
import { formatInstant } from '../../plan/because.ts';
import { renderDot, renderMermaid } from '../../report/graph-diagrams.ts';
import { documentGraph, type GraphState, type Standing, selectAround } from '../../report/graph-document.ts';
import { renderSvg } from '../../report/graph-svg.ts';
import { renderTree } from '../../report/graph-tree.ts';
import { identify } from '../../script/process.ts';
import { isHeld } from '../../state/lock.ts';
import { leaseOf } from '../../state/state-schema.ts';
import { readState } from '../../state/store.ts';
import { lanePath } from '../../tick/lane.ts';
import { settleState } from '../../tick/recover-orphan.ts';
import type { Context } from '../context.ts';
import { findGroup } from '../find-group.ts';
import { print, printLine } from '../streams.ts';
import { type Style, terminalStyle, terminalWidth } from '../terminal.ts';

interface GraphFlags {
  readonly format?: string;
  readonly state?: boolean;
  readonly json?: boolean;
}

const formats = ['text', 'mermaid', 'dot', 'svg'] as const;

/** Declares `rhythm graph`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('graph [groups...]')
    .description('show what depends on what: all groups, or those named with all that they lead to and come from')
    .option('--format <format>', 'text, mermaid, dot or svg (default: text)')
    .option('--state', 'show how each group ended last')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm graph                             a tree, what runs first at the left
  rhythm graph backup --state              what backup waits for and what waits for it, and how they ended last
  rhythm graph --format svg >graph.svg     a picture for a browser, light or dark as that is
  rhythm graph --format mermaid            for a README
  rhythm graph --format dot | dot -Tpdf >graph.pdf`,
    )
    .action(async (groups: string[], flags: GraphFlags) => {
      finish(await graph(workspace(), groups, flags));
    });
}

/** `rhythm graph [GROUP…]`. Reads only; the state is looked at where it is asked for. */
async function graph(workspace: string, names: readonly string[], flags: GraphFlags): Promise<number> {
  const format = formats.find((known) => known === (flags.format ?? 'text'));
  if (format === undefined) {
    const hint = suggest(flags.format, formats) || `: it is one of ${joinWords(formats, 'and')}.`;
    throw new UsageError(`--format ${flags.format} is not known${hint}`);
  }
  if (flags.json && flags.format !== undefined) {
    throw new UsageError('--json and --format are mutually exclusive: leave out one of them.');
  }
  const { config } = await loadConfig(resolve(workspace), { cache: 'read' });
  for (const name of names) findGroup(config, name);
  const now = Date.now();
  const seen = flags.state ? readStandings(config) : null;
  const document = documentGraph({ groups: selectAround(config.groups, names) }, seen);
  if (flags.json) {
    printLine(JSON.stringify(document, null, 2));
    return 0;
  }
  if (format === 'text') {
    const style = terminalStyle();
    const paint = (text: string, standing: Standing): string => style(colourOf[standing], text);
    printLine(renderTree(document.groups, { width: terminalWidth(), now, paint }));
  } else if (format === 'svg') {
    const caption = flags.state ? `as of ${formatInstant(now, null, config.timezone)} (${config.timezone})` : '';
    printLine(renderSvg(document.groups, caption));
  } else {
    printLine(format === 'dot' ? renderDot(document.groups) : renderMermaid(document.groups));
  }
  return 0;
}

const colourOf: Record<Standing, Parameters<Style>[0]> = {
  succeeded: 'green',
  failed: 'red',
  'timed-out': 'red',
  interrupted: 'yellow',
  running: 'blue',
  'never-ran': 'gray',
};

/** What a dry run would see: the outcome that a dead tick left, and runs that are in progress under a living one. */
function readStandings(config: Config): GraphState {
  const { state, notices } = readState(config.outputs);
  for (const notice of notices) print('stderr', `rhythm: ${notice}\n`);
  const held = (lane: string) => isHeld(lanePath(config.outputs, lane), (holder) => identify(holder.pid) !== null);
  const lanes = [...new Set(config.groups.map(({ lane }) => lane))].filter(held);
  const running = new Set(lanes.flatMap((lane) => leaseOf(state, lane)?.group ?? []));
  return { state: settleState(state, config, held), running };
}
