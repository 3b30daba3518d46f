import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import type { Platform } from '../../src/config/resolve/argv.ts';
import { resolveConfig } from '../../src/config/resolve/resolve.ts';

const place = { workspace: '/w', file: '/w/tasks.config.ts' };
const platform: Platform = {
  platform: 'linux',
  execPath: '/node',
  tsxLoader: 'file:///tsx/loader.mjs',
  systemTimezone: 'Asia/Kolkata',
  comSpec: 'cmd.exe',
  readFirstLine: () => null,
};

function resolve(input: unknown, on = platform): Config {
  const result = resolveConfig(input, place, on);
  if ('problems' in result) expect(result.problems).toEqual([]);
  return (result as { config: Config }).config;
}

function listProblems(input: unknown): string[] {
  const result = resolveConfig(input, place, platform);
  return 'problems' in result
    ? result.problems.map(({ path, message }) => (path ? `${path}: ${message}` : message))
    : [];
}

/** A configuration of one group `a` with these keys besides a schedule. */
const withGroup = (group: object) => ({ groups: { a: { manual: true, ...group } } });
const withScript = (script: unknown) => withGroup({ scripts: [script] });
const withScripts = (...scripts: unknown[]) => withGroup({ scripts });

const exactlyOne = 'exactly one of every, daily, cron and manual: true';
const scriptForms = 'a text such as "check.ts --fast", or an object with one of run, command and shell';
const nameRule = 'a letter, then letters, digits, "_" or "-" (100 at most)';
const zones = 'expected a time zone such as "UTC", "Europe/Berlin" or "America/New_York"';
const circle = 'each waits for the next, so none could ever run; take out one of these dependencies';

