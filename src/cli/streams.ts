import { fstatSync, statSync, writeSync } from 'node:fs';

/*
 * Everything that is printed goes through here. Node takes milliseconds to make a stream of stdout, so files, pipes and
 * sockets are written to as they are.
 */

type Name = 'stdout' | 'stderr';

const descriptors: Readonly<Record<Name, number>> = { stdout: 1, stderr: 2 };
/** A file takes what it is given; a pipe or a socket may wait for its reader; a terminal, say, is none of these. */
type Kind = 'file' | 'pipe' | 'other';
const kinds = new Map<Name, Kind>();
const guarded = new Set<Name>();
let isLost = false;

/** Prints a text. What can't be written is told on stderr, and is no reason to leave a tick half done. */
export function print(name: Name, text: string): void {
  if (kindOf(name) === 'other') {
    streamOf(name).write(text);
    return;
  }
  let bytes: Buffer | null = null;
  let written = 0;
  try {
    // As a text: to make bytes of it first would take as long again. What was not taken at once has to be bytes.
    written = writeSync(descriptors[name], text);
    if (written === Buffer.byteLength(text)) return;
    bytes = Buffer.from(text);
    while (written < bytes.length) written += writeSync(descriptors[name], bytes, written);
  } catch (error) {
    // Somebody else has made it one that does not wait: Node's stream knows how to.
    const isBusy = (error as NodeJS.ErrnoException).code === 'EAGAIN';
    if (isBusy) streamOf(name).write((bytes ?? Buffer.from(text)).subarray(written));
    else noteLoss(error as NodeJS.ErrnoException);
  }
}

/** Prints a line on stdout. */
export function printLine(text: string): void {
  print('stdout', `${text}\n`);
}

/** Whether somebody looks at it as it is printed. */
export function isTerminal(name: Name): boolean {
  return kindOf(name) === 'other' && streamOf(name).isTTY === true;
}

/** What is printed on while other things go on, which must not wait for whoever reads it. */
export interface Outlet {
  readonly isTTY: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** An outlet to stdout. */
export function openOutlet(): Outlet {
  return kindOf('stdout') === 'file' ? { isTTY: false, write: (text) => print('stdout', text) } : streamOf('stdout');
}

/** Node's stream, for what needs more than to print; from here on all goes through it. */
export function streamOf(name: Name): NodeJS.WriteStream {
  const stream = process[name];
  if (!guarded.has(name)) stream.on('error', noteLoss);
  guarded.add(name);
  kinds.set(name, 'other');
  return stream;
}

/** Whether something that was printed could not be written, for another reason than that nobody reads it. */
export function hasLost(): boolean {
  return isLost;
}

/**
 * Ends the process with the exit code that was set, unless something that was printed is still on its way: then it ends
 * when that is done. To end by itself takes Node as long as a fifth of all that a command takes.
 */
export function leave(): void {
  if (guarded.size === 0) process.exit();
  // What a stream can't write it tells a moment later.
  setImmediate(() => {
    if ([...guarded].every((name) => process[name].writableLength === 0)) process.exit();
  });
}

/** A reader that goes away (`rhythm … | head`) is no reason to fail; a full disk is. */
function noteLoss({ code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE' || isLost) return;
  isLost = true;
  process.exitCode = 74;
  print('stderr', `rhythm: what it prints can't be written (${message}).\n`);
}

function kindOf(name: Name): Kind {
  const kind = kinds.get(name) ?? lookAt(descriptors[name]);
  kinds.set(name, kind);
  return kind;
}

function lookAt(descriptor: number): Kind {
  try {
    const stats = fstatSync(descriptor);
    if (stats.isFile()) return 'file';
    if (process.platform === 'win32') return 'other';
    if (stats.isCharacterDevice() && stats.rdev === statSync('/dev/null').rdev) return 'file';
    return stats.isFIFO() || stats.isSocket() ? 'pipe' : 'other';
  } catch {
    // It is closed, say; Node knows what to make of that.
    return 'other';
  }
}
