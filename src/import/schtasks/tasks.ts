import { win32 } from 'node:path';
import {
  type Account,
  type EntryDraft,
  identify,
  type Original,
  type Reading,
  type Setting,
  type SourceText,
} from '../entry.ts';
import { joinRhythms, type Rhythm } from '../rhythm.ts';
import { parseXmlDuration, writeLength } from '../text/timespan.ts';
import { childOf, type Element, leavesOf, readXml, textOf } from '../text/xml.ts';
import { scriptOfAction } from './command-line.ts';
import { priorityOf, readRestart, readSettings, type Take } from './task-settings.ts';
import { formOfTrigger, instantOf, readBoundary, readTrigger, type TaskTrigger } from './task-trigger.ts';

/** Reading exports of Windows Task Scheduler, of one task or of many, well formed as a whole or not. */

interface Block {
  readonly name: string;
  readonly text: string;
}

/** Reads exports. Each element of a task is accounted for. */
export function readTasks(texts: readonly SourceText[], setting: Setting): Reading {
  const accounts: Account[] = [];
  const drafts = texts.flatMap(({ name, text }) =>
    findBlocks(name, text, accounts).flatMap((block) => readTask(block, name, setting, accounts)),
  );
  // Several exports may hold one task.
  const seen = new Set<string>();
  const distinct = drafts.filter(({ identity, written, scripts, origin }) => {
    const key = JSON.stringify([identity, written, scripts]);
    if (!seen.has(key)) return seen.add(key);
    accounts.push({ file: origin.file, line: null, what: origin.name, fate: 'ignored', why: 'it was read already' });
    return false;
  });
  return { entries: identify(distinct), accounts };
}

/**
 * Cuts a text into its tasks, so that one that is broken spoils no other; `schtasks /Query /XML` without ONE repeats the
 * declaration before each, which no reader of XML takes.
 */
function findBlocks(file: string, text: string, accounts: Account[]): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  let between = '';
  const open = /<(?:\w+:)?Task(?=[\s>/])/g;
  for (;;) {
    open.lastIndex = at;
    const start = open.exec(text)?.index;
    if (start === undefined) break;
    const before = text.slice(at, start);
    between += before;
    const [, named] = /<!--\s*(\\[^\n]*?)\s*-->(?:\s|<\?[^>]*\?>)*$/.exec(before) ?? [];
    const close = /<\/(?:\w+:)?Task\s*>/g;
    close.lastIndex = start;
    const end = close.exec(text);
    at = end === null ? text.length : end.index + end[0].length;
    blocks.push({ name: named ?? '', text: text.slice(start, at) });
  }
  between += text.slice(at);
  const rest = between.replace(/<\?[^>]*\?>|<!--(?:(?!-->)[\s\S])*-->|<\/?Tasks\s*[^>]*>/g, '').trim();
  for (const line of rest.split('\n').map((part) => part.trim())) {
    if (line !== '') accounts.push({ file, line: null, what: line, fate: 'reported', why: 'it is no part of a task' });
  }
  if (blocks.length === 0 && rest === '') {
    accounts.push({ file, line: null, what: '(the file)', fate: 'reported', why: 'it holds no task' });
  }
  return blocks;
}

