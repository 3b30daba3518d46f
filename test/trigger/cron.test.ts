import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cron, findEntries, putBlock, takeBlock } from '../../src/trigger/cron.ts';
import type { Order } from '../../src/trigger/trigger.ts';
import { isLinux, makeWorkspace, type Workspace } from '../rig.ts';
import { awkward, makeOrder } from './orders.ts';

const orders: Order[] = ['one-1', 'two-2', 'three-3'].map((id) =>
  makeOrder({ id, workspace: `/srv/${id}`, outputs: `/srv/${id}/outputs` }),
);

/** Tables as they occur, in any encoding, also without an end of the last line; a character is a byte. */
const lines = fc.oneof(
  fc.constantFrom(
    '',
    '# a comment',
    'MAILTO=ada',
    'SHELL=/usr/bin/fish',
    '0 3 * * * /bin/backup "50\\%"',
    '\t',
    '*/5 * * * * x\r',
  ),
  fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 30 }),
);
const tables = fc.option(
  fc.tuple(fc.array(lines, { maxLength: 6 }), fc.constantFrom('', '\n')).map(([all, end]) => all.join('\n') + end),
);

describe('the rhythm block in a crontab', () => {
  it('leaves foreign lines unchanged and is removed without a trace, in whatever order blocks come and go', () => {
    const ids = orders.map((_, index) => index);
    const shuffled = fc.shuffledSubarray(ids, { minLength: 3, maxLength: 3 });
    const again = fc.array(fc.constantFrom(...ids), { maxLength: 3 });
    void fc.assert(
      fc.property(tables, shuffled, again, shuffled, (before, comes, changes, goes) => {
        let table: string | null = before;
        for (const index of comes) table = putBlock(table, orders[index] as Order);
        for (const index of changes) table = putBlock(table, { ...(orders[index] as Order), every: 600_000 });
        expect(table?.startsWith(before ?? '')).toBe(true);
        expect(
          findEntries(table as string)
            .map(({ id, isIntact }) => [id, isIntact])
            .sort(),
        ).toEqual(orders.map(({ id }) => [id, true]).sort());
        for (const index of goes) table = takeBlock(table, (orders[index] as Order).id);
        expect(table).toBe(before);
      }),
      { numRuns: 300 },
    );
  });

  it('is replaced in its position, and lines added after it remain', () => {
    const [one, two] = orders as [Order, Order, Order];
    const table = `${putBlock('0 1 * * * a', one)}0 2 * * * b\n`;
    expect(putBlock(table, one)).toBe(table);
    const both = putBlock(putBlock(table, two), { ...one, every: 600_000 });
    expect(both.match(/^# BEGIN rhythm one-1/gm)).toHaveLength(1);
    expect(both.indexOf('one-1')).toBeLessThan(both.indexOf('0 2 * * * b'));
    // Here its newline has become part of somebody else's line.
    expect(takeBlock(takeBlock(both, two.id), one.id)).toBe('0 1 * * * a\n0 2 * * * b\n');
  });

  it('is refused if its end line is missing, and an edit within it is reported', () => {
    const table = putBlock('', orders[0] as Order);
    expect(() => putBlock(table.replace(/^# END.*\n/m, ''), orders[0] as Order)).toThrow(
      'the crontab has a line "# BEGIN rhythm one-1" without its "# END rhythm one-1"; mend it with crontab -e.',
    );
    expect(findEntries(table.replace('*/5', '*/4')).map(({ isIntact }) => isIntact)).toEqual([false]);
  });

  it('uses /bin/sh even if the crontab sets another shell', () => {
    const fish = putBlock('SHELL=/usr/bin/fish\n', orders[0] as Order);
    expect(fish).toMatch(/^\*\/5 \* \* \* \* \/bin\/sh -c 'w=/m);
    expect(putBlock('SHELL="/bin/bash"\n', orders[0] as Order)).toMatch(/^\*\/5 \* \* \* \* w=/m);
  });
});

describe('a cron line', () => {
  const commandOf = (order: Order) => cron.print(order).files[0]?.text ?? '';

  it.each([
    [60_000, '* * * * *'],
    [300_000, '*/5 * * * *'],
    [3_600_000, '0 * * * *'],
    [7_200_000, '0 */2 * * *'],
    [86_400_000, '0 0 * * *'],
  ])('for every %i ms is scheduled by %s', (every, fields) => {
    expect(commandOf(makeOrder({ every })).split('\n')[2]).toMatch(`${fields} w=`);
  });

  it.each([
    [
      420_000,
      "cron can't start a tick every 7m: its period has to divide the hour or the day; take --every 6m or --every 10m.",
    ],
    [30_000, "cron can't start a tick every 30s: its period has to divide the hour or the day; take --every 1m."],
    [
      5_400_000,
      "cron can't start a tick every 1h30m: its period has to divide the hour or the day; take --every 1h or --every 2h.",
    ],
    [172_800_000, "cron can't start a tick every 2d: its period has to divide the hour or the day; take --every 1d."],
  ])('can’t be written for every %i ms', (every, message) => {
    expect(() => commandOf(makeOrder({ every }))).toThrow(message);
  });

  it('moves a long PATH to a variable line, and refuses one too long for that', () => {
    const path = Array.from({ length: 30 }, (_, index) => `/opt/some/tools/${index}`).join(':');
    const [, , assignment = '', command = ''] = commandOf(makeOrder({ path })).split('\n');
    expect(assignment).toBe(`RHYTHM_PATH_jobs_1a2b3c4d="${path}"`);
    expect(command).toContain('export PATH="$RHYTHM_PATH_jobs_1a2b3c4d"; exec ');
    for (const text of [assignment, command]) expect(Buffer.byteLength(text)).toBeLessThan(1_000);
    expect(() => commandOf(makeOrder({ path: `${path}:${path}` }))).toThrow(
      /^cron takes no line of 1,000 characters, and this one needs \d+: shorten the PATH/,
    );
    expect(() => commandOf(makeOrder({ workspace: '/srv/a\nb' }))).toThrow('cron knows no line breaks');
  });
});

/** A crontab program of the test's, as strict as Debian's. */
const fake = `#!/bin/sh
table=$HOME/table
case $1 in
-l) [ -f "$table" ] && exec /bin/cat "$table"; echo "no crontab for ada" >&2; exit 1;;
-r) exec /bin/rm "$table";;
-) /bin/cat >"$table.new"
   if [ -s "$table.new" ] && [ -n "$(/usr/bin/tail -c1 "$table.new")" ]; then
     echo "new crontab file is missing newline before EOF, can't install." >&2; exit 1
   fi
   if /bin/grep -q '.\\{1010,\\}' "$table.new" && ! /bin/grep '.\\{1010,\\}' "$table.new" | /bin/grep -q '^#'; then
     echo 'command too long' >&2; exit 1
   fi
   exec /bin/mv "$table.new" "$table";;
esac
`;

function makeHome(workspace: Workspace, programs: Record<string, string>) {
  const home = join(workspace.folder, 'home');
  mkdirSync(join(home, 'bin'), { recursive: true });
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(home, 'bin', name), text);
    chmodSync(join(home, 'bin', name), 0o755);
  }
  const table = join(home, 'table');
  return {
    table,
    put: (text: string) => writeFileSync(table, text, 'latin1'),
    read: () => (existsSync(table) ? readFileSync(table, 'latin1') : null),
    rhythm: (...args: string[]) => workspace.rhythm(args, { env: { HOME: home, PATH: join(home, 'bin') } }),
  };
}

function arrange(): Workspace {
  const workspace = makeWorkspace();
  workspace.configure({ groups: { a: { every: '10m', scripts: [{ shell: 'true' }] } } });
  return workspace;
}

describe.runIf(isLinux)('rhythm install with cron', () => {
  it('reports what it did, replaces the block when repeated, and is undone to the byte', async () => {
    const workspace = arrange();
    const home = makeHome(workspace, { crontab: fake });
    const before = '# von Änne \xe4\n0 3 * * * /bin/backup\n';
    home.put(before);
    const first = await home.rhythm('install');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^Installed: cron starts a tick every 5m in .*\.\n {2}where {6}the crontab of /);
    expect(first.stdout).toMatch(/The first tick comes at about \d\d:\d\d/);
    const once = home.read();
    expect(once?.startsWith(before)).toBe(true);
    expect((await home.rhythm('install')).stdout).toMatch(/^Replaced: cron/);
    expect(home.read()).toBe(once);
    const third = await home.rhythm('install', '--every', '10m', '--no-guard', '--json');
    expect(JSON.parse(third.stdout)).toMatchObject({
      schemaVersion: 1,
      installed: true,
      trigger: 'cron',
      everyMs: 600_000,
      guard: false,
    });
    expect(JSON.parse(third.stdout).notes).toEqual([
      "The configuration takes the trigger to come every 5m: write tickEvery: '10m' into it.",
    ]);
    expect(home.read()?.match(/BEGIN rhythm/g)).toHaveLength(1);

    expect((await home.rhythm('uninstall')).stdout).toMatch(/^Uninstalled: cron starts no more ticks/);
    expect(home.read()).toBe(before);
    expect((await home.rhythm('uninstall', '--json')).stdout).toContain('"uninstalled": []');
  });

  it('creates a missing crontab, and uninstall removes it', async () => {
    const home = makeHome(arrange(), { crontab: fake });
    expect((await home.rhythm('install', '--trigger', 'cron')).code).toBe(0);
    expect(home.read()).toMatch(/^# BEGIN rhythm .* before:none /);
    expect((await home.rhythm('uninstall')).code).toBe(0);
    expect(home.read()).toBe(null);
  });

  it('adds a missing newline at the end of the crontab', async () => {
    const home = makeHome(arrange(), { crontab: fake });
    home.put('0 3 * * * /bin/backup');
    expect((await home.rhythm('install')).code).toBe(0);
    expect((await home.rhythm('uninstall')).code).toBe(0);
    expect(home.read()).toBe('0 3 * * * /bin/backup\n');
  });

  it('reports a missing or failing crontab program', async () => {
    const without = makeHome(arrange(), {});
    expect(await without.rhythm('install')).toMatchObject({
      code: 74,
      stderr: expect.stringMatching(
        /^rhythm: neither a systemd manager runs for this user nor is there a program crontab; .*\n$/,
      ),
    });
    expect(await without.rhythm('install', '--trigger', 'cron')).toMatchObject({
      code: 74,
      stderr: 'rhythm: there is no program crontab here; install cron, or name another trigger with --trigger.\n',
    });
    expect((await without.rhythm('uninstall')).code).toBe(0);
    const denied = '#!/bin/sh\necho "You (ada) are not allowed to use this program (crontab)" >&2\nexit 1\n';
    const refusing = makeHome(arrange(), { crontab: denied });
    const { code, stderr } = await refusing.rhythm('install');
    expect(code).toBe(74);
    expect(stderr).toMatch(/^rhythm: the crontab can't be read: You \(ada\) are not allowed/);
  });

  it('prints the trigger of every system and changes nothing', async () => {
    const workspace = arrange();
    const home = makeHome(workspace, { crontab: fake });
    home.put('0 3 * * * /bin/backup\n');
    const before = workspace.fingerprint();
    for (const trigger of ['cron', 'systemd', 'launchd', 'schtasks']) {
      const shown = await home.rhythm('install', '--print', '--trigger', trigger);
      expect(shown.code).toBe(0);
      expect(shown.stderr).toMatch(`Not registered, only shown: ${trigger},`);
      const document = JSON.parse((await home.rhythm('install', '--print', '--json', '--trigger', trigger)).stdout);
      expect(document).toMatchObject({ schemaVersion: 1, installed: false, trigger });
      for (const { text } of document.files) expect(shown.stdout).toContain(text);
    }
    expect(workspace.fingerprint()).toEqual(before);
  });

  it('handles several workspaces independently', async () => {
    const [one, two] = [arrange(), arrange()];
    const home = makeHome(one, { crontab: fake });
    await home.rhythm('install');
    const alone = home.read();
    const env = { HOME: join(one.folder, 'home'), PATH: join(one.folder, 'home/bin') };
    await two.rhythm(['install'], { env });
    expect(home.read()?.match(/BEGIN rhythm/g)).toHaveLength(2);
    await two.rhythm(['uninstall'], { env });
    expect(home.read()).toBe(alone);
    // A workspace that is there no more can be uninstalled still.
    const gone = join(one.folder, awkward);
    mkdirSync(gone);
    writeFileSync(join(gone, 'tasks.config.json'), one.read('tasks.config.json'));
    await one.rhythm(['-C', gone, 'install'], { env });
    expect(home.read()).not.toBe(alone);
    rmSync(gone, { recursive: true });
    await one.rhythm(['-C', gone, 'uninstall'], { env });
    expect(home.read()).toBe(alone);
  });
});
