import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import { examine, type Finding, type Level, type Site } from '../../doctor/doctor.ts';
import { machineChecks } from '../../doctor/machine-checks.ts';
import { programChecks } from '../../doctor/program-checks.ts';
import { storageChecks } from '../../doctor/storage-checks.ts';
import { triggerChecks } from '../../doctor/trigger-checks.ts';
import { RhythmError } from '../../errors.ts';
import { neutralise } from '../../log/safe-text.ts';
import { countOf } from '../../report/quantities.ts';
import { wrapText } from '../../report/wrap-text.ts';
import { type HistoryLine, readNewest } from '../../state/history.ts';
import { readPulse } from '../../state/stamp.ts';
import { instantOf } from '../../state/state-schema.ts';
import { readState } from '../../state/store.ts';
import { findTriggers } from '../../trigger/find-triggers.ts';
import type { Context } from '../context.ts';
import { printLine } from '../streams.ts';
import { painter, terminalWidth } from '../terminal.ts';

interface DoctorFlags {
  readonly json?: boolean;
}

/** `rhythm doctor --json`. */
export interface DoctorDocument {
  readonly schemaVersion: 1;
  /** The worst of all levels. */
  readonly level: Level;
  readonly findings: readonly Finding[];
}

/** Declares `rhythm doctor`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('doctor')
    .description(
      'check the machine: programs, scripts, permissions, trigger, clock, locks, disk; with a fix for each finding',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Changes nothing. Exit code 1 where there is a problem, 0 also with warnings.

Examples:
  rhythm doctor
  sudo -u jobs rhythm -C /srv/jobs doctor  as the user that ticks`,
    )
    .action(async (flags: DoctorFlags) => {
      finish(await doctor(workspace(), flags));
    });
}

/** `rhythm doctor`: checks the machine; 1 where there is a problem. Writes nothing anywhere. */
async function doctor(workspace: string, flags: DoctorFlags): Promise<number> {
  const site = await survey(resolve(workspace));
  const findings = examine([...machineChecks, ...programChecks, ...storageChecks, ...triggerChecks], site);
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length;
  const level: Level = count('problem') > 0 ? 'problem' : count('warning') > 0 ? 'warning' : 'ok';
  if (flags.json) {
    printLine(JSON.stringify({ schemaVersion: 1, level, findings } satisfies DoctorDocument, null, 2));
  } else {
    for (const finding of findings) for (const line of render(finding)) printLine(line);
    const bad = [
      ...(count('problem') > 0 ? [countOf(count('problem'), 'problem')] : []),
      ...(count('warning') > 0 ? [countOf(count('warning'), 'warning')] : []),
    ];
    printLine(bad.length === 0 ? '\nAll is well.' : `\n${bad.join(' and ')}; all else is well.`);
  }
  return level === 'problem' ? 1 : 0;
}

/** Gathers what the checks look at. */
async function survey(workspace: string): Promise<Site> {
  const nothing = { state: null, stateTrouble: [], newest: null, lastSign: null, triggers: null };
  const known = { workspace, now: Date.now(), environment: process.env };
  try {
    const { config } = await loadConfig(workspace, { cache: 'read' });
    const site = { ...known, ...nothing, config, configTrouble: null, triggers: findTriggers(config.workspace) };
    try {
      const { state, notices } = readState(config.outputs);
      const { newest, lastTick } = readEnd(config.outputs);
      const started = instantOf(state.lastTick?.startedAt);
      const signs = [started, lastTick, readPulse(config.outputs)].filter((sign) => sign !== null);
      return { ...site, state, stateTrouble: notices, newest, lastSign: signs.length > 0 ? Math.max(...signs) : null };
    } catch (error) {
      if (!(error instanceof RhythmError)) throw error;
      return { ...site, stateTrouble: [error.message] };
    }
  } catch (error) {
    if (!(error instanceof RhythmError)) throw error;
    return { ...known, ...nothing, config: null, configTrouble: error.message };
  }
}

/** The newest line of the history, and the instant of its newest tick, ms. */
function readEnd(outputs: string): { newest: HistoryLine | null; lastTick: number | null } {
  let newest: HistoryLine | null = null;
  for (const line of readNewest(outputs)) {
    newest ??= line;
    if (line.type === 'tick') return { newest, lastTick: Date.parse(line.at) };
  }
  return { newest, lastTick: null };
}

const colours = { ok: 'run', warning: 'skip', problem: 'expire' } as const;
const indent = 9;

function render({ level, text, mend }: Finding): string[] {
  const paint = painter();
  const width = terminalWidth();
  // A configuration's problems are one a line.
  const lines = text.split('\n').flatMap((line) => wrap(neutralise(line), width - indent));
  // A command stays on one line, to be copied.
  const mends = mend === null ? [] : [`→ ${neutralise(mend)}`];
  return [...lines, ...mends].map((line, index) => {
    const label = index === 0 ? paint(level, colours[level]) + ' '.repeat(indent - level.length) : ' '.repeat(indent);
    return `${label}${line}`;
  });
}

/** Breaks a line at its blanks; its own indent stays. */
function wrap(line: string, width: number): string[] {
  const start = /^ */.exec(line)?.[0] ?? '';
  return wrapText(line.slice(start.length), width - start.length).map((part) => `${start}${part}`);
}