function readTask(block: Block, file: string, setting: Setting, accounts: Account[]): EntryDraft[] {
  const root = readXml(block.text);
  const fallback = block.name || win32.basename(file).replace(/\.xml$/i, '');
  if ('problem' in root) {
    accounts.push({ file, line: null, what: fallback, fate: 'reported', why: `its XML is broken: ${root.problem}` });
    return [];
  }
  const name =
    (childOf(root, 'RegistrationInfo') && textOf(childOf(root, 'RegistrationInfo') as Element, 'URI')) || fallback;
  const take = (path: string, fate: Account['fate'], why: string) =>
    accounts.push({ file, line: null, what: `${name}/${path}`, fate, why });
  if (name.startsWith('\\Microsoft\\')) {
    for (const { path } of leavesOf(root)) take(path, 'ignored', 'a task of Windows itself');
    return [];
  }

  const notes: string[] = [];
  const settings = childOf(root, 'Settings');
  const actions = readActions(root, take, notes);
  const triggers = readTriggers(root, setting, take, notes, actions.length > 0);
  const retryAfter = readRestart(settings);
  readSettings(settings, take, notes);
  readRest(root, take, notes);
  if (actions.length === 0 || triggers.length === 0) {
    const why = actions.length === 0 ? 'it runs no program' : 'none of its triggers is a rhythm';
    const advice = actions.length === 0 ? '; leave it where it is' : '; leave it where it is, or run it by hand';
    take('', 'reported', `${why}${advice}`);
    return [];
  }

  const timeout = limitOf(triggers, settings);
  const scripts = actions.map((script) => (timeout === null ? script : { ...script, timeout }));
  const enabled = (settings === null ? null : textOf(settings, 'Enabled')) !== 'false';
  if (!enabled) notes.push('it is switched off in Task Scheduler, and so it is here');
  const info = childOf(root, 'RegistrationInfo');
  const description = (info === null ? null : textOf(info, 'Description')) || null;
  const rhythms = joinRhythms(
    triggers.map(({ rhythm }) => rhythm),
    setting.now,
  );
  return rhythms.map((rhythm, index): EntryDraft => {
    const isWhole = rhythms.length === 1;
    const own = isWhole ? triggers : triggers.filter((trigger) => sameKind(trigger.rhythm, rhythm));
    return {
      identity: `${name}${index === 0 ? '' : ` ${index + 1}`}`,
      origin: { kind: 'schtasks', file, line: null, name },
      description: description?.replace(/\s+/g, ' ') ?? null,
      written: own.map(({ written }) => written).join('; '),
      rhythm,
      originals: own.map(({ original }) => original),
      approximation: own.map(({ approximation }) => approximation).find((text) => text !== null) ?? null,
      scripts,
      stopsAtFailure: false,
      catchesUp: (settings === null ? null : textOf(settings, 'StartWhenAvailable')) === 'true',
      priority: priorityOf(settings),
      lane: null,
      retryAfter,
      enabled,
      requires: [],
      follows: [],
      hints: [],
      notes: isWhole
        ? notes
        : [...notes, `its triggers have no schedule in common, so they became ${rhythms.length} groups`],
    };
  });
}

function sameKind(one: Rhythm, other: Rhythm): boolean {
  if (one.kind === 'interval' && other.kind === 'interval') {
    return one.every === other.every && one.offset === other.offset;
  }
  return one.kind === 'calendar' && other.kind === 'calendar' && one.timezone === other.timezone;
}

function readActions(root: Element, take: Take, notes: string[]): EntryDraft['scripts'][number][] {
  return (childOf(root, 'Actions')?.children ?? []).flatMap((action, index) => {
    const path = `Actions/${action.name}[${index + 1}]`;
    const all = (fate: Account['fate'], why: string) => {
      for (const leaf of leavesOf(action, path)) take(leaf.path, fate, why);
    };
    if (action.name !== 'Exec') {
      const what =
        action.name === 'ComHandler' ? 'a COM handler runs inside Windows' : `${action.name} starts no program`;
      all('reported', `${what}; it can’t be run from outside`);
      return [];
    }
    const command = textOf(action, 'Command') ?? '';
    if (command.trim() === '') {
      all('reported', 'it names no program');
      return [];
    }
    for (const { name } of action.children) {
      const isKnown = ['Command', 'Arguments', 'WorkingDirectory'].includes(name);
      take(`${path}/${name}`, isKnown ? 'converted' : 'reported', isKnown ? 'a script' : 'it is not known');
    }
    const { script, notes: more } = scriptOfAction(
      command,
      textOf(action, 'Arguments') ?? '',
      textOf(action, 'WorkingDirectory'),
    );
    notes.push(...more);
    return [script];
  });
}

