import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { RhythmError } from '../../errors.ts';
import { seconds } from '../../log/seconds.ts';
import { formatInstant } from '../../plan/because.ts';
import { planTick } from '../../plan/decide.ts';
import { isSame } from '../../script/process.ts';
import { entryOf, instantOf, type Lease, type Outcome } from '../../state/state-schema.ts';
import { readState } from '../../state/store.ts';
import { findRunning, isRunning, type RunningTick } from '../../tick/running-ticks.ts';
import { requestStop, type StopKind, withdrawRequest } from '../../tick/stop-request.ts';
import type { Context } from '../context.ts';
import { print, printLine } from '../streams.ts';

interface StopFlags {
  readonly now?: boolean;
  readonly json?: boolean;
}

/** `rhythm stop --json`. */
export interface StopDocument {
  readonly schemaVersion: 1;
  /** The ticks, and runs by hand, that held a lane; empty where nothing ran. */
  readonly ticks: readonly StoppedTick[];
}

export interface StoppedTick {
  readonly tick: string | null;
  readonly pid: number | null;
  /** Since when it held a lane, ISO 8601. */
  readonly since: string | null;
  readonly asked: StopKind;
  /** False where it could not be asked, or where the command is a script of that very tick and can't wait for it. */
  readonly ended: boolean;
  /** What ran there when it was asked. */
  readonly runs: readonly StoppedRun[];
}

export interface StoppedRun {
  readonly group: string;
  readonly runId: string;
  /** The script that ran when the tick was asked. */
  readonly script: string | null;
  /** Null where it has not ended, and for a single script by hand, which the state does not keep. */
  readonly outcome: Outcome | null;
  /** Whether the next tick resumes it. */
  readonly resumes: boolean;
}

/** Between two looks at a tick that is ending, ms. */
const lookEvery = 100;

/** Declares `rhythm stop`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('stop')
    .description('end the tick that runs, after its current script, and wait until it has ended')
    .option('--now', 'at once: its scripts are ended as at a timeout')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
A run that is cut off is resumed by the next tick. To keep that from happening, pause first.
Ctrl-C ends the waiting only.

Examples:
  rhythm stop                              let the script that runs end, start no other
  rhythm stop --now
  rhythm pause && rhythm stop              for a maintenance; rhythm resume afterwards`,
    )
    .action(async (flags: StopFlags) => {
      finish(await stop(workspace(), flags));
    });
}

/**
 * `rhythm stop`: asks the ticks that run in the workspace to end, and waits until they have. 0 also where nothing runs; 1
 * where one could not be asked.
 */
async function stop(workspace: string, flags: StopFlags): Promise<number> {
  const { config } = await loadConfig(resolve(workspace), { cache: 'read' });
  const say = (line: string) => (flags.json ? undefined : printLine(line));
  const kind: StopKind = flags.now ? 'now' : 'after-script';
  const { notices } = readState(config.outputs);
  for (const notice of notices) print('stderr', `rhythm: ${notice}\n`);

  const running = await findNamed(config);
  if (running.length === 0) say('Nothing runs here, so there is nothing to stop.');
  const clock = performance.now();
  const stopped = running.map((tick) => ({ tick, asked: ask(tick, kind, config.outputs) }));
  for (const { tick, asked } of stopped) {
    say(
      asked ? describeAsked(tick, kind, config) : `${nameOf(tick, config)} could not be asked: its lock names nobody.`,
    );
  }
  const ticks: StoppedTick[] = [];
  for (const { tick, asked } of stopped) {
    const waits = asked && !isOurs(tick);
    if (waits) await awaitEnd(tick, config.outputs);
    if (asked && !waits) say('This command is a script of that tick, and so does not wait for its end.');
    ticks.push(documentTick(tick, kind, waits, config));
  }
  if (flags.json) printLine(JSON.stringify({ schemaVersion: 1, ticks } satisfies StopDocument, null, 2));
  for (const tick of ticks.filter(({ ended }) => ended)) {
    for (const run of tick.runs) say(describeRun(run));
    say(`Ended after ${seconds(performance.now() - clock)}. What had not begun stays due.`);
  }
  return stopped.every(({ asked }) => asked) ? 0 : 1;
}

