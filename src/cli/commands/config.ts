import type { Command } from 'commander';
import { rawConfigOf } from '../../config/load/raw-config.ts';
import { loadSource } from '../../config/load.ts';
import { neutralise, redacted, redactText } from '../../log/safe-text.ts';
import { concealed, documentConfig, renderConfig } from '../../report/config-document.ts';
import type { Context } from '../context.ts';
import { findGroup } from '../find-group.ts';
import { printLine } from '../streams.ts';
import { terminalStyle, terminalWidth } from '../terminal.ts';

interface ConfigFlags {
  readonly json?: boolean;
}

/** Declares `rhythm config`. */
export function declare(program: Command, { workspace, finish }: Context): void {
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
      finish(await config(workspace(), groups, flags));
    });
}

/** `rhythm config [GROUP…]`: what rules, and where it comes from. Reads only. */
async function config(workspace: string, names: readonly string[], { json }: ConfigFlags): Promise<number> {
  const loaded = await loadSource(workspace);
  const { config: resolved } = loaded;
  const groups = names.length === 0 ? resolved.groups : names.map((name) => findGroup(resolved, name));

  // A secret may have gone into any text: the configuration is a program and can ask the environment.
  const environments = [process.env, ...resolved.groups.flatMap(({ scripts }) => scripts.map(({ env }) => env))];
  const secrets = environments.flatMap((environment) =>
    resolved.redact.flatMap((name) => (Object.hasOwn(environment, name) ? (environment[name] ?? []) : [])),
  );
  const conceal = (text: string): string => redactText(text, secrets).replaceAll(redacted, concealed);

  const document = documentConfig(resolved, rawConfigOf(loaded.raw), groups, conceal);
  if (json) {
    printLine(JSON.stringify(document, null, 2));
    return 0;
  }
  const style = terminalStyle();
  const paint = {
    heading: (text: string) => style('bold', text),
    origin: (text: string, origin: string) =>
      style(origin === 'default' || origin === 'system' ? 'gray' : 'cyan', text),
  };
  const clean = (text: string): string => neutralise(text, Number.MAX_SAFE_INTEGER);
  printLine(renderConfig(document, { width: terminalWidth(), paint, clean }));
  return 0;
}
