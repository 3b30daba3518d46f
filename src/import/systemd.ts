import { posix } from 'node:path';
import { formOf, parseCalendar } from './calendar.ts';
import {
  type Account,
  type EntryDraft,
  identify,
  type Original,
  type Reading,
  type Rhythm,
  type ScriptDraft,
  type Setting,
  type SourceText,
} from './model.ts';
import { gridOf, joinRhythms, rhythmOf } from './rhythm.ts';
import { quoteWord } from './shell.ts';
import { parseTimespan, writeLength } from './timespan.ts';
import {
  fillSpecifiers,
  instanceOf,
  isYes,
  lastOf,
  listOf,
  readUnits,
  settle,
  splitExec,
  type Unit,
  type Setting as UnitSetting,
} from './unit.ts';
import { priorityOf } from './wrapper.ts';

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

const unsettled = 'rhythm has nothing like it';

interface World {
  readonly units: ReadonlyMap<string, Unit>;
  /** The timer of each service. */
  readonly ruled: ReadonlyMap<string, string>;
  readonly setting: Setting;
  readonly accounts: Account[];
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

function readTimer(timer: Unit, world: World): EntryDraft[] {
  const { units, setting, accounts } = world;
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
  const scripts = readService(service, world, notes);
  if ('problem' in scripts) return refuse(scripts.problem);
  if (times === null) return refuse('none of its lines is a rhythm; leave it to systemd');

  const order = readOrder(service, world, notes);
  const description = lastOf(service, 'Unit', 'Description')?.value ?? lastOf(timer, 'Unit', 'Description')?.value;
  const before = order.included.flatMap((unit) => {
    const more = readService(unit, world, notes);
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

interface Times {
  readonly rhythms: readonly Rhythm[];
  readonly originals: readonly Original[];
  readonly approximation: string | null;
  readonly written: string;
}

function readTimes(timer: Unit, setting: Setting, accounts: Account[], notes: string[]): Times | null {
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

const serviceKeys: Readonly<Record<string, readonly [Account['fate'], string]>> = {
  ExecStart: ['converted', 'a script'],
  ExecStartPre: ['converted', 'a script'],
  ExecStartPost: ['converted', 'a script'],
  Environment: ['converted', 'its variables'],
  WorkingDirectory: ['converted', 'where it runs'],
  TimeoutStartSec: ['converted', 'the timeout'],
  TimeoutSec: ['converted', 'the timeout'],
  RuntimeMaxSec: ['converted', 'the timeout'],
  TimeoutStopSec: ['converted', 'killAfter'],
  Nice: ['converted', 'the place in the order'],
  SuccessExitStatus: ['converted', 'successExitCodes'],
  Restart: ['converted', 'retryAfter'],
  RestartSec: ['converted', 'retryAfter'],
  User: ['converted', 'who runs it'],
  Type: ['ignored', 'a script has ended when its process has'],
  StandardOutput: ['ignored', 'rhythm keeps the output of each run'],
  StandardError: ['ignored', 'rhythm keeps the output of each run'],
  SyslogIdentifier: ['ignored', 'rhythm has a log of its own'],
  KillMode: ['ignored', 'at its timeout a script is ended with all that it started'],
  SendSIGKILL: ['ignored', 'SIGKILL follows SIGTERM in any case'],
  RemainAfterExit: ['ignored', 'a script has ended when its process has'],
};

/** Those that say nothing where they ask for what rhythm does anyway. */
function settleCommon(one: UnitSetting, accounts: Account[]): void {
  if (one.section === 'Install') settle(accounts, one, 'ignored', 'what starts the timer; rhythm has its own trigger');
  else if (one.section === 'Unit') {
    const isText = ['Description', 'Documentation', 'DefaultDependencies', 'SourcePath'].includes(one.key);
    if (isText) settle(accounts, one, one.key === 'Description' ? 'converted' : 'ignored', 'the description');
  } else if (
    /^(Private|Protect|Restrict|NoNew|ReadOnly|ReadWrite|Capability|System|Lock|Memory|CPU|IO|Tasks|Limit)/.test(
      one.key,
    )
  ) {
    settle(
      accounts,
      one,
      'reported',
      'rhythm neither isolates nor limits scripts; start it with systemd-run where that matters',
    );
  }
}

interface Service {
  readonly scripts: readonly ScriptDraft[];
  readonly nice: number | null;
  readonly retryAfter: readonly string[];
}

function readService(
  service: Unit,
  { setting, accounts, units }: World,
  notes: string[],
): Service | { readonly problem: string } {
  for (const one of service.settings) {
    const known = one.section === 'Service' && Object.hasOwn(serviceKeys, one.key) ? serviceKeys[one.key] : undefined;
    if (known !== undefined) settle(accounts, one, ...known);
    else settleCommon(one, accounts);
    if (one.section === 'Service' && one.key === 'EnvironmentFile' && one.value !== '') {
      const path = one.value.replace(/^-/, '');
      settle(accounts, one, 'reported', `rhythm reads no such file: let the script source ${path}`);
    }
    const left = accounts[one.account];
    if (one.section === 'Service' && left?.fate === 'reported')
      notes.push(`${one.key}=${one.value} is left out: ${left.why}`);
  }
  const { name } = service;
  const value = (key: string): string | null => lastOf(service, 'Service', key)?.value ?? null;
  const env = readEnvironment(service, setting.home);
  const folder = value('WorkingDirectory')?.replace(/^-/, '') ?? null;
  const cwd = folder === '~' ? setting.home : folder === null ? null : fillSpecifiers(folder, name, setting.home);
  const limit = ['TimeoutStartSec', 'TimeoutSec', 'RuntimeMaxSec'].map(value).find((text) => text !== null) ?? null;
  const timeout = limit === null ? null : parseTimespan(limit);
  const stop = parseTimespan(value('TimeoutStopSec') ?? '');
  const codes = (value('SuccessExitStatus') ?? '')
    .split(/\s+/)
    .filter((code) => /^\d{1,3}$/.test(code) && Number(code) < 256);
  const user = value('User');
  const more: ScriptDraft = {
    ...(cwd === null || !posix.isAbsolute(cwd) ? {} : { cwd }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    // Zero and infinity switch the limit off.
    ...(timeout === null || !Number.isFinite(timeout) || timeout < 1_000 ? {} : { timeout: writeLength(timeout) }),
    ...(stop === null || !Number.isFinite(stop) || stop < 1_000 ? {} : { killAfter: writeLength(stop) }),
    ...(codes.length === 0 ? {} : { successExitCodes: [...new Set([0, ...codes.map(Number)])] }),
  };
  const scripts: ScriptDraft[] = [];
  for (const key of ['ExecStartPre', 'ExecStart', 'ExecStartPost']) {
    for (const one of listOf(service, 'Service', key)) {
      const script = scriptOf(one.value, name, setting.home, user);
      if (script === null) {
        settle(accounts, one, 'reported', 'its line can’t be read, or has a specifier that only systemd can fill in');
        return { problem: `${name} has an ${key} that can’t be converted: ${one.value}` };
      }
      scripts.push({ ...script, ...more });
    }
  }
  if (user !== null && user !== 'root') notes.push(`ran as ${user}: runuser does that where rhythm runs as root`);
  if (scripts.length === 0) return { problem: `${name} starts no program` };
  const nice = value('Nice');
  const unknown = listOf(service, 'Unit', 'OnFailure')[0];
  if (unknown !== undefined && !units.has(unknown.value))
    notes.push(`OnFailure=${unknown.value} is left out: rhythm starts nothing at a failure`);
  return {
    scripts,
    nice: nice === null || !/^-?\d+$/.test(nice) ? null : Number(nice),
    retryAfter: readRestart(value),
  };
}

/** A oneshot service that is restarted after a failure is what retryAfter is for; systemd gives up after five tries. */
function readRestart(value: (key: string) => string | null): string[] {
  if (!/^on-(failure|abnormal|abort|watchdog)$/.test(value('Restart') ?? 'no')) return [];
  const delay = parseTimespan(value('RestartSec') ?? '100ms');
  if (delay === null || !Number.isFinite(delay)) return [];
  return Array.from({ length: 5 }, () => writeLength(delay));
}

function readEnvironment(service: Unit, home: string | null): Record<string, string> {
  const env = new Map<string, string>();
  for (const { value } of listOf(service, 'Service', 'Environment')) {
    const filled = fillSpecifiers(value, service.name, home) ?? value;
    for (const word of splitExec(filled) ?? []) {
      const [, key, text = ''] = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(word) ?? [];
      if (key !== undefined) env.set(key, text);
    }
  }
  return Object.fromEntries(env);
}

/** An Exec line as a script; null where it can't be told what it runs. */
function scriptOf(line: string, unit: string, home: string | null, user: string | null): ScriptDraft | null {
  const [, prefixes = '', rest = ''] = /^([-@:+!|]*)\s*([\s\S]*)$/.exec(line) ?? [];
  const filled = fillSpecifiers(rest, unit, home);
  const words = filled === null ? null : splitExec(filled);
  if (words === null) return null;
  // With @ the second word is only what the program is told it is called.
  if (prefixes.includes('@')) words.splice(1, 1);
  const [program, ...args] = words;
  if (program === undefined || program === '' || words.some((word) => word.includes('\0'))) return null;
  const optional = prefixes.includes('-') ? { optional: true } : {};
  if (user !== null && user !== 'root') {
    return {
      command: 'runuser',
      args: [
        '-u',
        user,
        '--',
        ...(hasVariables(args, prefixes) ? ['/bin/sh', '-c', toShell(words)] : words.map(undouble)),
      ],
      ...optional,
    };
  }
  if (hasVariables(args, prefixes)) return { shell: toShell(words), ...optional };
  const plain = args.map(prefixes.includes(':') ? (word) => word : undouble);
  if (/^(\/(usr\/)?bin\/)?sh$/.test(program) && plain.length === 2 && plain[0] === '-c' && plain[1]?.trim()) {
    return { shell: plain[1], ...optional };
  }
  const isScript = /\.(sh|py|rb|pl|[cm]?js)$/.test(program) && posix.isAbsolute(program);
  return {
    ...(isScript ? { run: program } : { command: program }),
    ...(plain.length === 0 ? {} : { args: plain }),
    ...optional,
  };
}

/** `$NAME` and `${NAME}` are filled in by systemd, `$$` is a dollar sign. */
function hasVariables(args: readonly string[], prefixes: string): boolean {
  return !prefixes.includes(':') && args.some((word) => /\$(\w|\{)/.test(word.replaceAll('$$', '')));
}

function undouble(word: string): string {
  return word.replaceAll('$$', '$');
}

/** A word that is only `$NAME` is split at blanks, by systemd as by the shell; `${NAME}` is not. */
function toShell(words: readonly string[]): string {
  return words
    .map((word) => {
      if (/^\$\w+$/.test(word)) return word;
      if (!/\$(\w|\{)/.test(word.replaceAll('$$', ''))) return quoteWord(undouble(word));
      const escaped = word
        .replaceAll('$$', '\0')
        .replace(/["\\`]/g, '\\$&')
        .replaceAll('\0', '\\$');
      return `"${escaped}"`;
    })
    .join(' ');
}

interface Order {
  readonly requires: readonly string[];
  readonly follows: readonly string[];
  readonly hints: readonly { readonly name: string; readonly evidence: string }[];
  /** Services without a timer of their own, which have to run before. */
  readonly included: readonly Unit[];
}

/** What a service says of others: what it requires goes first and has to go well; what it only comes after goes first. */
function readOrder(service: Unit, { units, ruled, accounts }: World, notes: string[]): Order {
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
