import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readMonotonic } from '../../src/monotonic.ts';
import { readPulse, writeStamp } from '../../src/state/stamp.ts';
import { writeLine } from '../../src/trigger/guard.ts';
import { isLinux, makeWorkspace, note, program, type Workspace } from '../rig.ts';
import { makeOrder } from './orders.ts';

/*
 * The line together with the program: what the trigger would run, fired by hand.
 */

const config = { groups: { a: { every: '1d', scripts: [{ shell: note('ran') }] } } };

function arrange(): Workspace & { fire: () => boolean } {
  const workspace = makeWorkspace();
  workspace.configure(config);
  // Older than a stamp may be unsure of.
  age(workspace, 'tasks.config.json');
  const { folder, outputs } = workspace;
  const line = writeLine(makeOrder({ workspace: folder, outputs, node: process.execPath, program }));
  const ticks = () =>
    workspace.has('outputs/history.jsonl') ? workspace.history().filter(({ type }) => type === 'tick').length : 0;
  return {
    ...workspace,
    fire() {
      const before = ticks();
      const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined };
      const { status, stderr } = spawnSync('/bin/sh', ['-c', line], { env, encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      return ticks() > before;
    },
  };
}

function age(workspace: Workspace, name: string): void {
  const past = Date.now() / 1_000 - 3_600;
  utimesSync(join(workspace.folder, name), past, past);
}

describe.runIf(isLinux)('a tick started by a guarded trigger', () => {
  it('causes the next ticks to be suppressed until something changes', async () => {
    const workspace = arrange();
    const { fire, outputs } = workspace;
    expect(fire()).toBe(true);
    expect(workspace.ledger()).toEqual(['ran']);
    const next = statSync(join(outputs, 'next')).mtimeMs;
    expect(next).toBeGreaterThan(Date.now());
    expect(next).toBeLessThanOrEqual(Date.now() + 3_600_000);
    expect(fire()).toBe(false);
    expect(statSync(join(outputs, 'pulse')).mode & 0o777 & ~0o640).not.toBe(0);
    expect(Date.now() - (readPulse(outputs) ?? 0)).toBeLessThan(10_000);

    await workspace.rhythm(['pause', 'a']);
    expect(existsSync(join(outputs, 'next'))).toBe(false);
    expect(fire()).toBe(true);
    // The shell made it with its own umask, and a tick has mended that.
    expect(statSync(join(outputs, 'pulse')).mode & 0o777).toBe(0o640);
    expect(fire()).toBe(false);
    await workspace.rhythm(['resume', 'a']);
    expect(fire()).toBe(true);
    expect(fire()).toBe(false);
    await workspace.rhythm(['run', 'a']);
    expect(fire()).toBe(true);
    expect(fire()).toBe(false);
    // A tick by hand knows nothing of the trigger's environment, so it leaves no stamp.
    await workspace.rhythm(['tick']);
    expect(fire()).toBe(true);
    expect(fire()).toBe(false);
  }, 60_000);

  it('is not suppressed after the configuration changed, another one appeared or the state was edited', () => {
    const workspace = arrange();
    const { fire, folder, outputs } = workspace;
    expect(fire()).toBe(true);
    expect(fire()).toBe(false);
    workspace.configure({ groups: { ...config.groups, b: { every: '1d', scripts: [{ shell: note('b') }] } } });
    expect(fire()).toBe(true);
    expect(workspace.ledger()).toEqual(['ran', 'b']);
    // Just edited: a change a moment later could not be told from this one.
    expect(existsSync(join(outputs, 'next'))).toBe(false);
    age(workspace, 'tasks.config.json');
    expect([fire(), fire()]).toEqual([true, false]);

    writeFileSync(join(outputs, 'master_scheduler_state.json'), workspace.read('outputs/master_scheduler_state.json'));
    expect([fire(), fire()]).toEqual([true, false]);
    rmSync(join(outputs, 'master_scheduler_state.json'));
    expect([fire(), fire()]).toEqual([true, false]);
    writeFileSync(join(folder, 'tasks.config.mjs'), 'export default {}');
    const { stderr } = spawnSync(
      '/bin/sh',
      ['-c', writeLine(makeOrder({ workspace: folder, outputs, node: process.execPath, program }))],
      { encoding: 'utf8' },
    );
    expect(stderr).toContain('several configurations');
  }, 60_000);

  it('leaves no stamp if it was stopped or a group is still due', () => {
    const workspace = arrange();
    workspace.configure({
      groups: {
        first: { every: '1d', scripts: [{ shell: 'exit 1' }] },
        second: { every: '1d', dependsOn: ['first'], scripts: [{ shell: note('second') }] },
      },
    });
    age(workspace, 'tasks.config.json');
    const line = writeLine(
      makeOrder({ workspace: workspace.folder, outputs: workspace.outputs, node: process.execPath, program }),
    );
    expect(spawnSync('/bin/sh', ['-c', line]).status).toBe(1);
    expect(workspace.has('outputs/next')).toBe(false);
  });
});

describe('a stamp', () => {
  const ground = (inputs: readonly string[], more = {}) => ({
    inputs,
    readAt: Date.now(),
    clock: readMonotonic(),
    ...more,
  });

  it.each([
    ['the next instant is near', Date.now() + 1_000, {}],
    ['the clock was set after the configuration was read', Date.now() + 3_600_000, { readAt: Date.now() - 60_000 }],
    [
      'an input has changed since',
      Date.now() + 3_600_000,
      { readAt: Date.now() - 3_600_000, clock: readMonotonic() - 3_600_000 },
    ],
    ['the name of an input contains a newline', Date.now() + 3_600_000, { inputs: ['/a\nb'] }],
  ])('is not written, and an old one is removed, if %s', (_, until, more) => {
    const { outputs, folder } = makeWorkspace();
    mkdirSync(outputs, { recursive: true });
    writeFileSync(join(folder, 'tasks.config.json'), '');
    writeFileSync(join(outputs, 'next'), '');
    writeStamp(outputs, until, ground([join(folder, 'tasks.config.json')], more));
    expect(existsSync(join(outputs, 'next'))).toBe(false);
  });

  it('is at most an hour ahead, and before the instant it stands for', () => {
    const { outputs } = makeWorkspace();
    mkdirSync(outputs, { recursive: true });
    const before = Date.now();
    writeStamp(outputs, Number.POSITIVE_INFINITY, ground([]));
    const far = statSync(join(outputs, 'next')).mtimeMs;
    expect(far).toBeGreaterThan(before + 3_590_000);
    expect(far).toBeLessThanOrEqual(Date.now() + 3_600_000);
    writeStamp(outputs, before + 60_000, ground([]));
    expect(statSync(join(outputs, 'next')).mtimeMs).toBeLessThanOrEqual(before + 58_000);
  });
});
