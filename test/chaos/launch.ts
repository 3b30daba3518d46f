import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { secret } from './work.ts';

/** The program under test: another build of it where the environment names one. */
const program = resolve(process.env.PROGRAM ?? fileURLToPath(new URL('../../dist/rhythm.js', import.meta.url)));

/** libfaketime, which moves a tick's clock; null where it is not installed. */
export const faketime =
  ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu']
    .map((folder) => join(folder, 'faketime/libfaketime.so.1'))
    .find((file) => existsSync(file)) ?? null;

/**
 * Starts a tick.
 *
 * @param at the instant that its clock shows, ms, which goes on from there; the system's where it is undefined
 * @param under a tracer and its arguments, by which it is started
 */
export function launch(folder: string, at: number | undefined, under: readonly string[]): ChildProcess {
  const clock = clockOf(at);
  const isTraced = under.length > 0;
  // The tracer sees the true time, the tick that it starts does not.
  const passed = isTraced ? Object.entries(clock).flatMap(([name, value]) => ['-E', `${name}=${value}`]) : [];
  const command = [...under, ...passed, process.execPath, program, '-C', folder, 'tick', '--json'];
  const { NODE_EXTRA_CA_CERTS, NODE_OPTIONS, ...environment } = process.env;
  return spawn(command[0] as string, command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment, TZ: 'UTC', NO_COLOR: '1', CHAOS_SECRET: secret, ...(isTraced ? {} : clock) },
  });
}

function clockOf(at: number | undefined): Record<string, string> {
  if (at === undefined) return {};
  if (faketime === null) throw new Error('to move the clock takes libfaketime');
  const shown = new Date(at).toISOString().slice(0, 19).replace('T', ' ');
  // Node's timers run on the monotonic clock, which is left alone.
  return { LD_PRELOAD: faketime, FAKETIME: `@${shown}`, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

/** libfaketime leaves shared memory behind where its process is killed, and can't start where a new pid finds it. */
export function sweepClock(pid: number | undefined): void {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`])
    rmSync(join('/dev/shm', name), { force: true });
}

/** Whether a program is installed. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
