import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PlanDocument } from '../../src/report/plan-document.ts';
import { type Command, environment, run } from './measure.ts';

export const repository = fileURLToPath(new URL('../..', import.meta.url));
const program = join(repository, 'dist/rhythm.js');

/** A workspace in the temporary folder, for one Node. */
export interface Workspace {
  readonly folder: string;
  readonly outputs: string;
  readonly node: string;
  write(name: string, text: string): void;
  rhythm(...args: string[]): Command;
}

/** Where workspaces are made, with a cache of their own; to be removed when all is measured. */
export interface Place {
  make(node: string): Workspace;
  remove(): void;
}

export function openPlace(): Place {
  const base = mkdtempSync(join(tmpdir(), 'rhythm-bench-'));
  environment.XDG_CACHE_HOME = join(base, 'cache');
  let count = 0;
  return {
    make(node) {
      const folder = join(base, `workspace-${++count}`);
      mkdirSync(folder);
      return {
        folder,
        outputs: join(folder, 'outputs'),
        node,
        write: (name, text) => writeFileSync(join(folder, name), text),
        rhythm: (...args) => ({ argv: [node, program, '-C', folder, ...args] }),
      };
    },
    remove: () => rmSync(base, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/**
 * The example workspace with its TypeScript configuration, after real ticks, with nothing due for some time. Its scripts
 * are empty: what they would find on a busy machine, such as that it is not fit, decides what is due.
 *
 * @param quietFor ms in which no beat may come
 */
export async function makeExample(place: Place, node: string, quietFor: number): Promise<Workspace> {
  const workspace = place.make(node);
  const longAgo = Date.now() / 1_000 - 3_600;
  for (const name of ['tasks.config.ts', 'endpoints.json', 'scripts']) {
    const file = join(workspace.folder, name);
    cpSync(join(repository, name), file, {
      recursive: true,
      filter: (path) => basename(path) !== 'lib',
    });
    utimesSync(file, longAgo, longAgo);
  }
  for (const { scripts } of planOf(workspace).groups) {
    for (const { name } of scripts) workspace.write(join('scripts', name), '');
  }
  mkdirSync(join(workspace.folder, 'node_modules'));
  symlinkSync(repository, join(workspace.folder, 'node_modules/rhythm-scheduler'));
  await warm(workspace, quietFor);
  return workspace;
}

/** Ticks until nothing is due, and nothing comes due for `quietFor` ms; waits for a beat that is too near. */
export async function warm(workspace: Workspace, quietFor: number): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    run(workspace.rhythm('tick').argv);
    const { groups } = planOf(workspace);
    const next = Math.min(
      ...groups.map(({ nextBeat }) => (nextBeat === null ? Number.POSITIVE_INFINITY : Date.parse(nextBeat))),
    );
    const isIdle = groups.every(({ decision }) => decision === 'wait');
    if (isIdle && next - Date.now() > quietFor) return;
    if (isIdle) await new Promise((done) => setTimeout(done, Math.max(0, next - Date.now()) + 100));
  }
  throw new Error(`the workspace ${workspace.folder} is never idle: something is due at each of its ticks`);
}

export function planOf(workspace: Workspace): PlanDocument {
  return JSON.parse(run(workspace.rhythm('tick', '--dry-run', '--json').argv)) as PlanDocument;
}

/**
 * A workspace of groups that are due at each tick: what its first tick leaves is put aside, and put back before each
 * measured one.
 */
export function makeDue(place: Place, node: string, groups: object): { workspace: Workspace; tick: Command } {
  const workspace = place.make(node);
  workspace.write('tasks.config.json', JSON.stringify({ timezone: 'UTC', groups }));
  run(workspace.rhythm('tick').argv);
  return { workspace, tick: keepDue(workspace) };
}

/**
 * The tick of a workspace, that begins each time with the outputs of now; their beats of the next second have come. What
 * the last one left is moved away, and only what is large is removed: for minutes after files are removed, ext4 without a
 * journal passes over their inodes one by one whenever a file is created near them (ext4_new_inode), which is nothing
 * that a tick does.
 */
function keepDue(workspace: Workspace): Command {
  cpSync(workspace.outputs, `${workspace.outputs}.saved`, { recursive: true, preserveTimestamps: true });
  run(['sleep', '1.1']);
  const restore = 'mv "$1" "$1.$$" && cp -rp "$1.saved" "$1" && find "$1.$$" -size +1024k -delete';
  return { ...workspace.rhythm('tick'), prepare: ['sh', '-c', restore, 'sh', workspace.outputs] };
}

/** Groups of so many scripts each, all of which do nothing. */
export function groupsOfTrue(sizes: readonly number[]): object {
  const scripts = (size: number) =>
    Array.from({ length: size }, (_, index) => ({ command: '/bin/true', name: `s${index}` }));
  return Object.fromEntries(sizes.map((size, index) => [`group_${index}`, { every: '1s', scripts: scripts(size) }]));
}

/** A graph: each group depends on five of those before it, chosen by a generator with a fixed seed. */
export function groupsInGraph(count: number): object {
  let seed = 1;
  const draw = (below: number) => {
    // A generator by Marsaglia (xorshift).
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % below;
  };
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const dependsOn = new Set<string>();
      while (dependsOn.size < Math.min(5, index)) dependsOn.add(`group_${draw(index)}`);
      return [`group_${index}`, { every: '10m', dependsOn: [...dependsOn], scripts: [{ command: 'true' }] }];
    }),
  );
}
