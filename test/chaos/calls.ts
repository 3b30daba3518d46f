import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chaos, Random } from './chaos.ts';
import { busyConfig, minute, noon } from './kills.ts';
import { makeWorld, type World } from './world.ts';

/** System calls that change something on disk, and the fork that starts a script. */
const calls =
  'write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,openat,ftruncate,mkdir,mkdirat,fchmod,clone,clone3,vfork,fork';
/** Those that find a full disk full, besides the writes. */
const filling = new Set(['fsync', 'mkdir', 'link', 'rename']);

/** One call of a tick's main thread, which makes all of its synchronous ones: the nth of its name. */
interface Point {
  readonly call: string;
  readonly nth: number;
  /** Where it writes to a file that keeps its name: which, in the outputs folder, and the nth write to it. */
  readonly file: { readonly name: string; readonly nth: number } | null;
  /** What it does, whatever the run's id: two points with one label differ in their place in the tick. */
  readonly label: string;
}

/** Where a tick finds a workspace. */
interface Situation {
  readonly name: string;
  readonly at: number;
  readonly template: World;
}

/**
 * Walks through the writing system calls of ticks in different situations: kills a tick just before one of them (the
 * tracer injects SIGKILL at its entry), or has one of them fail as on a full disk; then lets the next tick recover.
 *
 * @param most how many situations, and how many points of each kind in all of them, at most
 */
export async function breakCalls(
  chaos: Chaos,
  most: { situations: number; kills: number; failures: number },
): Promise<void> {
  chaos.enter('system calls');
  const { random } = chaos;
  const fresh = makeWorld(chaos, busyConfig);
  const used = fresh.copy();
  await used.recover(noon);
  const all: { situation: Situation; point: Point }[] = [];
  for (const { name, at, prepare } of spread(stories, most.situations, random)) {
    const template = prepare === null ? fresh.copy() : used.copy();
    template.step = name;
    await prepare?.(template);
    const situation = { name, at, template };
    for (const point of await listPoints(situation)) all.push({ situation, point });
  }
  chaos.count('writing calls found', all.length);
  const reached = new Set<string>();
  await sideBySide(spread(all, most.kills, random), async ({ situation, point }) => {
    const { code, last } = await breakAt(situation, point, 'signal=SIGKILL');
    if (code === null) reached.add(`${situation.name}: ${last.call} #${last.nth}`);
    chaos.count(code === null ? 'kills at one of them' : 'ticks that did not come to their kill');
  });
  chaos.count('distinct calls killed at', reached.size);
  const canFail = all.filter(({ point: { call, file } }) => filling.has(call) || file !== null);
  await sideBySide(spread(canFail, most.failures, random), async ({ situation, point }) => {
    const { code } = await breakAt(situation, point, point.call === 'fsync' ? 'error=EIO' : 'error=ENOSPC');
    chaos.count(`failing calls with exit code ${code}`);
  });
  for (const template of new Set([fresh, used, ...all.map(({ situation }) => situation.template)])) template.close();
}

/** How a workspace comes into a situation; null: nothing has ever run there. */
interface Story {
  readonly name: string;
  readonly at: number;
  readonly prepare: ((world: World) => Promise<void> | void) | null;
}

const stories: readonly Story[] = [
  { name: 'the first tick', at: noon, prepare: null },
  { name: 'a later tick', at: noon + 10 * minute, prepare: () => undefined },
  { name: 'after a kill', at: noon + 11 * minute, prepare: (world) => dieIn(world, true) },
  { name: 'after a kill of all', at: noon + 11 * minute, prepare: (world) => dieIn(world, false) },
  { name: 'after the clock went back', at: noon - 5 * 60 * minute, prepare: () => undefined },
  {
    name: 'a damaged state',
    at: noon + 10 * minute,
    prepare: (world) => world.damage((path) => writeFileSync(path, '{"schemaVersion": 1, ')),
  },
  { name: 'a missing state', at: noon + 10 * minute, prepare: (world) => world.damage(rmSync) },
  // To run each of the beats of a hundred days would take as many ticks.
  { name: 'everything is old', at: noon + 120 * 24 * 60 * minute, prepare: (world) => world.disable('each') },
];

