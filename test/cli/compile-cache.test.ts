import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import module from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { sweepCache } from '../../src/user-cache.ts';
import { makeWorkspace, type StartOptions } from '../rig.ts';

const isWindows = process.platform === 'win32';

/** A workspace, and a cache of its own. */
function makeCached() {
  const home = mkdtempSync(join(tmpdir(), 'rhythm-cache-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const workspace = makeWorkspace();
  workspace.configure({
    timezone: 'UTC',
    groups: { often: { every: '1d', scripts: [{ name: 'only', shell: 'true' }] } },
  });
  const options: StartOptions = { env: { XDG_CACHE_HOME: home, LOCALAPPDATA: home } };
  const cache = join(home, 'rhythm');
  const run = async (...args: string[]) => {
    const { code, stderr } = await workspace.rhythm(args, options);
    expect([args, code, stderr]).toEqual([args, 0, '']);
  };
  const listCode = () => (existsSync(cache) ? readdirSync(cache).filter((name) => name.startsWith('code-')) : []);
  return { workspace, home, cache, run, listCode };
}

// Node 20 has no cache of compiled code.
describe.runIf('enableCompileCache' in module)('the compile cache', () => {
  it('is written by commands that write anyway, and by no other', async () => {
    const { home, cache, run, listCode } = makeCached();
    const reading = [['tick', '--dry-run'], ['status'], ['validate'], ['cleanup', '--dry-run'], ['tick', '--help']];
    for (const args of reading) {
      await run(...args);
      expect([args, readdirSync(home)]).toEqual([args, []]);
    }
    await run('tick');
    await run('tick');
    const [name = '', ...others] = listCode();
    expect(others).toEqual([]);
    const folder = join(cache, name);
    if (!isWindows) expect(statSync(folder).mode & 0o777).toBe(0o700);
    const listAll = () =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((path) => statSync(join(folder, path)).isFile())
        .map((path) => [path, readFileSync(join(folder, path)).toString('hex')]);
    const before = listAll();
    expect(before.length).toBeGreaterThan(2);
    for (const args of reading) await run(...args);
    expect(listAll()).toEqual(before);
  });

  it.skipIf(isWindows)('is not used in a folder that others may write to', async () => {
    const { cache, run, listCode } = makeCached();
    mkdirSync(cache, { mode: 0o700 });
    chmodSync(cache, 0o777);
    await run('tick');
    expect(listCode()).toEqual([]);

    chmodSync(cache, 0o700);
    await run('tick');
    const [name = ''] = listCode();
    rmSync(join(cache, name), { recursive: true });
    mkdirSync(join(cache, name));
    chmodSync(join(cache, name), 0o777);
    await run('tick');
    expect(readdirSync(join(cache, name))).toEqual([]);
  });
});

it('compiled code that was not used for 90 days is removed', () => {
  const { home, cache, listCode } = makeCached();
  vi.stubEnv(isWindows ? 'LOCALAPPDATA' : 'XDG_CACHE_HOME', home);
  onTestFinished(() => void vi.unstubAllEnvs());
  mkdirSync(cache, { mode: 0o700 });
  const days = (count: number) => Date.now() / 1_000 - count * 86_400;
  for (const [name, age] of [['code-old', 91] as const, ['code-recent', 89] as const]) {
    mkdirSync(join(cache, name, 'v0'), { recursive: true });
    utimesSync(join(cache, name), days(age), days(age));
  }
  sweepCache();
  expect(listCode()).toEqual(['code-recent']);
});

it.runIf(process.platform === 'linux')(
  'a cache folder that can not be created keeps no command from its work',
  async () => {
    const { workspace } = makeCached();
    const { code, signal } = await workspace.rhythm(['tick'], { env: { XDG_CACHE_HOME: '/proc/nowhere' } });
    expect([code, signal]).toEqual([0, null]);
  },
);
