import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ImportDocument } from '../../src/import/output/import-document.ts';
import { makeWorkspace, type StartOptions, type Workspace } from '../rig.ts';

const table = `# Nightly backup
0 3 * * * flock -n /run/lock/backup.lock /opt/jobs/backup.sh --full >> /var/log/backup.log 2>&1
*/10 * * * * /opt/jobs/probe.py
@reboot /usr/bin/tunnel
`;

/** A workspace with a `crontab` that keeps its table in a file, and takes down how others are called. */
function makeMachine(text = table): Workspace & { readonly env: StartOptions; readonly table: () => string } {
  const workspace = makeWorkspace();
  workspace.write('spool', text);
  const programs = {
    crontab: `case "$1" in -l) cat "$SPOOL";; -) cat > "$SPOOL.new" && mv "$SPOOL.new" "$SPOOL";; esac`,
    systemctl:
      'echo "systemctl $*" >> "$CALLS"; case "$*" in *refused*) echo "Unit refused.timer not loaded." >&2; exit 1;; esac',
    schtasks: 'echo "schtasks $*" >> "$CALLS"',
    launchctl: 'echo "launchctl $*" >> "$CALLS"',
  };
  mkdirSync(join(workspace.folder, 'bin'));
  for (const [name, body] of Object.entries(programs)) {
    workspace.write(`bin/${name}`, `#!/bin/sh\n${body}\n`);
    chmodSync(join(workspace.folder, 'bin', name), 0o755);
  }
  const env = {
    PATH: `${join(workspace.folder, 'bin')}:${process.env.PATH}`,
    SPOOL: join(workspace.folder, 'spool'),
    CALLS: join(workspace.folder, 'calls'),
    HOME: '/home/dana',
  };
  return { ...workspace, env: { env }, table: () => workspace.read('spool') };
}

