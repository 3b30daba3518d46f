import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { UsageError } from '../errors.ts';
import { formatDuration } from '../schedule/duration.ts';

export const triggerNames = ['cron', 'systemd', 'launchd', 'schtasks'] as const;
export type TriggerName = (typeof triggerNames)[number];

/** What a trigger is to do, with all that its entry depends on: the same order always gives the same entry. */
export interface Order {
  /** The workspace's own id: its name in every trigger. */
  readonly id: string;
  /** All paths are absolute. */
  readonly workspace: string;
  readonly outputs: string;
  readonly node: string;
  readonly program: string;
  /** The PATH that scripts get. */
  readonly path: string;
  /** ms */
  readonly every: number;
  /** Whether a line of sh looks first whether anything can be due. */
  readonly guard: boolean;
  /** systemd: for the whole machine rather than for the user. */
  readonly system: boolean;
  /** How long a tick may need to end its scripts when it is told to stop, ms. */
  readonly stopWithin: number;
  readonly account: Account;
}

export interface Account {
  readonly home: string;
  /** Of whoever installs, on Windows with its domain. */
  readonly user: string;
  /** Null on Windows. */
  readonly uid: number | null;
  /** Who owns the workspace; null where it is not known. */
  readonly owner: number | null;
}

/** An entry as it is to be, in words and files; nothing of it has been done. */
export interface Printed {
  /** Where it goes, for people. */
  readonly where: string;
  readonly files: readonly PrintedFile[];
  /** What is called to register it, in order. */
  readonly commands: readonly (readonly string[])[];
}

export interface PrintedFile {
  /** Null for a part of something that has no path of its own: the user's crontab. */
  readonly path: string | null;
  readonly text: string;
  readonly encoding: 'utf-8' | 'utf-16le';
}

/** An entry of ours as it was found. */
export interface FoundEntry {
  readonly where: string;
  /** What it was made from; null where that can't be read any more. */
  readonly order: Order | null;
  readonly id: string;
  /** Whether it is just as it was made. */
  readonly isIntact: boolean;
  /** Why it does not fire, for people; null where nothing speaks against it. */
  readonly idle: string | null;
}

/** What starts a tick every few minutes. */
export interface Trigger {
  readonly name: TriggerName;
  /** The entry for an order. Does nothing. UsageError where the system can't do what is asked. */
  print(order: Order): Printed;
  /**
   * Registers the entry, in place of one that there is for the same workspace. Answers with what people should know.
   * RhythmError where the system refuses; it is then as it was.
   */
  install(order: Order): readonly string[];
  /** Takes the entry of a workspace out; whether there was one. */
  uninstall(id: string): boolean;
  /** All entries of ours, of whichever workspace. Empty where the system has no such trigger. */
  find(): readonly FoundEntry[];
}

/** A workspace's id: the name of its folder, for people, and a hash of its real path, which is what tells it apart. */
export function identifyWorkspace(workspace: string): string {
  const path = realPath(workspace);
  const name = basename(path)
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 24)
    .replace(/-+$/, '')
    .toLowerCase();
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 8);
  return name === '' ? hash : `${name}-${hash}`;
}

/** Without links, also where the folder is there no more. */
export function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return resolve(path);
  }
}

/** How a period fits the clock: every so many minutes of each hour, or every so many hours of each day. */
export type ClockPeriod = { readonly minutes: number } | { readonly hours: number };

/** The period as a part of the hour or the day; null where it divides neither. */
export function fitClock(every: number): ClockPeriod | null {
  const minutes = every / 60_000;
  if (!Number.isInteger(minutes) || minutes < 1) return null;
  if (minutes < 60 && 60 % minutes === 0) return { minutes };
  return minutes % 60 === 0 && 24 % (minutes / 60) === 0 ? { hours: minutes / 60 } : null;
}

/** The same; a UsageError that names the nearest periods there are where it does not fit. */
export function demandClock(every: number, system: string): ClockPeriod {
  const period = fitClock(every);
  if (period !== null) return period;
  const fitting = [...Array(60).keys(), ...Array.from({ length: 24 }, (_, hour) => (hour + 1) * 60)]
    .map((minutes) => minutes * 60_000)
    .filter((length) => fitClock(length) !== null);
  const below = fitting.filter((length) => length < every).at(-1);
  const above = fitting.find((length) => length > every);
  const near = [below, above].flatMap((length) => (length === undefined ? [] : [`--every ${formatDuration(length)}`]));
  throw new UsageError(
    `${system} can't start a tick every ${formatDuration(every)}: its period has to divide the hour or the day; take ${near.join(' or ')}.`,
  );
}
