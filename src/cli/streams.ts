import { fstatSync, writeSync } from 'node:fs';

/*
 * Everything that rhythm prints goes through here. A reader that goes away (`rhythm … | head`) is not a failure; output
 * that can't be written is reported once and makes the exit code 74 (EX_IOERR). The exit code is set
 * and Node ends by itself: process.exit would cut off what is still on its way into a pipe.
 */

type Name = 'stdout' | 'stderr';

const descriptors: Readonly<Record<Name, number>> = { stdout: 1, stderr: 2 };
const guarded = new Set<Name>();
let hasFailed = false;

/** Prints a text. A text that can't be written is reported on stderr, and the command carries on. */
export function print(name: Name, text: string): void {
  if (isFile(name)) writeWhole(name, text);
  else streamOf(name).write(text);
}

/** Prints a line on stdout. */
export function printLine(text: string): void {
  print('stdout', `${text}\n`);
}

/** Whether a user looks at stdout while it is printed. */
export function isTerminal(): boolean {
  return streamOf('stdout').isTTY === true;
}

/** What a display draws on. */
export interface Outlet {
  readonly isTTY: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** The standard output as an outlet. */
export function openOutlet(): Outlet {
  return isFile('stdout') ? { isTTY: false, write: (text) => print('stdout', text) } : streamOf('stdout');
}

/** Node's stream, for what only a terminal or a pipe has: its size, and the event that its reader has gone. */
export function streamOf(name: Name): NodeJS.WriteStream {
  const stream = name === 'stdout' ? process.stdout : process.stderr;
  if (!guarded.has(name)) stream.on('error', reportLoss);
  guarded.add(name);
  return stream;
}

/** Whether something could not be printed, for another reason than a reader that went away. */
export function hasLostOutput(): boolean {
  return hasFailed;
}

/** Node's own stream for a file ignores that a nearly full disk took only a part (seen on Node 20, 22 and 24). */
function writeWhole(name: Name, text: string): void {
  const bytes = Buffer.from(text);
  try {
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptors[name], bytes, offset);
  } catch (error) {
    reportLoss(error as NodeJS.ErrnoException);
  }
}

function reportLoss({ code, message }: NodeJS.ErrnoException): void {
  if (hasFailed || code === 'EPIPE') return;
  hasFailed = true;
  // A stream fails later than the write that it was given, so the exit code may have been set already.
  process.exitCode = 74;
  print('stderr', `rhythm: what it prints can't be written (${message}).\n`);
}

function isFile(name: Name): boolean {
  try {
    return fstatSync(descriptors[name]).isFile();
  } catch {
    return false;
  }
}
