import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { asksNothing } from '../../src/config/bundle.ts';
import { hasFaketime, makeWorkspace, note, program, type StartOptions, type Workspace } from '../rig.ts';

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-rest-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The beginning of a tick without the program that it would load for more. */
function makeBeginning(): string {
  const folder = makeFolder();
  mkdirSync(join(folder, 'dist'));
  cpSync(program, join(folder, 'dist/rhythm.cjs'));
  symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'));
  return join(folder, 'dist/rhythm.cjs');
}

const at = (time: string, more: object = {}) => ({ at: `2026-11-22T${time}Z`, ...more });
const config = {
  timezone: 'UTC',
  groups: {
    often: { every: '10m', scripts: [{ name: 'only', shell: note('often $RHYTHM_BEAT') }] },
    moody: { every: '1h', retryAfter: ['15m'], scripts: [{ name: 'only', shell: 'test ! -e moody' }] },
    daily: { daily: '17:05', dependsOn: ['often'], scripts: [{ name: 'only', shell: note('daily') }] },
  },
};

describe.runIf(hasFaketime)('a tick at rest', () => {
  it.each([
    ['20s', 0],
    ['10m', 1],
  ])('is noted only where it outlasts the time to the next trigger: every %s', async (every, count) => {
    const workspace = makeWorkspace();
    const env = { XDG_CACHE_HOME: makeFolder() };
    workspace.configure({ timezone: 'UTC', groups: { often: { every, scripts: [{ name: 'only', shell: 'true' }] } } });
    await workspace.rhythm(['tick'], { ...at('16:00:00'), env });
    const kept = readdirSync(join(env.XDG_CACHE_HOME, 'rhythm'));
    expect(kept.filter((name) => name.endsWith('.rest'))).toHaveLength(count);
  });

  it('is recorded like any other, by what is loaded at once, as long as nothing can be due', async () => {
    const workspace = makeWorkspace();
    const env = { XDG_CACHE_HOME: makeFolder() };
    workspace.configure(config);
    const begin = (time: string, more: object = {}) =>
      workspace.start([], at(time, { env: { ...env, ...more }, program: makeBeginning() })).done;
    expect((await workspace.rhythm([], at('16:00:10', { env }))).code).toBe(0);

    const { code, stdout, stderr } = await begin('16:05:00');
    expect([code, stdout, stderr]).toEqual([0, 'Nothing is due; next: often at 16:10 (UTC), in 5 min.\n', '']);
    expect(workspace.state().lastTick).toMatchObject({
      startedAt: expect.stringMatching(/^2026-11-22T16:05:0/),
      finishedAt: expect.stringMatching(/^2026-11-22T16:05:0/),
      outcome: 'nothing-due',
    });
    const last = workspace.history().at(-1);
    expect(last).toMatchObject({ type: 'tick', outcome: 'nothing-due', ran: 0, tick: workspace.state().lastTick?.id });
    expect(workspace.read('outputs/master_scheduler_state.json')).toBe(
      `${JSON.stringify(workspace.state(), null, 2)}\n`,
    );

    // In any doubt the program is asked for, which is not there.
    const doubts: [string, object][] = [
      ['16:10:00', {}],
      ['15:59:59', {}],
      ['16:06:00', { TZ: 'Asia/Tokyo' }],
    ];
    for (const [time, more] of doubts) expect([time, (await begin(time, more)).code]).toEqual([time, 1]);
    await workspace.rhythm(['pause', 'often'], at('16:06:30', { env }));
    expect((await begin('16:07:00')).code).toBe(1);
    await workspace.rhythm([], at('16:07:10', { env }));
    expect((await begin('16:08:00')).stdout).toContain('next: moody at 17:00');
    workspace.configure({ ...config, timezone: 'Europe/Berlin' });
    expect((await begin('16:08:10')).code).toBe(1);
  });

  it('decides as if nothing were kept, whatever happens, and however what is kept is damaged', {
    timeout: 240_000,
  }, async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant('tick' as const), minutes: fc.integer({ min: 0, max: 12 }) }),
      },
      fc.record({
        kind: fc.constantFrom('pause', 'resume', 'edit', 'unedit', 'fail', 'mend', 'damage', 'drop', 'back', 'spoil'),
        minutes: fc.constant(1),
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 6, maxLength: 9 }),
        fc.integer({ min: 0, max: 1e6 }),
        async (steps, place) => {
          const cache = makeFolder();
          const kept = makeWorkspace();
          const plain = makeWorkspace();
          let now = Date.parse('2026-11-22T16:58:20Z');
          for (const { kind, minutes } of [{ kind: 'tick', minutes: 0 } as const, ...steps]) {
            now += minutes * 60_000;
            if (kind === 'back') now -= 11 * 60_000;
            if (kind === 'spoil') spoil(join(cache, 'rhythm'), place);
            const ends = await Promise.all(
              [kept, plain].map((workspace) =>
                act(workspace, kind, {
                  at: new Date(now).toISOString(),
                  env: { XDG_CACHE_HOME: workspace === kept ? cache : '/dev/null' },
                }),
              ),
            );
            expect(ends[0]).toEqual(ends[1]);
            expect(kept.ledger()).toEqual(plain.ledger());
            expect(essence(kept)).toEqual(essence(plain));
          }
        },
      ),
      { numRuns: 3 },
    );
  });
});