describe('problems', () => {
  it.each<[string, unknown, string[]]>([
    ['nothing', undefined, ['expected a configuration object, found nothing']],
    ['a list', [], ['expected a configuration object, found an empty list']],
    ['a text', 'x', ['expected a configuration object, found "x"']],
    ['no groups', {}, ['groups: expected an object of groups by name, found nothing']],
    ['groups of a wrong kind', { groups: 5 }, ['groups: expected an object of groups by name, found 5']],
    ['a group of a wrong kind', { groups: { a: null } }, ['groups.a: expected a group object, found null']],
    ['an element that is no group', { groups: ['a'] }, ['groups[0]: expected a group object with a name, found "a"']],
    [
      'an element without a name',
      { groups: [{ manual: true }] },
      ['groups[0].name: expected the name of the group, found nothing'],
    ],
    [
      'a name twice in a list',
      {
        groups: [
          { name: 'a', manual: true },
          { name: 'a', manual: true, x: 1 },
        ],
      },
      [
        'groups[1].x: unknown key; known here: description, enabled, every, offset, daily, cron, manual, timezone, dependsOn, after, priority, lane, catchUp, catchUpWithin, firstRun, onScriptFailure, onInterrupt, retryAfter, scripts',
        'groups[1]: another group is already called a; give it another name',
      ],
    ],
    [
      'names that are none',
      { groups: { '1a': { manual: true }, 'my group': { manual: true }, '': { manual: true }, ä: { manual: true } } },
      [
        `groups["1a"]: "1a" can't name a group: a name is ${nameRule}`,
        `groups["my group"]: "my group" can't name a group: a name is ${nameRule}`,
        `groups[""]: "" can't name a group: a name is ${nameRule}`,
        `groups.ä: "ä" can't name a group: a name is ${nameRule}`,
      ],
    ],
    [
      'names that are one file',
      { groups: { Disk: { manual: true }, disk: { manual: true } } },
      ['groups.disk: disk and Disk differ only in case, and not on every disk; rename one'],
    ],
    [
      'lanes that are one file',
      {
        groups: {
          a: { manual: true, lane: 'net' },
          b: { manual: true, lane: 'Net' },
          c: { manual: true, lane: 'no/t' },
        },
      },
      [
        `groups.c.lane: expected a name: ${nameRule}, found "no/t"`,
        'groups.b.lane: the lanes Net and net differ only in case, and not on every disk; rename one',
      ],
    ],
    [
      'unknown keys',
      { groups: {}, tickEvry: '5m', log: { foo: 1 } },
      [
        'log.foo: unknown key; known here: output, format, maxSize, maxFiles',
        'tickEvry: unknown key; did you mean "tickEvery"?',
      ],
    ],
    [
      'a key in another spelling',
      withGroup({ depends_on: [] }),
      ['groups.a.depends_on: unknown key; did you mean "dependsOn"?'],
    ],
    [
      'settings',
      {
        groups: {},
        timezone: 'Europe/Berln',
        tickEvery: '0s',
        outputs: '',
        killAfter: 10,
        interpreters: { 'a/b': 'x', py: [], rb: ['x', 5], pl: {} },
        redact: ['A=B', 5],
        log: { maxSize: '5', maxFiles: 0, output: 'some' },
        history: { keep: '90' },
        runs: 5,
      },
      [
        `timezone: ${zones}, found "Europe/Berln"; did you mean "Europe/Berlin"?`,
        'tickEvery: expected a duration such as "10m" or "1h30m", at least 1s, found "0s"',
        'outputs: expected a folder, found ""',
        'killAfter: expected a duration such as "10m" or "1h30m", at most 24d, found 10',
        'interpreters["a/b"]: expected an extension such as "py", found "a/b"',
        'interpreters.py[0]: expected a program, found nothing',
        'interpreters.rb[1]: expected a text, found 5',
        'interpreters.pl: expected a program, or a list of a program and its arguments, found an object',
        'redact[0]: expected the name of an environment variable, found "A=B"',
        'redact[1]: expected the name of an environment variable, found 5',
        'log.output: expected "failed", "all" or "none", found "some"',
        'log.maxSize: expected a size such as "5MB" (units B, KB, MB, GB), found "5"',
        'log.maxFiles: expected a whole number from 1 to 1000, found 0',
        'history.keep: expected a duration such as "10m" or "1h30m", at least 1s, found "90"',
        'runs: expected an object with keep and maxSize, found 5',
      ],
    ],
    ['no schedule', { groups: { a: {} } }, [`groups.a: it has no schedule; give it ${exactlyOne}`]],
    [
      'several schedules',
      { groups: { a: { every: '5m', daily: '03:00', manual: true } } },
      [`groups.a: it has every, daily and manual; a group has ${exactlyOne}`],
    ],
    [
      'a schedule with a problem of its own is one all the same',
      { groups: { a: { every: 5 } } },
      ['groups.a.every: expected a duration such as "10m" or "1h30m", at least 1s, found 5'],
    ],
    ['manual: false', { groups: { a: { manual: false } } }, ['groups.a.manual: expected true, found false']],
    [
      'every: 0s',
      { groups: { a: { every: '0s' } } },
      ['groups.a.every: expected a duration such as "10m" or "1h30m", at least 1s, found "0s"'],
    ],
    [
      'offset without every',
      { groups: { a: { daily: '03:00', offset: '5m' } } },
      ['groups.a.offset: it shifts the grid of every, and there is none; remove it'],
    ],
    [
      'an empty calendar',
      { groups: { a: { cron: [] } } },
      ['groups.a.cron: expected a cron line such as "0 3 * * 1-5", or a list of them, found an empty list'],
    ],
    [
      'a daily number',
      { groups: { a: { daily: 3 } } },
      ['groups.a.daily: expected a time of day such as "03:00", or a list of them, found 3'],
    ],
    [
      'an unknown time zone',
      { groups: { a: { daily: '03:00', timezone: 'Mars' } } },
      [`groups.a.timezone: ${zones}, found "Mars"`],
    ],
    [
      'enumerations',
      withGroup({
        priority: 'hihg',
        catchUp: 'all',
        firstRun: true,
        onScriptFailure: 'Stop',
        onInterrupt: null,
        enabled: 'no',
      }),
      [
        'groups.a.enabled: expected true or false, found "no"',
        'groups.a.priority: expected "critical", "high", "normal" or "low", found "hihg"; did you mean "high"?',
        'groups.a.catchUp: expected "latest", "every" or "none", found "all"',
        'groups.a.firstRun: expected "now" or "wait", found true',
        'groups.a.onScriptFailure: expected "continue" or "stop", found "Stop"; did you mean "stop"?',
        'groups.a.onInterrupt: expected "resume" or "skip", found null',
      ],
    ],
    [
      'dependencies of a wrong shape',
      withGroup({
        dependsOn: [5, { whn: 'x' }, { group: 'a', when: 'done', within: '0s' }],
        after: 'b',
        retryAfter: ['5m', 'soon'],
      }),
      [
        'groups.a.dependsOn[0]: expected the name of a group, or { group, when, within }, found 5',
        'groups.a.dependsOn[1].group: expected the name of a group, found nothing',
        'groups.a.dependsOn[1].whn: unknown key; did you mean "when"?',
        'groups.a.dependsOn[2].when: expected "succeeded" or "finished", found "done"',
        'groups.a.dependsOn[2].within: expected a duration such as "10m" or "1h30m", at least 1s, found "0s"',
        'groups.a.after: expected a list of groups, found "b"',
        'groups.a.retryAfter[1]: expected a duration such as "10m" or "1h30m", found "soon"',
      ],
    ],
    [
      'unknown groups',
      { groups: { health: { manual: true, dependsOn: ['upload', { group: 'toString' }], after: ['helth', 'xyz'] } } },
      [
        'groups.health.dependsOn[0]: no group is called "upload"; the groups are health',
        'groups.health.dependsOn[1].group: no group is called "toString"; the groups are health',
        'groups.health.after[0]: no group is called "helth"; did you mean "health"?',
        'groups.health.after[1]: no group is called "xyz"; the groups are health',
      ],
    ],
    [
      'itself, and a group twice',
      { groups: { a: { manual: true, dependsOn: ['b', { group: 'b' }, 'a'], after: ['b'] }, b: { manual: true } } },
      [
        'groups.a.dependsOn[1].group: b is already named at groups.a.dependsOn[0]; remove one of them',
        "groups.a.dependsOn[2]: a can't wait for itself; remove it",
      ],
    ],
    [
      'cycles, each once, over dependsOn and after',
      {
        groups: {
          z: { manual: true, dependsOn: ['a'] },
          a: { manual: true, dependsOn: ['b'] },
          b: { manual: true, after: ['c'] },
          c: { manual: true, dependsOn: [{ group: 'a' }, 'd'] },
          d: { manual: true, after: ['e'] },
          e: { manual: true, after: ['d'] },
        },
      },
      [`groups.a.dependsOn[0]: a → b → c → a: ${circle}`, `groups.d.after[0]: d → e → d: ${circle}`],
    ],
    [
      'a problem in one place hides none in another',
      {
        groups: {
          a: { every: 5, dependsOn: ['b'], scripts: [{ run: 5, timeout: 'x' }, 'x "'] },
          b: { every: '5m', after: ['a'], lane: 1 },
        },
      },
      [
        'groups.a.every: expected a duration such as "10m" or "1h30m", at least 1s, found 5',
        'groups.a.scripts[0].run: expected a file name, found 5',
        'groups.a.scripts[0].timeout: expected a duration such as "10m" or "1h30m", at most 24d, at least 1s, found "x"',
        'groups.a.scripts[1]: a quote is not closed in "x \\""; close it, or use the form { run, args }',
        `groups.b.lane: expected a name: ${nameRule}, found 1`,
        `groups.a.dependsOn[0]: a → b → a: ${circle}`,
      ],
    ],
    [
      'scripts of a wrong kind',
      withGroup({ scripts: 'x' }),
      ['groups.a.scripts: expected a list of scripts, found "x"'],
    ],
    ['a script of a wrong kind', withScript(5), [`groups.a.scripts[0]: expected ${scriptForms}, found 5`]],
    ['an empty script', withScript(' '), [`groups.a.scripts[0]: expected ${scriptForms}, found " "`]],
    ['an empty file name', withScript('"" x'), [`groups.a.scripts[0]: expected ${scriptForms}, found "\\"\\" x"`]],
    ['a NUL', withScript('a\0b'), ['groups.a.scripts[0]: expected a text, found "a\\u0000b"']],
    [
      'a script that runs nothing',
      withScript({ name: 'x' }),
      ['groups.a.scripts[0]: it says nothing to run; give it one of run, command and shell'],
    ],
    [
      'a script that runs two things',
      withScript({ run: 'x', command: 'y' }),
      ['groups.a.scripts[0]: it has run and command; a script has exactly one of run, command and shell'],
    ],
    [
      'arguments for a shell line',
      withScript({ shell: 'ls', args: ['-l'] }),
      ['groups.a.scripts[0].args: arguments go with run or command; write them into the line'],
    ],
    [
      'a script in detail',
      withScript({
        run: 'x',
        cmd: 'y',
        args: '-l',
        cwd: '',
        env: { 'A=B': 1, C: null },
        timeout: '30d',
        retries: 1.5,
        optional: 1,
        successExitCodes: [],
      }),
      [
        'groups.a.scripts[0].args: expected a list of texts, found "-l"',
        'groups.a.scripts[0].cwd: expected a folder, found ""',
        'groups.a.scripts[0].env["A=B"]: expected the name of an environment variable, found "A=B"',
        'groups.a.scripts[0].env.C: expected a text, a number, true or false, found null',
        'groups.a.scripts[0].timeout: expected a duration such as "10m" or "1h30m", at most 24d, at least 1s, found "30d"',
        'groups.a.scripts[0].retries: expected a whole number from 0 to 100, found 1.5',
        'groups.a.scripts[0].optional: expected true or false, found 1',
        'groups.a.scripts[0].successExitCodes: expected a list of at least one exit code, found an empty list',
        'groups.a.scripts[0].cmd: unknown key; did you mean "cwd"?',
      ],
    ],
    [
      'script names',
      withScripts({ run: 'x', name: 'a' }, { run: 'y', name: 'a' }, { run: 'z', name: 'A' }, { run: 'z', name: 'b\n' }),
      [
        'groups.a.scripts[3].name: expected a name of 1 to 100 characters on one line, found "b\\n"',
        'groups.a.scripts[1].name: another script of this group is already called "a"; give it another name',
        'groups.a.scripts[2].name: another script of this group can\'t be told from "a" as a file name when called "A"; give it another name',
      ],
    ],
  ])('%s', (_, input, problems) => expect(listProblems(input)).toEqual(problems));

  it.each<[string, object, string]>([
    ['an empty line', { cron: '' }, 'groups.a.cron: '],
    ['four fields', { cron: ['0 3 * * *', '0 3 * *'] }, 'groups.a.cron[1]: '],
    ['a line that never matches', { cron: '0 0 30 2 *' }, 'groups.a.cron: '],
    ['a time that does not exist', { daily: ['03:00', '24:30'] }, 'groups.a.daily[1]: '],
  ])('passes on the reason why a schedule is refused: %s', (_, group, path) => {
    const [problem, ...others] = listProblems({ groups: { a: group } });
    expect(problem?.slice(0, path.length)).toBe(path);
    expect(problem?.length).toBeGreaterThan(path.length + 20);
    expect(others).toEqual([]);
  });

  it('walks 10,000 groups in a chain, and in a circle', () => {
    const groups = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [
        `g${index}`,
        { manual: true, ...(index > 0 && { dependsOn: [`g${index - 1}`] }) },
      ]),
    );
    expect(resolve({ groups }).groups).toHaveLength(10_000);
    const problems = listProblems({ groups: { ...groups, g0: { manual: true, after: ['g9999'] } } });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^groups\.g0\.after\[0\]: g0 → g9999 → g9998 → .* → g1 → g0: each/);
  });

  it('never throws, whatever the JSON', () => {
    const keys = fc.constantFrom(
      'groups',
      'a',
      'scripts',
      'dependsOn',
      'after',
      'cron',
      'daily',
      'every',
      'offset',
      'log',
      'env',
      'run',
      'group',
      'interpreters',
      'name',
      'timezone',
      '__proto__',
      'constructor',
    );
    const leaves = fc.oneof(
      fc.constantFrom('a', '5m', '03:00', '0 3 * * *', 'x "', 'UTC'),
      fc.string(),
      fc.integer(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6, withCrossShrink: true },
        leaves,
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(fc.oneof(keys, fc.string()), tie('tree'), { maxKeys: 5, noNullPrototype: true }),
      ),
    }));
    const group = fc.dictionary(keys, tree, { noNullPrototype: true });
    const inputs = fc.oneof(
      tree,
      fc.jsonValue(),
      fc.record({
        groups: fc.oneof(fc.dictionary(fc.oneof(keys, fc.string()), group, { noNullPrototype: true }), fc.array(group)),
      }),
    );
    fc.assert(
      fc.property(inputs, (input) => {
        const before = JSON.stringify(input);
        const result = resolveConfig(JSON.parse(JSON.stringify(input)), place, platform);
        if ('problems' in result)
          for (const { message } of result.problems) expect(message).not.toMatch(/Invalid input|undefined/);
        resolveConfig(input, place, platform);
        expect(JSON.stringify(input)).toBe(before);
      }),
      { numRuns: 500, examples: [[JSON.parse('{"interpreters": {"__proto__": null}, "unknown": 1}')]] },
    );
  });
});

