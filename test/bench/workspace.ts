import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, environment, run } from './measure.ts';

export const repository = resolve(import.meta.dirname, '../..');

/** A program under test: a checkout in which dist/ is built, and the Node that runs it. */
export interface Build {
  readonly root: string;
  readonly node: string;
}

export interface Workspace {
  readonly folder: string;
  readonly outputs: string;
  write(name: string, text: string): void;
  rhythm(...args: string[]): Command;
}

/** A temporary folder for workspaces, with a cache of their own. */
export interface Bench {
  make(build: Build): Workspace;
  remove(): void;
}

export function openBench(): Bench {
  const base = mkdtempSync(join(tmpdir(), 'rhythm-bench-'));
  environment.XDG_CACHE_HOME = join(base, 'cache');
  let count = 0;
  return {
    make({ root, node }) {
      const folder = join(base, `workspace-${++count}`);
      mkdirSync(join(folder, 'node_modules'), { recursive: true });
      symlinkSync(root, join(folder, 'node_modules/rhythm-scheduler'));
      const program = ['dist/rhythm.js', 'dist/rhythm.cjs'].map((name) => join(root, name)).find(existsSync);
      if (program === undefined) throw new Error(`${root} has no built program: run npm run build there`);
      return {
        folder,
        outputs: join(folder, 'outputs'),
        write: (name, text) => writeFileSync(join(folder, name), text),
        rhythm: (...args) => ({ argv: [node, program, '-C', folder, ...args] }),
      };
    },
    remove: () => rmSync(base, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** What the rows read of `tick --json` and `tick --dry-run --json`. */
interface Plan {
  readonly groups: readonly {
    readonly decision: string;
    readonly nextBeat: string | null;
    readonly scripts: readonly { readonly name: string; readonly exitCode?: number | null }[];
  }[];
}

function readPlan({ argv }: Command): Plan {
  return JSON.parse(run(argv)) as Plan;
}

/** A copy of the example workspace in this repository. */
function copyExample(bench: Bench, build: Build): Workspace {
  const workspace = bench.make(build);
  const anHourAgo = Date.now() / 1_000 - 3_600;
  for (const name of ['tasks.config.ts', 'endpoints.json', 'scripts']) {
    const file = join(workspace.folder, name);
    cpSync(join(repository, name), file, { recursive: true });
    utimesSync(file, anHourAgo, anHourAgo);
  }
  // Not a copy of package.json: its name is that of the library, which the configuration has to find in node_modules.
  workspace.write('package.json', '{ "type": "module" }\n');
  // The scripts use this package; one whose imports are not found runs through tsx.
  const library = 'node_modules/systeminformation';
  symlinkSync(join(repository, library), join(workspace.folder, library));
  return workspace;
}

/**
 * The example workspace with nothing due for a minute. Its scripts are empty, since what they find on a busy machine
 * would decide what is due.
 */
export async function makeIdleExample(bench: Bench, build: Build): Promise<Workspace> {
  const workspace = copyExample(bench, build);
  const preview = workspace.rhythm('tick', '--dry-run', '--json');
  for (const { name } of readPlan(preview).groups.flatMap(({ scripts }) => scripts)) {
    workspace.write(join('scripts', name), '');
  }
  for (let attempt = 0; attempt < 5; attempt++) {
    run(workspace.rhythm('tick').argv);
    const { groups } = readPlan(preview);
    const isIdle = groups.every(({ decision }) => decision === 'wait');
    const beats = groups.flatMap(({ nextBeat }) => (nextBeat === null ? [] : [Date.parse(nextBeat)]));
    const untilBeat = Math.min(...beats) - Date.now();
    if (isIdle && untilBeat > 60_000) return workspace;
    if (isIdle) await new Promise((done) => setTimeout(done, Math.max(0, untilBeat) + 100));
  }
  throw new Error(`the workspace ${workspace.folder} never becomes idle`);
}

/** The example workspace with all its groups due at each start of the tick, and a command that brings this state back. */
export function makeDueExample(bench: Bench, build: Build): { workspace: Workspace; tick: Required<Command> } {
  const workspace = copyExample(bench, build);
  run(workspace.rhythm('tick').argv);
  const file = 'outputs/master_scheduler_state.json';
  const state = JSON.parse(run(['cat', join(workspace.folder, file)])) as { groups: Record<string, object> };
  const yesterday = new Date(Date.now() - 25 * 3_600_000).toISOString();
  for (const name of Object.keys(state.groups)) {
    state.groups[name] = { ...state.groups[name], firstSeenAt: yesterday, lastBeat: yesterday };
  }
  workspace.write(file, JSON.stringify(state, null, 2));
  const restore = saveOutputs(workspace);
  const { groups } = readPlan(workspace.rhythm('tick', '--json'));
  const codes = groups.flatMap(({ scripts }) => scripts.map(({ exitCode }) => exitCode));
  // 1 is the answer of an optional script that wants to be looked at; the tick would have failed otherwise.
  if (groups.length !== 5 || codes.length !== 11 || codes.some((code) => code !== 0 && code !== 1)) {
    throw new Error(`the example did not run all its scripts: ${JSON.stringify(groups)}`);
  }
  return { workspace, tick: { ...workspace.rhythm('tick'), prepare: restore } };
}

/** A workspace of groups of `/bin/true` that are all due at each start of the tick. */
export function makeDue(bench: Bench, build: Build, count: number): { workspace: Workspace; tick: Command } {
  const workspace = bench.make(build);
  const group = { every: '1s', scripts: [{ command: '/bin/true' }] };
  const groups = Object.fromEntries(Array.from({ length: count }, (_, index) => [`group_${index}`, group]));
  workspace.write('tasks.config.json', JSON.stringify({ timezone: 'UTC', groups }));
  run(workspace.rhythm('tick').argv);
  const restore = saveOutputs(workspace);
  run(['sleep', '1.1']);
  return { workspace, tick: { ...workspace.rhythm('tick'), prepare: restore } };
}

/**
 * Saves the outputs and returns the command that restores them. It moves the used ones away and deletes nothing: after
 * deletions ext4 without a journal is slow to create files nearby for minutes, which would count as cost of the tick.
 */
function saveOutputs({ outputs }: Workspace): string[] {
  cpSync(outputs, `${outputs}.saved`, { recursive: true, preserveTimestamps: true });
  return ['sh', '-c', 'mv "$1" "$1.$$" && cp -rp "$1.saved" "$1"', 'sh', outputs];
}
