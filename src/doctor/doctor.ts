import type { Config } from '../config/config.ts';
import { RhythmError } from '../errors.ts';
import type { HistoryLine } from '../state/history.ts';
import type { State } from '../state/state-schema.ts';

/** `ok`: as it should be; `warning`: works, but may surprise; `problem`: something does not work, or soon will not. */
export type Level = 'ok' | 'warning' | 'problem';

/** What a check found. */
export interface Finding {
  /** The check that found it. */
  readonly check: string;
  readonly level: Level;
  /** A sentence, without a full stop. */
  readonly text: string;
  /** The command, or the deed, that mends it; null where nothing is to be done. */
  readonly mend: string | null;
}

/** What is looked at. A check that needs what is missing finds nothing: another one says why it is missing. */
export interface Site {
  /** Absolute. */
  readonly workspace: string;
  /** Why there is no configuration; null where there is one. */
  readonly configTrouble: string | null;
  readonly config: Config | null;
  /** What is wrong with the state, in sentences; it may be made good all the same. */
  readonly stateTrouble: readonly string[];
  /** Null where it can't be read. */
  readonly state: State | null;
  /** The newest line of the history. */
  readonly newest: HistoryLine | null;
  /** When the trigger last showed a sign of life, ms; null where it never did. */
  readonly lastSign: number | null;
  /** What is registered to start ticks here; null where that can't be asked. */
  readonly triggers: readonly RegisteredTrigger[] | null;
  /** ms */
  readonly now: number;
  readonly environment: NodeJS.ProcessEnv;
}

/** A registered trigger, as far as a checkup asks. */
export interface RegisteredTrigger {
  readonly trigger: string;
  /** Where its entry is, for people. */
  readonly where: string;
  /** ms; null where the entry does not tell. */
  readonly every: number | null;
  /** The PATH that it gives to scripts; empty where the entry does not tell. */
  readonly path: string;
  /** What is wrong with it: sentences that say the mend. */
  readonly problems: readonly string[];
}

/** A look at one thing. It reads only. */
export interface Check {
  readonly name: string;
  readonly look: (site: Site) => readonly Omit<Finding, 'check'>[];
}

/** Goes through the checks. One that can't be made is a problem itself, and keeps no other from being made. */
export function examine(checks: readonly Check[], site: Site): Finding[] {
  return checks.flatMap(({ name, look }) => {
    try {
      return look(site).map((finding) => ({ check: name, ...finding }));
    } catch (error) {
      if (!(error instanceof RhythmError) && !isSystemError(error)) throw error;
      return [{ check: name, level: 'problem' as const, text: withoutStop((error as Error).message), mend: null }];
    }
  });
}

export function ok(text: string): Omit<Finding, 'check'> {
  return { level: 'ok', text, mend: null };
}

export function warn(text: string, mend: string | null): Omit<Finding, 'check'> {
  return { level: 'warning', text, mend };
}

export function complain(text: string, mend: string | null): Omit<Finding, 'check'> {
  return { level: 'problem', text, mend };
}

/** A sentence as a finding's text. */
export function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, '');
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string';
}