/** The ticks that run. A lock is taken an instant before its holder writes its name into it. */
async function findNamed(config: Config): Promise<RunningTick[]> {
  for (let looks = 1; ; looks++) {
    const running = findRunning(config.outputs, readState(config.outputs).state);
    if (looks === 5 || running.every(({ tick }) => tick !== null)) return running;
    await sleep(lookEvery);
  }
}

/**
 * Leaves the request, which reaches every tick that lives; a signal makes it come at once, and another wakes a tick that
 * was suspended, as systemd does it. Only a process that is proved to hold the lane gets them.
 */
function ask({ tick, process: holder }: RunningTick, kind: StopKind, outputs: string): boolean {
  if (tick === null || !requestStop(outputs, tick, kind)) return false;
  // On Windows a signal would be the end of the tick alone, while its script went on.
  if (process.platform === 'win32' || holder === null) return true;
  try {
    if (!isSame(holder)) return true;
    if (kind === 'now') process.kill(holder.pid, 'SIGTERM');
    process.kill(holder.pid, 'SIGCONT');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Gone already, or another user's, who hears the request within a second.
    if (code !== 'ESRCH' && code !== 'EPERM') throw new RhythmError(`process ${holder.pid}: ${String(error)}`, 1);
  }
  return true;
}

async function awaitEnd(tick: RunningTick, outputs: string): Promise<void> {
  while (isRunning(outputs, tick)) await sleep(lookEvery);
  // One that was killed meanwhile has left the request.
  if (tick.tick !== null) withdrawRequest(outputs, tick.tick);
}

/** Whether this command was started by a script of the tick. */
function isOurs({ lanes }: RunningTick): boolean {
  const { RHYTHM_RUN_ID } = process.env;
  return RHYTHM_RUN_ID !== undefined && lanes.some(({ lease }) => lease?.runId === RHYTHM_RUN_ID);
}

function documentTick(tick: RunningTick, asked: StopKind, ended: boolean, config: Config): StoppedTick {
  const leases = tick.lanes.flatMap(({ lease }) => lease ?? []);
  return { tick: tick.tick, pid: tick.pid, since: tick.since, asked, ended, runs: documentRuns(leases, ended, config) };
}

function documentRuns(leases: readonly Lease[], ended: boolean, config: Config): StoppedRun[] {
  const { state } = readState(config.outputs);
  const plan = ended ? planTick(config, state, Date.now()).decisions : [];
  return leases.map(({ group, runId, script }) => {
    const last = entryOf(state, group)?.lastRun;
    return {
      group,
      runId,
      script: script ?? null,
      outcome: (ended && last?.id === runId ? last.outcome : null) ?? null,
      resumes: plan.some((decision) => decision.group === group && decision.reason === 'resume-interrupted'),
    };
  });
}

function describeAsked(tick: RunningTick, kind: StopKind, config: Config): string {
  const runs = tick.lanes.flatMap(({ lease }) => (lease?.script == null ? [] : [`${lease.group}/${lease.script}`]));
  const what = runs.length === 0 ? 'runs no script' : `runs ${runs.join(' and ')}`;
  const how =
    kind === 'now'
      ? 'it is ended at once'
      : runs.length === 0
        ? 'it starts none any more'
        : 'it ends after that (--now ends it at once)';
  return `${nameOf(tick, config)} ${what}; ${how}.`;
}

function nameOf({ tick, pid, since }: RunningTick, config: Config): string {
  const at = instantOf(since);
  const start = at === null ? '' : `, since ${formatInstant(at, Date.now(), config.timezone)}`;
  const who = pid === null ? 'an unknown process' : `pid ${pid}`;
  return tick === null ? `A tick (${who}${start})` : `Tick ${tick} (${who}${start})`;
}

function describeRun({ group, outcome, resumes }: StoppedRun): string {
  if (outcome === null) return `${group} has ended.`;
  if (outcome !== 'interrupted') return `${group} ${outcome}.`;
  return resumes ? `${group} is interrupted; the next tick goes on where it was cut off.` : `${group} is interrupted.`;
}
