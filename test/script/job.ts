import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Script } from '../../src/config/config.ts';
import type { ScriptEvent, ScriptOrder } from '../../src/script/run-script.ts';

/** A temporary workspace with a run's folder, and jobs in it. */
export interface Workbench {
  readonly folder: string;
  readonly runFolder: string;
  readonly events: ScriptEvent[];
  path(name: string): string;
  /** Writes an executable file and gives its path. */
  write(name: string, text: string, mode?: number): string;
  read(name: string): string;
  /** A job; `argv` and the rest of the script as given. */
  job(script: Partial<Script> & { argv: readonly string[] }, rest?: Partial<ScriptOrder>): ScriptOrder;
  /** A job that has the shell run this text. */
  sh(text: string, script?: Partial<Script>, rest?: Partial<ScriptOrder>): ScriptOrder;
  remove(): void;
}

export function makeWorkbench(): Workbench {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rhythm-script-')));
  const runFolder = join(folder, 'outputs', 'runs', 'r');
  mkdirSync(runFolder, { recursive: true });
  const events: ScriptEvent[] = [];
  const path = (name: string) => join(folder, name);
  const job: Workbench['job'] = (script, rest) => ({
    script: {
      name: 'it',
      file: null,
      cwd: folder,
      env: {},
      timeout: 60_000,
      killAfter: 5_000,
      retries: 0,
      retryDelay: 1,
      optional: false,
      successExitCodes: [],
      ...script,
    },
    group: 'constructor',
    runId: `run-${folder.slice(-6)}`,
    beat: '2026-11-22T16:00:00.000Z',
    workspace: folder,
    outputs: join(folder, 'outputs'),
    folder: runFolder,
    number: 1,
    redact: [],
    stop: new AbortController().signal,
    onEvent: (event) => events.push(event),
    ...rest,
  });
  return {
    folder,
    runFolder,
    events,
    path,
    write(name, text, mode = 0o755) {
      mkdirSync(join(path(name), '..'), { recursive: true });
      writeFileSync(path(name), text);
      chmodSync(path(name), mode);
      return path(name);
    },
    read: (name) => readFileSync(path(name), 'utf8'),
    job,
    sh: (text, script, rest) => job({ argv: ['sh', '-c', text], ...script }, rest),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Waits for what no event tells, such as a process that has nobody to announce its end to. */
export async function until(condition: () => boolean, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
