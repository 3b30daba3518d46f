import { createHash } from 'node:crypto';
import type { Priority } from '../config/config.ts';
import type { ScriptInput } from '../config/resolve/config-schema.ts';
import { neutralise } from '../log/safe-text.ts';
import type { Rhythm } from './rhythm.ts';
import type { TaskTrigger } from './schtasks/task-trigger.ts';
import type { CalendarSpec } from './systemd/calendar-event.ts';

/** What can be imported. */
export const sourceKinds = ['crontab', 'systemd', 'launchd', 'schtasks'] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** A text that was read, and where from; `name` is the file's path, `crontab -l`, or `-` for standard input. */
export interface SourceText {
  readonly name: string;
  readonly text: string;
}

/** What a reader has to know of the machine that the schedules come from. */
export interface Setting {
  /** The time zone of schedules that name none. */
  readonly timezone: string;
  /** ms since the epoch; what lies before it has passed. */
  readonly now: number;
  /** The home folder of those whose schedules these are; null where it is not known. */
  readonly home: string | null;
}

/**
 * A schedule as it was written, for being evaluated without rhythm's own code. A `period` without a start is counted
 * from when the machine started or the job was loaded, which no file tells.
 */
export type Original =
  | { readonly kind: 'cron'; readonly line: string; readonly timezone: string }
  | { readonly kind: 'calendar'; readonly text: string; readonly timezone: string; readonly spec: CalendarSpec }
  | { readonly kind: 'period'; readonly every: number; readonly start: number | null }
  | { readonly kind: 'dates'; readonly dates: readonly DatePattern[]; readonly timezone: string }
  | { readonly kind: 'task'; readonly trigger: TaskTrigger; readonly timezone: string };

/** A dictionary of launchd's StartCalendarInterval: what is missing matches anything. */
export interface DatePattern {
  readonly Minute?: number;
  readonly Hour?: number;
  readonly Day?: number;
  readonly Weekday?: number;
  readonly Month?: number;
}

export type ScriptDraft = Exclude<ScriptInput, string>;

/** Where an entry was written. */
export interface Origin {
  readonly kind: SourceKind;
  readonly file: string;
  /** Counted from 1; null where lines mean nothing. */
  readonly line: number | null;
  /** The name that its system knows it by; empty for a crontab line. */
  readonly name: string;
}

/** One job with one rhythm. */
export interface Entry {
  /** The same for the same job at every import; what a second import recognises it by. */
  readonly id: string;
  /** Changes with whatever the entry says. */
  readonly digest: string;
  readonly origin: Origin;
  readonly description: string | null;
  /** The schedule in the words of its source. */
  readonly written: string;
  readonly rhythm: Rhythm;
  readonly originals: readonly Original[];
  /** How the rhythm differs from what was written, where rhythm has no form for that; null where it does not. */
  readonly approximation: string | null;
  readonly scripts: readonly ScriptDraft[];
  /** A script that fails keeps those after it from running. */
  readonly stopsAtFailure: boolean;
  /** Whether what was missed while the machine was off is made up for. */
  readonly catchesUp: boolean;
  readonly priority: Priority;
  /** What it locked itself against; null where nothing. */
  readonly lane: string | null;
  readonly retryAfter: readonly string[];
  readonly enabled: boolean;
  /** Names (of origins) that must have gone well before. */
  readonly requires: readonly string[];
  /** Names (of origins) that go first where both run. */
  readonly follows: readonly string[];
  /** Names whose relation is likely, with the evidence: proposals only. */
  readonly hints: readonly { readonly name: string; readonly evidence: string }[];
  /** What was lost, changed or left out on the way, for people. */
  readonly notes: readonly string[];
}

/** What became of a line, or of an element, of what was read. */
export interface Account {
  readonly file: string;
  readonly line: number | null;
  /** The line itself, or the path of the element. */
  readonly what: string;
  readonly fate: 'converted' | 'reported' | 'ignored';
  readonly why: string;
}

/** What a reader makes of its texts. */
export interface Reading {
  readonly entries: readonly Entry[];
  /** One for each line, or element, that was read. */
  readonly accounts: readonly Account[];
}

export type EntryDraft = Omit<Entry, 'id' | 'digest'> & { readonly identity: string };

/** Gives each entry its id and its digest; those of the same identity are counted. */
export function identify(drafts: readonly EntryDraft[]): Entry[] {
  const seen = new Map<string, number>();
  return drafts.map(({ identity, ...entry }) => {
    const key = `${entry.origin.kind}\n${identity}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    const says = [entry.written, entry.rhythm, entry.scripts, entry.lane, entry.retryAfter, entry.enabled];
    return { ...entry, id: hash(count === 1 ? key : `${key}\n${count}`), digest: hash(JSON.stringify(says)) };
  });
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

/** What an entry is called when people are told of it. */
export function nameOrigin({ file, line, name }: Origin): string {
  const place = line === null ? file : `${file}:${line}`;
  return neutralise(name === '' ? place : file === '' || file === name ? name : `${name} (${place})`, 300);
}