describe('what is kept of a configuration', () => {
  it.each([
    ['tasks.config.json', JSON.stringify(config)],
    ['tasks.config.mjs', `export default process.env.HOME === '?' ? null : ${JSON.stringify(config)};`],
  ])('is made anew where it is damaged: of %s', async (name, text) => {
    const workspace = makeWorkspace();
    const cache = makeFolder();
    const options = { env: { XDG_CACHE_HOME: cache } };
    workspace.write(name, text);
    const head = (bytes: Buffer) => bytes.indexOf('\n') + 1;
    const damages: Record<string, (bytes: Buffer) => Buffer> = {
      empty: () => Buffer.alloc(0),
      'of its first line only': (bytes) => bytes.subarray(0, head(bytes)),
      'of zeros behind its first line': (bytes) => bytes.fill(0, head(bytes)),
      'of zeros': (bytes) => bytes.fill(0),
      'without its second half': (bytes) => bytes.subarray(0, head(bytes) + (bytes.length - head(bytes)) / 2),
      'without its last byte': (bytes) => bytes.subarray(0, -1),
    };
    await workspace.rhythm(['tick'], options);
    for (const [damage, apply] of Object.entries(damages)) {
      const kept = readdirSync(join(cache, 'rhythm')).filter((file) => !file.endsWith('.code'));
      expect([damage, kept.length]).not.toEqual([damage, 0]);
      for (const file of kept) {
        const path = join(cache, 'rhythm', file);
        writeFileSync(path, apply(readFileSync(path)));
      }
      for (const args of [['status'], ['tick']]) {
        const { code, stderr } = await workspace.rhythm(args, options);
        expect([damage, args, code, stderr]).toEqual([damage, args, 0, '']);
      }
    }
  });
});

/** Breaks one byte of each file that is kept. */
function spoil(folder: string, place: number): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const name = join(entry.parentPath, entry.name);
    const bytes = readFileSync(name);
    const index = place % bytes.length;
    bytes[index] = (bytes[index] as number) ^ 1;
    writeFileSync(name, bytes);
  }
}

async function act(workspace: Workspace, kind: string, options: StartOptions): Promise<unknown> {
  if (!workspace.has('tasks.config.json') || kind === 'unedit') workspace.configure(config);
  const edited = { ...config.groups.often, every: '6m' };
  if (kind === 'edit') workspace.configure({ ...config, groups: { ...config.groups, often: edited } });
  if (kind === 'fail') workspace.write('moody', '');
  if (kind === 'mend') rmSync(join(workspace.folder, 'moody'), { force: true });
  if (kind === 'damage') workspace.write('outputs/master_scheduler_state.json', '{"schemaVersion": 1');
  if (kind === 'drop') rmSync(join(workspace.outputs, 'master_scheduler_state.json'), { force: true });
  if (kind === 'pause' || kind === 'resume') return (await workspace.rhythm([kind, 'moody'], options)).stdout;
  const { code, stdout } = await workspace.rhythm([], options);
  return [code, stdout.replaceAll(workspace.folder, '').replace(/\d{8}T\d{6}-\w+|pid \d+|after [\d.]+ m?s/g, '#')];
}

/** What decisions rest on, and what the last tick came to. */
function essence(workspace: Workspace) {
  const { groups, lastTick } = workspace.state();
  const known = Object.entries(groups ?? {}).map(([name, { lastBeat, retry, pausedAt, lastRun }]) => {
    return [name, lastBeat, Boolean(retry), retry?.attempt, Boolean(pausedAt), lastRun?.outcome];
  });
  return [known, lastTick?.outcome];
}

describe('a configuration', () => {
  it.each([
    ['export default { groups: { a: { every: "10m", description: "asks the process // Date" } } };', true],
    ['var a = { b: `Date`, c: 5 * 12 }; // process.env\nexport { a };', true],
    ['var constructor = { globalThis_: 1 }; export { constructor };', true],
    ['export default { a: process.env.X };', false],
    ['export default { a: new Date() };', false],
    ['export default { a: `${Date.now()}` };', false],
    ['export default { a: Math.random() };', false],
    ['import fs from "node:fs"; export default {};', false],
    ['export default await fetch("x");', false],
    ['export default { a: /"/.test(process.env.X) + "" };', false],
    ['export default { a: (() => {}).constructor("return 1")() };', false],
    ['export default { a: this };', false],
    ['export default { a: __rhythm_dirname };', false],
  ])('%s may be kept: %s', (code, expected) => {
    expect(asksNothing(code)).toBe(expected);
  });
});
