import { RhythmError } from '../errors.ts';

/** One thing that is wrong with a configuration. */
export interface Problem {
  /** Where: `groups.health_check.dependsOn[1].group`, or `tasks.config.ts:3:7`; empty for the configuration as a whole. */
  readonly path: string;
  /** What was found there, what is allowed, and what to do. */
  readonly message: string;
}

/** Takes a problem down. */
export type Report = (problem: Problem) => void;

/** A configuration that can't be used: exit 2. Its message lists every problem, one a line. */
export class ConfigError extends RhythmError {
  readonly problems: readonly Problem[];

  /** `file` is the name to show: the configuration file, or the folder in which there is none. */
  constructor(file: string, problems: readonly Problem[], options?: ErrorOptions) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    const lines = problems.map(({ path, message }) => `  ${path === '' ? '' : `${path}: `}${message}`);
    super([`${file} has ${count}:`, ...lines].join('\n'), 2, options);
    this.problems = problems;
  }
}

export type Path = readonly PropertyKey[];

/** Writes a path the way JavaScript would: `groups.a.dependsOn[1]`, `groups["my group"]`. */
export function formatPath(path: Path): string {
  let result = '';
  for (const step of path) {
    if (typeof step === 'number') result += `[${step}]`;
    else if (typeof step === 'string' && /^[\p{L}_$][\p{L}\d_$-]*$/u.test(step)) result += `${result && '.'}${step}`;
    else result += `[${JSON.stringify(String(step))}]`;
  }
  return result;
}

/** What a value is, in a few words and on one line. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  }
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** Joins words: `a, b or c`. */
export function joinWords(words: readonly string[], last: 'and' | 'or'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}

/** The start of a clause that names what was probably meant; empty where nothing is close enough. */
export function suggest(found: unknown, known: Iterable<string>): string {
  if (typeof found !== 'string') return '';
  const nearest = findNearest(found, known);
  return nearest === undefined ? '' : `; did you mean ${JSON.stringify(nearest)}?`;
}

/**
 * The known word that is nearest to the given one, if at most a third of its letters (but at least one) differ; else the
 * only one that begins with it.
 */
function findNearest(word: string, known: Iterable<string>): string | undefined {
  const candidates = [...known];
  let nearest: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  const folded = fold(word);
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const distance = countEdits(folded, fold(candidate));
    if (distance < least) {
      nearest = candidate;
      least = distance;
    }
  }
  if (nearest !== undefined || folded.length < 2) return nearest;
  const longer = candidates.filter((candidate) => fold(candidate).startsWith(folded));
  return longer.length === 1 ? longer[0] : undefined;
}

/** Case and the choice between `-`, `_` and nothing are the commonest slips, so they count for nothing. */
function fold(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '');
}

/** Damerau-Levenshtein distance in its restricted form: insertions, deletions, changes and swaps of neighbours. */
function countEdits(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let edits = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        edits = Math.min(edits, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}
