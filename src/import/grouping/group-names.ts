import type { Entry } from '../entry.ts';
import { phaseOf } from '../rhythm.ts';
import { fileOf } from './infer-dependencies.ts';

/** Finding names for groups: from what their scripts are for, in the words of those who wrote them. Pure. */

/** Words that say how and when rather than what for. */
const empty = new Set(
  (
    'a an and or the of to from in on at for with by all any each every its is are not no new old my our this that it as if then ' +
    'task tasks job jobs script scripts cron crontab run runs running runner execute start starts timer service services scheduled schedule scheduler ' +
    'daily hourly weekly monthly nightly yearly minute minutes hour hours day days night week month ' +
    'usr bin sbin opt local home srv var lib etc tmp root users user program files windows system32 www data app apps src code tools tool ' +
    'com org net io de local sh bash python python3 node perl ruby php powershell pwsh cmd exe py ps1 js mjs cjs ts rb pl bat etc log logs null dev ' +
    'register main example agi workspace monday tuesday wednesday thursday friday saturday sunday noon midnight morning'
  ).split(' '),
);

/** Before another word these belong to the name of a thing: a daily routine. */
const rhythms = new Set(['hourly', 'daily', 'nightly', 'weekly', 'monthly', 'yearly', 'morning']);

/** The name for a group of entries, seen beside all others. It need not be free yet. */
export function nameGroup(entries: readonly Entry[], others: readonly Entry[]): string {
  const [first] = entries;
  if (first === undefined) return 'empty';
  if (entries.length === 1) return nameEntry(first);
  const names = new Set(entries.map(nameEntry));
  if (names.size === 1) return nameEntry(first);
  const common = findCommon(entries, others);
  if (common !== null) return common;
  if (first.lane !== null) return first.lane.toLowerCase();
  // Of a few it can be said one by one what they do.
  return entries.length <= 3
    ? toName(entries.flatMap((entry) => nameEntry(entry).split('_').slice(0, 2)))
    : nameByRhythm(first);
}

/** A name that is not taken: with the rhythm added, or with a number. */
export function makeFree(name: string, entry: Entry | undefined, isTaken: (name: string) => boolean): string {
  if (!isTaken(name)) return name;
  const withRhythm = entry === undefined ? name : `${name}_${nameByRhythm(entry)}`;
  if (!isTaken(withRhythm)) return withRhythm;
  let number = 2;
  while (isTaken(`${withRhythm}_${number}`)) number += 1;
  return `${withRhythm}_${number}`;
}

