#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { suggest } from '../config/problems.ts';
import { RhythmError, UsageError } from '../errors.ts';
import { type PauseFlags, pause, resume } from './pause.ts';
import { type RunFlags, run } from './run.ts';
import { type TickFlags, tick } from './tick.ts';

interface GlobalFlags {
  readonly workspace?: string;
  readonly verbose?: boolean;
}

/** Builds the command line. Each action answers with the exit code. */
function buildProgram(finish: (code: number) => void): Command {
  const program = new Command('rhythm')
    .description('Runs groups of scripts when they are due, in the order of their dependencies, once.')
    .version(readVersion(), '-V, --version', 'print the version')
    .option('-C, --workspace <dir>', 'the folder that holds tasks.config.ts (default: the current one)')
    .option('--verbose', 'show where an error comes from')
    .helpOption('-h, --help', 'print this help')
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'rhythm: ')) })
    .exitOverride();

  program
    .command('tick', { isDefault: true })
    .description('run what is due, record it, exit (the default)')
    .allowExcessArguments()
    .option('--dry-run', 'print the plan and change nothing')
    .option('--at <instant>', 'with --dry-run: plan for this instant (ISO 8601)')
    .option('--for <duration>', 'with --dry-run: forecast every tick that would do something, for so long')
    .option('--wait <duration>', 'wait for lanes that another tick holds, for so long at most')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm                                   run what is due
  rhythm tick --dry-run                    what would run now, and why
  rhythm tick --dry-run --at 2026-11-23T03:00:00Z
  rhythm tick --dry-run --for 24h          every coming tick of a day
  rhythm tick --wait 30s                   let a tick that is ending end`,
    )
    .action(async (flags: TickFlags, command: Command) => {
      refuseArguments(command.args, program);
      finish(await tick(workspaceOf(program), flags));
    });

  program
    .command('run <target>')
    .description('run a group now, or one script of it (group/script), under the same locks and records as a tick')
    .option('--with-dependencies', 'run what it depends on first')
    .option('--ignore-dependencies', 'run it whatever became of what it depends on')
    .option('--wait <duration>', 'wait for a lane that is held, for so long at most')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm run health_check                  counts as its last run; consumes its beat if one is due
  rhythm run health_check/check_health.ts  one script, which counts for nothing
  rhythm run daily_routine --with-dependencies`,
    )
    .action(async (target: string, flags: RunFlags) => {
      finish(await run(workspaceOf(program), target, flags));
    });

  program
    .command('pause [groups...]')
    .description('hold groups back, all of them where none is named; they collect no beats meanwhile')
    .option('--until <when>', 'resume by itself: an instant (ISO 8601) or a duration from now')
    .option('--reason <text>', 'why, for those who wonder')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm pause                             hold everything back
  rhythm pause backup --until 2h --reason 'the disk is being replaced'`,
    )
    .action(async (groups: string[], flags: PauseFlags) => {
      finish(await pause(workspaceOf(program), groups, flags));
    });

  program
    .command('resume [groups...]')
    .description('let groups go again, all that are paused where none is named')
    .option('--json', 'print JSON')
    .action(async (groups: string[], flags: PauseFlags) => {
      finish(await resume(workspaceOf(program), groups, flags));
    });
  return program;
}

function workspaceOf(program: Command): string {
  return program.opts<GlobalFlags>().workspace ?? process.cwd();
}

/** What is no command is taken for an argument of the default one. */
function refuseArguments([first]: readonly string[], program: Command): void {
  if (first === undefined) return;
  const meant = suggest(
    first,
    program.commands.map((command) => command.name()),
  );
  throw new UsageError(`there is no command ${JSON.stringify(first)}${meant || '; see rhythm --help.'}`);
}

function readVersion(): string {
  const url = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version;
}

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
    const isVerbose = program.opts<GlobalFlags>().verbose === true;
    if (error instanceof RhythmError) {
      process.stderr.write(`rhythm: ${isVerbose ? error.stack : error.message}\n`);
      return error.exitCode;
    }
    const what = error instanceof Error ? (isVerbose ? error.stack : error.message) : String(error);
    const advice = isVerbose ? '' : '; run it again with --verbose and report what it prints';
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
const exitCode = await main(process.argv.slice(2));
process.exitCode = outputFailure === null ? exitCode : 74;
