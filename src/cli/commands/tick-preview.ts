import { resolve } from 'node:path';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { UsageError } from '../../errors.ts';
import { planTick } from '../../plan/decide.ts';
import { forecast } from '../../plan/forecast.ts';
import { documentForecast, renderForecast } from '../../report/forecast-document.ts';
import { documentPlan, renderPlan } from '../../report/plan-document.ts';
import { usualLengths } from '../../report/usual-durations.ts';
import { identify } from '../../script/process.ts';
import { readNewest } from '../../state/history.ts';
import { isHeld } from '../../state/lock.ts';
import { leaseOf, type State } from '../../state/state-schema.ts';
import { readState } from '../../state/store.ts';
import { lanePath } from '../../tick/lane.ts';
import { settleState } from '../../tick/recover-orphan.ts';
import { readDuration, readInstant } from '../arguments.ts';
import { print } from '../streams.ts';
import { painter, terminalWidth } from '../terminal.ts';

export interface PreviewFlags {
  readonly at?: string;
  readonly for?: string;
  readonly wait?: string;
  readonly json?: boolean;
}

/** `rhythm tick --dry-run`: prints what a tick would do. Reads only: no file is written, no lock taken, nothing is cached. */
export async function previewTick(workspace: string, flags: PreviewFlags): Promise<number> {
  if (flags.wait !== undefined) throw new UsageError('--wait does not go with --dry-run: a preview waits for nothing.');
  const at = flags.at === undefined ? Date.now() : readInstant('--at', flags.at);
  const length = flags.for === undefined ? null : readDuration('--for', flags.for);
  const { config } = await loadConfig(resolve(workspace), { cache: 'read' });
  const { state, notices } = readState(config.outputs);
  for (const notice of notices) print('stderr', `rhythm: ${notice}\n`);
  const held = (lane: string) => isHeld(lanePath(config.outputs, lane), (holder) => identify(holder.pid) !== null);
  const settled = settleState(state, config, held);

  if (length === null) {
    const plan = planTick(config, settled, at, heldLanes(config, state, held));
    if (flags.json) print('stdout', JSON.stringify(documentPlan(plan, config), null, 2));
    else print('stdout', renderPlan(plan, config, painter(), terminalWidth()));
  } else {
    const usual = usualLengths(
      readNewest(config.outputs),
      config.groups.map(({ name }) => name),
    );
    const ticks = forecast(config, settled, at, at + length, usual);
    const span = { from: at, until: at + length };
    const text = flags.json
      ? JSON.stringify(documentForecast(ticks, span.from, span.until, usual), null, 2)
      : renderForecast(ticks, span, usual, config);
    print('stdout', text);
  }
  print('stdout', '\n');
  return 0;
}

function heldLanes(config: Config, state: State, held: (lane: string) => boolean): Map<string, string | null> {
  const lanes = [...new Set(config.groups.map(({ lane }) => lane))].filter(held);
  return new Map(lanes.map((lane) => [lane, leaseOf(state, lane)?.group ?? null]));
}
