import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { declareConsolidation } from './consolidation.ts';
import { declareInsight } from './insight.ts';
import { declareInspection } from './inspection.ts';
import { declareOperation } from './operation.ts';
import { declareRecords } from './records.ts';
import { declareSetup } from './setup.ts';
import { print } from './streams.ts';
import { declareUpkeep } from './upkeep.ts';

/** What a command's action is given. */
export interface Context {
  /** The folder that is worked in, as it was given. */
  readonly workspace: () => string;
  readonly isVerbose: () => boolean;
  /** Takes the exit code. */
  readonly finish: (code: number) => void;
}

/**
 * Builds the command line. Declarations are light; what a command does is imported when it is asked for.
 *
 * @param finish takes the exit code of the command that was run
 */
export function buildProgram(finish: (code: number) => void): Command {
  const program = new Command('rhythm')
    .description('Runs groups of scripts when they are due, in the order of their dependencies, once.')
    .version(readVersion(), '-V, --version', 'print the version')
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

  const context: Context = {
    workspace: () => program.opts<{ workspace?: string }>().workspace ?? process.cwd(),
    isVerbose: () => isVerbose(program),
    finish,
  };
  declareOperation(program, context);
  declareInsight(program, context);
  declareRecords(program, context);
  declareInspection(program, context);
  declareUpkeep(program, context);
  declareSetup(program, context);
  declareConsolidation(program, context);
  return program;
}

/** Whether errors are to say where they come from. */
export function isVerbose(program: Command): boolean {
  return program.opts<{ verbose?: boolean }>().verbose === true;
}

function readVersion(): string {
  const url = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version;
}
