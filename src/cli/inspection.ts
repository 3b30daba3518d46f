import type { Command } from 'commander';
import type { ConfigFlags } from './config.ts';
import type { GraphFlags } from './graph.ts';
import type { Context } from './program.ts';
import type { ValidateFlags } from './validate.ts';

/** Declares the commands that look at the configuration: `graph`, `config`, `validate`. */
export function declareInspection(program: Command, { workspace, finish }: Context): void {
  program
    .command('graph [groups...]')
    .description('show what depends on what: all groups, or those named with all that they lead to and come from')
    .option('--format <format>', 'text, mermaid, dot or svg (default: text)')
    .option('--state', 'show how each group ended last')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm graph                             a tree, what runs first at the left
  rhythm graph backup --state              what backup waits for and what waits for it, and how they ended last
  rhythm graph --format svg >graph.svg     a picture for a browser, light or dark as that is
  rhythm graph --format mermaid            for a README
  rhythm graph --format dot | dot -Tpdf >graph.pdf`,
    )
    .action(async (groups: string[], flags: GraphFlags) => {
      const { graph } = await import('./graph.ts');
      finish(await graph(workspace(), groups, flags));
    });

  program
    .command('config [groups...]')
    .description('print the configuration with all defaults filled in, and where each value comes from')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm config                            everything
  rhythm config backup                     one group
  rhythm config --json | jq '.values[] | select(.origin != "default")'

The last column is the place of a value in the configuration file, or "default", or "system". Values of the
environment variables that redact names are shown as ***.`,
    )
    .action(async (groups: string[], flags: ConfigFlags) => {
      const { config } = await import('./config.ts');
      finish(await config(workspace(), groups, flags));
    });

  program
    .command('validate')
    .description('check the configuration: every problem at once, and warnings of what may not be meant')
    .option('--strict', 'exit 2 where there are warnings, too')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm validate                          exit 0 if it is valid, 2 if it is not
  rhythm validate --strict                 for a commit hook: no warnings either
  rhythm validate --json | jq -r '.warnings[] | "\\(.code) \\(.path)"'`,
    )
    .action(async (flags: ValidateFlags) => {
      const { validate } = await import('./validate.ts');
      finish(await validate(workspace(), flags));
    });
}
