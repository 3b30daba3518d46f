import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { PlanDocument } from '../src/report/plan-document.ts';
import type { State } from '../src/state/state-schema.ts';

export const program = fileURLToPath(new URL('../dist/rhythm.js', import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs; `done` answers when it has ended. */
export interface Running {
  readonly child: ChildProcess;
  readonly done: Promise<Result>;
}

/** A workspace of its own for one test, removed when that ends. */
export interface Workspace {
  readonly folder: string;
  readonly outputs: string;
  /** Writes the configuration. */
  configure(config: object): void;
  /** Writes a file; scripts are made executable. */
  write(name: string, text: string): void;
  read(name: string): string;
  has(name: string): boolean;
  start(args: readonly string[], options?: StartOptions): Running;
  rhythm(args?: readonly string[], options?: StartOptions): Promise<Result>;
  /** Runs a tick and answers with its JSON. */
  tick(options?: StartOptions & { args?: readonly string[] }): Promise<PlanDocument & { code: number | null }>;
  state(): State;
  history(): Record<string, unknown>[];
  log(): string;
  /** What the scripts wrote with `note`, line by line. */
  ledger(): string[];
  /** Waits until the ledger has a line. */
  ledgerHas(line: string): Promise<void>;
  /** All files with their content and times, to see that nothing was touched. */
  fingerprint(): Record<string, string>;
}

export interface StartOptions {
  /** The instant that the program sees; it goes on from there. Needs libfaketime. */
  readonly at?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Another build of the program. */
  readonly program?: string;
}

const faketime = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu']
  .map((folder) => join(folder, 'faketime/libfaketime.so.1'))
  .find((file) => existsSync(file));

/** Whether clocks can be moved here. */
export const hasFaketime = faketime !== undefined;
/** Whether kernel features that only Linux has can be looked at. */
export const isLinux = process.platform === 'linux';

/** A line of sh that writes into the ledger. */
export function note(text: string): string {
  return `echo "${text}" >>"$RHYTHM_WORKSPACE/ledger"`;
}

/** A line of sh that goes on only when the test lets it: see `release`. */
export function gate(name: string): string {
  return `read -r _ <"$RHYTHM_WORKSPACE/${name}"`;
}

export function makeWorkspace(): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm test '));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const outputs = join(folder, 'outputs');
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const has = (name: string) => existsSync(join(folder, name));
  const ledger = () => (has('ledger') ? read('ledger').split('\n').slice(0, -1) : []);

  function start(args: readonly string[], { at, env, program: build = program }: StartOptions = {}): Running {
    const child = spawn(process.execPath, [build, '-C', folder, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_EXTRA_CA_CERTS: undefined, NO_COLOR: '1', TZ: 'UTC', ...shiftClock(at), ...env },
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    const done = once(child, 'close').then(([code, signal]): Result => ({ code, signal, stdout, stderr }));
    return { child, done };
  }

  const workspace: Workspace = {
    folder,
    outputs,
    configure: (config) => writeFileSync(join(folder, 'tasks.config.json'), JSON.stringify(config, null, 2)),
    write(name, text) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
      if (name.startsWith('scripts/')) chmodSync(join(folder, name), 0o755);
    },
    read,
    has,
    start,
    rhythm: (args = [], options = {}) => start(args, options).done,
    async tick({ args = [], ...options } = {}) {
      const { code, stdout, stderr } = await start(['tick', '--json', ...args], options).done;
      if (stdout === '') throw new Error(`the tick ended with ${code} and printed nothing: ${stderr}`);
      return { ...(JSON.parse(stdout) as PlanDocument), code };
    },
    state: () => JSON.parse(read('outputs/master_scheduler_state.json')),
    history: () =>
      read('outputs/history.jsonl')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    log: () => read('outputs/master_scheduler.log'),
    ledger,
    async ledgerHas(line) {
      const watcher = watch(folder);
      try {
        while (!ledger().includes(line)) await once(watcher, 'change', { signal: AbortSignal.timeout(20_000) });
      } finally {
        watcher.close();
      }
    },
    fingerprint() {
      const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
      return Object.fromEntries(
        names.map((name) => {
          const stats = statSync(join(folder, name));
          return [name, `${stats.mtimeMs} ${stats.mode} ${stats.isFile() ? read(name) : ''}`];
        }),
      );
    },
  };
  return workspace;
}

function shiftClock(at: string | undefined): NodeJS.ProcessEnv {
  if (at === undefined) return {};
  if (faketime === undefined) throw new Error('this test moves the clock and needs libfaketime');
  return {
    LD_PRELOAD: faketime,
    FAKETIME: `@${at.replace('T', ' ').replace(/(\.\d+)?Z$/, '')}`,
    // Node's timers and our durations run on the monotonic clock, which is left alone.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    TZ: 'UTC',
  };
}

/** Makes a gate that a script waits at. */
export function makeGate(workspace: Workspace, name: string): void {
  execFileSync('mkfifo', [join(workspace.folder, name)]);
}

/** Lets a script that waits at a gate go on: one gate for each wait. */
export function release(workspace: Workspace, name: string): void {
  letThrough(join(workspace.folder, name));
}

/**
 * Writes a line into a named pipe as soon as somebody reads it. Opened as usual it would hold this process, its timers
 * and so every limit of the suite for as long as nobody does.
 */
export function letThrough(pipe: string): void {
  const until = performance.now() + 20_000;
  for (;;) {
    try {
      const descriptor = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
      writeSync(descriptor, '\n');
      closeSync(descriptor);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO' || performance.now() > until) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
