import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
  ['Asia/Kolkata', undefined],
  ['Asia/Kolkata', 'Asia/Kolkata'],
  ['UTC', undefined],
])(
  'where the system is in %s and the configuration in %s, only what reads the configuration asks Intl',
  async (TZ, timezone) => {
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
    await expectClock(workspace, env, TZ);
  },
);

it.each([
  ['the configuration names another zone', 'Europe/Berlin', 'Asia/Tokyo'],
  // To Node's Date that is an abbreviation, of which it takes the offset from the system; to Intl it is Chicago.
  ['the name means two things', 'CST', 'CST'],
  ['the system does not know the name', 'europe/berlin', 'europe/berlin'],
  ['the name is a rule', 'CET-1CEST', 'Europe/Berlin'],
  ['the name is an address', '/usr/share/zoneinfo/Europe/Berlin', 'Europe/Berlin'],
  ['there is no name', '', 'Europe/Berlin'],
])('where %s, Intl is asked', async (_, TZ, timezone) => {
  const { workspace, cache } = makeCached();
  workspace.configure({ timezone, groups });
  const env = { ...cache, TZ };
  expect((await workspace.rhythm([], { env })).code).toBe(0);
  await expectClock(workspace, env, timezone);
  const { code, stderr } = await workspace.rhythm(['status'], { env: withoutIntl(workspace, TZ, cache) });
  expect([code, stderr]).toEqual([70, expect.stringContaining('Intl was asked')]);
});

it.each(['America/New_York', '', undefined])(
  'where the system’s zone has become %j, Date is not asked for the old one',
  async (TZ) => {
    const { workspace, cache } = makeCached();
    workspace.configure({ timezone: 'Europe/Berlin', groups });
    expect((await workspace.rhythm([], { env: { ...cache, TZ: 'Europe/Berlin' } })).code).toBe(0);
    await expectClock(workspace, { ...cache, TZ }, 'Europe/Berlin');
  },
);

const berlin = '/usr/share/zoneinfo/Europe/Berlin';
/** Whether a process can be given an /etc of its own. */
const canMount = spawnSync('unshare', ['-rm', 'mount', '--bind', '/tmp', '/etc']).status === 0 && existsSync(berlin);

describe.runIf(canMount)('without TZ, in a zone that /etc/localtime tells', () => {
  function makeEtc(timezone?: string) {
    const { workspace, cache } = makeCached();
    workspace.configure({ timezone, groups });
    const etc = join(workspace.folder, 'etc');
    mkdirSync(etc);
    const localtime = join(etc, 'localtime');
    const run = (args: readonly string[], more: NodeJS.ProcessEnv = {}) => {
      const command = [process.execPath, program, '-C', workspace.folder, ...args];
      const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined, ...cache, ...more, TZ: undefined };
      const inEtc = ['-rm', 'sh', '-c', 'mount --bind "$0" /etc && exec "$@"', etc, ...command];
      const { status, stdout, stderr } = spawnSync('unshare', inEtc, { env, encoding: 'utf8' });
      return { status, stderr, clock: /^Status at (\S+ \d\d:\d\d)/.exec(stdout)?.[1] };
    };
    return { localtime, run, strict: withoutIntl(workspace, undefined, cache) };
  }

  it.each(['Europe/Berlin', undefined])('by the name that it leads to, Intl is not asked for %s', (timezone) => {
    const { localtime, run, strict } = makeEtc(timezone);
    symlinkSync(berlin, localtime);
    expect(run(['tick'])).toMatchObject({ status: 0, stderr: '' });
    const { status, stderr, clock } = run(['status'], strict);
    expect([status, stderr]).toEqual([0, '']);
    expect(readClock('Europe/Berlin')).toContain(clock);

    rmSync(localtime);
    symlinkSync('/usr/share/zoneinfo/America/New_York', localtime);
    expect(readClock(timezone ?? 'America/New_York')).toContain(run(['status']).clock);
  });

  it('and has no name, Intl is asked', () => {
    const { localtime, run, strict } = makeEtc('Europe/Berlin');
    cpSync(berlin, localtime);
    expect(run(['tick'])).toMatchObject({ status: 0, stderr: '' });
    expect(readClock('Europe/Berlin')).toContain(run(['status']).clock);
    expect(run(['status'], strict)).toMatchObject({ status: 70, stderr: expect.stringContaining('Intl was asked') });
  });
});
