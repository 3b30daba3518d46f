import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import type { Config, Script } from '../config/config.ts';
import { countOf } from '../report/quantities.ts';
import { findProgram } from '../script/find-program.ts';
import { type Check, complain, type Finding, ok, type Site, warn } from './doctor.ts';

/** Interpreters that may be asked for their version; anything else could take the question for an order. */
const known = /^(node|python|ruby|perl|bash|zsh|fish|pwsh|php|deno|bun)[\d.]*(\.exe)?$/i;
/** How long one may take to answer, ms. */
const patience = 3_000;

/** What the scripts need to be started. */
export const programChecks: readonly Check[] = [
  { name: 'scripts', look: lookAtScripts },
  { name: 'interpreters', look: lookAtInterpreters },
  { name: 'trigger path', look: lookAtPaths },
];

interface Named {
  readonly name: string;
  readonly script: Script;
}

function listScripts(config: Config | null): Named[] {
  const groups = config?.groups ?? [];
  return groups.flatMap(({ name, scripts }) => scripts.map((script) => ({ name: `${name}/${script.name}`, script })));
}

function lookAtScripts({ config, workspace, environment }: Site) {
  const scripts = listScripts(config);
  const findings = scripts.flatMap(({ name, script }) => {
    const program = findProgram(script, workspace, { ...environment, ...script.env });
    if (!('obstacle' in program)) return [];
    // The obstacle ends with its mend.
    const [, what = program.obstacle, mend = null] = /^(.*): ([^:]+)$/s.exec(program.obstacle) ?? [];
    return [complain(`${name} can't be started: ${what}`, mend)];
  });
  if (findings.length > 0 || scripts.length === 0) return findings;
  return [ok(`all scripts can be started (${countOf(scripts.length, 'script')})`)];
}

function lookAtInterpreters({ config, workspace, environment }: Site): Omit<Finding, 'check'>[] {
  const users = new Map<string, number>();
  for (const { script } of listScripts(config)) {
    const program = findProgram(script, workspace, { ...environment, ...script.env });
    if ('obstacle' in program || script.argv[0] === script.file) continue;
    users.set(program.path, (users.get(program.path) ?? 0) + 1);
  }
  return [...users].map(([path, count]) => {
    const version = known.test(basename(path)) ? askVersion(path, environment) : null;
    return ok(`${path}${version === null ? '' : `, ${version}`}: ${countOf(count, 'script')}`);
  });
}

function askVersion(path: string, environment: NodeJS.ProcessEnv): string | null {
  const { stdout, stderr, status } = spawnSync(path, ['--version'], {
    encoding: 'utf8',
    timeout: patience,
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    env: environment,
  });
  if (status !== 0) return null;
  return /v?\d+(\.\d+)+/.exec(`${stdout}\n${stderr}`)?.[0] ?? null;
}

/** A trigger gives scripts the PATH of the time when it was installed: what is found here may be missing there. */
function lookAtPaths({ config, workspace, environment, triggers }: Site) {
  return (triggers ?? []).flatMap(({ trigger, path }) => {
    if (path === '') return [];
    const theirs = { ...environment, PATH: path };
    const missing = listScripts(config).flatMap(({ name, script }) => {
      const here = findProgram(script, workspace, { ...environment, ...script.env });
      const there = findProgram(script, workspace, { ...theirs, ...script.env });
      return 'path' in here && 'obstacle' in there ? [`${name} (${script.argv[0]})`] : [];
    });
    if (missing.length > 0) {
      const text = `the PATH of the ${trigger} trigger lacks what these need, though yours has it: ${missing.join(', ')}`;
      return [complain(text, 'rhythm install')];
    }
    const moved = listScripts(config).flatMap(({ name, script }) => {
      const here = findProgram(script, workspace, { ...environment, ...script.env });
      const there = findProgram(script, workspace, { ...theirs, ...script.env });
      return 'path' in here && 'path' in there && here.path !== there.path
        ? [`${name} (${there.path}, yours is ${here.path})`]
        : [];
    });
    if (moved.length === 0) return [ok(`the PATH of the ${trigger} trigger leads to the same programs as yours`)];
    const text = `the PATH of the ${trigger} trigger leads to other programs than yours: ${moved.join(', ')}`;
    return [warn(text, 'rhythm install, if yours are the right ones')];
  });
}
