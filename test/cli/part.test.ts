import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeWorkspace, program, type StartOptions, type Workspace } from '../rig.ts';

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-part-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const config = {
  timezone: 'UTC',
  groups: { often: { every: '1d', scripts: [{ name: 'only', shell: 'true' }] } },
};

/** A workspace whose ticks keep what they may in a cache of their own. */
function makeKeeping() {
  const cache = makeFolder();
  const workspace = makeWorkspace();
  workspace.configure(config);
  const options: StartOptions = { env: { XDG_CACHE_HOME: cache } };
  const folder = join(cache, 'rhythm');
  const listKept = () => readdirSync(folder).filter((name) => name.endsWith('.code'));
  return { cache, workspace, options, folder, listKept };
}

/** What is told of a workspace that does not change with the clock. */
async function tell(workspace: Workspace, options: StartOptions): Promise<unknown> {
  const start = async (...args: string[]) => {
    const { code, stdout, stderr } = await workspace.rhythm(args, options);
    expect([args, code, stderr]).toEqual([args, 0, '']);
    return stdout;
  };
  const plan = JSON.parse(await start('tick', '--dry-run', '--json')).groups;
  const board = await start('status');
  const ticked = await start('tick');
  const { groups } = JSON.parse(await start('status', '--json'));
  return [
    plan.map(({ group, decision, nextBeat }: Record<string, unknown>) => [group, decision, nextBeat]),
    board.match(/often {2}idle {3}succeeded/)?.[0],
    ticked.replace(/, in .*/, ''),
    groups.map(({ group, state, lastRun }: Record<string, unknown>) => [group, state, lastRun]),
  ];
}