interface Found {
  readonly rhythm: Rhythm;
  readonly original: Original;
  readonly approximation: string | null;
  readonly written: string;
  readonly limit: string | null;
}

const eventTriggers: Readonly<Record<string, string>> = {
  BootTrigger: 'a start of the machine',
  LogonTrigger: 'a logon',
  IdleTrigger: 'an idle machine',
  EventTrigger: 'an event in a log',
  RegistrationTrigger: 'its registration',
  SessionStateChangeTrigger: 'a change of the session',
  WnfStateChangeTrigger: 'a state of Windows',
};

function readTriggers(root: Element, setting: Setting, take: Take, notes: string[], hasActions: boolean): Found[] {
  return (childOf(root, 'Triggers')?.children ?? []).flatMap((element, index): Found[] => {
    const path = `Triggers/${element.name}[${index + 1}]`;
    const all = (fate: Account['fate'], why: string): Found[] => {
      for (const leaf of leavesOf(element, path)) take(leaf.path, fate, why);
      return [];
    };
    if (textOf(element, 'Enabled') === 'false') return all('ignored', 'this trigger is switched off');
    const end = readBoundary(textOf(element, 'EndBoundary') ?? '');
    if (end !== null && instantOf(end.start, end.offset, setting.timezone) <= setting.now) {
      return all('reported', `it ended at ${textOf(element, 'EndBoundary')}`);
    }
    const trigger = readAnyTrigger(element, setting);
    if ('problem' in trigger) return all('reported', trigger.problem);
    const form = formOfTrigger(trigger, setting.timezone, setting.now);
    if ('problem' in form) return all('reported', form.problem);
    if (!hasActions) return all('reported', 'there is nothing to run at its beats');
    for (const leaf of leavesOf(element, path)) take(leaf.path, ...fateOfTriggerPart(leaf.path, leaf.text));
    if (end !== null)
      notes.push(`it was to end at ${textOf(element, 'EndBoundary')}; a group has no end: disable it then`);
    for (const delay of ['RandomDelay', 'Delay']) {
      const text = textOf(element, delay);
      if (text !== null) notes.push(`${delay} ${text} is left out: beats are not delayed`);
    }
    if (Object.hasOwn(eventTriggers, element.name)) {
      notes.push(`${eventTriggers[element.name]} starts it no more; its repetition was taken for its rhythm`);
    }
    return [
      {
        rhythm: form.rhythm,
        approximation: form.approximation,
        // Of what repeats after an event nobody knows when it began.
        original:
          Object.hasOwn(eventTriggers, element.name) && trigger.repetition !== null
            ? { kind: 'period', every: trigger.repetition.every, start: null }
            : { kind: 'task', trigger, timezone: setting.timezone },
        written: writeTrigger(element),
        limit: textOf(element, 'ExecutionTimeLimit'),
      },
    ];
  });
}

/** A logon or a start of the machine that repeats for ever is a rhythm that somebody put there for want of a better one. */
function readAnyTrigger(element: Element, setting: Setting): TaskTrigger | { readonly problem: string } {
  const event = Object.hasOwn(eventTriggers, element.name) ? eventTriggers[element.name] : undefined;
  if (event === undefined) {
    return /^(Time|Calendar)Trigger$/.test(element.name)
      ? readTrigger(element)
      : { problem: `${element.name} is not known` };
  }
  const advice = 'leave it to Task Scheduler, or let a group of short period look for it';
  if (!['BootTrigger', 'LogonTrigger', 'RegistrationTrigger'].includes(element.name)) {
    return { problem: `${event} is no rhythm; ${advice}` };
  }
  const midnight = new Date(setting.now).toISOString().slice(0, 11);
  const repeated = readTrigger({
    ...element,
    name: 'TimeTrigger',
    children: [
      ...element.children.filter(({ name }) => name !== 'StartBoundary'),
      { name: 'StartBoundary', attributes: new Map(), text: `${midnight}00:00:00`, children: [] },
    ],
  });
  if ('problem' in repeated || repeated.repetition === null || repeated.repetition.duration !== null) {
    return { problem: `${event} is no rhythm; ${advice}` };
  }
  return repeated;
}

