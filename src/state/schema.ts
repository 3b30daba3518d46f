import type { GroupState, Lease, State } from './sound.ts';

export type { GroupState, Lease, RunRecord, ScriptRecord, SeenSchedule, State } from './sound.ts';

/** The version of the state that this program writes, and the newest that it reads. */
export const stateVersion = 1;

export const outcomes = ['succeeded', 'failed', 'timed-out', 'interrupted'] as const;
/** How a run, or a script of it, ended. */
export type Outcome = (typeof outcomes)[number];

/** A state in which nothing has been seen yet. */
export function emptyState(): State {
  return { schemaVersion: stateVersion, lastTick: null, groups: {}, leases: {} };
}

/**
 * A group's entry; undefined at first sight. Asks for own properties only, for a group may be called `constructor`.
 */
export function entryOf(state: State, group: string): GroupState | undefined {
  const groups = state.groups;
  return groups && Object.hasOwn(groups, group) ? groups[group] : undefined;
}

/** A lane's lease, if a run is in progress there. */
export function leaseOf(state: State, lane: string): Lease | undefined {
  const leases = state.leases;
  return leases && Object.hasOwn(leases, lane) ? leases[lane] : undefined;
}

/** An instant of the state in ms since the epoch; null where it is missing. */
export function instantOf(text: string | null | undefined): number | null {
  return text == null ? null : Date.parse(text);
}

/**
 * An instant as the state and the JSON of the commands write it: ISO 8601, UTC, milliseconds. As `toISOString`, errors
 * included, which takes V8 close to a millisecond when it is called for the first time.
 */
export function isoOf(instant: number): string {
  if (instant !== latest.instant) latest = { instant, text: spell(new Date(instant)) };
  return latest.text;
}

function spell(date: Date): string {
  const year = date.getUTCFullYear();
  if (!(year >= 1000 && year <= 9999)) return date.toISOString();
  const day = `${year}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
  const time = `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
  const ms = date.getUTCMilliseconds();
  return `${day}T${time}.${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
}

function pad(number: number): string {
  return number < 10 ? `0${number}` : `${number}`;
}

/** A tick writes its own instant over and over. */
let latest = { instant: Number.NaN, text: '' };
