import type * as z from 'zod';
import { parseDuration } from '../../schedule/duration.ts';
import type { Script } from '../config.ts';
import { describeValue, formatPath, joinWords, type Path, type Report } from '../problems.ts';
import {
  type Interpreters,
  type Invocation,
  invoke,
  invokeFile,
  invokeShell,
  type Platform,
  pathRulesOf,
} from './argv.ts';
import { scriptObject } from './config-schema.ts';
import { salvage } from './issues.ts';
import { scriptForms } from './rules.ts';
import { foldName, splitWords } from './split-words.ts';

/** What a script takes from the configuration around it. */
export interface ScriptSetting {
  readonly workspace: string;
  readonly scriptsDir: string;
  readonly interpreters: Interpreters;
  /** In ms. */
  readonly killAfter: number;
  readonly platform: Platform;
}

/** A script object as the schema reads it. */
type ScriptFrame = Partial<z.infer<typeof scriptObject>>;

interface Draft {
  readonly explicitName: string | null;
  readonly defaultName: string;
  readonly named: (name: string) => Script;
}

const hour = 3_600_000;
const forms = ['run', 'command', 'shell'] as const;

/** Resolves the scripts of a group, each on its own; those with a problem are reported and left out. */
export function resolveScripts(
  inputs: readonly unknown[],
  path: Path,
  setting: ScriptSetting,
  report: Report,
): readonly Script[] {
  const drafts = inputs.map((input, index) => draftScript(input, [...path, index], setting, report));
  return nameScripts(drafts, path, report);
}

function draftScript(input: unknown, path: Path, setting: ScriptSetting, report: Report): Draft | null {
  const refuse = (message: string, key?: string): null => {
    report({ path: formatPath(key === undefined ? path : [...path, key]), message });
    return null;
  };
  if (typeof input === 'string') {
    const words = splitWords(input);
    if (input.includes('\0')) return refuse(`expected a text, found ${describeValue(input)}`);
    if (!words)
      return refuse(`a quote is not closed in ${describeValue(input)}; close it, or use the form { run, args }`);
    const [file, ...args] = words;
    if (!file) return refuse(`expected ${scriptForms}, found ${describeValue(input)}`);
    return draft(
      invokeRun(file, args, setting),
      { file: resolveIn(setting.scriptsDir, file, setting), defaultName: file },
      {},
      setting,
    );
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return refuse(`expected ${scriptForms}, found ${describeValue(input)}`);
  }

  const script = salvage(scriptObject, input, path, report);
  // Asked of the input, so that a form with a problem of its own still counts as the form that was chosen.
  const chosen = forms.filter(
    (form) => (input as Record<string, unknown>)[form] !== undefined && Object.hasOwn(input, form),
  );
  if (chosen.length === 0) return refuse('it says nothing to run; give it one of run, command and shell');
  if (chosen.length > 1)
    return refuse(`it has ${joinWords(chosen, 'and')}; a script has exactly one of ${joinWords(forms, 'and')}`);
  if (script.args && chosen[0] === 'shell')
    return refuse('arguments go with run or command; write them into the line', 'args');

  const args = script.args ?? [];
  if (script.run !== undefined) {
    const file = resolveIn(setting.scriptsDir, script.run, setting);
    return draft(invokeRun(script.run, args, setting), { file, defaultName: script.run }, script, setting);
  }
  if (script.command !== undefined) {
    const program = /[/\\]/.test(script.command)
      ? resolveIn(setting.workspace, script.command, setting)
      : script.command;
    return draft(invoke([program, ...args]), { file: null, defaultName: script.command }, script, setting);
  }
  if (script.shell !== undefined) {
    const invocation = invokeShell(script.shell, setting.platform);
    return draft(invocation, { file: null, defaultName: nameLine(script.shell) }, script, setting);
  }
  return null;
}

function invokeRun(file: string, args: readonly string[], setting: ScriptSetting): Invocation {
  return invokeFile(resolveIn(setting.scriptsDir, file, setting), args, setting.interpreters, setting.platform);
}

function resolveIn(folder: string, path: string, setting: ScriptSetting): string {
  return pathRulesOf(setting.platform).resolve(folder, path);
}

function draft(
  invocation: Invocation,
  origin: { file: string | null; defaultName: string },
  script: ScriptFrame,
  setting: ScriptSetting,
): Draft {
  const { workspace } = setting;
  const env = Object.entries(script.env ?? {}).map(([name, value]) => [name, String(value)] as const);
  const cwd = script.cwd === undefined ? workspace : resolveIn(workspace, script.cwd, setting);
  return {
    explicitName: script.name ?? null,
    defaultName: origin.defaultName,
    named: (name) => ({
      name,
      argv: invocation.argv,
      ...(invocation.verbatim ? { verbatim: true } : {}),
      ...(invocation.bundles ? { bundles: true } : {}),
      file: origin.file,
      cwd,
      env: { ...invocation.env, ...Object.fromEntries(env) },
      timeout: parseDuration(script.timeout ?? '') ?? hour,
      killAfter: parseDuration(script.killAfter ?? '') ?? setting.killAfter,
      retries: script.retries ?? 0,
      retryDelay: parseDuration(script.retryDelay ?? '') ?? 1_000,
      optional: script.optional ?? false,
      successExitCodes: script.successExitCodes ?? [0],
    }),
  };
}

/** What a shell line is called: its program, without the folder and without the variables set before it. */
function nameLine(line: string): string {
  const words = splitWords(line) ?? line.split(/\s+/);
  const program = words.find((word) => !/^(\w+=|$)/.test(word)) ?? '';
  return /[^/\\;|&<>()"'\p{Cc}]+(?=$|[;|&<>()])/u.exec(program)?.[0] ?? 'shell';
}

/**
 * Gives each script a name of its own. The names that the user wrote must differ; a default one that is taken gets
 * `-2`, `-3` and so on. Names differ when they can stand side by side as file names.
 */
function nameScripts(drafts: readonly (Draft | null)[], path: Path, report: Report): Script[] {
  const taken = new Map<string, string>();
  drafts.forEach((script, index) => {
    if (script?.explicitName == null) return;
    const key = foldName(script.explicitName);
    const other = taken.get(key);
    if (other !== undefined) {
      const clash =
        other === script.explicitName
          ? 'is already called'
          : `can't be told from ${describeValue(other)} as a file name when called`;
      report({
        path: formatPath([...path, index, 'name']),
        message: `another script of this group ${clash} ${describeValue(script.explicitName)}; give it another name`,
      });
    }
    taken.set(key, script.explicitName);
  });
  return drafts.flatMap((script) => {
    if (!script) return [];
    const { explicitName, defaultName, named } = script;
    let name = explicitName ?? defaultName;
    if (explicitName === null) {
      for (let number = 2; taken.has(foldName(name)); number++) name = `${defaultName}-${number}`;
      taken.set(foldName(name), name);
    }
    return [named(name)];
  });
}
