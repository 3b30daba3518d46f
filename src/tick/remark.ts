import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

/** In ms; a shell that takes longer to end a process of its own is not waited for. */
const patience = 5_000;

/**
 * Takes away what the launcher's shell has remarked in the output of a script that the tick ended by SIGTERM (`Terminated`):
 * dash, which starts a program sooner than other shells, has that program's stderr for its own meanwhile. What this
 * system's shell remarks, if anything, it is made to show. Only where nothing writes to the output any more. Where it can't
 * be done the output stays as it is.
 *
 * Not for other signals: a shell says 137 of a script that was killed and of one that itself exits so, because something it
 * had started was, and then the same word is the script's own.
 */
export function removeRemark(file: string): void {
  const remark = remarkOnEnd();
  if (remark.length === 0) return;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0));
    const { size } = fstatSync(descriptor);
    const end = Buffer.alloc(remark.length);
    if (size < remark.length) return;
    readSync(descriptor, end, 0, remark.length, size - remark.length);
    if (end.equals(remark)) ftruncateSync(descriptor, size - remark.length);
  } catch {
    // It says a word more than the script did.
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** With the end of its line; empty where the shell makes none. */
function remarkOnEnd(): Buffer {
  const { stdout } = spawnSync('/bin/sh', ['-c', '/bin/sh -c "$0" 2>&1; :', 'kill -TERM $$'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: patience,
    killSignal: 'SIGKILL',
  });
  return stdout ?? Buffer.alloc(0);
}
