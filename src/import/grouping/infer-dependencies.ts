import { posix, win32 } from 'node:path';
import type { Entry, ScriptDraft } from '../entry.ts';
import { phaseOf } from '../rhythm.ts';
import { tokenise } from '../text/shell-words.ts';

/** Looking for dependencies that nobody wrote down. What is found is proposed, with its evidence. Pure. */

export interface Proposal {
  /** Goes first. */
  readonly from: Entry;
  readonly to: Entry;
  readonly kind: 'path' | 'stagger' | 'systemd';
  /** One clause, for people. */
  readonly evidence: string;
}

/** Further apart than this, two starts are no staggering. */
const longestGap = 15 * 60_000;

export function proposeDependencies(entries: readonly Entry[]): Proposal[] {
  const found = [...proposeByPaths(entries), ...proposeByHints(entries), ...proposeByStagger(entries)];
  const seen = new Set<string>();
  return found.filter(({ from, to }) => {
    const key = `${from.id} ${to.id}`;
    if (seen.has(key) || seen.has(`${to.id} ${from.id}`)) return false;
    seen.add(key);
    return true;
  });
}

/** One writes a file that the other reads. */
function proposeByPaths(entries: readonly Entry[]): Proposal[] {
  const uses = entries.map((entry) => ({ entry, ...pathsOf(entry) }));
  const writers = new Map<string, Entry[]>();
  for (const { entry, writes } of uses) {
    for (const path of writes) writers.set(path, [...(writers.get(path) ?? []), entry]);
  }
  return uses.flatMap(({ entry: to, reads, writes }) =>
    [...reads].flatMap((path) =>
      (writers.get(path) ?? [])
        .filter((from) => from !== to && !writes.has(path))
        .map(
          (from): Proposal => ({
            from,
            to,
            kind: 'path',
            evidence: `${titleOf(from)} writes ${path}, which ${titleOf(to)} reads`,
          }),
        ),
    ),
  );
}

function proposeByHints(entries: readonly Entry[]): Proposal[] {
  return entries.flatMap((to) =>
    to.hints.flatMap(({ name, evidence }) =>
      entries
        .filter((from) => from !== to && from.origin.kind === to.origin.kind && from.origin.name === name)
        .map((from): Proposal => ({ from, to, kind: 'systemd', evidence })),
    ),
  );
}

/** Scripts of one folder that start a few minutes after each other, again and again. */
function proposeByStagger(entries: readonly Entry[]): Proposal[] {
  const rows = new Map<string, { entry: Entry; start: number; cycle: number }[]>();
  for (const entry of entries) {
    const folder = folderOf(entry);
    if (folder === null || !entry.enabled) continue;
    const { key, start, cycle } = phaseOf(entry.rhythm);
    const row = `${key}\n${folder}`;
    rows.set(row, [...(rows.get(row) ?? []), { entry, start, cycle }]);
  }
  const found: Proposal[] = [];
  for (const row of rows.values()) {
    const sorted = [...row].sort((a, b) => a.start - b.start);
    const [first] = sorted;
    // Where the row spans most of its cycle there is no saying which comes first.
    if (first === undefined || (sorted.at(-1)?.start ?? 0) - first.start > first.cycle / 2) continue;
    for (const [index, { entry: to, start }] of sorted.entries()) {
      const before = sorted[index - 1];
      const gap = before === undefined ? 0 : start - before.start;
      if (before === undefined || gap === 0 || gap > longestGap) continue;
      const folder = folderOf(to);
      found.push({
        from: before.entry,
        to,
        kind: 'stagger',
        evidence: `${titleOf(to)} starts ${gap / 60_000} min after ${titleOf(before.entry)}, as often and from the same folder ${folder}`,
      });
    }
  }
  return found;
}

/** A short name of what an entry runs. */
export function titleOf({ scripts, origin }: Entry): string {
  const [script] = scripts;
  const file = script === undefined ? null : fileOf(script);
  if (file !== null) return posix.basename(file.replaceAll('\\', '/'));
  return origin.name || (script?.shell ?? script?.command ?? '').slice(0, 40);
}

function folderOf({ scripts }: Entry): string | null {
  const file = scripts[0] === undefined ? null : fileOf(scripts[0]);
  if (file === null || !/[\\/]/.test(file)) return null;
  const folder = file.includes('\\') ? win32.dirname(file) : posix.dirname(file);
  // Programs of the system stand side by side without belonging together.
  return /^(\/(usr\/(local\/)?)?s?bin|[A-Z]:\\Windows\\.*)$/i.test(folder) ? null : folder;
}

/** The file that a script is: what it runs, a script among the words of its line, or else the program if that has a path. */
export function fileOf(script: ScriptDraft): string | null {
  if (script.run !== undefined) return script.run;
  const words = wordsOf(script);
  const isScript = (word: string) =>
    /[\\/]/.test(word) && /\.(sh|py|rb|pl|ps1|bat|cmd|[cm]?[jt]s|php|jar)$/i.test(word);
  const program = words[0] ?? '';
  return words.find(isScript) ?? (/^([A-Z]:)?[\\/]/i.test(program) && !isShell(program) ? program : null);
}

function isShell(program: string): boolean {
  return /(^|[\\/])((ba|da|z|k)?sh|runuser|sudo|env)$/.test(program);
}

function wordsOf(script: ScriptDraft): string[] {
  if (script.shell === undefined) return [script.run ?? script.command ?? '', ...(script.args ?? []).flatMap(wordsIn)];
  return wordsIn(script.shell);
}

/** An argument that is itself a line has words of its own. */
function wordsIn(text: string): string[] {
  if (!/\s/.test(text)) return [text];
  return (tokenise(text) ?? []).filter(({ kind }) => kind === 'word').map(({ value, source }) => value ?? source);
}

const outputOption =
  /^(-o|-O|--out|--output|--output-file|--outfile|--out-file|-OutFile|-OutputPath|-Output|-OutPath|-FilePath|--dest|--export)$/i;

function pathsOf({ scripts }: Entry): { readonly reads: ReadonlySet<string>; readonly writes: ReadonlySet<string> } {
  const reads = new Set<string>();
  const writes = new Set<string>();
  for (const script of scripts) {
    const line = script.shell ?? script.args?.find((word) => /\s/.test(word) && /[<>|]/.test(word));
    const tokens = line === undefined ? [] : (tokenise(line) ?? []);
    for (const [index, { source, kind }] of tokens.entries()) {
      const target = tokens[index + 1]?.value;
      if (kind === 'operator' && /^\d?>>?$/.test(source) && target != null && isPath(target)) writes.add(target);
      if (kind === 'word' && source === 'tee' && target != null && isPath(target)) writes.add(target);
    }
    const words = line !== undefined && script.shell !== undefined ? wordsIn(line) : wordsOf(script).slice(1);
    for (const [index, word] of words.entries()) {
      const [, option, value] = /^(--?[\w-]+)[=:](.+)$/.exec(word) ?? [];
      const path = value ?? word;
      if (!isPath(path)) continue;
      if (outputOption.test(option ?? words[index - 1] ?? '')) writes.add(path);
      else if (!writes.has(path)) reads.add(path);
    }
  }
  return { reads, writes };
}

function isPath(text: string): boolean {
  return (
    /[\\/]/.test(text) && /[\w)]$/.test(text) && text.length > 3 && !text.startsWith('/dev/') && !text.includes('://')
  );
}
