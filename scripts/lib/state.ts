import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nullIfAbsent } from './files.ts';
import { fieldsOf, instantOf, numberOf, textOf } from './loose.ts';
import { Complaint } from './program.ts';

/** What rhythm's state says, as far as these scripts use it. Instants are ms since the epoch. */
export interface State {
  readonly groups: readonly GroupState[];
  /** The ids of the runs that are in progress. */
  readonly running: ReadonlySet<string>;
}

export interface GroupState {
  readonly name: string;
  readonly outcome: string | null;
  readonly finishedAt: number | null;
  readonly durationMs: number | null;
  readonly consecutiveFailures: number;
  readonly isPaused: boolean;
}

/** Reads the state; null where there is none yet. Complaint where it can't be understood. */
export async function readState(outputs: string): Promise<State | null> {
  const file = join(outputs, 'master_scheduler_state.json');
  const text = await readFile(file, 'utf8').catch(nullIfAbsent);
  if (text === null) return null;
  let state: Readonly<Record<string, unknown>>;
  try {
    state = fieldsOf(JSON.parse(text));
  } catch {
    throw new Complaint(`${file} can't be understood; the next tick mends it from its copy and the history.`);
  }
  const leases = Object.values(fieldsOf(state.leases)).map((lease) => textOf(fieldsOf(lease).runId));
  return {
    groups: Object.entries(fieldsOf(state.groups)).map(([name, entry]) => groupOf(name, fieldsOf(entry))),
    running: new Set(leases.filter((id) => id !== null)),
  };
}

function groupOf(name: string, entry: Readonly<Record<string, unknown>>): GroupState {
  const run = fieldsOf(entry.lastRun);
  return {
    name,
    outcome: textOf(run.outcome),
    finishedAt: instantOf(run.finishedAt),
    durationMs: numberOf(run.durationMs),
    consecutiveFailures: numberOf(entry.consecutiveFailures) ?? 0,
    isPaused: textOf(entry.pausedAt) !== null,
  };
}
