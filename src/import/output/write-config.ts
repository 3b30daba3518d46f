import { posix, win32 } from 'node:path';
import { splitWords } from '../../config/resolve/split-words.ts';
import { formatDuration } from '../../schedule/duration.ts';
import { type Entry, nameOrigin, type ScriptDraft } from '../entry.ts';
import type { ImportGroup, Member } from '../grouping/group-entries.ts';
import { writeLength } from '../text/timespan.ts';
import { Expression, type Literal, writeComment, writeKey, writeLiteral } from './literal.ts';

/** The configuration as text: as somebody would write it who takes care, with the source of each script beside it. Pure. */

export interface WriteOptions {
  /** The time zone of the configuration; groups of another one name theirs. */
  readonly timezone: string;
  /** Switches on what was on before. */
  readonly enables: boolean;
  /** Where `run` starts; null where that is not to be said, as in a file that has it already. */
  readonly scriptsDir: string | null;
  /** Environments that have a name in the file, by their JSON. */
  readonly environments: ReadonlyMap<string, string>;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** A whole file for the groups. `sources` says what they were read from. */
export function writeConfig(
  groups: readonly ImportGroup[],
  { sources, timezone, enables }: { readonly sources: string; readonly timezone: string; readonly enables: boolean },
): string {
  const entries = groups.flatMap(({ members }) => members.map(({ entry }) => entry));
  const environments = shareEnvironments(entries);
  const scriptsDir = findScriptsDir(entries);
  const options: WriteOptions = { timezone, enables, scriptsDir, environments };
  let text = `import { defineConfig } from 'rhythm-scheduler';\n\n`;
  for (const [json, name] of environments) {
    const start = `const ${name} = `;
    text += `${start}${writeLiteral(JSON.parse(json) as Literal, 0, start.length).replace(/,$/, '')};\n\n`;
  }
  text += writeComment(
    `Imported from ${sources}. Each script says where it was; the brackets let a second import know it again.`,
    0,
  );
  text += writeComment(
    'What had no limit and comes less than once an hour may take as long as the time to its next beat, a day at most; anything else an hour.',
    0,
  );
  if (!enables)
    text += writeComment('Nothing of this runs before its group is enabled: take out the lines `enabled: false`.', 0);
  text += 'export default defineConfig({\n';
  text += `  timezone: ${writeLiteral(timezone, 2, 12)},\n`;
  if (scriptsDir !== null) text += `  scriptsDir: ${writeLiteral(scriptsDir, 2, 14)},\n`;
  text += '\n';
  if (groups.length === 0) return `${text}  groups: {},\n});\n`;
  text += '  groups: {\n';
  text += groups.map((group) => writeGroup(group, options)).join('\n');
  return `${text}  },\n});\n`;
}

/** One group, with its comments, indented as it stands below `groups`. */
export function writeGroup(group: ImportGroup, options: WriteOptions): string {
  let text = '';
  for (const reason of group.reasons) text += writeComment(`It waits because ${reason}.`, 4);
  for (const proposal of group.proposals) text += writeComment(`Proposed (--infer-dependencies): ${proposal}.`, 4);
  text += `    ${writeKey(group.name)}: {\n`;
  const put = (key: string, value: Literal) => {
    const start = `      ${key}: `;
    text += `${start}${writeLiteral(value, 6, start.length)},\n`;
  };
  put('description', describe(group));
  if (!options.enables || !group.enabled) put('enabled', false);
  for (const [key, value] of writeSchedule(group, options.timezone)) put(key, value);
  if (group.dependsOn.length > 0) put('dependsOn', group.dependsOn);
  if (group.after.length > 0) put('after', group.after);
  if (group.priority !== 'normal') put('priority', group.priority);
  if (group.lane !== null) put('lane', group.lane);
  for (const [key, value] of writeCatchUp(group)) put(key, value);
  if (group.stopsAtFailure) put('onScriptFailure', 'stop');
  if (group.retryAfter.length > 0) put('retryAfter', group.retryAfter);
  text += '      scripts: [\n';
  for (const member of group.members) text += writeMember(member, group, options);
  return `${text}      ],\n    },\n`;
}

/** The scripts of one entry, with where they come from. */
export function writeMember(
  { entry, shift }: Member,
  { period, priority }: ImportGroup,
  options: WriteOptions,
): string {
  const mark = `[${entry.id}.${entry.digest}]`;
  const start = shift === 0 ? '' : `, ${formatDuration(shift)} after the first of this group`;
  let text = writeComment(`${nameOrigin(entry.origin)}: ${entry.written}${start} ${mark}`, 8);
  const isMixed = entry.priority !== 'normal' && entry.priority !== priority;
  const notes = [
    ...entry.notes,
    ...(isMixed
      ? [`its own priority, ${entry.priority}, is not that of the others here, so the group has ${priority}`]
      : []),
    ...(entry.approximation === null ? [] : [`Not the same as before: ${entry.approximation}`]),
  ];
  for (const note of new Set(notes)) text += writeComment(`- ${note}`, 8);
  for (const script of entry.scripts) {
    text += `        ${writeLiteral(shapeScript(script, period, options), 8, 8)},\n`;
  }
  return text;
}

/** The mark of an entry, as it stands in the file. */
export const markPattern = /\[([\da-f]{8})\.([\da-f]{8})\]/g;

function describe({ members }: ImportGroup): string {
  const texts = [
    ...new Set(members.map(({ entry }) => entry.description).filter((text) => text !== null && text !== '')),
  ];
  const [only] = texts;
  if (texts.length === 1 && only != null) return clean(only);
  const names = [
    ...new Set(members.map(({ entry }) => (entry.origin.name === '' ? shortOf(entry) : entry.origin.name))),
  ];
  const listed = texts.length > 1 && texts.join('; ').length <= 90 ? texts.map((text) => clean(text as string)) : names;
  const some = listed.slice(0, 3).map(clean);
  return some.join('; ') + (listed.length > some.length ? `; and ${listed.length - some.length} more` : '');
}

function clean(text: string): string {
  const plain = text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .trim();
  return plain.length > 200 ? `${plain.slice(0, 199).replace(/[\ud800-\udbff]$/, '')}…` : plain;
}

function shortOf({ scripts }: Entry): string {
  const [script] = scripts;
  const text = script?.run ?? script?.shell ?? script?.command ?? '';
  const word = text.split(/\s+/)[0] ?? '';
  return word.split(/[\\/]/).at(-1) || text.slice(0, 30);
}

function writeSchedule({ rhythm }: ImportGroup, timezone: string): [string, Literal][] {
  if (rhythm.kind === 'interval') {
    const offset: [string, Literal][] = rhythm.offset === 0 ? [] : [['offset', formatDuration(rhythm.offset)]];
    return [['every', formatDuration(rhythm.every)], ...offset];
  }
  const zone: [string, Literal][] = rhythm.timezone === timezone ? [] : [['timezone', rhythm.timezone]];
  const times = rhythm.lines.map(timesOf);
  if (times.every((some) => some !== null)) {
    const all = [...new Set(times.flat())].sort();
    if (all.length <= 4) return [['daily', all.length === 1 ? (all[0] ?? '') : all], ...zone];
  }
  const [line = '', ...more] = rhythm.lines;
  return [['cron', more.length === 0 ? line : rhythm.lines], ...zone];
}

/** The times of day of a line for every day. */
function timesOf(line: string): string[] | null {
  const [, minutes = '', hours = ''] = /^(\d+(?:,\d+)*) (\d+(?:,\d+)*) \* \* \*$/.exec(line) ?? [];
  if (minutes === '') return null;
  const pad = (number: string) => String(Number(number)).padStart(2, '0');
  return hours.split(',').flatMap((at) => minutes.split(',').map((past) => `${pad(at)}:${pad(past)}`));
}

/**
 * What makes up for nothing starts on time or not at all. But in one lane jobs wait for each other, so the time to wait
 * is bounded by an hour where the next beat is that far; a beat that comes again soon can be let go.
 */
function writeCatchUp({ catchesUp, period }: ImportGroup): [string, Literal][] {
  if (catchesUp) return [];
  return period < hour ? [['catchUp', 'none']] : [['catchUpWithin', '1h']];
}

/** A script in its shortest form. */
function shapeScript(script: ScriptDraft, period: number, { scriptsDir, environments }: WriteOptions): Literal {
  const { run, args, env, timeout, ...rest } = script;
  const limit = timeout ?? (period > hour ? writeLength(Math.min(period, day)) : undefined);
  const file = run === undefined || scriptsDir === null ? run : relativeTo(scriptsDir, run);
  const isBare = env === undefined && limit === undefined && Object.keys(rest).length === 0;
  if (file !== undefined && isBare) {
    const line = [file, ...(args ?? [])].join(' ');
    const words = splitWords(line);
    if (words !== null && words.join('\0') === [file, ...(args ?? [])].join('\0')) return line;
  }
  const shared = env === undefined ? undefined : environments.get(JSON.stringify(env));
  const { command, shell, ...others } = rest;
  const shaped = {
    run: file,
    command,
    shell,
    args: args?.length === 0 ? undefined : args,
    ...others,
    env: shared === undefined ? (env as Literal | undefined) : new Expression(shared),
    timeout: limit,
  };
  return Object.fromEntries(Object.entries(shaped).filter(([, value]) => value !== undefined)) as Literal;
}

function relativeTo(folder: string, file: string): string {
  const rules = folder.includes('\\') ? win32 : posix;
  return rules.dirname(file) === folder ? rules.basename(file) : file;
}

/** The folder that most of the script files are in. */
function findScriptsDir(entries: readonly Entry[]): string | null {
  const counts = new Map<string, number>();
  const files = entries.flatMap(({ scripts }) => scripts.flatMap(({ run }) => (run === undefined ? [] : [run])));
  for (const file of files) {
    const folder = file.includes('\\') ? win32.dirname(file) : posix.dirname(file);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const [folder, count = 0] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
  return folder !== undefined && count >= 2 && count > files.length / 2 ? folder : null;
}

/** Environments that several scripts have, in the order of their use; the commonest is called `environment`. */
function shareEnvironments(entries: readonly Entry[]): Map<string, string> {
  const counts = new Map<string, number>();
  for (const { env } of entries.flatMap(({ scripts }) => scripts)) {
    if (env !== undefined) counts.set(JSON.stringify(env), (counts.get(JSON.stringify(env)) ?? 0) + 1);
  }
  const shared = [...counts].filter(([, count]) => count > 1);
  return new Map(shared.map(([json], index) => [json, index === 0 ? 'environment' : `environment${index + 1}`]));
}
