import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hasFaketime, makeWorkspace, program, type Workspace } from '../rig.ts';

const report = {
  timezone: 'UTC',
  groups: {
    health_check: { every: '10m', priority: 'critical', scripts: ['check_health.ts --fast'] },
    performance_analysis: { every: '30m', dependsOn: ['health_check'], scripts: ['save_performance_benchmark.ts'] },
    daily_routine: { daily: '03:00', dependsOn: ['performance_analysis'], scripts: ['generate_daily_briefing.ts'] },
    upload: { manual: true, scripts: ['upload.sh'] },
    needs_upload: { every: '10m', dependsOn: ['upload'], scripts: [{ shell: 'true' }] },
    old: { every: '1h', enabled: false, scripts: [] },
  },
};

function reportWorkspace(): Workspace {
  const workspace = makeWorkspace();
  workspace.configure(report);
  return workspace;
}

const preview = ['tick', '--dry-run', '--at', '2026-11-22T16:00:00Z'];

describe('tick --dry-run', () => {
  it('shows at a glance what would run, in which order and why, and what would not', async () => {
    const { stdout, code } = await reportWorkspace().rhythm(preview);
    expect(code).toBe(0);
    expect(stdout).toBe(`Plan for 2026-11-22 16:00 (UTC); a dry run, nothing is changed.

1. run       health_check          first run, for its 16:00 beat
             check_health.ts
2. run       performance_analysis  first run, for its 16:00 beat; health_check runs first
             save_performance_benchmark.ts

   wait      daily_routine         waits for its first beat, 2026-11-23 03:00
   wait      upload                runs only when asked to
   skip      needs_upload          its 16:00 beat is due, but upload has never run
   disabled  old                   disabled in the configuration
`);
  });

  it('gives others the plan as JSON', async () => {
    const { stdout } = await reportWorkspace().rhythm([...preview, '--json']);
    const plan = JSON.parse(stdout);
    expect(Object.keys(plan)).toEqual(['schemaVersion', 'at', 'groups']);
    expect(plan).toMatchObject({ schemaVersion: 1, at: '2026-11-22T16:00:00.000Z' });
    expect(plan.groups[1]).toEqual({
      group: 'performance_analysis',
      decision: 'run',
      reason: 'first-run',
      because: 'first run, for its 16:00 beat; health_check runs first',
      blockedBy: [],
      beat: '2026-11-22T16:00:00.000Z',
      missedBeats: 0,
      nextBeat: '2026-11-22T16:30:00.000Z',
      dependsOn: ['health_check'],
      scripts: [{ name: 'save_performance_benchmark.ts', argv: expect.arrayContaining([process.execPath]) }],
    });
    expect(plan.groups.at(-2)).toMatchObject({ group: 'needs_upload', decision: 'skip', blockedBy: ['upload'] });
    expect(plan.groups.at(-1)).toMatchObject({ group: 'old', decision: 'disabled', nextBeat: null, beat: null });
  });

  it('changes nothing at all, before a first tick and after it', async () => {
    const workspace = reportWorkspace();
    workspace.write(
      'tasks.config.ts',
      `import { defineConfig } from 'rhythm-scheduler';
export default defineConfig({ groups: { g: { every: '10m', scripts: [{ shell: 'true' }] } } });`,
    );
    rmSync(join(workspace.folder, 'tasks.config.json'));
    const env = { XDG_CACHE_HOME: `${workspace.folder}/cache` };
    for (const round of ['before', 'after']) {
      const before = workspace.fingerprint();
      for (const args of [preview, [...preview, '--json'], [...preview, '--for', '24h']]) {
        expect((await workspace.rhythm(args, { env })).code).toBe(0);
      }
      expect([round, workspace.fingerprint()]).toEqual([round, before]);
      await workspace.rhythm(['tick'], { env });
    }
  });

  it('answers while the state is damaged, says so, and leaves it as it is', async () => {
    const workspace = reportWorkspace();
    workspace.write('outputs/master_scheduler_state.json', '{"schemaVersion": 1, "gro');
    const { code, stdout, stderr } = await workspace.rhythm(preview);
    expect([code, stdout.split('\n').length]).toEqual([0, 12]);
    expect(stderr).toMatch(/^rhythm: The state .*master_scheduler_state\.json can't be used/);
    expect(workspace.read('outputs/master_scheduler_state.json')).toBe('{"schemaVersion": 1, "gro');
  });

  it('--for lists every coming tick that would do something', async () => {
    const { stdout } = await reportWorkspace().rhythm([...preview, '--for', '30m']);
    expect(
      stdout,
    ).toBe(`Ticks from 2026-11-22 16:00 to 2026-11-22 16:30 (UTC) that would do something, every run taken to succeed:

2026-11-22 16:00  health_check, performance_analysis
           16:10  health_check
           16:20  health_check
           16:30  health_check, performance_analysis

How long these take is not known yet: health_check, performance_analysis.
`);
  });

  it.runIf(hasFaketime)('--for knows run lengths from the history, and points out what does not fit', async () => {
    const workspace = makeWorkspace();
    workspace.configure({
      timezone: 'UTC',
      tickEvery: '1s',
      groups: { g: { every: '10s', scripts: [{ shell: 'sleep 1.1' }] } },
    });
    await workspace.tick({ at: '2026-11-22T16:00:00Z' });
    const { stdout } = await workspace.rhythm(['tick', '--dry-run', '--at', '2026-11-22T16:00:05Z', '--for', '10s']);
    expect(stdout).toMatch(/\n2026-11-22 16:00:10 {2}g {2}~ 1s {2}! does not fit before the next tick \(1s\)\n/);
    expect(stdout).toContain('1 of 1 ticks would still be running when the next one comes.');
  });
});

it.skipIf(process.platform === 'win32')(
  'a tick ends as usual though an update removes the program meanwhile',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rhythm-copy-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const root = fileURLToPath(new URL('../../', import.meta.url));
    cpSync(dirname(program), join(folder, 'dist'), { recursive: true });
    cpSync(join(root, 'package.json'), join(folder, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const workspace = makeWorkspace();
    const scripts = [
      { name: 'one', shell: `rm -r '${join(folder, 'dist')}'; sleep 1` },
      { name: 'two', shell: 'true' },
    ];
    workspace.configure({ timezone: 'UTC', groups: { often: { every: '1d', scripts } } });
    const { code, stderr } = await workspace.rhythm(['tick'], { program: join(folder, 'dist/rhythm.js') });
    expect([code, stderr]).toEqual([0, '']);
    expect(existsSync(join(folder, 'dist'))).toBe(false);
    expect(workspace.log().match(/\[often\/(one|two)\] (started|succeeded)/g)).toHaveLength(4);
    expect(workspace.log()).toMatch(/\[often\] .*succeeded/);
  },
);

describe('what can not be printed', () => {
  it.runIf(existsSync('/dev/full'))('is said in a sentence, and ends with 74', async () => {
    const workspace = reportWorkspace();
    const args = [program, '-C', workspace.folder, ...preview];
    const { status, stderr } = spawnSync(process.execPath, args, {
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    });
    expect(status).toBe(74);
    expect(`${stderr}`).toMatch(/^rhythm: what it prints can't be written \(.*ENOSPC.*\)\.\n$/);
  });
});

describe('wrong usage', () => {
  it.each([
    [['tik'], 'rhythm: there is no command "tik"; did you mean "tick"?'],
    [['expl'], 'rhythm: there is no command "expl"; did you mean "explain"?'],
    [['tick', 'now'], 'rhythm: there is no command "now"; see rhythm --help.'],
    [['tick', '--dry'], "rhythm: unknown option '--dry'"],
    [['tick', '--at', '2026-11-22'], 'rhythm: --at goes with --dry-run only: a tick runs for the present instant.'],
    [
      ['tick', '--dry-run', '--at', 'noon'],
      'rhythm: --at noon is not an instant: write it as ISO 8601, such as 2026-11-22T16:00:00Z.',
    ],
    [['tick', '--dry-run', '--for', '1x'], 'rhythm: --for 1x is not a duration: write 30s, 5m or 1h30m.'],
    [['tick', '--dry-run', '--wait', '1s'], 'rhythm: --wait does not go with --dry-run: a preview waits for nothing.'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await reportWorkspace().rhythm(args);
    expect([code, stdout, stderr.split('\n')[0]]).toEqual([2, '', message]);
  });

  it('a workspace without a configuration is told how to come by one', async () => {
    const workspace = makeWorkspace();
    const { code, stderr } = await workspace.rhythm();
    expect(code).toBe(2);
    expect(stderr).toMatch(/there is no configuration \(looked for tasks\.config\.ts, .*\); make one with rhythm init/);
  });

  it('names every problem of a configuration at once, each at its path', async () => {
    const workspace = makeWorkspace();
    workspace.configure({ groups: { a: { every: '10x' }, b: { every: '1h', dependsOn: ['aa'] }, c: { evry: '5m' } } });
    const { code, stderr } = await workspace.rhythm();
    expect(code).toBe(2);
    expect(
      stderr
        .split('\n')
        .filter((line) => line.startsWith('  groups.'))
        .map((line) => line.split(':')[0]?.trim()),
    ).toEqual(['groups.a.every', 'groups.c.evry', 'groups.c', 'groups.b.dependsOn[0]']);
  });
});

it('a user without a home has ticks like any other', async () => {
  const workspace = makeWorkspace();
  workspace.configure({ groups: { a: { every: '1d', scripts: [{ name: 'only', shell: 'true' }] } } });
  workspace.write('homeless.cjs', "require('node:os').homedir = () => { throw new Error('no entry for this user'); };");
  const preload = `--require "${join(workspace.folder, 'homeless.cjs').replaceAll('\\', '/')}"`;
  const env = { NODE_OPTIONS: preload, HOME: '', USERPROFILE: '', XDG_CACHE_HOME: '', LOCALAPPDATA: '' };
  for (const said of ['Ran 1 of 1 groups: 1 succeeded.', 'Nothing is due']) {
    const { code, stdout, stderr } = await workspace.rhythm([], { env });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(said);
  }
});

it('an unexpected error is reported as internal, and --verbose says where in the sources it was thrown', async () => {
  const workspace = reportWorkspace();
  workspace.write('defect.cjs', "process.hrtime = () => { throw new TypeError('broken'); };");
  const env = { NODE_OPTIONS: `--require "${join(workspace.folder, 'defect.cjs').replaceAll('\\', '/')}"` };
  const { code, stderr } = await workspace.rhythm(['tick'], { env });
  const advice = 'run it again with --verbose and report what it prints';
  expect([code, stderr]).toEqual([70, `rhythm: internal error: broken; ${advice}\n`]);
  const verbose = await workspace.rhythm(['tick', '--verbose'], { env });
  expect(verbose.stderr).toMatch(/^rhythm: internal error: TypeError: broken\n/);
  expect(verbose.stderr).toMatch(/src[/\\]monotonic\.ts:\d+:\d+\)\n/);
});