/** Kills a tick that has just started a script, which then ends by itself, or is killed as well. */
async function dieIn(world: World, isAlone: boolean): Promise<void> {
  const known = world.ledger().length;
  await world.tick({
    at: noon + 10 * minute,
    meanwhile: async (child, ended) => {
      while (!ended.aborted && world.ledger().length === known) await sleep(2);
      child.kill('SIGKILL');
      if (!isAlone) await world.killScripts();
    },
  });
  while (world.scripts().length > 0) await sleep(5);
}

/** Runs a tick once to see which calls it makes. */
async function listPoints({ template, at, name }: Situation): Promise<Point[]> {
  const world = template.copy();
  world.step = `listing the calls of ${name}`;
  const trace = join(world.folder, 'trace');
  const { code, stderr } = await world.tick({ at, under: tracer(trace) });
  if (code !== 0 && code !== 1) world.violate(`under the tracer it ended with ${code}: ${stderr}`);
  const points = readTrace(trace, world.outputs);
  world.close();
  return points;
}

async function breakAt({ template, at, name }: Situation, point: Point, injection: string) {
  const world = template.copy();
  world.step = `${name}: ${injection} at ${point.call} #${point.nth}, ${point.label}`;
  const trace = join(world.folder, 'trace');
  // The main thread has writes of its own, between its threads, which must not fail: those to a file are told by it.
  const { file } = injection.startsWith('error') ? point : { file: null };
  const narrowed = file === null ? [] : ['-P', join(world.outputs, file.name)];
  const { code, stderr } = await world.tick({
    at,
    under: [...tracer(trace, `inject=${point.call}:${injection}:when=${(file ?? point).nth}`), ...narrowed],
  });
  const isSaid = code === 74 && /^rhythm: [^\n]*\.\n$/.test(stderr);
  if (code !== null && code !== 0 && code !== 1 && !isSaid) world.violate(`it ended with ${code}: ${stderr}`);
  const last = readTrace(trace, '').at(-1) ?? point;
  const now = await world.recover(at + minute / 2);
  world.verify(now);
  world.close();
  return { code, last };
}

/** strace without -f follows the main thread alone, so the nth call is the same one in each run. */
function tracer(trace: string, ...expressions: string[]): string[] {
  return ['strace', '-qq', '-y', '-o', trace, '-e', `trace=${calls}`, ...expressions.flatMap((text) => ['-e', text])];
}

function readTrace(file: string, outputs: string): Point[] {
  const counts = new Map<string, number>();
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line): Point[] => {
      const call = /^(\w+)\(/.exec(line)?.[1];
      if (call === undefined) return [];
      const nth = (counts.get(call) ?? 0) + 1;
      counts.set(call, nth);
      const name = /^write\(\d+<[^>]*\/(history\.jsonl|master_scheduler\.log)>/.exec(line)?.[1];
      const nthOfFile = (counts.get(name ?? '') ?? 0) + 1;
      if (name !== undefined) counts.set(name, nthOfFile);
      const forks = /^(clone3?|v?fork)$/.test(call) && !line.includes('CLONE_THREAD');
      const writes = line.includes(outputs) && (call !== 'openat' || /O_CREAT|O_WRONLY|O_RDWR/.test(line));
      if (!forks && !writes) return [];
      const label = line.replaceAll(outputs, '').slice(call.length + 1, call.length + 101);
      return [{ call, nth, file: name === undefined ? null : { name, nth: nthOfFile }, label }];
    });
}

/** At most so many of the items, evenly spread from some place on. */
function spread<T>(items: readonly T[], most: number, random: Random): T[] {
  const count = Math.min(most, items.length);
  const from = random.int(0, items.length - 1);
  return Array.from({ length: count }, (_, index) => {
    return items[(from + Math.floor((index * items.length) / count)) % items.length] as T;
  });
}

/** Does something with each item, a few at a time: most of it is waiting. */
async function sideBySide<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: 3 }, async () => {
      for (const item of left) await act(item);
    }),
  );
}
