import { seconds } from '../log/seconds.ts';
import type { Outcome } from '../state/schema.ts';

/** What happens in a tick, as it happens: for the central log, and for whoever watches. Instants and lengths in ms. */
export type TickEvent =
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'lane-held'; readonly lane: string; readonly holder: string }
  | { readonly kind: 'orphan-adopted'; readonly group: string; readonly script: string; readonly pid: number }
  | { readonly kind: 'run-recovered'; readonly group: string; readonly runId: string; readonly outcome: Outcome }
  | { readonly kind: 'clock-reset'; readonly group: string; readonly from: string; readonly to: string }
  | {
      readonly kind: 'paused';
      readonly group: string;
      readonly until: string | null;
      readonly reason: string | null;
    }
  | { readonly kind: 'resumed'; readonly group: string; readonly passedBeats: number }
  | { readonly kind: 'pause-ended'; readonly group: string; readonly passedBeats: number }
  | { readonly kind: 'beat-expired'; readonly group: string; readonly because: string }
  | { readonly kind: 'held-back'; readonly group: string; readonly reason: string; readonly because: string }
  | { readonly kind: 'run-started'; readonly group: string; readonly runId: string; readonly because: string }
  | {
      readonly kind: 'run-ended';
      readonly group: string;
      readonly runId: string;
      readonly outcome: Outcome;
      readonly durationMs: number;
    }
  | {
      readonly kind: 'script-started';
      readonly group: string;
      readonly script: string;
      readonly attempt: number;
      readonly pid: number;
    }
  | {
      readonly kind: 'script-retrying';
      readonly group: string;
      readonly script: string;
      readonly attempt: number;
      readonly inMs: number;
      readonly why: string;
    }
  | { readonly kind: 'script-timed-out'; readonly group: string; readonly script: string; readonly afterMs: number }
  | { readonly kind: 'left-behind'; readonly group: string; readonly script: string; readonly pids: readonly number[] }
  | { readonly kind: 'line'; readonly group: string; readonly script: string; readonly text: string }
  | {
      readonly kind: 'script-ended';
      readonly group: string;
      readonly script: string;
      readonly outcome: Outcome;
      readonly durationMs: number;
      readonly exitCode: number | null;
      readonly signal: string | null;
      readonly message: string | null;
      readonly outputFile: string | null;
      readonly optional: boolean;
      /** The last lines of its output where it failed. */
      readonly tail: readonly string[];
    };

export type Level = 'info' | 'warn' | 'error';

/** An event in words. */
export interface Narration {
  readonly level: Level;
  readonly group?: string;
  readonly script?: string;
  readonly text: string;
  /** Lines of output that belong to it. */
  readonly lines?: readonly string[];
}

/** Says an event in words: one line, and the lines of output that belong to it. */
export function narrate(event: TickEvent): Narration {
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
      return say('info', event, `started${event.attempt > 1 ? `, attempt ${event.attempt}` : ''} (pid ${event.pid})`);
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

function say(level: Level, { group, script }: { group: string; script?: string }, text: string): Narration {
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
