import { chmodSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DoctorDocument } from '../../src/cli/commands/doctor.ts';
import {
  gate,
  hasFaketime,
  isLinux,
  makeGate,
  makeWorkspace,
  note,
  release,
  type StartOptions,
  type Workspace,
} from '../rig.ts';

const isRoot = process.geteuid?.() === 0;

function makeWell(): Workspace {
  const workspace = makeWorkspace();
  workspace.write('scripts/well.mjs', '');
  workspace.configure({ timezone: 'UTC', groups: { a: { every: '1h', scripts: ['well.mjs'] } } });
  return workspace;
}

/** An environment with a crontab of its own, and no systemd. */
function withCrontab({ folder, write }: Workspace): NodeJS.ProcessEnv {
  const bin = join(folder, 'bin');
  const table = join(folder, 'table');
  write(
    'bin/crontab',
    `#!/bin/sh\ncase $1 in -l) exec cat '${table}';; -r) rm '${table}';; -) cat >'${table}';; esac\n`,
  );
  write('bin/systemctl', '#!/bin/sh\nexit 1\n');
  write('table', '');
  for (const name of ['crontab', 'systemctl']) chmodSync(join(bin, name), 0o755);
  return { HOME: folder, PATH: `${bin}${delimiter}${process.env.PATH}` };
}

async function examine(workspace: Workspace, options: StartOptions = {}) {
  const { code, stdout, stderr } = await workspace.rhythm(['doctor', '--json'], options);
  expect(stderr).toBe('');
  const { level, findings } = JSON.parse(stdout) as DoctorDocument;
  const of = (check: string) => findings.filter((finding) => finding.check === check);
  return { code, level, findings, of };
}

it('finds nothing wrong where all is well, and writes nothing', async () => {
  const workspace = makeWell();
  const env = withCrontab(workspace);
  expect((await workspace.rhythm(['install', '--trigger', 'cron'], { env })).code).toBe(0);
  await workspace.tick({ env });
  const before = workspace.fingerprint();
  const { code, stdout } = await workspace.rhythm(['doctor'], { env });
  expect(stdout).toMatch(/^ok {7}the configuration is valid: 1 group\n/);
  expect(stdout).toMatch(/\nok {7}all scripts can be started \(1 script\)\n/);
  expect(stdout).toMatch(/\nok {7}the last tick came (just now|\d+ s ago)\n/);
  expect(stdout.split('\n').filter((line) => /^(problem|warning)/.test(line))).toEqual([]);
  expect([code, stdout.endsWith('\n\nAll is well.\n')]).toEqual([0, true]);
  expect(workspace.fingerprint()).toEqual(before);
});

it('before the first tick, it makes no folder and says what to do', async () => {
  const workspace = makeWell();
  const { code, of } = await examine(workspace);
  expect([code, of('ticks')]).toEqual([
    1,
    [{ check: 'ticks', level: 'problem', text: 'no tick has come yet', mend: 'rhythm install' }],
  ]);
  expect(of('permissions')[0]?.text).toBe(`${workspace.outputs} will be made by the first tick`);
  expect(workspace.has('outputs')).toBe(false);
});

it('tells which scripts can not be started, and what mends it', async () => {
  const workspace = makeWorkspace();
  workspace.write('scripts/direct', '#!/bin/sh\n');
  chmodSync(join(workspace.folder, 'scripts/direct'), 0o644);
  workspace.write('scripts/page.rb', '');
  workspace.configure({
    interpreters: { '.rb': 'no-such-ruby' },
    groups: { a: { every: '1h', scripts: ['gone.sh', 'direct', 'page.rb', { command: 'no-such-program' }] } },
  });
  const { code, of } = await examine(workspace);
  expect(code).toBe(1);
  expect(of('scripts').map(({ text, mend }) => [text.replace(/ \(.*\)/, ''), mend])).toEqual([
    ["a/gone.sh can't be started: scripts/gone.sh does not exist", expect.stringContaining('restore it')],
    ["a/direct can't be started: scripts/direct may not be executed", 'chmod +x scripts/direct'],
    ["a/page.rb can't be started: no-such-ruby was not found on the PATH", expect.stringContaining('install it')],
    ["a/no-such-program can't be started: no-such-program was not found on the PATH", 'correct the command'],
  ]);
});

it('names the interpreters with their versions, and starts nothing else to learn one', async () => {
  const workspace = makeWell();
  workspace.write('mine', '#!/bin/sh\ntouch "$0.started"\n');
  chmodSync(join(workspace.folder, 'mine'), 0o755);
  workspace.configure({ groups: { a: { every: '1h', scripts: ['well.mjs', { command: './mine' }] } } });
  const { of } = await examine(workspace);
  expect(of('interpreters').map(({ text }) => text)).toEqual([
    `${process.execPath}, ${process.version}: 1 script`,
    `${join(workspace.folder, 'mine')}: 1 script`,
  ]);
  expect(workspace.has('mine.started')).toBe(false);
});

