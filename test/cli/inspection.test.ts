import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ValidationDocument } from '../../src/cli/commands/validate.ts';
import type { ConfigDocument } from '../../src/report/config-document.ts';
import type { GraphDocument } from '../../src/report/graph-document.ts';
import { gate, makeGate, makeWorkspace, note, program, release, type Workspace } from '../rig.ts';

const hasTmux = spawnSync('tmux', ['-V']).status === 0;
let sockets = 0;

/** What a terminal of so many columns shows when the command has ended. */
function inTerminal(workspace: Workspace, args: readonly string[], columns: number, escapes = false): string {
  const socket = `rhythm-inspection-${process.pid}-${++sockets}`;
  const tmux = (...more: string[]) =>
    execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...more], { encoding: 'utf8' });
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const command = [process.execPath, program, '-C', workspace.folder, ...args].map(quote).join(' ');
  onTestFinished(() => void spawnSync('tmux', ['-L', socket, 'kill-server']));
  tmux(
    'new-session',
    '-d',
    '-x',
    `${columns}`,
    '-y',
    '100',
    `env -u NO_COLOR ${command}; tmux -L ${socket} wait-for -S over; cat`,
  );
  tmux('wait-for', 'over');
  return tmux('capture-pane', '-p', ...(escapes ? ['-e'] : [])).trimEnd();
}

function sample(): Workspace {
  const workspace = makeWorkspace();
  workspace.configure({
    timezone: 'Europe/Berlin',
    redact: ['TOKEN', 'PIN'],
    groups: {
      fetch: {
        every: '10m',
        scripts: [{ shell: 'true', env: { TOKEN: 'open sesame', PIN: 1234, URL: 'https://open sesame@host' } }],
      },
      end: { every: '20m', dependsOn: ['fetch'], scripts: [{ shell: 'false' }] },
      report: { daily: '02:30', dependsOn: [{ group: 'end', within: '2h' }], after: ['fetch'], scripts: ['report.sh'] },
    },
  });
  workspace.write('scripts/report.sh', '#!/bin/sh\n. ./shared.sh\n');
  workspace.write('scripts/shared.sh', '');
  return workspace;
}