function fateOfTriggerPart(path: string, text: string): readonly [Account['fate'], string] {
  if (/\/(EndBoundary|RandomDelay|Delay)$/.test(path)) return ['reported', 'a group has neither end nor delay'];
  if (/StopAtDurationEnd$/.test(path)) {
    return text === 'true'
      ? ['reported', 'a timeout ends a script, not the end of a span']
      : ['ignored', 'the default'];
  }
  if (/\/(UserId|Subscription)$/.test(path)) return ['ignored', 'it says nothing of the rhythm'];
  if (/\/Enabled$/.test(path)) return ['ignored', 'the default'];
  return ['converted', 'the schedule, or the timeout'];
}

function writeTrigger(element: Element): string {
  const start = textOf(element, 'StartBoundary');
  const repetition = childOf(element, 'Repetition');
  const by = element.children.find(({ name }) => name.startsWith('ScheduleBy'))?.name ?? '';
  const parts = [by.replace('ScheduleBy', 'by ').toLowerCase(), start === null ? '' : `from ${start}`];
  if (repetition !== null)
    parts.push(`every ${textOf(repetition, 'Interval')}`, forLong(textOf(repetition, 'Duration')));
  return `${element.name} ${parts.filter((part) => part !== '').join(' ')}`.trim();
}

function forLong(duration: string | null): string {
  return duration === null || duration === '' ? '' : `for ${duration}`;
}

/** The shortest limit there is. Its default of three days is what nobody thought about, as is none at all. */
function limitOf(triggers: readonly Found[], settings: Element | null): string | null {
  const limits = [
    ...triggers.map(({ limit }) => limit),
    settings === null ? null : textOf(settings, 'ExecutionTimeLimit'),
  ]
    .map((text) => (text === null ? null : parseXmlDuration(text)))
    .filter((length) => length !== null && length > 0 && length !== 72 * 3_600_000);
  return limits.length === 0 ? null : writeLength(Math.min(...(limits as number[])));
}

function readRest(root: Element, take: Take, notes: string[]): void {
  for (const [index, child] of root.children.entries()) {
    if (root.children.findIndex(({ name }) => name === child.name) !== index) {
      for (const { path } of leavesOf(child, `${child.name}[again]`)) take(path, 'reported', 'it is there twice');
      continue;
    }
    if (['Triggers', 'Actions', 'Settings'].includes(child.name)) {
      if (child.children.length === 0)
        take(child.name, child.name === 'Triggers' ? 'reported' : 'ignored', 'it is empty');
      continue;
    }
    for (const { path, text } of leavesOf(child)) {
      if (child.name === 'RegistrationInfo') {
        const isDescription = /\/(Description|URI)$/.test(path);
        take(
          path,
          isDescription ? 'converted' : 'ignored',
          isDescription ? 'the description' : 'who registered it, and when',
        );
      } else if (child.name === 'Principals') {
        const isRaised = /\/RunLevel$/.test(path) && text === 'HighestAvailable';
        const isOther =
          /\/UserId$/.test(path) && /^(S-1-5-(18|19|20)|.*\\?(SYSTEM|LOCAL SERVICE|NETWORK SERVICE))$/i.test(text);
        if (isRaised)
          notes.push('it runs with the highest rights: register rhythm’s trigger so, or it runs without them');
        if (isOther) notes.push(`it runs as ${text}; rhythm runs everything as the user of its trigger`);
        take(path, isRaised || isOther ? 'reported' : 'ignored', 'rhythm runs as the user of its trigger');
      } else take(path, 'reported', 'it is not known');
    }
  }
}
