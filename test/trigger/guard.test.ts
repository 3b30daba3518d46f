import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeLine } from '../../src/trigger/guard.ts';
import { awkward, makeOrder } from './orders.ts';

/*
 * The line is run by real shells over files whose times are drawn at random, and must do what a plain reading of its rule
 * says. In the place of Node stands echo.
 */

const shells = (
  [
    ['dash', ['dash']],
    ['bash', ['bash']],
    ['bash as sh', ['bash', '--posix']],
    ['busybox', ['busybox', 'sh']],
  ] as const
).filter(([, [program]]) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0);

/** ms from now; null: the file is not there. */
type Time = number | null;

interface Situation {
  readonly next: Time;
  readonly stamp: Time;
  readonly state: Time;
  /** The inputs, as the stamp has them: whether it takes them to be there, and what they are. */
  readonly inputs: readonly { readonly listed: boolean; readonly time: Time }[];
  readonly isWhole: boolean;
  readonly zone: 'same' | 'other' | 'none';
}

/** Far enough from now that the time a shell takes to start decides nothing. */
const distances = fc.oneof(
  fc.integer({ min: -7_200_000, max: -5_000 }),
  fc.integer({ min: 5_000, max: 7_200_000 }),
  // Near each other, to the millisecond, and equal.
  fc.integer({ min: -1_200, max: 1_200 }).map((ms) => ms - 60_000),
  fc.constant(-60_000),
);
const times = fc.option(distances, { freq: 12 });

const situations: fc.Arbitrary<Situation> = fc.record({
  next: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 5_000, max: 3_600_000 }) }, { weight: 1, arbitrary: times }),
  stamp: fc.oneof({ weight: 4, arbitrary: fc.constant(-60_000) }, { weight: 1, arbitrary: times }),
  state: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(-60_000, -70_000, -60_001) },
    { weight: 1, arbitrary: times },
  ),
  inputs: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ listed: fc.constant(true), time: fc.constantFrom(-100_000, -61_001) }) },
      { weight: 3, arbitrary: fc.constant({ listed: false, time: null }) },
      { weight: 1, arbitrary: fc.record({ listed: fc.boolean(), time: times }) },
    ),
    { maxLength: 3 },
  ),
  isWhole: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
  zone: fc.constantFrom('same', 'same', 'same', 'same', 'other', 'none'),
});

/** The rule, read plainly: whether nothing can be due for sure. `newer` is what the shell can tell of two times. */
function isQuiet(
  { next, stamp, state, inputs, isWhole, zone }: Situation,
  newer: (a: number, b: number) => boolean,
): boolean {
  if (next === null || stamp === null || state === null || !isWhole) return false;
  if (!newer(next, 0) || !newer(0, stamp) || newer(state, stamp) || zone === 'other') return false;
  return inputs.every(({ listed, time }) => (listed ? time !== null && newer(stamp, time) : time === null));
}

const folder = mkdtempSync(join(tmpdir(), 'rhythm guard '));
const workspace = join(folder, awkward);
const outputs = join(workspace, 'outputs');
const order = makeOrder({ workspace, outputs, node: '/bin/echo', program: 'ran' });
const line = writeLine(order);

