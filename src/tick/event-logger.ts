import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Log } from '../log/log.ts';
import { seconds } from '../log/seconds.ts';
import { secretsOf } from '../script/redact.ts';
import type { Outcome } from '../state/state-schema.ts';
import type { TickEvent } from './event.ts';

/** Writes what happens to the central log and passes it on to a watcher. */
export interface EventLogger {
  /** Never throws: an error of the log is thrown by the next `check`, `open` or `flush`. */
  emit(event: TickEvent): void;
  /** Opens the central log, so that events are written as they happen. Throws a StorageError where that can't be. */
  open(): Promise<void>;
  /** Throws the StorageError of an event that could not be written. */
  check(): void;
  /** Writes events that were emitted before the log was open, opening it if need be; then as `check`. */
  flush(): Promise<void>;
  close(): void;
}

export function logPath(outputs: string): string {
  return join(outputs, 'master_scheduler.log');
}

/**
 * Makes a logger that opens the central log only when asked to: a tick without events loads no log.
 *
 * @param watch is called with every event at once
 */
export function makeEventLogger(
  config: Config,
  environment: NodeJS.ProcessEnv,
  watch: (event: TickEvent) => void,
): EventLogger {
  const waiting: TickEvent[] = [];
  let log: Log | undefined;
  let failure: unknown;

  const write = (event: TickEvent, to: Log) => {
    const { level, text, lines = [], ...source } = formatEvent(event);
    const fields = config.log.format === 'json' ? { event } : {};
    try {
      to[level](source, text, fields);
      for (const line of lines) to[level](source, `| ${line}`);
    } catch (error) {
      failure ??= error;
    }
  };
  const check = () => {
    if (failure !== undefined) throw failure;
  };

  const open = async () => {
    if (log === undefined) {
      const { openLog } = await import('../log/log.ts');
      const secrets = config.groups.flatMap(({ scripts }) =>
        scripts.flatMap(({ env }) => secretsOf(config.redact, environment, env)),
      );
      log = openLog({ ...config.log, file: logPath(config.outputs), secrets: [...new Set(secrets)] });
    }
    for (const event of waiting.splice(0)) write(event, log);
    check();
  };

  return {
    emit(event) {
      watch(event);
      if (log === undefined) waiting.push(event);
      else write(event, log);
    },
    open,
    check,
    flush: () => (waiting.length > 0 ? open() : Promise.resolve(check())),
    close: () => log?.close(),
  };
}

export type Level = 'info' | 'warn' | 'error';

/** An event in words. */
export interface FormattedEvent {
  readonly level: Level;
  readonly group?: string;
  readonly script?: string;
  readonly text: string;
  /** Lines of output that belong to it. */
  readonly lines?: readonly string[];
}

/** An event in words: one line, and the lines of output that belong to it. */
export function formatEvent(event: TickEvent): FormattedEvent {
  switch (event.kind) {
    case 'notice':
      return { level: 'warn', text: event.text };
    case 'lane-held':
      return { level: 'info', text: `lane ${event.lane} is held: ${event.holder}` };
    case 'orphan-adopted':
      return say('warn', event, `still runs (pid ${event.pid}), though its tick died: waiting for it`);
    case 'run-recovered':
      return say('warn', event, `run ${event.runId}, whose tick died, is recorded as ${event.outcome}`);
    case 'clock-reset':
      return say('warn', event, `the clock went back: its last beat ${event.from} is reset to ${event.to}`);
    case 'paused': {
      const until = event.until === null ? '' : ` until ${event.until}`;
      return say('info', event, `paused${until}${event.reason === null ? '' : `: ${event.reason}`}`);
    }
    case 'resumed':
      return say('info', event, `resumed; ${countBeats(event.passedBeats)} passed meanwhile and count as consumed`);
    case 'pause-ended':
      return say('info', event, `its pause has run out; ${countBeats(event.passedBeats)} passed meanwhile`);
    case 'beat-expired':
      return say('warn', event, `expired: ${event.because}`);
    case 'held-back':
      return say('info', event, `held back (${event.reason}): ${event.because}`);
    case 'run-started':
      return say('info', event, `started: ${event.because} (run ${event.runId})`);
    case 'run-ended':
      return say(levelOf(event.outcome), event, `${event.outcome} after ${seconds(event.durationMs)}`);
    case 'script-started':
      return say('info', event, describeStart(event));
    case 'script-retrying':
      return say('warn', event, `${event.why}; attempt ${event.attempt} in ${seconds(event.inMs)}`);
    case 'script-timed-out':
      return say('warn', event, `took longer than its timeout of ${seconds(event.afterMs)}: ending its processes`);
    case 'left-behind':
      return say('warn', event, `left processes behind, which go on: ${event.pids.join(', ')}`);
    case 'line':
      return say('info', event, event.text);
    case 'script-ended':
      return { ...say(levelOfScript(event), event, describeEnd(event)), lines: event.tail };
    default:
      return unreachable(event);
  }
}

function describeStart({ attempt, pid, note }: Extract<TickEvent, { kind: 'script-started' }>): string {
  return `started${attempt > 1 ? `, attempt ${attempt}` : ''} (pid ${pid})${note === null ? '' : `; ${note}`}`;
}

function say(level: Level, { group, script }: { group: string; script?: string }, text: string): FormattedEvent {
  return { level, group, ...(script === undefined ? {} : { script }), text };
}

function levelOfScript({ outcome, optional }: { readonly outcome: Outcome; readonly optional: boolean }): Level {
  const level = levelOf(outcome);
  return optional && level === 'error' ? 'warn' : level;
}

function levelOf(outcome: Outcome): Level {
  if (outcome === 'succeeded') return 'info';
  return outcome === 'interrupted' ? 'warn' : 'error';
}

function describeEnd(event: Extract<TickEvent, { kind: 'script-ended' }>): string {
  const after = `after ${seconds(event.durationMs)}`;
  if (event.outcome === 'succeeded') return `succeeded ${after}`;
  const how = event.message ?? (event.signal === null ? `exit code ${event.exitCode}` : `ended by ${event.signal}`);
  const where = event.outputFile === null ? '' : `; its output: ${event.outputFile}`;
  const optional = event.optional ? ' (optional)' : '';
  return `${event.outcome}${optional} ${after}: ${how}${where}`;
}

function countBeats(count: number): string {
  return count === 1 ? '1 beat' : `${count} beats`;
}

function unreachable(value: never): never {
  throw new Error(`unknown event ${JSON.stringify(value)}`);
}
