import type { Outcome } from '../state/state-schema.ts';

/** What happens in a tick, as it happens: for the central log and a display. Instants and durations in ms. */
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
      /** How the script is run, if that needs to be said. */
      readonly note: string | null;
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
