import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

/** What dash and others add where the process has left its memory on disk. */
const withCore = ' (core dumped)';

/**
 * Takes away what the launcher's shell has remarked in a script's output on the signal that ended it (`Killed`): dash, which
 * starts a program sooner than other shells, has that program's stderr for its own meanwhile. What this system's shell
 * remarks, if anything, it is made to show. Only where nothing writes to the output any more. An output that can't be
 * opened stays as it is.
 *
 * @param file the output file
 * @param signal as `SIGKILL`
 */
export function removeRemark(file: string, signal: string): void {
  const remark = remarkOn(signal);
  if (remark === '') return;
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r+');
  } catch {
    return;
  }
  try {
    const { size } = fstatSync(descriptor);
    for (const text of [`${remark}\n`, `${remark}${withCore}\n`]) {
      const end = Buffer.alloc(text.length);
      if (size < text.length) continue;
      readSync(descriptor, end, 0, text.length, size - text.length);
      if (end.toString('latin1') !== text) continue;
      ftruncateSync(descriptor, size - text.length);
      return;
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The remark, without the end of its line; empty where the shell makes none. */
function remarkOn(signal: string): string {
  const victim = `kill -${signal.slice('SIG'.length)} $$`;
  const { stdout } = spawnSync('/bin/sh', ['-c', 'ulimit -c 0; /bin/sh -c "$0" 2>&1; :', victim], {
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return stdout?.trimEnd() ?? '';
}