function nameEntry(entry: Entry): string {
  const { origin, scripts } = entry;
  const first = scripts[0]?.shell ?? scripts[0]?.args?.at(-1) ?? '';
  const [, parts] = /\brun-parts\s+(?:-\S+\s+)*(?:\S*\/)?([\w.]+)/.exec(first) ?? [];
  if (parts !== undefined) return toName(splitWords(parts));
  // A condition says when it is not to run; the file it stands in is called after what it is for.
  const [, drop] = /(?:^|\/)cron\.d\/([^/]+)$/.exec(origin.file) ?? [];
  if (drop !== undefined && /^(\[|test |if )/.test(first)) return toName(splitWords(drop));
  if (origin.name !== '') {
    const last = (origin.name.split('\\').at(-1) ?? '').replace(/\{[\da-f-]+\}/gi, '');
    const plain =
      origin.kind === 'launchd' ? last.split('.').slice(2).join('.') || (last.split('.').at(-1) ?? last) : last;
    const words = splitWords(plain.replace(/\.(timer|service)$/, ''));
    const telling = words.filter((word) => !empty.has(word));
    if (telling.length > 0) return toName(words);
  }
  const [script] = scripts;
  const file = script === undefined ? null : fileOf(script);
  const stem = file === null ? '' : stemOf(file);
  if (stem !== '' && splitWords(stem).some((word) => !empty.has(word))) {
    const program = script?.shell !== undefined && !/\.\w+$/.test(file ?? '');
    return toName([...splitWords(stem), ...(program ? subcommandOf(script?.shell ?? '', file ?? '') : [])]);
  }
  const whole = script?.shell ?? [script?.command, ...(script?.args ?? [])].join(' ');
  // What feeds the input of another is not what it is about.
  const line = whole.replace(/^printf [^|]*\| (\{\n)?/, '');
  const words = splitWords((/^[^|;&<>]*/.exec(line)?.[0] ?? '').replace(/(^|\s)-\S+/g, ' '))
    .filter((word) => !empty.has(word) && /^[a-z]/.test(word))
    .slice(0, 2);
  return words.length > 0 ? toName(words) : nameByRhythm(entry);
}

/** `renew` of `certbot renew`. */
function subcommandOf(line: string, file: string): string[] {
  const after = line.slice(line.indexOf(file) + file.length);
  const [, word] = /^\s+([a-z][a-z-]{2,20})(\s|$)/.exec(after) ?? [];
  return word === undefined ? [] : splitWords(word);
}

/** The words, one or two, that most of the entries have in common and few of the others have. */
function findCommon(entries: readonly Entry[], others: readonly Entry[]): string | null {
  const counts = new Map<string, number>();
  for (const phrase of entries.flatMap((entry) => [...phrasesOf(entry)]))
    counts.set(phrase, (counts.get(phrase) ?? 0) + 1);
  const foreign = others.map(phrasesOf);
  let best: string | null = null;
  let highest = 0;
  for (const [phrase, count] of counts) {
    if (count < Math.max(2, entries.length * 0.4)) continue;
    const elsewhere = foreign.filter((phrases) => phrases.has(phrase)).length / Math.max(1, foreign.length);
    const score = (count / entries.length) * (1 - elsewhere) * (phrase.includes(' ') ? 1.5 : 1);
    if (score > highest) [best, highest] = [phrase, score];
  }
  return best === null || highest < 0.3 ? null : toName(best.split(' '));
}

const phrases = new WeakMap<Entry, ReadonlySet<string>>();

function phrasesOf(entry: Entry): ReadonlySet<string> {
  const known = phrases.get(entry);
  if (known !== undefined) return known;
  const found = new Set<string>();
  const texts = [
    entry.description ?? '',
    ...entry.origin.name.replace(/\.(timer|service)$/, '').split('\\'),
    ...entry.scripts.flatMap((script) => {
      const file = fileOf(script);
      return file === null ? [script.shell ?? script.command ?? ''] : [stemOf(file), parentOf(file)];
    }),
  ];
  for (const text of texts) {
    const words = splitWords(text);
    for (const [index, word] of words.entries()) {
      const next = words[index + 1];
      if (!empty.has(word) && word.length > 2) found.add(word);
      if (next !== undefined && (!empty.has(word) || rhythms.has(word)) && !empty.has(next))
        found.add(`${word} ${next}`);
    }
  }
  phrases.set(entry, found);
  return found;
}

function stemOf(file: string): string {
  return (file.split(/[\\/]/).at(-1) ?? '').replace(/\.\w+$/, '');
}

function parentOf(file: string): string {
  return file.split(/[\\/]/).at(-2) ?? '';
}

function splitWords(text: string): string[] {
  return text
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .split(/[^a-z\d]+/)
    .filter((word) => word !== '' && !/^\d{3,}$/.test(word));
}

function toName(words: readonly string[]): string {
  let name = '';
  for (const word of words) if (`${name}_${word}`.length <= 40) name += name === '' ? word : `_${word}`;
  name = name.replace(/^[^a-z]+/, '');
  return name === '' ? 'jobs' : name;
}

const minute = 60_000;

function nameByRhythm({ rhythm }: Entry): string {
  const { period, start } = phaseOf(rhythm);
  if (rhythm.kind === 'interval' && period % (24 * 60 * minute) !== 0) {
    if (period === 60 * minute) return 'hourly';
    if (period < minute) return `every_${Math.round(period / 1_000)}s`;
    return period % (60 * minute) === 0 ? `every_${period / (60 * minute)}h` : `every_${Math.round(period / minute)}m`;
  }
  const time =
    `${Math.floor(start / minute / 60)}`.padStart(2, '0') + `${Math.floor(start / minute) % 60}`.padStart(2, '0');
  const days = period / (24 * 60 * minute);
  if (days < 1) return 'several_a_day';
  return `${days >= 300 ? 'yearly' : days >= 28 ? 'monthly' : days >= 7 ? 'weekly' : 'daily'}_${time}`;
}
