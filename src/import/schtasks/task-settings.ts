import type { Priority } from '../../config/config.ts';
import type { Account } from '../entry.ts';
import { parseXmlDuration, writeLength } from '../text/timespan.ts';
import { childOf, type Element, leavesOf, textOf } from '../text/xml.ts';

/** Accounts for one element of a task. */
export type Take = (path: string, fate: Account['fate'], why: string) => void;

const longestList = 10;

export function readRestart(settings: Element | null): string[] {
  const restart = settings === null ? null : childOf(settings, 'RestartOnFailure');
  const every = restart === null ? null : parseXmlDuration(textOf(restart, 'Interval') ?? '');
  const count = Number(restart === null ? 0 : (textOf(restart, 'Count') ?? 0));
  if (every === null || every <= 0 || !(count >= 1)) return [];
  return Array.from({ length: Math.min(count, longestList) }, () => writeLength(every));
}

/** 0 to 10, 7 unless given; 4 to 8 are classes of ordinary processes. */
export function priorityOf(settings: Element | null): Priority {
  const text = settings === null ? null : textOf(settings, 'Priority');
  const level = text === null || text === '' ? 7 : Number(text);
  return level <= 3 ? 'high' : level >= 9 ? 'low' : 'normal';
}

const plainSettings: Readonly<Record<string, readonly [Account['fate'], string]>> = {
  Enabled: ['converted', 'whether the group is enabled'],
  StartWhenAvailable: ['converted', 'whether missed beats are made up for'],
  ExecutionTimeLimit: ['converted', 'the timeout'],
  Priority: ['converted', 'the place in the order'],
  'RestartOnFailure/Interval': ['converted', 'retryAfter'],
  'RestartOnFailure/Count': ['converted', 'retryAfter'],
  AllowStartOnDemand: ['ignored', 'rhythm run starts any group'],
  AllowHardTerminate: ['ignored', 'at its timeout a script is ended in any case'],
  Hidden: ['ignored', 'rhythm shows no windows'],
  UseUnifiedSchedulingEngine: ['ignored', 'a matter of Task Scheduler itself'],
  DisallowStartOnRemoteAppSession: ['ignored', 'a matter of Task Scheduler itself'],
  Volatile: ['ignored', 'a matter of Task Scheduler itself'],
};

/** Settings that change something only where they are set: what they are then, and what rhythm does. */
const conditions: Readonly<Record<string, string>> = {
  DisallowStartIfOnBatteries: 'rhythm runs on batteries as well',
  StopIfGoingOnBatteries: 'rhythm runs on batteries as well',
  RunOnlyIfNetworkAvailable: 'rhythm does not look for a network; let the script do that',
  RunOnlyIfIdle: 'rhythm does not wait for an idle machine',
  WakeToRun: 'rhythm wakes no machine; set it at the trigger of rhythm',
};

export function readSettings(settings: Element | null, take: Take, notes: string[]): void {
  if (settings === null) return;
  for (const { path, text } of leavesOf(settings, '')) {
    const name = path.replace(/^\//, '');
    const full = `Settings/${name}`;
    const plain = Object.hasOwn(plainSettings, name) ? plainSettings[name] : undefined;
    const condition = Object.hasOwn(conditions, name) ? conditions[name] : undefined;
    if (plain !== undefined) take(full, ...plain);
    else if (condition !== undefined) {
      if (text === 'true') take(full, 'reported', condition);
      else take(full, 'ignored', 'it asks for nothing');
      // On batteries is the default of the old editor, and hardly ever meant.
      if (text === 'true' && !name.includes('Batteries')) notes.push(`${name} is left out: ${condition}`);
    } else if (name === 'MultipleInstancesPolicy') {
      const differs = text === 'Parallel' || text === 'StopExisting';
      take(full, differs ? 'reported' : 'converted', 'a group never runs twice at once');
      if (differs) notes.push(`MultipleInstancesPolicy ${text} is left out: a group never runs twice at once`);
    } else if (name.startsWith('IdleSettings'))
      take(full, 'ignored', 'rhythm does not look whether the machine is idle');
    else if (
      name === 'DeleteExpiredTaskAfter' ||
      name.startsWith('NetworkSettings') ||
      name.startsWith('MaintenanceSettings')
    ) {
      take(full, 'reported', 'rhythm has nothing like it');
    } else take(full, 'reported', 'it is not known');
  }
  const restart = childOf(settings, 'RestartOnFailure');
  const count = Number(restart === null ? 0 : (textOf(restart, 'Count') ?? 0));
  if (count > longestList)
    notes.push(`it was tried again ${count} times after a failure; here it is ${longestList} times`);
}
