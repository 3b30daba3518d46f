import { resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { type FoundConfig, loadConfig, loadKept } from '../config/load.ts';
import { UsageError } from '../errors.ts';
import { readMonotonic } from '../monotonic.ts';
import { formatInstant } from '../plan/because.ts';
import { planTick } from '../plan/decide.ts';
import { quietUntil } from '../plan/quiet.ts';
import { documentPlan, findNextBeat, nothingRuns } from '../report/plan.ts';
import { type Ground, listGround, writeStamp } from '../state/stamp.ts';
import { openStore, type Store } from '../state/store.ts';
import { noteRest } from '../tick/rest.ts';
import { makeTeller } from '../tick/teller.ts';
import { runTick, type TickReport } from '../tick/tick.ts';
import { readDuration } from './argument.ts';
import { openDisplay } from './progress.ts';
import { listenForStop } from './stop.ts';
import { printLine } from './streams.ts';

export interface TickFlags {
  readonly dryRun?: boolean;
  readonly at?: string;
  readonly for?: string;
  readonly wait?: string;
  readonly json?: boolean;
  readonly stamp?: boolean;
}

/** What was kept of the tick's configuration, and by both clocks when that was looked for. */
export type TickConfig = FoundConfig & Pick<Ground, 'readAt' | 'clock'>;

/**
 * `rhythm tick`: the exit code, 0 also where nothing is due or the lanes are held.
 *
 * @param found what was kept of its configuration, if that was looked for
 */
export async function performTick(
  workspace: string,
  flags: TickFlags,
  found: TickConfig | null = null,
): Promise<number> {
  for (const [name, value] of [
    ['--at', flags.at],
    ['--for', flags.for],
  ] as const) {
    if (value !== undefined)
      throw new UsageError(`${name} goes with --dry-run only: a tick runs for the present instant.`);
  }
  const wait = flags.wait === undefined ? 0 : readDuration('--wait', flags.wait);
  const stop = listenForStop();
  const { readAt, clock } = found ?? { readAt: Date.now(), clock: readMonotonic() };
  const { config, inputs, keptId } =
    found === null ? await loadConfig(resolve(workspace), { cache: 'write' }) : loadKept(found.kept);
  const display = flags.json ? null : openDisplay(config.outputs, { isLive: false });
  const teller = makeTeller(config, process.env, (event) => display?.tell(event));
  try {
    const store = await openStore({
      outputs: config.outputs,
      onNotice: (text) => teller.emit({ kind: 'notice', text }),
    });
    const report = await runTick({
      config,
      store,
      readNow: Date.now,
      wait,
      stop: stop.signal,
      hurry: stop.hurry,
      teller,
    });
    display?.close();
    if (flags.json) printLine(JSON.stringify(documentPlan(report.plan, config, report.runs), null, 2));
    else printLine(summarise(report, config));
    await teller.flush();
    // Last of all: where anything failed before, the next tick does its work in full.
    if (keptId !== null) noteQuiet(config, keptId, store);
    if (flags.stamp && !stop.signal.aborted)
      leaveStamp({ inputs: listGround(config.file, inputs), readAt, clock }, config, store);
    return stop.exitCode() ?? exitCodeOf(report, flags.wait !== undefined);
  } finally {
    display?.close();
    teller.close();
    stop.ignore();
  }
}

/** No trigger fires again sooner than so long after a tick, ms: cron knows minutes, and others are set to more. */
const shortestRest = 30_000;
/** However far the next beat is: what a tick at rest can't see, such as new time zone data, is seen after so long, ms. */
const longestRest = 3_600_000;

/** Notes for the ticks to come until when there is nothing to do for them, by the state as it is now. */
function noteQuiet(config: Config, keptId: string, store: Store): void {
  const sound = store.readSound();
  const now = Date.now();
  const quiet = sound === null ? null : quietUntil(config, sound.state, now);
  if (sound === null || quiet === null || quiet < now + shortestRest) return;
  const { state, text } = sound;
  const plan = planTick(config, state, now);
  let until = Math.min(quiet, now + longestRest);
  // What an idle tick says of the next beat is worded for one day.
  const dayOf = (instant: number) => formatInstant(instant, null, config.timezone).slice(0, 10);
  while (dayOf(until - 1) !== dayOf(now)) until = now + Math.floor((until - now) / 2);
  noteRest(config, keptId, text, { from: now, until }, findNextBeat(plan, config));
}

/** Tells the guard of the trigger that started this tick until when there is nothing to do. */
function leaveStamp(ground: Ground, config: Config, store: Store): void {
  // Under the lock of the state: whoever changes it afterwards removes the stamp.
  store.updateState((state) => {
    const until = quietUntil(config, state, Date.now());
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