describe('graph', () => {
  it('prints a tree, or JSON, or what a drawing needs, and writes nothing', async () => {
    const workspace = sample();
    const before = workspace.fingerprint();
    const text = await workspace.rhythm(['graph']);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(`\n${text.stdout}`).toMatchInlineSnapshot(`
      "
      fetch         every 10m
      ├─ end        every 20m
      │  └─ report  daily at 02:30 (Europe/Berlin) · within 2h · also after fetch
      └╌ report     (see above)

      ─ dependsOn  ╌ after (only orders)
      "
    `);
    const json = JSON.parse((await workspace.rhythm(['graph', '--json', '--state'])).stdout) as GraphDocument;
    expect(json.groups.map(({ group, state }) => [group, state?.standing])).toEqual([
      ['fetch', 'never-ran'],
      ['end', 'never-ran'],
      ['report', 'never-ran'],
    ]);
    expect((await workspace.rhythm(['graph', '--format', 'mermaid'])).stdout).toMatch(/^flowchart LR\n {2}n0\[/);
    expect((await workspace.rhythm(['graph', '--format', 'dot'])).stdout).toMatch(/^digraph rhythm \{\n/);
    expect((await workspace.rhythm(['graph', '--format', 'svg'])).stdout).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(workspace.fingerprint()).toEqual(before);
  });

  it('shows how groups ended last, and what runs now', async () => {
    const workspace = sample();
    workspace.configure({
      groups: {
        good: { every: '1d', scripts: [{ shell: 'true' }] },
        bad: { every: '1d', dependsOn: ['good'], scripts: [{ shell: 'false' }] },
        slow: { every: '1d', after: ['bad'], scripts: [{ shell: `${note('started')}; ${gate('gate')}` }] },
      },
    });
    makeGate(workspace, 'gate');
    const tick = workspace.start(['tick']);
    await workspace.ledgerHas('started');
    const { stdout } = await workspace.rhythm(['graph', '--state']);
    expect(stdout.replaceAll(/\d+ \w+ ago|now/g, 'AGO').split('\n')).toEqual([
      'good        succeeded AGO · every 1d',
      '└─ bad      failed AGO · every 1d',
      '   └╌ slow  running · every 1d',
      '',
      '─ dependsOn  ╌ after (only orders)',
      '',
    ]);
    release(workspace, 'gate');
    await tick.done;
    const svg = (await workspace.rhythm(['graph', '--state', '--format', 'svg'])).stdout;
    expect(svg).toContain('>succeeded (2)<');
    expect(svg).toContain('>failed (1)<');
  });

  it('answers where the state is damaged, and says so', async () => {
    const workspace = sample();
    workspace.write('outputs/master_scheduler_state.json', '{ "schemaVersion": 1, ');
    const { code, stdout, stderr } = await workspace.rhythm(['graph', '--state']);
    expect([code, stdout.split('\n')[0]]).toEqual([0, 'fetch         never ran · every 10m']);
    expect(stderr).toContain('master_scheduler_state.json');
  });

  it('can be cut down to what is around a group', async () => {
    const workspace = makeWorkspace();
    const every = '1h';
    const groups = { fetch: { every }, end: { every, dependsOn: ['fetch'] }, other: { every, after: ['fetch'] } };
    workspace.configure({ groups });
    expect((await workspace.rhythm(['graph', 'end'])).stdout).toBe('fetch   every 1h\n└─ end  every 1h\n');
    const { code, stderr } = await workspace.rhythm(['graph', 'fetsh']);
    expect([code, stderr]).toEqual([2, 'rhythm: there is no group "fetsh"; did you mean "fetch"?\n']);
  });

  it.each([
    [['--format', 'sgv'], '--format sgv is not known; did you mean "svg"?'],
    [['--format', 'picture'], '--format picture is not known: it is one of text, mermaid, dot and svg.'],
    [['--format', 'dot', '--json'], '--json and --format are mutually exclusive: leave out one of them.'],
  ])('%j is wrong usage', async (args, message) => {
    const { code, stderr } = await sample().rhythm(['graph', ...args]);
    expect([code, stderr]).toEqual([2, `rhythm: ${message}\n`]);
  });

  it.runIf(hasTmux)('fits into a terminal and has colours there', async () => {
    const workspace = sample();
    await workspace.tick();
    expect(inTerminal(workspace, ['graph'], 44)).toMatchInlineSnapshot(`
      "fetch         every 10m
      ├─ end        every 20m
      │  └─ report  daily at 02:30 (Europe/Berlin…
      └╌ report     (see above)

      ─ dependsOn  ╌ after (only orders)"
    `);
    const coloured = inTerminal(workspace, ['graph', '--state'], 80, true);
    expect(coloured).toMatch(/\x1b\[32msucceeded\x1b\[39m/);
    expect(coloured).toMatch(/\x1b\[31mfailed\x1b\[39m/);
  });
});

describe('config', () => {
  it('prints what rules and where it comes from, and no secret', async () => {
    const workspace = sample();
    const { code, stdout } = await workspace.rhythm(['config'], { env: { TOKEN: 'Europe/Berlin' } });
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/open sesame|1234|Europe\/Berlin/);
    const shown = stdout.replaceAll(workspace.folder, 'WS').replaceAll(/ +$/gm, '');
    expect(shown.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual(
      expect.arrayContaining([
        ['timezone', '***', 'timezone'],
        ['tickEvery', '5m', 'default'],
        ['redact', 'TOKEN PIN', 'redact'],
        ['fetch'],
        ['every', '10m', 'groups.fetch.every'],
        ['scripts[0].env.TOKEN', '***', 'groups.fetch.scripts[0].env.TOKEN'],
        ['scripts[0].env.PIN', '***', 'groups.fetch.scripts[0].env.PIN'],
        ['scripts[0].env.URL', 'https://***@host', 'groups.fetch.scripts[0].env.URL'],
        ['dependsOn[0].group', 'end', 'groups.report.dependsOn[0].group'],
        ['dependsOn[0].when', 'succeeded', 'default'],
        ['dependsOn[0].within', '2h', 'groups.report.dependsOn[0].within'],
        ['timezone', '***', 'timezone'],
        ['firstRun', 'wait', 'default'],
      ]),
    );
  });

  it('has the same as JSON', async () => {
    const workspace = sample();
    workspace.configure({
      killAfter: '3s',
      interpreters: { py: ['python3', '-u'] },
      log: { maxSize: '1GB' },
      runs: { keep: '1d' },
      groups: [
        { name: 'constructor', cron: ['0 3 * * *', '0 4 * * *'], scripts: ['a.py --x'], retryAfter: ['90s'] },
        { name: 'b', manual: true, dependsOn: ['constructor'], scripts: [{ command: 'true', timeout: '3m' }] },
      ],
    });
    const document = JSON.parse((await workspace.rhythm(['config', '--json'])).stdout) as ConfigDocument;
    expect(document).toMatchObject({ schemaVersion: 1, workspace: workspace.folder });
    const found = new Map(document.values.map(({ path, value, origin }) => [path, [value, origin]]));
    expect(found.size).toBe(document.values.length);
    const expected: [string, unknown, string][] = [
      ['timezone', 'UTC', 'system'],
      ['interpreters.py', ['python3', '-u'], 'interpreters.py'],
      ['log.maxSize', '1GB', 'log.maxSize'],
      ['log.maxFiles', 5, 'default'],
      ['history.keep', '90d', 'default'],
      ['runs.keep', '1d', 'runs.keep'],
      ['runs.maxSize', '200MB', 'default'],
      ['groups.constructor.cron', ['0 3 * * *', '0 4 * * *'], 'groups[0].cron'],
      ['groups.constructor.timezone', 'UTC', 'system'],
      ['groups.constructor.catchUpWithin', null, 'default'],
      ['groups.constructor.retryAfter', ['1m30s'], 'groups[0].retryAfter'],
      ['groups.constructor.scripts[0].name', 'a.py', 'groups[0].scripts[0]'],
      [
        'groups.constructor.scripts[0].argv',
        ['python3', '-u', join(workspace.folder, 'scripts/a.py'), '--x'],
        'groups[0].scripts[0]',
      ],
      ['groups.constructor.scripts[0].killAfter', '3s', 'killAfter'],
      ['groups.constructor.scripts[0].timeout', '1h', 'default'],
      ['groups.b.manual', true, 'groups[1].manual'],
      ['groups.b.dependsOn[0].group', 'constructor', 'groups[1].dependsOn[0]'],
      ['groups.b.scripts[0].argv', ['true'], 'groups[1].scripts[0].command'],
      ['groups.b.scripts[0].timeout', '3m', 'groups[1].scripts[0].timeout'],
    ];
    for (const [path, value, origin] of expected) expect([path, found.get(path)]).toEqual([path, [value, origin]]);
  });

  it('can be had of one group, and writes nothing', async () => {
    const workspace = sample();
    const before = workspace.fingerprint();
    const document = JSON.parse((await workspace.rhythm(['config', 'end', '--json'])).stdout) as ConfigDocument;
    expect(document.values.every(({ path }) => path.startsWith('groups.end.'))).toBe(true);
    expect((await workspace.rhythm(['config', 'ende'])).code).toBe(2);
    expect(workspace.fingerprint()).toEqual(before);
  });

  it.runIf(hasTmux)('keeps within the terminal', () => {
    const workspace = sample();
    const lines = inTerminal(workspace, ['config', 'report'], 80).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.filter((line) => !/rhythm|argv|cwd|^ {20}/.test(line)).join('\n')).toMatchInlineSnapshot(`
      "
      report
        enabled                      true                      default
        daily                        02:30                     groups.report.daily
        timezone                     Europe/Berlin             timezone
        dependsOn[0].group           end                       …ort.dependsOn[0].group
        dependsOn[0].when            succeeded                 default
        dependsOn[0].within          2h                        …rt.dependsOn[0].within
        after                        fetch                     groups.report.after
        priority                     normal                    default
        lane                         main                      default
        catchUp                      latest                    default
        catchUpWithin                –                         default
        firstRun                     wait                      default
        onScriptFailure              continue                  default
        onInterrupt                  resume                    default
        retryAfter                   –                         default
        scripts[0].name              report.sh                 …oups.report.scripts[0]
        scripts[0].timeout           1h                        default
        scripts[0].killAfter         10s                       default
        scripts[0].retries           0                         default
        scripts[0].retryDelay        1s                        default
        scripts[0].optional          false                     default
        scripts[0].successExitCodes  0                         default"
    `);
  });
});

describe('validate', () => {
  it('says that all is well', async () => {
    const workspace = makeWorkspace();
    workspace.configure({ groups: { a: { every: '10m', scripts: [{ shell: 'true' }] } } });
    const before = workspace.fingerprint();
    for (const flags of [[], ['--strict']]) {
      expect(await workspace.rhythm(['validate', ...flags])).toMatchObject({
        code: 0,
        stdout: 'tasks.config.json is valid: 1 group, 1 script; nothing to warn of.\n',
      });
    }
    expect(workspace.fingerprint()).toEqual(before);
  });

  it('warns, and fails then where it is to be strict', async () => {
    const workspace = sample();
    workspace.write('scripts/tool', '#!/bin/sh\n');
    chmodSync(join(workspace.folder, 'scripts/tool'), 0o644);
    workspace.write('scripts/old.sh', '');
    workspace.write('scripts/notes.md', '');
    workspace.write('scripts/check.test.sh', '');
    workspace.write('scripts/lib/other.sh', '');
    const config = JSON.parse(readFileSync(join(workspace.folder, 'tasks.config.json'), 'utf8'));
    workspace.configure({
      ...config,
      groups: { ...config.groups, class: { every: '35m', scripts: ['tool', 'gone.py'] } },
    });
    const { code, stdout } = await workspace.rhythm(['validate', '--json']);
    const { problems, warnings, schemaVersion } = JSON.parse(stdout) as ValidationDocument;
    expect([code, schemaVersion, problems]).toEqual([0, 1, []]);
    expect(warnings.map(({ code, path }) => `${code} ${path}`)).toEqual([
      'dst-moves-beat groups.report.daily',
      'interval-drifts groups.class.every',
      'script-not-executable groups.class.scripts[0]',
      'script-missing groups.class.scripts[1]',
      'script-unused scriptsDir',
    ]);
    expect(warnings.at(-1)?.message).toBe('no group runs old.sh; name it in a group, or move it away');
    const strict = await workspace.rhythm(['validate', '--strict']);
    expect(strict).toMatchObject({ code: 2, stderr: '' });
    expect(strict.stdout).toMatch(
      /^tasks\.config\.json is valid: 4 groups, 5 scripts; 5 warnings\.\n\ngroups\.report\.daily {2}dst-moves-beat\n/,
    );
  });

  it('lists every problem at once', async () => {
    const workspace = makeWorkspace();
    workspace.configure({ tickEvery: 'often', groups: { a: { evry: '10m' }, b: { every: '1h', dependsOn: ['c'] } } });
    const { code, stdout, stderr } = await workspace.rhythm(['validate']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/has \d problems:\n/);
    const json = await workspace.rhythm(['validate', '--json']);
    const { problems, warnings } = JSON.parse(json.stdout) as ValidationDocument;
    expect([json.code, json.stderr, warnings]).toEqual([2, '', []]);
    expect(problems.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['tickEvery', 'groups.a.evry', 'groups.a', 'groups.b.dependsOn[0]']),
    );
    for (const { path, message } of problems) expect(stderr).toContain(`  ${path}: ${message}\n`);
  });

  it('tells of a missing configuration as JSON as well', async () => {
    const { code, stdout } = await makeWorkspace().rhythm(['validate', '--json']);
    expect([code, (JSON.parse(stdout) as ValidationDocument).problems.length]).toEqual([2, 1]);
  });

  it('shows no control characters of a file name', async () => {
    const workspace = sample();
    workspace.write('scripts/a\u001b[31mb.sh', '');
    const { stdout } = await workspace.rhythm(['validate']);
    expect(stdout).toContain('no group runs ab.sh;');
    expect(stdout).not.toContain('\u001b');
  });

  it('finds nothing wrong with the example', async () => {
    const root = join(program, '../..');
    const { stdout } = spawnSync(process.execPath, [program, '-C', root, 'validate', '--strict'], { encoding: 'utf8' });
    expect(stdout).toBe('tasks.config.ts is valid: 5 groups, 11 scripts; nothing to warn of.\n');
  });

  it.runIf(hasTmux)('wraps its sentences in a terminal', () => {
    const workspace = makeWorkspace();
    workspace.configure({ groups: { a: { every: '35m' } } });
    expect(inTerminal(workspace, ['validate'], 60)).toMatchInlineSnapshot(`
      "tasks.config.json is valid: 1 group, 0 scripts; 1 warning.

      groups.a.every  interval-drifts
        35m does not divide the day, so its beats fall at other
        times from day to day; take 32m or 36m, or a calendar
        (daily, cron) if the time of day matters"
    `);
  });
});

it.each(['graph', 'config', 'validate'])('%s has help with examples', async (command) => {
  const { code, stdout } = await makeWorkspace().rhythm([command, '--help']);
  expect(code).toBe(0);
  expect(stdout).toContain(`\nExamples:\n  rhythm ${command} `);
});
