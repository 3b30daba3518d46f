import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeWorkspace, note, program, type Workspace } from '../rig.ts';

const groups = {
  often: { every: '1s', scripts: [{ name: 'it', shell: note('often') }] },
  nightly: { daily: '03:00', scripts: [{ name: 'it', shell: 'true' }] },
  hourly: { cron: '20 * * * *', scripts: [{ name: 'it', shell: 'true' }] },
};

/** An environment in which asking Intl for a wall clock, which takes half as long as Node takes to start, is an error. */
function withoutIntl(workspace: Workspace, TZ: string | undefined, cache: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  workspace.write('no-intl.cjs', "Intl.DateTimeFormat = function () { throw new Error('Intl was asked'); };");
  const preload = `--require "${join(workspace.folder, 'no-intl.cjs').replaceAll('\\', '/')}"`;
  return { ...cache, TZ, NODE_OPTIONS: preload };
}

function makeCached() {
  const workspace = makeWorkspace();
  const cache = join(workspace.folder, 'cache');
  return { workspace, cache: { XDG_CACHE_HOME: cache, LOCALAPPDATA: cache } };
}

/** What a wall clock shows, to the minute; two readings, since time goes on. */
function readClock(timeZone: string): string[] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return [0, 20_000].map((earlier) => format.format(Date.now() - earlier));
}

async function expectClock(workspace: Workspace, env: NodeJS.ProcessEnv, timezone: string): Promise<void> {
  const { code, stdout, stderr } = await workspace.rhythm(['status'], { env });
  expect([code, stderr]).toEqual([0, '']);
  expect(readClock(timezone)).toContain(/^Status at (\S+ \d\d:\d\d)/.exec(stdout)?.[1]);
}

it.each([
  ['Europe/Berlin', 'Europe/Berlin'],
  ['Europe/Berlin', undefined],
  ['America/St_Johns', undefined],
  // Intl calls it Asia/Calcutta.
  ['Asia/Kolkata', 'Asia/Kolkata'],
  ['Europe/Berlin', 'Asia/Tokyo'],
  ['CST', 'CST'],
  ['', 'Europe/Berlin'],
  ['UTC', undefined],
])('with TZ=%s and the time zone %s, only the first tick asks Intl', async (TZ, timezone) => {
  const { workspace, cache } = makeCached();
  workspace.configure({ timezone, groups });
  const first = await workspace.rhythm([], { env: { ...cache, TZ } });
  expect([first.code, first.stderr]).toEqual([0, '']);

  const env = withoutIntl(workspace, TZ, cache);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const second = await workspace.rhythm([], { env });
  expect([second.code, second.stderr]).toEqual([0, '']);
  expect(workspace.ledger()).toEqual(['often', 'often']);
  const preview = await workspace.rhythm(['tick', '--dry-run'], { env });
  expect([preview.code, preview.stderr]).toEqual([0, '']);
  expect(preview.stdout).toMatch(/nightly +waits for its first beat, (\S+ )?03:00\n/);
  await expectClock(workspace, env, timezone ?? TZ);
});

it('asks Intl again where the system’s time zone has changed', async () => {
  const { workspace, cache } = makeCached();
  workspace.configure({ groups });
  expect((await workspace.rhythm([], { env: { ...cache, TZ: 'Europe/Berlin' } })).code).toBe(0);
  const { code, stderr } = await workspace.rhythm(['status'], { env: withoutIntl(workspace, 'Asia/Tokyo', cache) });
  expect([code, stderr]).toEqual([70, expect.stringContaining('Intl was asked')]);
  await expectClock(workspace, { ...cache, TZ: 'Asia/Tokyo' }, 'Asia/Tokyo');
});

const berlin = '/usr/share/zoneinfo/Europe/Berlin';
/** Whether a process can be given an /etc of its own. */
const canMount = spawnSync('unshare', ['-rm', 'mount', '--bind', '/tmp', '/etc']).status === 0 && existsSync(berlin);

it.runIf(canMount).each(['link', 'copy'])('notices that /etc/localtime, a %s, shows another zone', (kind) => {
  const { workspace, cache } = makeCached();
  workspace.configure({ groups });
  const etc = join(workspace.folder, 'etc');
  mkdirSync(etc);
  const localtime = join(etc, 'localtime');
  const status = (more: NodeJS.ProcessEnv = {}, ...args: readonly string[]) => {
    const command = [process.execPath, program, '-C', workspace.folder, ...args];
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined, ...cache, ...more, TZ: undefined };
    const inEtc = ['-rm', 'sh', '-c', 'mount --bind "$0" /etc && exec "$@"', etc, ...command];
    const { stdout, stderr } = spawnSync('unshare', inEtc, { env, encoding: 'utf8' });
    expect(stderr).toBe('');
    return /^Status at (\S+ \d\d:\d\d)/.exec(stdout)?.[1];
  };
  const show = (timezone: string) => {
    const file = join('/usr/share/zoneinfo', timezone);
    rmSync(localtime, { force: true });
    if (kind === 'link') symlinkSync(file, localtime);
    else cpSync(file, localtime);
  };
  show('Europe/Berlin');
  status({}, 'tick');
  expect(readClock('Europe/Berlin')).toContain(status({}, 'status'));
  // From the cache.
  expect(readClock('Europe/Berlin')).toContain(status(withoutIntl(workspace, undefined, cache), 'status'));
  show('America/New_York');
  expect(readClock('America/New_York')).toContain(status({}, 'status'));
});
