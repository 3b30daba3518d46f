import {
  type Account,
  type EntryDraft,
  identify,
  type Original,
  type Reading,
  type Setting,
  type SourceText,
} from '../entry.ts';
import type { Rhythm } from '../rhythm.ts';
import { priorityOf } from '../text/command-wrapper.ts';
import { readService, settleCommon, type UnitReading } from './service.ts';
import { readTimes } from './timer-schedule.ts';
import {
  fillSpecifiers,
  instanceOf,
  isYes,
  lastOf,
  listOf,
  readUnits,
  settle,
  type Unit,
  type Setting as UnitSetting,
  unsettled,
} from './unit-file.ts';

/** Reading timers of systemd and the services that they start: systemd.timer(5), systemd.service(5). */

/** Reads unit files, drop-ins, or what `systemctl cat` prints. Each line is accounted for. */
export function readTimers(texts: readonly SourceText[], setting: Setting): Reading {
  const accounts: Account[] = [];
  const units = addInstances(readUnits(texts, accounts));
  const ruled = new Map<string, string>();
  const timers = [...units.values()].filter(({ name }) => name.endsWith('.timer'));
  for (const timer of timers) ruled.set(serviceOf(timer), timer.name);
  const drafts = timers.flatMap((timer) => readTimer(timer, { units, ruled, setting, accounts }));
  for (const { name, settings } of units.values()) {
    if (!name.endsWith('.service') || ruled.has(name)) continue;
    for (const one of settings) {
      if (accounts[one.account]?.why === unsettled) {
        settle(accounts, one, 'reported', 'no timer among what was read starts this service');
      }
    }
  }
  return { entries: identify(drafts), accounts };
}

/** Instances of templates that something names. */
function addInstances(units: ReadonlyMap<string, Unit>): Map<string, Unit> {
  const all = new Map(units);
  const add = (name: string) => {
    const found = instanceOf(name);
    const template = found === null ? undefined : units.get(found.template);
    if (template === undefined) return;
    const own = units.get(name);
    // Only drop-ins, or an empty link, speak of the instance itself.
    const settings = own === undefined ? template.settings : [...template.settings, ...own.settings];
    if (own === undefined || own.settings.every(({ file }) => /\.d\/[^/]+\.conf$/.test(file))) {
      all.set(name, { ...template, name, settings });
    }
  };
  for (const { name } of units.values()) add(name);
  for (const timer of [...all.values()].filter(({ name }) => name.endsWith('.timer'))) add(serviceOf(timer));
  return all;
}

function serviceOf(timer: Unit): string {
  const named = lastOf(timer, 'Timer', 'Unit')?.value;
  return named === undefined
    ? timer.name.replace(/timer$/, 'service')
    : (fillSpecifiers(named, timer.name, null) ?? named);
}

const timerKeys: Readonly<Record<string, readonly [Account['fate'], string]>> = {
  Unit: ['converted', 'the service'],
  Persistent: ['converted', 'whether missed beats are made up for'],
  AccuracySec: ['ignored', 'a beat starts with the first tick at or after it'],
  RandomizedDelaySec: ['reported', 'beats are not delayed at random'],
  RandomizedOffsetSec: ['reported', 'beats are not delayed at random'],
  FixedRandomDelay: ['reported', 'beats are not delayed at random'],
  WakeSystem: ['reported', 'rhythm wakes no machine'],
  RemainAfterElapse: ['ignored', 'a matter of systemd itself'],
  DeferReactivation: ['ignored', 'a group never runs twice at once'],
  OnClockChange: ['reported', 'a change of the clock is no rhythm'],
  OnTimezoneChange: ['reported', 'a change of the time zone is no rhythm'],
};

