import { basename } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { lintConfig } from '../../config/lint/lint.ts';
import type { Lint } from '../../config/lint/lint-codes.ts';
import { findScriptFiles } from '../../config/lint/script-files.ts';
import { rawConfigOf } from '../../config/load/raw-config.ts';
import { loadSource } from '../../config/load.ts';
import { ConfigError, type Problem } from '../../config/problems.ts';
import { neutralise } from '../../log/safe-text.ts';
import { countOf } from '../../report/quantities.ts';
import { wrapText } from '../../report/wrap-text.ts';
import type { Context } from '../context.ts';
import { printLine } from '../streams.ts';
import { terminalStyle, terminalWidth } from '../terminal.ts';

interface ValidateFlags {
  readonly strict?: boolean;
  readonly json?: boolean;
}

/** `validate --json`, as others rely on it. */
export interface ValidationDocument {
  readonly schemaVersion: 1;
  /** What makes the configuration unusable. Where there is any, nothing is linted. */
  readonly problems: readonly Problem[];
  /** What works, but perhaps not as it was meant; the codes are stable. */
  readonly warnings: readonly Lint[];
}

/** Declares `rhythm validate`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('validate')
    .description('check the configuration: every problem at once, and warnings about likely mistakes')
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
      finish(await validate(workspace(), flags));
    });
}

/** `rhythm validate`: the exit code, 2 where there are problems, and with `--strict` also where there are warnings. */
async function validate(workspace: string, { strict, json }: ValidateFlags): Promise<number> {
  const print = (problems: readonly Problem[], warnings: readonly Lint[]): void => {
    const document: ValidationDocument = { schemaVersion: 1, problems, warnings };
    printLine(JSON.stringify(document, null, 2));
  };
  let loaded: Awaited<ReturnType<typeof loadSource>>;
  try {
    loaded = await loadSource(workspace);
  } catch (error) {
    if (!json || !(error instanceof ConfigError)) throw error;
    print(error.problems, []);
    return error.exitCode;
  }
  const { config } = loaded;
  const raw = rawConfigOf(loaded.raw);
  const files = findScriptFiles(config, raw, loaded.inputs);
  const warnings = lintConfig(config, { raw, now: Date.now(), files });
  if (json) print([], warnings);
  else printLine(render(config, warnings));
  return strict && warnings.length > 0 ? 2 : 0;
}

function render(config: Config, warnings: readonly Lint[]): string {
  const scripts = config.groups.reduce((count, group) => count + group.scripts.length, 0);
  const counted = `${countOf(config.groups.length, 'group')}, ${countOf(scripts, 'script')}`;
  const warned = warnings.length === 0 ? 'nothing to warn of' : countOf(warnings.length, 'warning');
  const style = terminalStyle();
  const width = terminalWidth();
  const lines = [`${basename(config.file)} is valid: ${counted}; ${warned}.`];
  for (const { code, path, message } of warnings) {
    lines.push('', `${style('bold', neutralise(path))}  ${style('yellow', code)}`);
    for (const line of wrapText(neutralise(message), width - 2)) lines.push(`  ${line}`);
  }
  return lines.join('\n');
}
