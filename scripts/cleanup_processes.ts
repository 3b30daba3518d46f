import { setTimeout as sleep } from 'node:timers/promises';
import { isSame, type Process, readMarks, readProcesses } from './lib/processes.ts';
import { perform } from './lib/program.ts';
import { count, formatBytes, formatDuration } from './lib/quantity.ts';
import { findStale, manyZombies, type Stale } from './lib/stale.ts';
import { readState } from './lib/state.ts';

/** From SIGTERM to SIGKILL, and between the two looks, in ms. */
const grace = 5000;
const pause = 500;

const help = `
cleanup_processes.ts [--kill]

Finds orphans, processes that carry the marks of a run of this workspace (RHYTHM_WORKSPACE,
RHYTHM_RUN_ID) which is over, and zombies. Only reports them, unless told --kill: then the
orphans get SIGTERM, and SIGKILL ${formatDuration(grace)} later. A zombie can't be ended: it is gone as soon as
its parent takes note of it, or ends. Orphans can be told on Linux only, where the
environment of a process can be read; elsewhere it reports zombies alone.
Fails where an orphan is left, or ${manyZombies} zombies are.
`;

await perform({ name: 'cleanup_processes.ts', help, flags: ['kill'] }, async ({ workspace, outputs, now, flags }) => {
  const found = await look(workspace, outputs);
  const left = flags.has('kill') ? await end(found.orphans) : found.orphans;
  const ended = found.orphans.length - left.length;
  const parts = [
    left.length === 0
      ? 'no orphans left'
      : `${count(left.length, 'orphan')} (${name(left.map((one) => describe(one, now)))})`,
    ended === 0 ? null : `${ended} ended`,
    found.zombies.length === 0
      ? 'no zombies'
      : `${count(found.zombies.length, 'zombie')} (${name(parentsOf(found.zombies))})`,
    left.length > 0 && !flags.has('kill') ? 'run it with --kill to end the orphans' : null,
  ];
  console.log(`processes: ${parts.filter((part) => part !== null).join(', ')}`);
  return left.length > 0 || found.zombies.length >= manyZombies ? 'look' : 'fine';
});

/** What is stale at two looks: a run may end between listing its processes and reading the state. */
async function look(workspace: string, outputs: string): Promise<Stale> {
  const first = await lookOnce(workspace, outputs);
  if (first.orphans.length + first.zombies.length === 0) return first;
  await sleep(pause);
  const second = await lookOnce(workspace, outputs);
  const persists = (process: Process) => [...first.orphans, ...first.zombies].some((one) => isSame(one, process));
  return { orphans: second.orphans.filter(persists), zombies: second.zombies.filter(persists) };
}

async function lookOnce(workspace: string, outputs: string): Promise<Stale> {
  const processes = await readProcesses();
  const marks = new Map(await Promise.all(processes.map(async ({ pid }) => [pid, await readMarks(pid)] as const)));
  // Read last: what a run that began meanwhile has started is not in the list.
  const running = new Set([...((await readState(outputs))?.running ?? []), process.env.RHYTHM_RUN_ID ?? '']);
  return findStale(processes, ({ pid }) => marks.get(pid) ?? null, workspace, running);
}

/** Ends orphans; those that are left. */
async function end(orphans: Stale['orphans']): Promise<Stale['orphans']> {
  await signal(orphans, 'SIGTERM');
  const deadline = performance.now() + grace;
  let left = await stillThere(orphans);
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(100);
    left = await stillThere(left);
  }
  await signal(left, 'SIGKILL');
  if (left.length > 0) await sleep(pause);
  return stillThere(left);
}

async function signal(processes: Stale['orphans'], name: NodeJS.Signals): Promise<void> {
  // Their ids may be others' by now.
  for (const { pid } of await stillThere(processes)) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended, or is another user's: whether it is left is looked at afterwards.
    }
  }
}

async function stillThere(processes: Stale['orphans']): Promise<Stale['orphans']> {
  const present = (await readProcesses()).filter(({ isZombie }) => !isZombie);
  return processes.filter((one) => present.some((other) => isSame(one, other)));
}

function describe(orphan: Stale['orphans'][number], now: number): string {
  const age = formatDuration(Math.max(0, now - orphan.startedAt));
  return `${orphan.name}, pid ${orphan.pid}, ${age} old, ${formatBytes(orphan.memory)}, of run ${orphan.run}`;
}

function parentsOf(zombies: readonly Process[]): string[] {
  return [...new Set(zombies.map(({ parent }) => parent))].map((parent) => `of process ${parent}`);
}

function name(all: readonly string[]): string {
  return all.length <= 3 ? all.join('; ') : `${all.slice(0, 3).join('; ')} and ${all.length - 3} more`;
}
