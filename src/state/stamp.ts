import {
  chmodSync,
  existsSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { fileNames } from '../config/load.ts';
import { readMonotonic } from '../monotonic.ts';

/**
 * Three files of the outputs folder let a line of plain sh, the guard of an installed trigger, see that a tick would have
 * nothing to do. What counts is their times, for that is what the shell can compare.
 *
 * - `pulse`, empty: touched by the guard each time that the trigger fires, so its time is the trigger's sign of life.
 * - `next`, empty: its time is the next instant at which something can be due. There only while that holds: every change
 *   of the state removes it.
 * - `stamp`: its time is when `next` was reckoned; it lists the files whose change makes that doubtful, see `listOf`.
 */
export const stampFiles = { pulse: 'pulse', next: 'next', stamp: 'stamp' } as const;

/** What the guard compares the system's time zone with. */
const localtime = '/etc/localtime';
/** Whatever the guard fails to see is delayed by so long at most, ms. */
const longest = 3_600_000;
/** So much before the next instant, in ms, Node is started already: file times lag behind the clock, and it takes time to start. */
const lead = 2_000;
/** File times may be coarse: two seconds on FAT. */
const coarse = 2_000;

/** When the trigger gave its last sign of life, ms; null where no guarded trigger ever did. */
export function readPulse(outputs: string): number | null {
  return statSync(join(outputs, stampFiles.pulse), { throwIfNoEntry: false })?.mtimeMs ?? null;
}

/** From here on whatever comes starts Node. */
export function removeNext(outputs: string): void {
  const next = join(outputs, stampFiles.next);
  try {
    // Most have none, and an error would cost more than the look.
    if (existsSync(next)) unlinkSync(next);
  } catch {
    // There was none. Or the folder can't be written: then neither can the state, and a newer state counts by its time.
  }
}

/** Removes what the guard leaves and reads: for when there is no guarded trigger any more. */
export function removeStamps(outputs: string): void {
  for (const name of [stampFiles.next, stampFiles.stamp, stampFiles.pulse])
    rmSync(join(outputs, name), { force: true });
}

/** What a stamp rests on. */
export interface Ground {
  /** The files that the configuration was read from, absolute; some may not be there, and then count when they appear. */
  readonly inputs: readonly string[];
  /** The wall clock just before the configuration was read, ms, and the monotonic clock at the same moment. */
  readonly readAt: number;
  readonly clock: number;
}

/** The ground of a configuration: a second file that could be one would be an error, so it matters when one appears. */
export function listGround(file: string, inputs: readonly string[]): string[] {
  return [...new Set([...inputs, ...fileNames.map((name) => join(dirname(file), name))])];
}

/**
 * Notes that nothing can be due before `until` (ms), for the guard. To be called under the lock of the state that this
 * was reckoned from. Writes nothing, which lets the next firing start Node, where that is near, where the clock was set
 * since, or where an input has changed since it was read or so shortly before that the two can't be distinguished.
 */
export function writeStamp(outputs: string, until: number, { inputs, readAt, clock }: Ground): void {
  // One that an earlier tick left must not be read together with this stamp.
  removeNext(outputs);
  const now = Date.now();
  // Whole seconds: not every shell and file system knows finer ones.
  const next = Math.floor((Math.min(until - lead, now + longest) - 1) / 1_000);
  const wasSet = Math.abs(now - readAt - (readMonotonic() - clock)) > 1_000;
  if (next * 1_000 <= now || wasSet || !inputs.every((path) => isAbsolute(path) && !/[\n\0]/.test(path))) return;
  try {
    const list = listOf(inputs, outputs);
    const stamp = join(outputs, stampFiles.stamp);
    put(stamp, `${list.join('\n')}\n`, () => undefined);
    // Looked at after the stamp got its time: what changes from here on is newer than it.
    if (!inputs.every((path) => isOlder(path, readAt - coarse)) || `${listOf(inputs, outputs)}` !== `${list}`) return;
    put(join(outputs, stampFiles.next), '', (path) => utimesSync(path, next, next));
    const pulse = join(outputs, stampFiles.pulse);
    // The shell made it with the umask of the trigger, and files here are no business of others.
    if (((statSync(pulse, { throwIfNoEntry: false })?.mode ?? 0) & 0o027) !== 0) chmodSync(pulse, 0o640);
  } catch {
    // Best effort: without it the next firing starts Node.
  }
}

/**
 * The lines of a stamp, as the guard, in the outputs folder, reads them: a path that has to be there and older than the stamp; `-` and a path
 * that must not be there; `=` and the file that /etc/localtime leads to. The dot at the end says that it is whole.
 */
function listOf(inputs: readonly string[], outputs: string): string[] {
  const watched = [...inputs, ...(process.platform === 'win32' ? [] : [localtime])];
  const zone = watched.includes(localtime) && existsSync(localtime) ? [`=${realpathSync(localtime)}`] : [];
  // Shells read byte by byte, so short names save time. From a folder behind a link `..` leads elsewhere.
  const isReal = realpathSync(outputs) === outputs;
  const shorten = (path: string) => {
    const short = relative(outputs, path);
    return isReal && short.startsWith('../') && short.length < path.length ? short : path;
  };
  return [...watched.map((path) => (existsSync(path) ? shorten(path) : `-${shorten(path)}`)), ...zone, '.'];
}

function isOlder(path: string, instant: number): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined || stats.mtimeMs < instant;
}

/** Appears whole. Not synced: what a loss of power leaves undone or half done makes the guard start Node. */
function put(path: string, text: string, prepare: (temporary: string) => void): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text, { mode: 0o640 });
    prepare(temporary);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}
