import { UsageError } from '../../errors.ts';
import type { Entry } from '../entry.ts';
import type { ImportGroup } from '../grouping/group-entries.ts';
import { markPattern, type WriteOptions, writeGroup, writeMember } from './write-config.ts';

/** Merging into a file that is there: what an earlier import wrote stays as it now is, what is new comes in. Pure. */

export interface Merge {
  readonly text: string;
  /** Came in, as groups of their own or into groups that are there. */
  readonly added: readonly Entry[];
  /** Stand there already. */
  readonly known: readonly Entry[];
  /** Stand there in another form: their source has changed since. */
  readonly changed: readonly Entry[];
}

/** The ids that a file has, with their digests. */
export function listMarks(text: string): Map<string, string> {
  return new Map([...text.matchAll(markPattern)].map(([, id = '', digest = '']) => [id, digest]));
}

/**
 * Puts what is new of the groups into the text of a configuration. A group of which some scripts are there already gets
 * its new ones where those stand. Throws a UsageError where the text is not written as an import can take it up.
 */
export function mergeConfig(
  text: string,
  groups: readonly ImportGroup[],
  options: Omit<WriteOptions, 'environments' | 'scriptsDir'>,
  file: string,
): Merge {
  const marks = listMarks(text);
  const entries = groups.flatMap(({ members }) => members.map(({ entry }) => entry));
  const known = entries.filter(({ id, digest }) => marks.get(id) === digest);
  const changed = entries.filter(({ id, digest }) => marks.has(id) && marks.get(id) !== digest);
  const added = entries.filter(({ id }) => !marks.has(id));
  if (added.length === 0) return { text, added, known, changed };

  const place = findGroups(text);
  if (place === null) {
    throw new UsageError(
      `${file} has no "groups: { … }" that can be added to; give --out another file and take over from there what you need.`,
    );
  }
  const full: WriteOptions = { ...options, environments: new Map(), scriptsDir: null };
  const insertions: { readonly at: number; readonly text: string }[] = [];
  const whole: ImportGroup[] = [];
  for (const group of groups) {
    const fresh = group.members.filter(({ entry }) => !marks.has(entry.id));
    if (fresh.length === 0) continue;
    const sibling = group.members.find(({ entry }) => marks.has(entry.id));
    const at = sibling === undefined ? null : findScriptsEnd(text, place, sibling.entry.id);
    if (at === null) whole.push({ ...group, members: fresh });
    else
      insertions.push({
        at,
        text: `\n${fresh.map((member) => writeMember(member, group, full)).join('')}`.replace(/\n$/, ''),
      });
  }
  if (whole.length > 0) {
    const isEmpty = skipBlank(text, place.open + 1) >= place.close;
    const blank = isEmpty ? '\n' : '\n\n';
    insertions.push({
      at: endOfContent(text, place.open, place.close),
      text: `${blank}${whole.map((group) => writeGroup(group, full)).join('\n')}`.replace(/\n$/, ''),
    });
  }
  let merged = text;
  for (const { at, text: more } of [...insertions].sort((a, b) => b.at - a.at)) {
    const last = endOfValue(merged, at);
    const comma = /[,[{]$/.test(maskText(merged.slice(0, last))) ? '' : ',';
    // What follows stood on a line of its own, or is put there.
    const tail = /^[ \t]*\n/.test(merged.slice(at)) ? '' : '\n  ';
    merged = `${merged.slice(0, last)}${comma}${merged.slice(last, at)}${more}${tail}${merged.slice(at)}`;
  }
  return { text: merged, added, known, changed };
}

interface Span {
  readonly open: number;
  readonly close: number;
}

/** The braces behind `groups:` in the outermost object that has such a key. */
function findGroups(text: string): Span | null {
  const pattern = /(?<![\w$.'"])groups\s*:\s*\{/g;
  const outside = maskText(text);
  for (const found of outside.matchAll(pattern)) {
    const open = found.index + found[0].length - 1;
    const close = findClose(outside, open);
    if (close !== null) return { open, close };
  }
  return null;
}

/** The end of the list of scripts that holds a mark. */
function findScriptsEnd(text: string, within: Span, id: string): number | null {
  const mark = text.indexOf(`[${id}.`);
  if (mark < within.open || mark > within.close) return null;
  const outside = maskText(text);
  let best: Span | null = null;
  for (const found of outside.matchAll(/(?<![\w$.])scripts\s*:\s*\[/g)) {
    const open = found.index + found[0].length - 1;
    const close = findClose(outside, open);
    if (close !== null && open < mark && mark < close) best = { open, close };
  }
  return best === null ? null : endOfContent(text, best.open, best.close);
}

/** Behind the last thing between two brackets: a value, a comma, or a comment. */
function endOfContent(text: string, open: number, close: number): number {
  let end = close;
  while (end > open + 1 && /\s/.test(text.charAt(end - 1))) end -= 1;
  return end;
}

/** Behind the last value before a place, a comment after it left aside. */
function endOfValue(text: string, at: number): number {
  return maskText(text.slice(0, at)).trimEnd().length;
}

function skipBlank(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text.charAt(at))) at += 1;
  return at;
}

function findClose(outside: string, open: number): number | null {
  let depth = 0;
  for (let at = open; at < outside.length; at += 1) {
    if (/[[{(]/.test(outside.charAt(at))) depth += 1;
    else if (/[\]})]/.test(outside.charAt(at))) depth -= 1;
    if (depth === 0) return at;
  }
  return null;
}

/** The text with blanks for all that stands in comments and quotes, so that brackets mean brackets. */
function maskText(text: string): string {
  const pattern = /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`/g;
  return text.replace(pattern, (found) =>
    /^['"`]/.test(found) ? `"${found.slice(1, -1).replace(/[^\n]/g, '_')}"` : found.replace(/[^\n]/g, ' '),
  );
}
