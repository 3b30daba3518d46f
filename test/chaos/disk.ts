import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, ftruncateSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Chaos } from './chaos.ts';
import { busyConfig, minute, noon } from './kills.ts';
import { makeWorld, type World } from './world.ts';

const page = 4096;

/** Whether a file system can be mounted here. */
export function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs ticks on a disk of its own that has room for only so many pages, or so many files: one more each time, until a
 * tick finds enough. Each says that the disk is full, or has succeeded; when there is room again the next one recovers.
 *
 * @param step how many pages and files more each time
 */
export async function fillDisks(chaos: Chaos, step: number): Promise<void> {
  chaos.enter('full disks');
  const fresh = makeWorld(chaos, busyConfig);
  const used = fresh.copy();
  await used.recover(noon);
  for (const [template, at] of [
    [fresh, noon],
    [used, noon + 10 * minute],
  ] as const) {
    for (const fill of [fillPages, fillFiles]) {
      let successes = 0;
      for (let room = 0; successes < 2 && room < 200; room += step) {
        const isDone = await tryWith(chaos, template, at, fill, room);
        successes = isDone ? successes + 1 : 0;
      }
      if (successes < 2) fresh.violate(`a tick never had room enough (${fill.name})`);
    }
  }
  fresh.close();
  used.close();
}

async function tryWith(chaos: Chaos, template: World, at: number, fill: Fill, room: number): Promise<boolean> {
  const world = template.copy();
  world.step = `${fill === fillPages ? 'pages' : 'files'} left: ${room}, at ${new Date(at).toISOString()}`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,nr_inodes=300,mode=750', 'tmpfs', world.outputs]);
  try {
    cpSync(template.outputs, world.outputs, { recursive: true });
    const free = fill(world.outputs, room);
    let isDone = true;
    for (let tries = chaos.random.int(1, 2); tries > 0; tries--) {
      const { code, stderr } = await world.tick({ at });
      chaos.count(`ticks on a full disk with exit code ${code}`);
      const isSaid = code === 74 && /^rhythm: [^\n]*\.\n$/.test(stderr);
      if (code !== 0 && code !== 1 && !isSaid) world.violate(`it ended with ${code}: ${stderr}`);
      if (code === 74) isDone = false;
      at += minute / 4;
    }
    free();
    const now = await world.recover(at);
    world.verify(now);
    return isDone;
  } finally {
    await world.killScripts();
    execFileSync('umount', ['-l', world.outputs]);
    world.close();
  }
}

/** Fills a disk but for some room, and answers with what frees it again. */
type Fill = (folder: string, room: number) => () => void;

const fillPages: Fill = (folder, pages) => {
  const ballast = join(folder, 'ballast');
  const descriptor = openSync(ballast, 'w');
  const block = Buffer.alloc(page);
  try {
    for (;;) writeSync(descriptor, block);
  } catch {
    const { size } = statSync(ballast);
    ftruncateSync(descriptor, Math.max(0, size - pages * page));
  } finally {
    closeSync(descriptor);
  }
  return () => rmSync(ballast);
};

const fillFiles: Fill = (folder, files) => {
  const made: string[] = [];
  try {
    for (;;) {
      const path = join(folder, `ballast-${made.length}`);
      writeFileSync(path, '');
      made.push(path);
    }
  } catch {
    for (const path of made.splice(0, files)) rmSync(path);
  }
  return () => {
    for (const path of made) rmSync(path);
  };
};
