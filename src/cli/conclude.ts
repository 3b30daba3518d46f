import { RhythmError } from '../errors.ts';

/**
 * Runs a command to the exit code of this process. Expected failures are told in a sentence on stderr.
 *
 * @param showsOrigin whether errors are to say where they come from; asked when one has come
 */
export async function conclude(command: () => Promise<number>, showsOrigin: () => boolean): Promise<void> {
  // A reader that goes away (`rhythm … | head`) is no reason to fail; a full disk is, but none to leave a tick half done.
  let hasFailed = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') return;
      if (!hasFailed) process.stderr.write(`rhythm: what it prints can't be written (${error.message}).\n`);
      hasFailed = true;
      process.exitCode = 74;
    });
  }
  const code = await command().catch((error: unknown) => tellFailure(error, showsOrigin()));
  process.exitCode = hasFailed ? 74 : code;
}

function tellFailure(error: unknown, showsOrigin: boolean): number {
  if (error instanceof RhythmError) {
    process.stderr.write(`rhythm: ${showsOrigin ? error.stack : error.message}\n`);
    return error.exitCode;
  }
  const what = error instanceof Error ? (showsOrigin ? error.stack : error.message) : String(error);
  const advice = showsOrigin ? '' : '; run it again with --verbose and report what it prints';
  process.stderr.write(`rhythm: a defect of rhythm itself: ${what}${advice}\n`);
  return 70;
}