beforeAll(() => void mkdirSync(outputs, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(path: string, time: Time, now: number, text = ''): void {
  rmSync(path, { force: true });
  if (time === null) return;
  writeFileSync(path, text);
  utimesSync(path, (now + time) / 1_000, (now + time) / 1_000);
}

function arrange(situation: Situation, now: number): void {
  const { inputs, zone, isWhole } = situation;
  const paths = inputs.map((_, index) => join(workspace, `input ${index} -\\ü`));
  for (const [index, path] of paths.entries()) put(path, inputs[index]?.time ?? null, now);
  const zones = { same: ['=/etc/localtime'], other: ['=/etc/hostname'], none: [] }[zone];
  const list = [...paths.map((path, index) => (inputs[index]?.listed ? path : `-${path}`)), ...zones];
  put(join(outputs, 'next'), situation.next, now);
  put(join(outputs, 'master_scheduler_state.json'), situation.state, now, '{}');
  put(join(outputs, 'stamp'), situation.stamp, now, `${[...list, ...(isWhole ? ['.'] : [])].join('\n')}\n`);
}

function run([program, ...args]: readonly string[], text = line): { ran: boolean; stderr: string; stdout: string } {
  const { stdout, stderr, status } = spawnSync(program as string, [...args, '-c', text], {
    encoding: 'utf8',
    cwd: '/',
  });
  expect(status, stderr).toBe(0);
  return { ran: stdout !== '', stdout, stderr };
}

describe.each(shells)('the guard in %s', (_, shell) => {
  it('suppresses exactly the ticks that its rule allows it to', () => {
    const probe = join(folder, 'probe');
    put(`${probe} a`, -60_400, Math.ceil(Date.now() / 1_000) * 1_000);
    put(`${probe} b`, -60_600, Math.ceil(Date.now() / 1_000) * 1_000);
    const [program, ...args] = shell;
    const isFine = spawnSync(program, [...args, '-c', `[ '${probe} a' -nt '${probe} b' ]`]).status === 0;
    let quiet = 0;
    let loud = 0;
    void fc.assert(
      fc.property(situations, (situation) => {
        const now = Date.now();
        arrange(situation, now);
        const unit = isFine ? 1 : 1_000;
        const newer = (a: number, b: number) => Math.floor((now + a) / unit) > Math.floor((now + b) / unit);
        const expected = isQuiet(situation, newer);
        const { ran, stderr } = run(shell);
        expect(ran).toBe(!expected);
        expect(stderr).toBe('');
        // Rounding hides nothing but a state that was edited by hand in the very second of the stamp: a command or a tick
        // that changes it removes `next`.
        const edited = situation.state === null ? null : Math.min(situation.state, situation.stamp ?? 0);
        if (!ran) expect(isQuiet({ ...situation, state: edited }, (a, b) => a > b)).toBe(true);
        if (expected) quiet++;
        else loud++;
      }),
      { numRuns: 150 },
    );
    expect(Math.min(quiet, loud)).toBeGreaterThan(20);
  });

  it('touches the pulse whether or not anything is due', () => {
    const pulse = join(outputs, 'pulse');
    const idle: Situation = { next: 600_000, stamp: -60_000, state: -61_000, inputs: [], isWhole: true, zone: 'same' };
    for (const situation of [idle, { ...idle, next: null }]) {
      arrange(situation, Date.now());
      put(pulse, -1_000_000, Date.now());
      run(shell);
      expect(Math.abs(statSync(pulse).mtimeMs - Date.now())).toBeLessThan(5_000);
      expect(statSync(pulse).size).toBe(0);
    }
  });

  it('starts the tick if it can’t touch the pulse: no outputs, no permission, no workspace', () => {
    arrange({ next: 600_000, stamp: -60_000, state: -61_000, inputs: [], isWhole: true, zone: 'same' }, Date.now());
    rmSync(join(outputs, 'pulse'), { force: true });
    mkdirSync(join(outputs, 'pulse'));
    expect(run(shell).ran).toBe(true);
    rmSync(join(outputs, 'pulse'), { recursive: true });
    expect(run(shell).ran).toBe(false);
    const without = writeLine({ ...order, outputs: join(workspace, 'nothing here') });
    expect(run(shell, without).ran).toBe(true);
    const elsewhere = writeLine({ ...order, workspace: join(folder, 'gone'), outputs: join(folder, 'gone/outputs') });
    const { ran } = run(shell, elsewhere);
    expect(ran).toBe(true);
    expect(existsSync(join(folder, 'gone'))).toBe(false);
  });

  it('passes on the name of the workspace unchanged, guarded or not', () => {
    arrange({ next: null, stamp: null, state: null, inputs: [], isWhole: true, zone: 'same' }, Date.now());
    expect(run(shell).stdout).toBe(`ran -C ${workspace} tick --stamp\n`);
    expect(run(shell, writeLine({ ...order, guard: false })).stdout).toBe(`ran -C ${workspace} tick\n`);
  });
});
