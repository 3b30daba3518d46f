import { posix } from 'node:path';
import type { Account, SourceText } from '../entry.ts';

/** Unit files of systemd, by systemd.syntax(7): which there are, with their drop-ins, and what they say. */

/** One assignment, and which account speaks of it. */
export interface Setting {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly file: string;
  readonly line: number;
  readonly account: number;
}

/** A unit with what its drop-ins add, in order. */
export interface Unit {
  /** `backup.timer`, `sync@home.service`. */
  readonly name: string;
  readonly file: string;
  readonly settings: readonly Setting[];
  /** The comment at its top; null where there is none. */
  readonly comment: string | null;
}

/**
 * Reads unit files and drop-ins (`backup.timer.d/…conf`). A text that is none by its name is taken for the output of
 * `systemctl cat`, in which a comment with a path begins each file. Accounts are opened for each line; those of
 * settings say that nothing was done with them until somebody settles them.
 */
export function readUnits(texts: readonly SourceText[], accounts: Account[]): Map<string, Unit> {
  const files = texts.flatMap(splitCat);
  const isDropIn = ({ name }: SourceText): boolean => /\.d\/[^/]+\.conf$/.test(name);
  const units = new Map<string, Unit>();
  for (const file of [...files.filter((one) => !isDropIn(one)), ...files.filter(isDropIn)]) {
    const name = unitNameOf(file.name, file.text);
    const read = readFile(file, accounts);
    const known = units.get(name);
    if (known === undefined) units.set(name, { name, file: file.name, ...read });
    else units.set(name, { ...known, settings: [...known.settings, ...read.settings] });
  }
  return units;
}

