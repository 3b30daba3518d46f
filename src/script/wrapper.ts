/**
 * The program of a wrapper: a POSIX shell that leads the script's process group, outlives the script, and appends the
 * script's process id and status to its evidence without the help of the tick, which may have died by then.
 *
 * It uses builtins only, so that it works whatever the script's PATH (`echo`, because some shells lack a builtin
 * `printf`), and it keeps everything in positional parameters, so that the script's environment stays as it is:
 * `$1` is the evidence file, `$2` the attempt, the rest the script's program and arguments. As under cron, variables with
 * names that a shell can't have (`my.name`) may get lost.
 *
 * Its stdin is a pipe from the tick, stdout the script's output file, stderr /dev/null, descriptor 3 a pipe to the tick.
 */
export const wrapper = `${[
  // Handled rather than ignored, because an ignored signal stays ignored in the script. The shell runs the handler when
  // the script has ended, so a signal to the whole group does not keep it from recording the status.
  'trap : HUP INT QUIT TERM',
  // The tick says "go" when the identity of this process is on disk. A tick that dies before that starts nothing.
  'read -r _rhythm_go || exit 0',
  // The inner shell becomes the script by exec, so the process id that it reports is the script's own. A write to the pipe
  // of a tick that has died must not kill it. Messages that shells print about killed children go to the outer stderr,
  // never to the script's output.
  `/bin/sh -c '${[
    'trap "" PIPE',
    'echo "pid $2 $$" >>"$1"',
    'echo "$$" >&3',
    'trap - PIPE',
    'shift 2',
    'exec "$@" 2>&1 3>&-',
  ].join('; ')}' "$0" "$@" </dev/null`,
  'set -- "$?" "$@"',
  // If the run's folder is gone, the living tick still has the exit code.
  'echo "ended $3 $1" >>"$2"',
  'exit "$1"',
].join('\n')}\n`;

/** The arguments of the shell that runs the wrapper. */
export function wrap(evidence: string, attempt: number, path: string, args: readonly string[]): string[] {
  return ['-c', wrapper, 'rhythm', evidence, String(attempt), path, ...args];
}