describe('a configuration', () => {
  it('gets every default', () => {
    expect(resolve({ groups: { a: { every: '10m' } } })).toEqual({
      workspace: '/w',
      file: '/w/tasks.config.ts',
      outputs: '/w/outputs',
      scriptsDir: '/w/scripts',
      timezone: 'Asia/Kolkata',
      tickEvery: 300_000,
      log: { output: 'failed', format: 'text', maxSize: 5_242_880, maxFiles: 5 },
      keep: { history: 7_776_000_000, runs: 1_209_600_000, runsSize: 209_715_200 },
      redact: [],
      groups: [
        {
          name: 'a',
          description: null,
          enabled: true,
          schedule: { kind: 'interval', every: 600_000, offset: 0 },
          dependsOn: [],
          after: [],
          priority: 'normal',
          lane: 'main',
          catchUp: 'latest',
          catchUpWithin: null,
          firstRun: null,
          onScriptFailure: 'continue',
          onInterrupt: 'resume',
          retryAfter: [],
          scripts: [],
        },
      ],
    });
  });

  it('has the values that the user wrote', () => {
    const config = resolve({
      $schema: 'x',
      timezone: 'Europe/Berlin',
      tickEvery: '1m',
      outputs: '/var/out',
      scriptsDir: 'bin',
      log: { output: 'all', format: 'json', maxSize: '1KB', maxFiles: 2 },
      history: { keep: '1d' },
      runs: { keep: '2d', maxSize: '1MB' },
      redact: ['TOKEN'],
      groups: {
        constructor: { every: '1h', offset: '3m', enabled: false, description: 'x' },
        toString: {
          daily: ['03:00', '15:30'],
          dependsOn: ['constructor', { group: 'b', when: 'finished', within: '20m' }],
          after: ['c'],
        },
        b: {
          cron: '0 3 * * 1-5',
          timezone: 'UTC',
          priority: 'low',
          lane: 'net',
          catchUp: 'every',
          catchUpWithin: '2h',
        },
        c: { manual: true, firstRun: 'wait', onScriptFailure: 'stop', onInterrupt: 'skip', retryAfter: ['5m', '1h'] },
      },
    });
    expect(config).toMatchObject({
      outputs: '/var/out',
      scriptsDir: '/w/bin',
      timezone: 'Europe/Berlin',
      tickEvery: 60_000,
      log: { output: 'all', format: 'json', maxSize: 1_024, maxFiles: 2 },
      keep: { history: 86_400_000, runs: 172_800_000, runsSize: 1_048_576 },
      redact: ['TOKEN'],
      groups: [
        {
          name: 'constructor',
          enabled: false,
          description: 'x',
          schedule: { kind: 'interval', every: 3_600_000, offset: 180_000 },
        },
        {
          name: 'toString',
          schedule: {
            kind: 'calendar',
            timezone: 'Europe/Berlin',
            lines: [{ hours: [3] }, { hours: [15], minutes: [30] }],
          },
          dependsOn: [
            { group: 'constructor', when: 'succeeded', within: null },
            { group: 'b', when: 'finished', within: 1_200_000 },
          ],
          after: ['c'],
        },
        {
          name: 'b',
          schedule: { timezone: 'UTC', lines: [{ text: '0 3 * * 1-5' }] },
          priority: 'low',
          lane: 'net',
          catchUp: 'every',
          catchUpWithin: 7_200_000,
        },
        {
          name: 'c',
          schedule: { kind: 'manual' },
          firstRun: 'wait',
          onScriptFailure: 'stop',
          onInterrupt: 'skip',
          retryAfter: [300_000, 3_600_000],
        },
      ],
    });
  });

  it('may list its groups, in order, and may leave keys undefined', () => {
    const groups = [
      { name: 'b', manual: true, every: undefined },
      { name: 'a', every: '5m', dependsOn: ['b'] },
    ];
    expect(resolve({ groups }).groups.map(({ name }) => name)).toEqual(['b', 'a']);
  });
});

