import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readMonotonic } from '../../src/monotonic.ts';
import { writeStamp } from '../../src/state/stamp.ts';
import { writeLine } from '../../src/trigger/guard.ts';
import { makeOrder } from './orders.ts';

const hasAnacron = spawnSync('sh', ['-c', 'command -v anacron']).status === 0;

it.runIf(hasAnacron)('a suppressed tick costs about as much as an idle anacron', () => {
  const workspace = mkdtempSync(join(tmpdir(), 'rhythm cost '));
  onTestFinished(() => rmSync(workspace, { recursive: true, force: true }));
  const outputs = join(workspace, 'outputs');
  mkdirSync(outputs);
  const now = Date.now() / 1_000;
  const put = (path: string, text: string, time: number) => {
    writeFileSync(path, text);
    utimesSync(path, time, time);
  };
  const inputs = ['tasks.config.ts', 'other.ts', 'tsconfig.json'].map((name) => join(workspace, name));
  for (const path of inputs) put(path, '', now - 500);
  put(join(outputs, 'master_scheduler_state.json'), '{}', now - 100);
  const names = ['tasks.config.mts', 'tasks.config.js', 'tasks.config.mjs', 'tasks.config.json'];
  const missing = names.map((name) => join(workspace, name));
  const ground = { inputs: [...inputs, ...missing], readAt: Date.now(), clock: readMonotonic() };
  writeStamp(outputs, Number.POSITIVE_INFINITY, ground);
  const line = writeLine(makeOrder({ workspace, outputs, node: '/bin/false', program: 'x' }));

  const spool = join(workspace, 'spool');
  mkdirSync(spool);
  writeFileSync(join(workspace, 'anacrontab'), '1 0 nothing true\n');
  const anacron = ['-d', '-s', '-t', join(workspace, 'anacrontab'), '-S', spool];
  // As if its job had run today already.
  spawnSync('anacron', [...anacron, '-u']);

  // Started by a small shell, which then tells what its children cost (XCU, times): other work on the machine counts less
  // there than in what passes on a clock. In turns, so that both meet the same machine.
  const rounds = 100;
  const loop = `i=0; while [ $i -lt ${rounds} ]; do i=$((i + 1)); "$@" >/dev/null 2>&1 || exit 1; done; times`;
  const costs = { guard: [] as number[], anacron: [] as number[] };
  const measure = (name: keyof typeof costs, ...command: string[]) => {
    const { status, stdout } = spawnSync('/bin/sh', ['-c', loop, 'loop', ...command], { encoding: 'utf8' });
    expect(status).toBe(0);
    const children = stdout.trim().split('\n').at(-1) ?? '';
    const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(
      ([, minutes, rest]) => Number(minutes) * 60 + Number(rest),
    );
    costs[name].push((seconds.reduce((sum, part) => sum + part, 0) * 1_000) / rounds);
  };
  for (let turn = 0; turn < 5; turn++) {
    measure('guard', '/bin/sh', '-c', line);
    measure('anacron', 'anacron', ...anacron);
  }
  const medianOf = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
  const [guard, other] = [medianOf(costs.guard), medianOf(costs.anacron)];
  // It costs about nine tenths of that, as `npm run bench -- --only guard` measures more exactly; with Node it would cost
  // twenty times as much.
  expect(guard, `a suppressed tick ${guard} ms of processor, anacron ${other} ms`).toBeLessThan(1.25 * other);
});
