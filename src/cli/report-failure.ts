import { RhythmError } from '../errors.ts';
import { print } from './streams.ts';

/**
 * Reports an error on stderr and returns the exit code for it: an expected failure has its own, anything else is a bug
 * and exits with 70 (EX_SOFTWARE).
 */
export function reportFailure(error: unknown, isVerbose: boolean): number {
  if (error instanceof RhythmError) {
    print('stderr', `rhythm: ${isVerbose ? error.stack : error.message}\n`);
    return error.exitCode;
  }
  const what = error instanceof Error ? (isVerbose ? error.stack : error.message) : String(error);
  const advice = isVerbose ? '' : '; run it again with --verbose and report what it prints';
  print('stderr', `rhythm: internal error: ${what}${advice}\n`);
  return 70;
}
