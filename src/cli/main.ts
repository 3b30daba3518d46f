#!/usr/bin/env node
import { CommanderError } from 'commander';
import { declareCommands } from './commands.ts';
import { createProgram, globalOptions } from './program.ts';
import { reportFailure } from './report-failure.ts';
import { hasLostOutput } from './streams.ts';

/** Runs the command line and returns its exit code. */
async function main(argv: string[]): Promise<number> {
  const program = createProgram();
  let exitCode = 0;
  try {
    const words = program.parseOptions(argv);
    // Before the command is loaded: Node looks for a file's source map when it loads the file.
    if (globalOptions(program).verbose) process.setSourceMapsEnabled(true);
    await declareCommands(program, words, {
      workspace: () => globalOptions(program).workspace ?? process.cwd(),
      finish: (code) => {
        exitCode = code;
      },
    });
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return reportFailure(error, globalOptions(program).verbose === true);
  }
}

const exitCode = await main(process.argv.slice(2));
process.exitCode = hasLostOutput() ? 74 : exitCode;