describe('what came of compiling the program', () => {
  it('is kept by ticks, for their user alone, and by nothing that only reads', async () => {
    const { cache, workspace, options, folder, listKept } = makeKeeping();
    for (const args of [['tick', '--dry-run'], ['status'], ['status', '--check'], ['validate']]) {
      await workspace.rhythm(args, options);
      expect([args, readdirSync(cache)]).toEqual([args, []]);
    }
    await workspace.rhythm(['tick'], options);
    const kept = listKept();
    // What a tick loads that runs something: the program, and libraries.
    expect(kept.length).toBeGreaterThan(2);
    for (const name of kept) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);

    const before = kept.map((name) => readFileSync(join(folder, name)));
    await workspace.rhythm(['tick'], options);
    await workspace.rhythm(['status'], options);
    expect(listKept().map((name) => readFileSync(join(folder, name)))).toEqual(before);
  });

  it('goes when it is old', async () => {
    const { workspace, options, folder, listKept } = makeKeeping();
    await workspace.rhythm(['tick'], options);
    const days = (count: number) => Date.now() / 1_000 - count * 86_400;
    const [old = '', recent = ''] = listKept();
    utimesSync(join(folder, old), days(91), days(91));
    utimesSync(join(folder, recent), days(89), days(89));
    // What prunes once a day has pruned already.
    await workspace.rhythm(['run', 'often'], options);
    expect(listKept()).toContain(old);
    rmSync(join(workspace.outputs, 'runs/pruned'));
    await workspace.rhythm(['run', 'often'], options);
    expect(listKept()).not.toContain(old);
    expect(listKept()).toContain(recent);
  });

  it.skipIf(process.platform === 'win32')('is neither kept nor used where others may write', async () => {
    const { workspace, options, folder, listKept } = makeKeeping();
    mkdirSync(folder, { mode: 0o700 });
    chmodSync(folder, 0o777);
    expect((await workspace.rhythm(['tick'], options)).code).toBe(0);
    expect(listKept()).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('is not kept, and no tick stays for it, where no folder can be', async () => {
    const { workspace } = makeKeeping();
    const { code, signal } = await workspace.rhythm(['tick'], { env: { XDG_CACHE_HOME: '/proc/nowhere' } });
    expect([code, signal]).toEqual([0, null]);
  });

  it('changes nothing but time, however it is damaged', { timeout: 120_000 }, async () => {
    const { workspace, options, folder, listKept } = makeKeeping();
    for (let tick = 0; tick < 2; tick++) await workspace.rhythm(['tick'], options);
    const whole = new Map(listKept().map((name) => [name, readFileSync(join(folder, name))]));
    const expected = await tell(workspace, options);
    const flip = (place: (size: number) => number) => (bytes: Buffer) => {
      const index = place(bytes.length);
      bytes[index] = (bytes[index] as number) ^ 0x11;
      return bytes;
    };
    const damages: Record<string, (bytes: Buffer) => Buffer | null> = {
      gone: () => null,
      empty: () => Buffer.alloc(0),
      'without its end': (bytes) => bytes.subarray(0, bytes.length >> 1),
      'without its last byte': (bytes) => bytes.subarray(0, -1),
      'of zeros': (bytes) => Buffer.alloc(bytes.length),
      'a byte in its first half': flip((size) => size >> 2),
      'a byte near its beginning': flip(() => 60),
      'a byte in its second half': flip((size) => size - (size >> 2)),
      'a byte of what it is of': flip(() => 3),
      'of another part': () => [...whole.values()].at(-1) ?? null,
    };
    for (const [damage, apply] of Object.entries(damages)) {
      for (const [name, bytes] of whole) {
        const damaged = apply(Buffer.from(bytes));
        if (damaged === null) rmSync(join(folder, name), { force: true });
        else writeFileSync(join(folder, name), damaged);
      }
      // Else the tick would rest, and need none of it.
      for (const name of readdirSync(folder)) if (!name.endsWith('.code')) rmSync(join(folder, name));
      expect([damage, await tell(workspace, options)]).toEqual([damage, expected]);
    }
  });

  it('is not used for another program of the same length', async () => {
    const { workspace, options } = makeKeeping();
    const folder = makeFolder();
    cpSync(dirname(program), join(folder, 'dist'), { recursive: true });
    symlinkSync(
      fileURLToPath(new URL('../../node_modules', import.meta.url)),
      join(folder, 'node_modules'),
      'junction',
    );
    const own = { ...options, program: join(folder, 'dist/rhythm.cjs') };
    for (let tick = 0; tick < 2; tick++) await workspace.rhythm(['tick'], own);
    const preview = join(folder, 'dist/preview.cjs');
    const text = readFileSync(preview, 'utf8');
    // The bundler ends a part with the hash of all of it.
    const other = text.replaceAll('a dry run, nothing is changed', 'a dry run, nothing is CHANGED');
    writeFileSync(
      preview,
      other.replace(/[0-9a-f](?=[0-9a-f]{31}\n$)/, (digit) => (digit === '0' ? '1' : '0')),
    );
    expect(other.length).toBe(text.length);
    expect((await workspace.rhythm(['tick', '--dry-run'], own)).stdout).toContain('nothing is CHANGED');
  });

  it.skipIf(process.platform === 'win32')('may be taken away while a script runs', async () => {
    const { workspace, options } = makeKeeping();
    const folder = makeFolder();
    cpSync(dirname(program), join(folder, 'dist'), { recursive: true });
    const take = `rm -r '${join(folder, 'dist')}'; sleep 1`;
    workspace.configure({
      ...config,
      groups: {
        often: {
          every: '1d',
          scripts: [
            { name: 'one', shell: take },
            { name: 'two', shell: 'true' },
          ],
        },
      },
    });
    const { code, stderr } = await workspace.rhythm(['tick'], { ...options, program: join(folder, 'dist/rhythm.cjs') });
    expect([code, stderr]).toEqual([0, '']);
    const log = readFileSync(join(workspace.outputs, 'master_scheduler.log'), 'utf8');
    expect(log.match(/\[often\/(one|two)\] (started|succeeded)/g)).toHaveLength(4);
    expect(log).toMatch(/\[often\] .*succeeded/);
  });
});
