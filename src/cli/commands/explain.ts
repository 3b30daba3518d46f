import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config, Group } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { planTick } from '../../plan/decide.ts';
import { explainPast } from '../../report/explain-past.ts';
import { explainFuture, explainPresent, type PresentFacts } from '../../report/explain-present.ts';
import { type Explanation, type Records, renderExplanation } from '../../report/explanation.ts';
import { usualLengths } from '../../report/usual-durations.ts';
import { identify } from '../../script/process.ts';
import { type HistoryLine, readHistory, readNewest, readOnward } from '../../state/history.ts';
import { isHeld } from '../../state/lock.ts';
import { readState } from '../../state/store.ts';
import { lanePath } from '../../tick/lane.ts';
import { settleState } from '../../tick/recover-orphan.ts';
import { readInstant } from '../arguments.ts';
import type { Context } from '../context.ts';
import { findGroup } from '../find-group.ts';
import { describeSkipped } from '../skipped-lines.ts';
import { print, printLine } from '../streams.ts';
import { terminalWidth } from '../terminal.ts';

interface ExplainFlags {
  readonly at?: string;
  readonly json?: boolean;
}

/** So many of a group's lines tell how long it usually takes. */
const fewLines = 60;

/** Declares `rhythm explain`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('explain <group>')
    .description('why a group ran, did not run, or will run: now, or at any instant')
    .option('--at <instant>', 'for this instant (ISO 8601), past or future')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm explain backup                    what it waits for, and until when
  rhythm explain backup --at 2026-11-22T03:00:00Z
                                           did that night's backup run, and if not, why not
  rhythm explain backup --at 2026-12-24T03:00:00Z
                                           what will happen then, if all goes well`,
    )
    .action(async (group: string, flags: ExplainFlags) => {
      finish(await explain(workspace(), group, flags));
    });
}

/** `rhythm explain GROUP`: 0 whatever the answer is. */
async function explain(workspace: string, name: string, flags: ExplainFlags): Promise<number> {
  const now = Date.now();
  const at = flags.at === undefined ? now : readInstant('--at', flags.at);
  const { config } = await loadConfig(resolve(workspace), { cache: 'read' });
  const group = findGroup(config, name);
  const { outputs } = config;
  let skipped = 0;
  const onSkipped = () => skipped++;
  const records: Records = {
    newest: (options) => readNewest(outputs, { ...options, onSkipped }),
    onward: (since, options) => readOnward(outputs, since, { ...options, onSkipped }),
  };
  const facts = readFacts(config, group, now, records);
  const explanation =
    at < now ? explainThen(facts, at, outputs) : at > now ? explainFuture(facts, at) : explainPresent(facts);
  if (flags.json) printLine(JSON.stringify(explanation, null, 2));
  else printLine(renderExplanation(explanation, config, now, terminalWidth()));
  if (skipped > 0) print('stderr', `rhythm: ${describeSkipped(skipped, outputs)}\n`);
  return 0;
}

function readFacts(config: Config, group: Group, now: number, records: Records): PresentFacts {
  const { state, notices } = readState(config.outputs);
  for (const notice of notices) print('stderr', `rhythm: ${notice}\n`);
  const held = (lane: string) => isHeld(lanePath(config.outputs, lane), (holder) => identify(holder.pid) !== null);
  const lanes = [...new Set(config.groups.map(({ lane }) => lane))].filter(held);
  const leases = new Map(Object.entries(state.leases ?? {}).filter(([lane]) => lanes.includes(lane)));
  return {
    config,
    group,
    now,
    state: settleState(state, config, held),
    held: new Map(lanes.map((lane) => [lane, leases.get(lane)?.group ?? null])),
    leases,
    records,
    readUsual: () => usualLengths(newestOf(group.name, records), [group.name]).get(group.name) ?? null,
  };
}

function* newestOf(group: string, records: Records): Generator<HistoryLine> {
  let left = fewLines;
  for (const line of records.newest({ group })) {
    if (left-- <= 0) return;
    yield line;
  }
}

function explainThen(facts: PresentFacts, at: number, outputs: string): Explanation {
  const { config, group, now, state, held, records } = facts;
  const running = new Set([...facts.leases.values()].map(({ runId }) => runId));
  const present = planTick(config, state, now, held);
  const decision = present.decisions.find((other) => other.group === group.name);
  const stillDue =
    decision?.decision === 'run'
      ? 'The next tick runs it.'
      : decision?.decision === 'skip'
        ? 'It is held back still.'
        : '';
  return explainPast({
    config,
    group,
    at,
    now,
    records,
    isRunning: (run) => running.has(run),
    stillDue,
    reachesBackTo: oldestInstant(outputs),
  });
}

/** Where the history was pruned; null where it is whole. */
function oldestInstant(outputs: string): number | null {
  for (const line of readHistory(outputs)) return line.type === 'pruned' ? Date.parse(line.olderThan) : null;
  return null;
}
