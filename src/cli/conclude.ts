import { RhythmError } from '../errors.ts';
import { hasLost, print } from './streams.ts';

/**
 * Runs a command to the exit code of this process. Expected failures are told in a sentence on stderr.
 *
 * @param showsOrigin whether errors are to say where they come from; asked when one has come
 */
export async function conclude(command: () => Promise<number>, showsOrigin: () => boolean): Promise<void> {
  const code = await command().catch((error: unknown) => tellFailure(error, showsOrigin()));
  process.exitCode = hasLost() ? 74 : code;
}

function tellFailure(error: unknown, showsOrigin: boolean): number {
  if (error instanceof RhythmError) {
    print('stderr', `rhythm: ${showsOrigin ? error.stack : error.message}\n`);
    return error.exitCode;
  }
  const what = error instanceof Error ? (showsOrigin ? error.stack : error.message) : String(error);
  const advice = showsOrigin ? '' : '; run it again with --verbose and report what it prints';
  print('stderr', `rhythm: a defect of rhythm itself: ${what}${advice}\n`);
  return 70;
}