describe('rhythm import', () => {
  it('prints the configuration of this user’s crontab, and says on stderr what is not in it', async () => {
    const { rhythm, env, fingerprint } = makeMachine();
    const before = fingerprint();
    const { code, stdout, stderr } = await rhythm(['import', 'crontab'], env);
    expect(code).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "import { defineConfig } from 'rhythm-scheduler';

      // Imported from crontab -l. Each script says where it was; the brackets let a second import know it again.
      // What had no limit and comes less than once an hour may take as long as the time to its next beat, a day at most;
      // anything else an hour.
      // Nothing of this runs before its group is enabled: take out the lines \`enabled: false\`.
      export default defineConfig({
        timezone: 'UTC',
        scriptsDir: '/opt/jobs',

        groups: {
          probe: {
            description: 'probe.py',
            enabled: false,
            every: '10m',
            catchUp: 'none',
            scripts: [
              // crontab -l:3: */10 * * * * [82788dbc.321ce8bb]
              { run: 'probe.py', cwd: '/home/dana' },
            ],
          },

          backup: {
            description: 'Nightly backup',
            enabled: false,
            daily: '03:00',
            lane: 'backup',
            catchUpWithin: '1h',
            scripts: [
              // crontab -l:2: 0 3 * * * [e538fe7f.28acd09b]
              // - ">> /var/log/backup.log 2>&1" is left out: rhythm keeps the output of each run, below outputs/runs
              // - "flock /run/lock/backup.lock" became its lane; programs outside of rhythm that take the lock are not kept
              // out
              { run: 'backup.sh', args: ['--full'], cwd: '/home/dana', timeout: '1d' },
            ],
          },
        },
      });
      "
    `);
    expect(stderr).toContain('crontab -l:4: @reboot /usr/bin/tunnel\n      a start of the machine is no rhythm');
    expect(fingerprint()).toEqual(before);
  });

  it('writes a workspace that works, and merges the second time', async () => {
    const { rhythm, env, read, write } = makeMachine();
    const first = await rhythm(['import', 'crontab', '--out', 'tasks.config.ts', '--enable'], env);
    expect([first.code, first.stdout]).toEqual([0, '']);
    expect(first.stderr).toMatch(
      /tasks\.config\.ts written: 2 entries in 2 groups\. 1 line or element was not converted/,
    );
    const written = read('tasks.config.ts');
    const plan = await rhythm(['tick', '--dry-run', '--json']);
    expect(JSON.parse(plan.stdout).groups.map(({ group }: { group: string }) => group)).toEqual(['probe', 'backup']);

    const second = await rhythm(['import', 'crontab', '--out', 'tasks.config.ts'], env);
    expect(second.stderr).toContain('0 added, 2 there already');
    expect(read('tasks.config.ts')).toBe(written);
    write('spool', `${table}30 12 * * * /opt/jobs/lunch.sh\n`);
    const dry = await rhythm(['import', 'crontab', '--out', 'tasks.config.ts', '--dry-run'], env);
    expect(dry.stderr).toContain('1 would be added, 2 there already');
    expect(read('tasks.config.ts')).toBe(written);
    const third = await rhythm(['import', 'crontab', '--out', 'tasks.config.ts', '--json'], env);
    const { merge, out } = JSON.parse(third.stdout) as ImportDocument;
    expect([merge?.added.length, merge?.known.length, out]).toEqual([1, 2, join(dirOf(env), 'tasks.config.ts')]);
    expect(read('tasks.config.ts')).toContain('lunch.sh');
  });

  it('reports before and after, and replays both', async () => {
    const { rhythm, env } = makeMachine();
    const { code, stdout } = await rhythm(['import', 'crontab', '--report', '--verify', '--for', '2d'], env);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^ +before +after\nthings that start by themselves +2 +1 \(rhythm\)\ngroups +- +2, in 2 lanes\n/,
    );
    expect(stdout).toMatch(/290 beats of 2 jobs: 290 start to the minute as before, 0 differ, 0 unexplained\./);
    const json = await rhythm(['import', 'crontab', '--verify', '--for', '2d', '--json'], env);
    const document = JSON.parse(json.stdout) as ImportDocument;
    expect(document.verification?.differences.unexplained).toBe(0);
    expect(document.report?.before.entries).toBe(2);
    expect(document.accounts).toHaveLength(4);
    expect(document.groups.map(({ group, lane }) => [group, lane])).toEqual([
      ['probe', 'main'],
      ['backup', 'backup'],
    ]);
  });

  it('reads files, folders and the standard input', async () => {
    const { rhythm, write, env } = makeMachine();
    write('units/sync.timer', '[Timer]\nOnCalendar=hourly\n');
    write('units/sync.service', '[Service]\nExecStart=/usr/bin/sync\n');
    write('units/sync.timer.d/more.conf', '[Timer]\nPersistent=yes\n');
    const { stdout } = await rhythm(['import', 'systemd', join(dirOf(env), 'units/sync.timer'), '--json'], env);
    expect((JSON.parse(stdout) as ImportDocument).entries.map(({ name, group }) => [name, group])).toEqual([
      ['sync.timer', 'sync'],
    ]);
    const folder = await rhythm(['import', 'systemd', join(dirOf(env), 'units'), '--json'], env);
    expect((JSON.parse(folder.stdout) as ImportDocument).config).not.toContain('catchUp');
  });

  it.each([
    [['import', 'crontabs'], 'rhythm: there is nothing called "crontabs" to import from; did you mean "crontab"?'],
    [
      ['import', 'crontab', 'nowhere'],
      'rhythm: there is no nowhere; name a file, a folder, or - for the standard input.',
    ],
    [
      ['import', 'crontab', '--out', 'x.json'],
      'rhythm: --out x.json has to be a file such as tasks.config.ts: the configuration is written as code.',
    ],
    [['import', 'crontab', '--for', '2d'], 'rhythm: --for requires --verify or --report.'],
    [
      ['import', 'crontab', '--timezone', 'Mars'],
      'rhythm: --timezone Mars is not a time zone such as UTC or Europe/Berlin.',
    ],
    [
      ['import', 'crontab', '--disable-originals'],
      'rhythm: --disable-originals needs --out: what replaces the originals has to be there first.',
    ],
  ])('%j is wrong usage', async (args, message) => {
    const { rhythm, env } = makeMachine();
    const { code, stderr } = await rhythm(args, env);
    expect([code, stderr.trim()]).toEqual([2, message]);
  });
});

describe('the way back', () => {
  it('comments lines out after a backup, and in again', async () => {
    const { rhythm, env, table: spool, folder, read } = makeMachine();
    const args = ['import', 'crontab', '--out', 'tasks.config.ts', '--enable', '--disable-originals'];
    const dry = await rhythm([...args, '--dry-run'], env);
    expect(dry.stdout).toContain(
      'in this user’s crontab (crontab -): */10 * * * * /opt/jobs/probe.py  ->  #rhythm# */10 * * * * /opt/jobs/probe.py\n',
    );
    expect([spool(), existsSync(join(folder, 'tasks.config.ts'))]).toEqual([table, false]);

    expect((await rhythm(args, env)).code).toBe(0);
    expect(spool()).toBe(table.replace(/^(0 3|\*\/10)/gm, '#rhythm# $1'));
    const [backup = ''] = readdirSync(join(folder, 'outputs/import-backups'));
    expect(read(`outputs/import-backups/${backup}/1-crontab_-l`)).toBe(table);
    expect(statSync(join(folder, 'outputs/import-backups', backup)).mode & 0o077).toBe(0);

    expect((await rhythm(['import', 'crontab', '--restore', '--dry-run'], env)).stdout).toContain('#rhythm# 0 3');
    expect((await rhythm(['import', 'crontab', '--restore'], env)).code).toBe(0);
    expect(spool()).toBe(table);
    const again = await rhythm(['import', 'crontab', '--restore'], env);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('that was not restored already')]);
  });

  it('switches nothing off that nothing stands in for', async () => {
    const { rhythm, env, table: spool, has } = makeMachine();
    const { code, stderr } = await rhythm(
      ['import', 'crontab', '--out', 'tasks.config.ts', '--disable-originals'],
      env,
    );
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(
        /^rhythm: nothing was switched off, .*: backup, probe; enable them there, then run this again\.$/m,
      ),
    ]);
    expect([spool(), has('outputs/import-backups')]).toEqual([table, false]);
  });

  it('switches nothing off that the configuration has in another form', async () => {
    const { rhythm, env, table: spool, write } = makeMachine();
    await rhythm(['import', 'crontab', '--out', 'tasks.config.ts', '--enable'], env);
    const changed = table.replace('0 3', '0 4');
    write('spool', changed);
    const { code, stderr } = await rhythm(
      ['import', 'crontab', '--out', 'tasks.config.ts', '--disable-originals'],
      env,
    );
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('does not have these as they now are: crontab -l:2; take'),
    ]);
    expect(spool()).toBe(changed);
  });

  it('keeps what was changed in the table meanwhile', async () => {
    const { rhythm, env, table: spool, write } = makeMachine();
    await rhythm(['import', 'crontab', '--out', 'tasks.config.ts', '--enable', '--disable-originals'], env);
    write('spool', `${spool()}5 5 * * * /usr/bin/later\n`);
    await rhythm(['import', 'crontab', '--restore'], env);
    expect(spool()).toBe(`${table}5 5 * * * /usr/bin/later\n`);
  });

  it('disables timers and enables them again, and says which one refused', async () => {
    const { rhythm, env, write, read, folder } = makeMachine();
    const add = (name: string) => {
      write(`units/${name}.timer`, '[Timer]\nOnCalendar=daily\n');
      write(`units/${name}.service`, '[Service]\nExecStart=/usr/bin/sync\n');
    };
    add('sync');
    const args = [
      'import',
      'systemd',
      join(folder, 'units'),
      '--out',
      'tasks.config.ts',
      '--enable',
      '--disable-originals',
    ];
    expect((await rhythm(args, env)).code).toBe(0);
    expect((await rhythm(['import', 'systemd', '--restore'], env)).code).toBe(0);
    expect(read('calls')).toBe('systemctl --user disable --now sync.timer\nsystemctl --user enable --now sync.timer\n');
    add('refused');
    const { code, stderr } = await rhythm(args, env);
    expect(code).toBe(74);
    expect(stderr).toMatch(
      /systemctl --user disable --now refused\.timer failed \(Unit refused\.timer not loaded\.\); what was switched off until then comes back with --restore /,
    );
  });

  it('knows the commands of the others', async () => {
    const { rhythm, env, write, folder } = makeMachine();
    write(
      'a.plist',
      '<plist><dict><key>Label</key><string>com.example.a</string><key>Program</key><string>/usr/bin/a</string><key>StartInterval</key><integer>600</integer></dict></plist>',
    );
    write(
      'b.xml',
      '<Task><RegistrationInfo><URI>\\My tasks\\b</URI></RegistrationInfo><Triggers><TimeTrigger><Repetition><Interval>PT5M</Interval></Repetition><StartBoundary>2026-01-01T00:00:00</StartBoundary></TimeTrigger></Triggers><Actions><Exec><Command>b.exe</Command></Exec></Actions></Task>',
    );
    const dry = ['--out', 'tasks.config.ts', '--disable-originals', '--dry-run'];
    const agents = await rhythm(['import', 'launchd', join(folder, 'a.plist'), ...dry], env);
    const user = process.getuid?.() ?? 501;
    expect(agents.stdout).toBe(
      `launchctl bootout gui/${user}/com.example.a\nlaunchctl disable gui/${user}/com.example.a\n`,
    );
    const tasks = await rhythm(['import', 'schtasks', join(folder, 'b.xml'), ...dry], env);
    expect(tasks.stdout).toBe("schtasks /Change /TN '\\My tasks\\b' /DISABLE\n");
    expect(tasks.stderr).toContain(
      'rhythm: as things are, this would be refused: the groups of tasks.config.ts would be written with enabled: false.\n',
    );
  });
});

function dirOf({ env }: StartOptions): string {
  return (env?.SPOOL ?? '').replace(/\/spool$/, '');
}