function readTimer(timer: Unit, reading: UnitReading): EntryDraft[] {
  const { units, setting, accounts } = reading;
  const notes: string[] = [];
  for (const one of timer.settings) {
    const known = one.section === 'Timer' && Object.hasOwn(timerKeys, one.key) ? timerKeys[one.key] : undefined;
    if (known !== undefined) {
      settle(accounts, one, ...known);
      if (known[0] === 'reported') notes.push(`${one.key}=${one.value} is left out: ${known[1]}`);
    } else settleCommon(one, accounts);
  }
  const name = serviceOf(timer);
  const service = units.get(name);
  const refuse = (why: string): EntryDraft[] => {
    for (const one of timer.settings) {
      const left = accounts[one.account];
      // What was found wrong with a line itself says more.
      const isTold = left?.fate === 'reported' && left.why !== unsettled;
      if (one.section === 'Timer' && left?.fate !== 'ignored' && !isTold) settle(accounts, one, 'reported', why);
    }
    for (const one of service?.settings ?? []) {
      if (accounts[one.account]?.why === unsettled)
        settle(accounts, one, 'reported', `${timer.name} was not converted`);
    }
    return [];
  };
  if (/@\.timer$/.test(timer.name)) {
    const instances = [...units.keys()].filter((other) => instanceOf(other)?.template === timer.name);
    if (instances.length > 0) return [];
    return refuse('it is a template, and none of its instances was given (name one: foo@bar.timer)');
  }
  const times = readTimes(timer, setting, accounts, notes);
  if (service === undefined) return refuse(`it starts ${name}, which was not given: name that file as well`);
  const scripts = readService(service, reading, notes);
  if ('problem' in scripts) return refuse(scripts.problem);
  if (times === null) return refuse('none of its lines is a rhythm; leave it to systemd');

  const order = readOrder(service, reading, notes);
  const description = lastOf(service, 'Unit', 'Description')?.value ?? lastOf(timer, 'Unit', 'Description')?.value;
  const before = order.included.flatMap((unit) => {
    const more = readService(unit, reading, notes);
    if ('problem' in more) notes.push(`it requires ${unit.name}, which was left out: ${more.problem}`);
    return 'problem' in more ? [] : more.scripts;
  });
  const all = [...before, ...scripts.scripts];
  return times.rhythms.map((rhythm, index) => ({
    identity: `${timer.name}${index === 0 ? '' : ` ${index + 1}`}`,
    origin: { kind: 'systemd', file: timer.file, line: null, name: timer.name },
    description: description ?? timer.comment,
    written: times.written,
    rhythm,
    originals: times.originals.filter((original) => times.rhythms.length === 1 || belongs(original, rhythm)),
    approximation: times.approximation,
    scripts: all,
    stopsAtFailure: all.length > 1,
    catchesUp: isYes(lastOf(timer, 'Timer', 'Persistent')?.value ?? 'no'),
    priority: scripts.nice === null ? 'normal' : priorityOf(scripts.nice),
    lane: null,
    retryAfter: scripts.retryAfter,
    enabled: true,
    requires: order.requires,
    follows: order.follows,
    hints: order.hints,
    notes:
      times.rhythms.length === 1 ? notes : [...notes, 'its schedules have no form in common, so it is there twice'],
  }));
}

function belongs(original: Original, rhythm: Rhythm): boolean {
  return rhythm.kind === 'interval' ? original.kind === 'period' : original.kind === 'calendar';
}

interface Order {
  readonly requires: readonly string[];
  readonly follows: readonly string[];
  readonly hints: readonly { readonly name: string; readonly evidence: string }[];
  /** Services without a timer of their own, which have to run before. */
  readonly included: readonly Unit[];
}

/** What a service says of others: what it requires goes first and has to go well; what it only comes after goes first. */
function readOrder(service: Unit, { units, ruled, accounts }: UnitReading, notes: string[]): Order {
  const requires = new Set<string>();
  const follows = new Set<string>();
  const hints: { name: string; evidence: string }[] = [];
  const included: Unit[] = [];
  const each = (unit: Unit, key: string, use: (name: string, one: UnitSetting) => void) => {
    for (const one of listOf(unit, 'Unit', key)) {
      for (const name of one.value.split(/\s+/)) use(fillSpecifiers(name, unit.name, null) ?? name, one);
    }
  };
  for (const key of ['Requires', 'Requisite', 'BindsTo']) {
    each(service, key, (name, one) => {
      const timer = ruled.get(name);
      const unit = units.get(name);
      if (timer !== undefined) requires.add(timer);
      else if (unit !== undefined && name.endsWith('.service') && unit !== service) included.push(unit);
      if (timer !== undefined || unit !== undefined)
        settle(accounts, one, 'converted', 'dependsOn, or a script before its own');
      else {
        settle(accounts, one, 'reported', `${name} was not given, and rhythm starts no units`);
        if (name.endsWith('.service')) notes.push(`${key}=${name} is left out: it was not given`);
      }
    });
  }
  each(service, 'After', (name, one) => {
    const timer = ruled.get(name);
    if (timer !== undefined && !requires.has(timer)) follows.add(timer);
    const isKnown = timer !== undefined || units.has(name);
    const why = name.endsWith('.target') ? 'a matter of the machine’s start' : `${name} was not given`;
    settle(
      accounts,
      one,
      isKnown ? 'converted' : name.endsWith('.target') ? 'ignored' : 'reported',
      isKnown ? 'after' : why,
    );
  });
  for (const key of ['Wants', 'OnSuccess', 'PartOf', 'Upholds']) {
    each(service, key, (name, one) => {
      const timer = ruled.get(name);
      if (timer !== undefined && key === 'Wants')
        hints.push({ name: timer, evidence: `${service.name} says Wants=${name}` });
      const why =
        timer === undefined && name.endsWith('.target')
          ? 'a matter of the machine’s start'
          : 'proposed as a dependency at most';
      settle(accounts, one, name.endsWith('.target') ? 'ignored' : 'reported', why);
    });
  }
  for (const other of units.values()) {
    const timer = ruled.get(other.name);
    if (timer === undefined || other === service) continue;
    each(other, 'Before', (name, one) => {
      if (name !== service.name) return;
      follows.add(timer);
      settle(accounts, one, 'converted', 'after');
    });
    each(other, 'OnSuccess', (name) => {
      if (name === service.name) hints.push({ name: timer, evidence: `${other.name} says OnSuccess=${name}` });
    });
  }
  const own = ruled.get(service.name);
  const drop = (names: Set<string>) => [...names].filter((name) => name !== own);
  return {
    requires: drop(requires),
    follows: drop(follows),
    hints: hints.filter(({ name }) => name !== own),
    included,
  };
}
