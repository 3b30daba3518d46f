import { CommanderError } from 'commander';
import { RhythmError } from '../errors.ts';
import { buildProgram, isVerbose } from './program.ts';

/** Runs a command line and returns its exit code. Expected failures are told in a sentence on stderr. */
async function main(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = buildProgram((result) => {
    code = result;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const showsOrigin = isVerbose(program);
    if (error instanceof RhythmError) {
      process.stderr.write(`rhythm: ${showsOrigin ? error.stack : error.message}\n`);
      return error.exitCode;
    }
    const what = error instanceof Error ? (showsOrigin ? error.stack : error.message) : String(error);
    const advice = showsOrigin ? '' : '; run it again with --verbose and report what it prints';
    process.stderr.write(`rhythm: a defect of rhythm itself: ${what}${advice}\n`);
    return 70;
  }
}

// A reader that goes away (`rhythm … | head`) is no reason to fail; a full disk is, but none to leave a tick half done.
let outputFailure: string | null = null;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    if (outputFailure === null) process.stderr.write(`rhythm: what it prints can't be written (${error.message}).\n`);
    outputFailure = error.message;
    process.exitCode = 74;
  });
}
void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = outputFailure === null ? exitCode : 74;
});