function splitCat(source: SourceText): SourceText[] {
  if (/\.(timer|service|target|path|socket|conf)$/.test(source.name)) return [source];
  const lines = source.text.split('\n');
  const heads = lines.flatMap((line, index) => (/^# \/\S+\.(timer|service|target|conf)\r?$/.test(line) ? [index] : []));
  if (heads.length === 0) return [source];
  const parts = heads.map((head, index) => ({
    name: (lines[head] ?? '').slice(2).trim(),
    text: lines.slice(head, heads[index + 1]).join('\n'),
  }));
  const before = lines.slice(0, heads[0]).join('\n');
  return before.trim() === '' ? parts : [{ name: source.name, text: before }, ...parts];
}

function unitNameOf(path: string, text: string): string {
  const [, dropIn] = /([^/]+)\.d\/[^/]+\.conf$/.exec(path) ?? [];
  if (dropIn !== undefined) return dropIn;
  const base = posix.basename(path);
  if (/\.(timer|service|target|path|socket)$/.test(base)) return base;
  // Piped: what it holds says what it is.
  return `${base === '-' ? 'stdin' : base}.${/^\s*\[Timer\]/m.test(text) ? 'timer' : 'service'}`;
}

function readFile({ name, text }: SourceText, accounts: Account[]): Pick<Unit, 'settings' | 'comment'> {
  const settings: Setting[] = [];
  const comments: string[] = [];
  let section = '';
  let open: { key: string; value: string; line: number; account: number } | null = null;
  const close = () => {
    if (open !== null) settings.push({ section, ...open, value: open.value.trim(), file: name });
    open = null;
  };
  for (const [index, raw] of text
    .replace(/\r?\n$/, '')
    .split('\n')
    .entries()) {
    const line = raw.replace(/\r$/, '');
    const take = (fate: Account['fate'], why: string): number =>
      accounts.push({ file: name, line: index + 1, what: line, fate, why }) - 1;
    const trimmed = line.trim();
    if (/^[#;]/.test(trimmed)) {
      if (section === '' && !/^# \//.test(trimmed)) comments.push(trimmed.replace(/^[#;]+\s*/, ''));
      take('ignored', 'a comment');
      continue;
    }
    if (open !== null) {
      const current: { value: string } = open;
      const goesOn = /\\$/.test(line);
      current.value += ` ${goesOn ? line.slice(0, -1) : line}`;
      take('converted', 'goes on from the line above');
      if (!goesOn) close();
      continue;
    }
    if (trimmed === '') {
      take('ignored', 'blank');
      continue;
    }
    const [, head] = /^\[([^\]]+)\]$/.exec(trimmed) ?? [];
    if (head !== undefined) {
      section = head;
      take('converted', 'a section');
      continue;
    }
    const [, key, value = ''] = /^([^=\s][^=]*?)\s*=\s*(.*)$/.exec(trimmed) ?? [];
    if (key === undefined || section === '') {
      take('reported', 'systemd takes no notice of it: it is no section and no assignment');
      continue;
    }
    const account = take('reported', 'rhythm has nothing like it');
    const goesOn = /\\$/.test(value);
    open = { key, value: goesOn ? value.slice(0, -1) : value, line: index + 1, account };
    if (!goesOn) close();
  }
  close();
  return {
    settings,
    comment:
      comments
        .filter((text) => text !== '')
        .slice(0, 3)
        .join(' ') || null,
  };
}

/** Settles what became of a setting. */
export function settle(accounts: Account[], { account }: Setting, fate: Account['fate'], why: string): void {
  const opened = accounts[account];
  if (opened !== undefined) accounts[account] = { ...opened, fate, why };
}

/** All values of a list setting; an empty assignment forgets those before it. */
export function listOf(unit: Unit, section: string, key: string): Setting[] {
  let found: Setting[] = [];
  for (const setting of unit.settings) {
    if (setting.section !== section || setting.key !== key) continue;
    if (setting.value === '') found = [];
    else found.push(setting);
  }
  return found;
}

/** The last value of a setting; null where there is none, or where it was taken back. */
export function lastOf(unit: Unit, section: string, key: string): Setting | null {
  const found = unit.settings.filter((setting) => setting.section === section && setting.key === key).at(-1);
  return found === undefined || found.value === '' ? null : found;
}

/** Whether a text means yes, by systemd.syntax(7). */
export function isYes(text: string): boolean {
  return /^(1|yes|y|true|t|on)$/i.test(text);
}

/** `sync@home.service` of the template `sync@.service`: null for a name without an instance. */
export function instanceOf(name: string): { readonly template: string; readonly instance: string } | null {
  const [, prefix, instance, type] = /^(.+?)@(.+)\.(\w+)$/.exec(name) ?? [];
  return prefix === undefined || instance === undefined ? null : { template: `${prefix}@.${type}`, instance };
}

/**
 * Fills in specifiers, by systemd.unit(5). Null where there is one that depends on the running machine.
 */
export function fillSpecifiers(text: string, name: string, home: string | null): string | null {
  const instance = instanceOf(name)?.instance ?? '';
  const prefix = name.replace(/@.*|\.\w+$/g, '');
  const unescapePath = (part: string) =>
    part
      .replaceAll('-', '/')
      .replace(/\\x([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  let isKnown = true;
  const filled = text.replace(/%(.)/g, (whole, letter: string) => {
    switch (letter) {
      case '%':
        return '%';
      case 'i':
        return instance;
      case 'I':
        return unescapePath(instance);
      case 'j':
        return prefix.split('-').at(-1) ?? '';
      case 'p':
        return prefix;
      case 'P':
        return unescapePath(prefix);
      case 'n':
        return name;
      case 'N':
        return name.replace(/\.\w+$/, '');
      case 'f':
        return `/${unescapePath(instance === '' ? prefix : instance)}`;
      case 'h':
        if (home === null) isKnown = false;
        return home ?? whole;
      default:
        isKnown = false;
        return whole;
    }
  });
  return isKnown ? filled : null;
}

/** Splits as systemd does: quotes and backslashes of C, no shell. Null where a quote is not closed. */
export function splitExec(text: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '\\') {
      const next = text.charAt(at + 1);
      const known = escapes.get(next);
      const hex = /^x([\da-f]{2})/i.exec(text.slice(at + 1, at + 4))?.[1];
      word = (word ?? '') + (hex !== undefined ? String.fromCharCode(Number.parseInt(hex, 16)) : (known ?? next));
      at += hex === undefined ? 1 : 3;
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? '') + character;
  }
  if (quote !== '') return null;
  return word === null ? words : [...words, word];
}

const escapes = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['s', ' '],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
]);

/** Why a setting is reported that no other line has taken account of. */
export const unsettled = 'rhythm has nothing like it';
