import { Command } from 'commander';
import packageFile from '../../package.json' with { type: 'json' };
import { print } from './streams.ts';

/** Builds the command line with its global options; the commands declare themselves on it, see commands.ts. */
export function createProgram(): Command {
  return new Command('rhythm')
    .description('Runs groups of scripts when they are due, in the order of their dependencies, once.')
    .version(packageFile.version, '-V, --version', 'print the version')
    .option('-C, --workspace <dir>', 'the folder that holds tasks.config.ts (default: the current one)')
    .option('--verbose', 'show where an error comes from')
    .helpOption('-h, --help', 'print this help')
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => print('stdout', text),
      writeErr: (text) => print('stderr', text),
      outputError: (text, write) => write(text.replace(/^error: /, 'rhythm: ')),
    })
    .exitOverride();
}

/** The values of the global options, once they were parsed. */
export function globalOptions(program: Command): { readonly workspace?: string; readonly verbose?: boolean } {
  return program.opts();
}