describe('scripts', () => {
  const scriptsOf = (...scripts: unknown[]) => resolve(withScripts(...scripts)).groups[0]?.scripts ?? [];

  it('get every default', () => {
    expect(scriptsOf('check.js --fast "a b"')).toEqual([
      {
        name: 'check.js',
        argv: ['/node', '/w/scripts/check.js', '--fast', 'a b'],
        file: '/w/scripts/check.js',
        cwd: '/w',
        env: {},
        timeout: 3_600_000,
        killAfter: 10_000,
        retries: 0,
        retryDelay: 1_000,
        optional: false,
        successExitCodes: [0],
      },
    ]);
  });

  it('have the values that the user wrote', () => {
    const script = {
      run: 'my file.ts',
      args: ['a', ''],
      name: 'n',
      cwd: 'sub',
      env: { A: 1, B: true, C: 'c', TSX_DISABLE_CACHE: '' },
      timeout: '5m',
      killAfter: '0s',
      retries: 3,
      retryDelay: '0s',
      optional: true,
      successExitCodes: [0, 3],
    };
    expect(scriptsOf(script)).toEqual([
      {
        name: 'n',
        argv: ['/node', '--import', 'file:///tsx/loader.mjs', '/w/scripts/my file.ts', 'a', ''],
        bundles: true,
        file: '/w/scripts/my file.ts',
        cwd: '/w/sub',
        env: { A: '1', B: 'true', C: 'c', TSX_DISABLE_CACHE: '' },
        timeout: 300_000,
        killAfter: 0,
        retries: 3,
        retryDelay: 0,
        optional: true,
        successExitCodes: [0, 3],
      },
    ]);
  });

  it.each<[unknown, string[], string | null, string]>([
    [{ run: '/abs/x' }, ['/abs/x'], '/abs/x', '/abs/x'],
    ['../x.js', ['/node', '/w/x.js'], '/w/x.js', '../x.js'],
    [{ command: 'git', args: ['gc'] }, ['git', 'gc'], null, 'git'],
    [{ command: './bin/x' }, ['/w/bin/x'], null, './bin/x'],
    [{ shell: 'df -h | tee x' }, ['/bin/sh', '-c', 'df -h | tee x'], null, 'df'],
    [{ shell: 'A=1 /usr/bin/env x' }, ['/bin/sh', '-c', 'A=1 /usr/bin/env x'], null, 'env'],
    [{ shell: '"/opt/my tool" x' }, ['/bin/sh', '-c', '"/opt/my tool" x'], null, 'my tool'],
    [{ shell: "echo 'open" }, ['/bin/sh', '-c', "echo 'open"], null, 'echo'],
    [{ shell: 'ls;x' }, ['/bin/sh', '-c', 'ls;x'], null, 'ls'],
    [{ shell: '|' }, ['/bin/sh', '-c', '|'], null, 'shell'],
  ])('%j', (script, argv, file, name) => expect(scriptsOf(script)).toMatchObject([{ argv, file, name }]));

  it('are numbered where they are called alike, around the names that are given', () => {
    const names = scriptsOf('a.js', 'a.js 2', { run: 'b.js', name: 'a.js-2' }, 'A.js', 'sub/a.js').map(
      ({ name }) => name,
    );
    expect(names).toEqual(['a.js', 'a.js-3', 'a.js-2', 'A.js-4', 'sub/a.js']);
  });

  it('take the interpreters of the configuration, with or without a dot', () => {
    const { groups } = resolve({
      ...withScripts('a.py', 'b.RB', 'c.ts'),
      interpreters: { py: '.venv/bin/python', '.rb': ['bundle', 'exec', 'ruby'], TS: 'deno' },
    });
    expect(groups[0]?.scripts.map(({ argv, env }) => [argv, env])).toEqual([
      [['/w/.venv/bin/python', '/w/scripts/a.py'], {}],
      [['bundle', 'exec', 'ruby', '/w/scripts/b.RB'], {}],
      [['deno', '/w/scripts/c.ts'], {}],
    ]);
  });

  it('follow the paths and the shell of Windows there', () => {
    const windows = { ...platform, platform: 'win32' as const };
    const result = resolveConfig(
      withScripts('sub/x.py', { shell: 'dir' }),
      { workspace: 'C:\\w', file: 'C:\\w\\tasks.config.ts' },
      windows,
    );
    expect('config' in result && result.config.groups[0]?.scripts).toMatchObject([
      { argv: ['python', 'C:\\w\\scripts\\sub\\x.py'], cwd: 'C:\\w' },
      { argv: ['cmd.exe', '/d', '/s', '/c', '"dir"'], verbatim: true },
    ]);
  });
});
