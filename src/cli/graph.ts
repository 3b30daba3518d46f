import { resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { joinWords, suggest } from '../config/problems.ts';
import { UsageError } from '../errors.ts';
import { formatInstant } from '../plan/because.ts';
import { documentGraph, type GraphState, type Standing, selectAround } from '../report/graph.ts';
import { leaseOf } from '../state/schema.ts';
import { readState } from '../state/store.ts';
import { findGroup } from './pause.ts';
import { print, printLine } from './streams.ts';
import { type Style, terminalStyle, terminalWidth } from './terminal.ts';

export interface GraphFlags {
  readonly format?: string;
  readonly state?: boolean;
  readonly json?: boolean;
}

const formats = ['text', 'mermaid', 'dot', 'svg'] as const;

/** `rhythm graph [GROUP…]`. Reads only; the state is looked at where it is asked for. */
export async function graph(workspace: string, names: readonly string[], flags: GraphFlags): Promise<number> {
  const format = formats.find((known) => known === (flags.format ?? 'text'));
  if (format === undefined) {
    const hint = suggest(flags.format, formats) || `: it is one of ${joinWords(formats, 'and')}.`;
    throw new UsageError(`--format ${flags.format} is not known${hint}`);
  }
  if (flags.json && flags.format !== undefined) {
    throw new UsageError('--json and --format exclude each other: leave out one of them.');
  }
  const { config } = await loadConfig(resolve(workspace), { cache: 'read' });
  for (const name of names) findGroup(config, name);
  const now = Date.now();
  const seen = flags.state ? await readStandings(config) : null;
  const document = documentGraph({ groups: selectAround(config.groups, names) }, seen);
  if (flags.json) {
    printLine(JSON.stringify(document, null, 2));
    return 0;
  }
  if (format === 'text') {
    const { renderTree } = await import('../report/tree.ts');
    const style = terminalStyle();
    const paint = (text: string, standing: Standing): string => style(colourOf[standing], text);
    printLine(renderTree(document.groups, { width: terminalWidth(), now, paint }));
  } else if (format === 'svg') {
    const { renderSvg } = await import('../report/svg.ts');
    const caption = flags.state ? `as of ${formatInstant(now, null, config.timezone)} (${config.timezone})` : '';
    printLine(renderSvg(document.groups, caption));
  } else {
    const { renderDot, renderMermaid } = await import('../report/diagram.ts');
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
async function readStandings(config: Config): Promise<GraphState> {
  const { isHeld } = await import('../state/lock.ts');
  const { settleState } = await import('../tick/adopt.ts');
  const { lanePath } = await import('../tick/lane.ts');
  const { identify } = await import('../tick/process.ts');
  const { state, notices } = readState(config.outputs);
  for (const notice of notices) print('stderr', `rhythm: ${notice}\n`);
  const held = (lane: string) => isHeld(lanePath(config.outputs, lane), (holder) => identify(holder.pid) !== null);
  const lanes = [...new Set(config.groups.map(({ lane }) => lane))].filter(held);
  const running = new Set(lanes.flatMap((lane) => leaseOf(state, lane)?.group ?? []));
  return { state: settleState(state, config, held), running };
}
