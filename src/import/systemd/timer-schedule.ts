import type { Account, Original, Setting } from '../entry.ts';
import { gridOf, joinRhythms, type Rhythm, rhythmOf } from '../rhythm.ts';
import { parseTimespan } from '../text/timespan.ts';
import { formOf, parseCalendar } from './calendar-event.ts';
import { fillSpecifiers, listOf, settle, type Unit, unsettled } from './unit-file.ts';

interface Times {
  readonly rhythms: readonly Rhythm[];
  readonly originals: readonly Original[];
  readonly approximation: string | null;
  readonly written: string;
}

export function readTimes(timer: Unit, setting: Setting, accounts: Account[], notes: string[]): Times | null {
  const rhythms: Rhythm[] = [];
  const originals: Original[] = [];
  const written: string[] = [];
  const approximations: string[] = [];
  for (const one of listOf(timer, 'Timer', 'OnCalendar')) {
    const text = fillSpecifiers(one.value, timer.name, null) ?? one.value;
    const spec = parseCalendar(text);
    if (spec === null) {
      settle(accounts, one, 'reported', 'systemd does not understand it');
      continue;
    }
    const form = formOf(spec);
    if ('problem' in form) {
      settle(accounts, one, 'reported', form.problem);
      continue;
    }
    const timezone = spec.timezone ?? setting.timezone;
    if ('seconds' in form) {
      rhythms.push(gridOf(form.seconds * 1_000, form.second * 1_000));
    } else {
      const rhythm = rhythmOf(form.lines, timezone, setting.now);
      if ('problem' in rhythm) {
        settle(accounts, one, 'reported', rhythm.problem);
        continue;
      }
      // Where there is a grid it keeps the seconds; a cron line has none.
      if (rhythm.kind === 'interval' && form.second > 0)
        rhythms.push(gridOf(rhythm.every, rhythm.offset + form.second * 1_000));
      else {
        rhythms.push(rhythm);
        if (form.approximation !== null) approximations.push(form.approximation);
      }
    }
    originals.push({ kind: 'calendar', text, timezone, spec });
    written.push(`OnCalendar=${one.value}`);
    settle(accounts, one, 'converted', 'the schedule');
  }
  for (const key of ['OnUnitActiveSec', 'OnUnitInactiveSec']) {
    for (const one of listOf(timer, 'Timer', key)) {
      const length = parseTimespan(one.value);
      if (length === null || !Number.isFinite(length) || length < 1_000) {
        settle(accounts, one, 'reported', 'it is no length of time that a group can have');
        continue;
      }
      rhythms.push(gridOf(Math.round(length / 1_000) * 1_000, 0));
      originals.push({ kind: 'period', every: length, start: null });
      written.push(`${key}=${one.value}`);
      if (key === 'OnUnitInactiveSec') {
        approximations.push('it is counted from the end of a run in systemd, and between beats here');
      }
      settle(accounts, one, 'converted', 'the schedule');
    }
  }
  // What a drop-in takes back, or says anew.
  for (const one of timer.settings) {
    if (
      one.section === 'Timer' &&
      /^On(Calendar|UnitActiveSec|UnitInactiveSec|BootSec|StartupSec|ActiveSec)$/.test(one.key)
    ) {
      if (accounts[one.account]?.why === unsettled) settle(accounts, one, 'ignored', 'taken back by a later line');
    }
  }
  const hasRhythm = rhythms.length > 0;
  for (const key of ['OnBootSec', 'OnStartupSec', 'OnActiveSec']) {
    for (const one of listOf(timer, 'Timer', key)) {
      settle(
        accounts,
        one,
        'reported',
        hasRhythm
          ? 'a start of the machine is no beat; the first tick after it runs what is due'
          : 'it starts once, after the machine or the timer did, which is no rhythm: leave it to systemd',
      );
      if (hasRhythm)
        notes.push(`${key}=${one.value} is left out: the first tick after a start of the machine runs what is due`);
    }
  }
  if (!hasRhythm) return null;
  return {
    rhythms: joinRhythms(rhythms, setting.now),
    originals,
    approximation: approximations[0] ?? null,
    written: written.join('; '),
  };
}
