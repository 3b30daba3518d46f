import { CommanderError } from 'commander';
import { conclude } from './conclude.ts';
import { buildProgram, isVerbose } from './program.ts';

let code = 0;
const program = buildProgram((result) => {
  code = result;
});

/** Runs the command line and returns its exit code. */
async function main(): Promise<number> {
  try {
    await program.parseAsync(process.argv.slice(2), { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
}

void conclude(main, () => isVerbose(program));