describe('a configuration or a state that can not be read', () => {
  it('is a problem, and the rest is looked at all the same', async () => {
    const workspace = makeWorkspace();
    workspace.configure({ groups: { a: { every: 'often', scripts: [] } } });
    const { code, of } = await examine(workspace);
    expect(code).toBe(1);
    expect(of('configuration')[0]).toMatchObject({ level: 'problem', mend: 'rhythm validate' });
    expect(of('configuration')[0]?.text).toContain('groups.a.every');
    expect(of('node')[0]?.level).toBe('ok');
  });

  it('is a warning where the next tick makes it good', async () => {
    const workspace = makeWell();
    await workspace.tick();
    workspace.write('outputs/master_scheduler_state.json', '{');
    const { code, of } = await examine(workspace);
    expect([code, of('state')[0]?.level, of('state')[0]?.mend]).toEqual([0, 'warning', 'rhythm tick']);
    expect(workspace.read('outputs/master_scheduler_state.json')).toBe('{');
  });

  it('is a problem where a newer rhythm wrote it', async () => {
    const workspace = makeWell();
    workspace.write('outputs/master_scheduler_state.json', '{"schemaVersion": 99}');
    const { code, of } = await examine(workspace);
    expect([code, of('state')[0]?.level]).toEqual([1, 'problem']);
    expect(of('state')[0]?.text).toContain('install a newer rhythm');
  });
});

describe.runIf(hasFaketime)('the clock', () => {
  it('went back', async () => {
    const workspace = makeWell();
    await workspace.tick({ at: '2026-11-22T16:00:00Z' });
    const { of } = await examine(workspace, { at: '2026-11-20T16:00:00Z' });
    expect(of('clock')[0]).toMatchObject({ level: 'problem', mend: expect.stringContaining('ntp') });
    expect(of('clock')[0]?.text).toMatch(/but the newest record is from 2026-11-22 16:00(:\d\d)?: it went back by 2d$/);
  });

  it.each([
    ['2001-01-01T00:00:00Z', 'problem', /^the clock says 2001-01-01 00:00/],
    ['2028-11-20T16:00:00Z', 'warning', /is the clock ahead\?$/],
  ])('says %s', async (at, level, text) => {
    const workspace = makeWell();
    await workspace.tick({ at: '2026-11-22T16:00:00Z' });
    const { of } = await examine(workspace, { at });
    expect(of('clock')[0]).toMatchObject({ level, text: expect.stringMatching(text) });
  });

  it('no tick for long', async () => {
    const workspace = makeWell();
    await workspace.tick({ at: '2026-11-22T16:00:00Z' });
    const { code, of } = await examine(workspace, { at: '2026-11-22T16:47:30Z' });
    expect([code, of('ticks')[0]?.text]).toEqual([
      1,
      expect.stringMatching(/^no tick for 47m; one is expected every 5m$/),
    ]);
  });
});

it.runIf(isLinux)('says who holds a lane, and what a dead tick left', async () => {
  const workspace = makeWorkspace();
  workspace.configure({
    groups: { a: { every: '1h', scripts: [{ name: 'one', shell: `${note('one')}; ${gate('gate')}` }] } },
  });
  makeGate(workspace, 'gate');
  const tick = workspace.start(['tick']);
  await workspace.ledgerHas('one');
  const held = await examine(workspace);
  expect(held.of('locks')).toMatchObject([
    { level: 'ok', text: expect.stringMatching(/^tick \S+ \(pid \d+\) has held main \(a\) for /) },
  ]);
  tick.child.kill('SIGKILL');
  await tick.done;
  const before = workspace.fingerprint();
  const left = await examine(workspace);
  expect(left.of('locks')).toMatchObject([
    {
      level: 'warning',
      text: 'a tick died while it ran a; its script runs still; the next one settles that',
      mend: 'rhythm tick',
    },
  ]);
  expect(workspace.fingerprint()).toEqual(before);
  release(workspace, 'gate');
});

it.runIf(isLinux && !isRoot)('tells what may not be written', async () => {
  const workspace = makeWell();
  await workspace.tick();
  chmodSync(join(workspace.outputs, 'history.jsonl'), 0o440);
  const { code, of } = await examine(workspace);
  expect(code).toBe(1);
  expect(of('permissions')).toMatchObject([
    { level: 'problem', text: expect.stringContaining('history.jsonl may not') },
  ]);
});

it('warns of what makes each start slower, and of a TZ that is none', async () => {
  const env = { NODE_EXTRA_CA_CERTS: '/dev/null', TZ: 'Nowhere/Land' };
  const { of } = await examine(makeWell(), { env });
  if (process.versions.node.startsWith('20.')) expect(of('node')[1]).toMatchObject({ level: 'warning' });
  expect(of('time zones')[0]).toMatchObject({ level: 'warning', text: expect.stringContaining('"Nowhere/Land"') });
});
