import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Platform } from '../../src/config/argv.ts';
import { fillIn } from '../../src/config/defaults.ts';
import { findDuplicateKeys, hasAllKeys } from '../../src/config/json.ts';
import { linkGroups } from '../../src/config/links.ts';
import { isPlainConfig, isPlainGroup, isPlainScript, plainChecks } from '../../src/config/recognition.ts';
import { resolveConfig, schemaChecks } from '../../src/config/resolve.ts';
import { configFrame, groupFrame, scriptObject } from '../../src/config/schema.ts';
import example from '../../tasks.config.ts';

const place = { workspace: '/w', file: '/w/tasks.config.ts' };
const platform: Platform = {
  platform: 'linux',
  execPath: '/node',
  tsxLoader: 'file:///tsx/loader.mjs',
  systemTimezone: 'Asia/Kolkata',
  comSpec: 'cmd.exe',
  readFirstLine: () => null,
};

const odd = fc.constantFrom<unknown>(
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  Number.NaN,
  '',
  ' ',
  'x\0',
  '0s',
  '500ms',
  'b',
  [],
  [undefined],
  [''],
  {},
  new Map(),
);

/** Mostly what is right, now and then something odd, or what is nearly right. */
const mostly = (right: fc.Arbitrary<unknown>, ...nearly: unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 200, arbitrary: right },
    { weight: 1, arbitrary: nearly.length === 0 ? odd : fc.constantFrom(...nearly) },
  );

/** An object with some of these keys, rarely with another. */
const some = (parts: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> => {
  const settled = Object.fromEntries(Object.entries(parts).map(([key, part]) => [key, mostly(part)]));
  const whole = fc.record(settled, { requiredKeys: [], noNullPrototype: true });
  const strange = fc.constantFrom<object>({ evry: 1 }, { extra: undefined }, JSON.parse('{"__proto__":1}'));
  return fc.oneof(
    { weight: 200, arbitrary: whole },
    { weight: 1, arbitrary: fc.tuple(whole, strange).map(([one, other]) => ({ ...one, ...other })) },
    { weight: 1, arbitrary: whole.map((one) => Object.assign(Object.create(one), one)) },
    { weight: 1, arbitrary: whole.map((one) => Object.assign(Object.create(null), one)) },
  );
};
const listOf = (item: fc.Arbitrary<unknown>) => fc.array(mostly(item), { maxLength: 3 });

const duration = mostly(fc.constantFrom('1s', '10m', '1h30m'), '25d', '10 m');
const word = fc.constantFrom('a', 'x.sh', './bin/y', 'two words', '"quoted one" b');
const daily = mostly(fc.constantFrom('03:00', '3:00'), '25:00');
const cron = mostly(fc.constantFrom('0 3 * * 1-5', '@daily'), '* * * *', '0 0 31 2 *');
const zone = mostly(fc.constantFrom('UTC', 'Europe/Berlin'), 'Nowhere');
const variable = fc.constantFrom('A', 'B_C');
const size = mostly(fc.constantFrom('5MB', '1KB'), '5', '0');

const script = fc.oneof(
  mostly(word, "it's"),
  some({ command: word }),
  fc
    .tuple(
      fc.constantFrom({ run: 'x.py' }, { command: 'true' }, { command: './bin/y' }),
      some({
        args: listOf(word),
        cwd: word,
        env: mostly(
          fc.dictionary(variable, fc.constantFrom<unknown>('x', 1, false), { noNullPrototype: true }),
          { 'A=B': '' },
          { A: null },
        ),
        timeout: duration,
        killAfter: duration,
        retries: mostly(fc.constantFrom(0, 3), 101),
        retryDelay: duration,
        optional: fc.boolean(),
        successExitCodes: fc.constantFrom([0], [0, 3]),
      }),
    )
    .map(([form, more]) => ({ ...form, ...more })),
  some({ name: mostly(fc.constantFrom('n'), ' n', 'n\t'), shell: word }).map((one) => ({ shell: 'x', ...one })),
  some({ shell: word, command: word, args: listOf(word) }),
);

const rest = {
  description: word,
  enabled: fc.boolean(),
  timezone: zone,
  priority: fc.constantFrom('critical', 'high', 'normal', 'low'),
  lane: mostly(fc.constantFrom('main', 'net'), 'Net', 'n/t'),
  catchUp: fc.constantFrom('latest', 'every', 'none'),
  catchUpWithin: duration,
  firstRun: fc.constantFrom('now', 'wait'),
  onScriptFailure: fc.constantFrom('continue', 'stop'),
  onInterrupt: fc.constantFrom('resume', 'skip'),
  retryAfter: listOf(duration),
};
const schedule = mostly(
  fc.oneof(
    duration.map((every) => ({ every })),
    fc.tuple(duration, duration).map(([every, offset]) => ({ every, offset })),
    fc.oneof(daily, fc.array(daily, { minLength: 1, maxLength: 2 })).map((times) => ({ daily: times })),
    fc.oneof(cron, fc.array(cron, { minLength: 1, maxLength: 2 })).map((lines) => ({ cron: lines, daily: ['3:00'] })),
    fc.constant({ manual: true }),
  ),
  { manual: false },
  { offset: '1m' },
  { every: '10m', manual: true },
);
const scripts = fc.oneof(fc.constant([{ command: 'true' }]), fc.array(script, { maxLength: 3 }));

const names = ['a', 'b', 'c', 'd_1'];
const dependency = (earlier: readonly string[]) =>
  fc.oneof(
    mostly(fc.constantFrom(...earlier), 'e', 'd_1'),
    some({ when: fc.constantFrom('succeeded', 'finished'), within: duration }).chain((more) =>
      fc.constantFrom(...earlier).map((group) => ({ group, ...more })),
    ),
  );
/** A group, with its name, that waits for those before it. */
const group = (index: number): fc.Arbitrary<{ name: string }> => {
  const earlier = names.slice(0, index);
  const waits =
    index === 0
      ? fc.constant({})
      : some({
          dependsOn: mostly(
            fc.uniqueArray(dependency(earlier), {
              maxLength: 2,
              selector: (one) => (typeof one === 'string' ? one : JSON.stringify(one)),
            }),
            ['a', 'a'],
          ),
          after: listOf(fc.constantFrom(...earlier)),
        });
  const more = fc.oneof(fc.constant({}), some(rest));
  const called = mostly(fc.constant(names[index]), names[0]?.toUpperCase(), 'a', '1', '__proto__');
  return fc
    .tuple(called, schedule, waits, more, scripts)
    .map(([name, ...parts]) => Object.assign({ name: `${name}` }, ...parts.slice(0, 3), { scripts: parts[3] }));
};
const list = fc
  .integer({ min: 0, max: names.length })
  .chain((count) => fc.tuple(...names.slice(0, count).map((_, index) => group(index))));
const groups = fc.oneof(
  { weight: 4, arbitrary: list.map((all) => Object.fromEntries(all.map(({ name, ...one }) => [name, one]))) },
  { weight: 1, arbitrary: list },
);
const settings = some({
  $schema: word,
  timezone: zone,
  tickEvery: duration,
  outputs: word,
  scriptsDir: word,
  killAfter: duration,
  interpreters: mostly(
    fc.dictionary(fc.constantFrom('py', '.sh'), fc.oneof(word, fc.array(word, { minLength: 1, maxLength: 2 })), {
      noNullPrototype: true,
    }),
    { 'a/b': 'x' },
    { py: [] },
  ),
  redact: listOf(variable),
  log: some({
    output: fc.constantFrom('failed', 'all', 'none'),
    format: fc.constantFrom('text', 'json'),
    maxSize: size,
    maxFiles: mostly(fc.constantFrom(1, 5), 1_001),
  }),
  history: some({ keep: duration }),
  runs: some({ keep: duration, maxSize: size }),
});
const configs = fc.tuple(settings, mostly(groups)).map(([more, all]) => ({ ...more, groups: all }));

describe('what is recognised without the schema', () => {
  it('is what the schema reads, and so is all that is not', () => {
    const seen = { plain: 0, valid: 0 };
    fc.assert(
      fc.property(configs, (config) => {
        const schema = fillIn(config, place, platform, schemaChecks);
        const plain = fillIn(config, place, platform, plainChecks);
        if ('config' in plain) {
          const { groups: read } = plain.config;
          expect(plain).toEqual(schema);
          // The names were looked up while they were read.
          expect(linkGroups(read)).toEqual(linkGroups([...read]));
        }
        expect(resolveConfig(config, place, platform)).toEqual(schema);
        if ('config' in plain) seen.plain++;
        if ('config' in schema) seen.valid++;
      }),
      { numRuns: 2_000 },
    );
    // Most that is valid is plain: else nothing was compared.
    expect(seen.plain).toBeGreaterThan(300);
    expect(seen.plain / seen.valid).toBeGreaterThan(0.8);
  });

  const values: unknown[] = [
    ...[undefined, null, true, false, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 4_294_967_295, 4_294_967_296],
    ...[-1, -0, 0, 1, 1.5, 100, 101, 1_000, 1_001, 1n, Symbol('x'), () => 'x', /x/, new Map(), new Date(0)],
    ...['', ' ', 'x', ' x', 'x\0', 'x\t', '1x', 'ä', 'x'.repeat(100), 'x'.repeat(101), 'A=B', '__proto__', '\ud800'],
    ...['0s', '0m', '999ms', '1s', '10 m', '24d', '24d1s', '25d', '9999999999w', '5MB', '0B', '5', '3:00', '24:00'],
    ...['UTC', 'utc', 'Nowhere', '+01:00', '0 3 * * *', '0 0 31 2 *', '* * * *', '@daily', '@reboot'],
    ...[
      'critical',
      'urgent',
      'latest',
      'now',
      'stop',
      'skip',
      'failed',
      'all',
      'json',
      'text',
      'succeeded',
      'finished',
    ],
    ...[[], [undefined], [null], [''], ['x'], ['x\0'], [0], [256], [1.5], ['3:00'], ['@daily'], ['x', 'y\0'], Array(2)],
    ...[
      ['5m'],
      ['0s'],
      ['A', 'A=B'],
      [{}],
      [{ group: 'x' }],
      [{ group: 1 }],
      [{ when: 'finished' }],
      [{ group: 'x', y: 1 }],
    ],
    ...[[{ group: 'x', when: 'ended' }], [{ group: 'x', within: '0s' }], [{ group: 'x', within: '5m' }]],
    ...[
      {},
      { A: 'x' },
      { A: 1 },
      { A: true },
      { A: null },
      { A: undefined },
      { A: Number.NaN },
      { A: 'x\0' },
      { 'A=B': 'x' },
    ],
    ...[{ '': 'x' }, JSON.parse('{"__proto__":"x"}'), { py: 'x' }, { py: [] }, { py: ['x', ''] }, { py: ['', 'x'] }],
    ...[{ keep: '1d' }, { keep: '0s' }, { keep: undefined }, { maxSize: '5MB' }, { maxSize: '5' }, { output: 'all' }],
    ...[{ output: 'x' }, { format: 'json' }, { maxFiles: 0 }, { maxFiles: 1 }, { kept: '1d' }, { 'a/b': 'x' }],
    ...[Object.create({ keep: '1d' }), Object.create(null)],
  ];

  it.each([
    ['configuration', isPlainConfig, configFrame],
    ['group', isPlainGroup, groupFrame],
    ['script', isPlainScript, scriptObject],
  ] as const)('is right in each part of a %s', (_, isPlain, schema) => {
    for (const value of values) if (isPlain(value)) expect(schema.safeParse(value).data).toEqual(value);
    for (const key of [...Object.keys(schema.shape), 'other']) {
      const recognised = values.filter((value) => value !== undefined && isPlain({ [key]: value }));
      for (const value of recognised) {
        const { data } = schema.safeParse({ [key]: value });
        expect(data, key).toBeDefined();
        expect(JSON.stringify(data)).toBe(JSON.stringify({ [key]: value }));
      }
      expect(recognised.length > 0, key).toBe(key !== 'other');
      expect(isPlain({ [key]: undefined }), key).toBe(key !== 'other');
    }
  });

  it('is the example, and most that a configuration may hold', () => {
    const full = {
      $schema: 'x',
      timezone: 'Europe/Berlin',
      interpreters: { py: '.venv/bin/python', '.rb': ['bundle', 'exec', 'ruby'] },
      log: { output: 'all', maxSize: '1MB' },
      groups: {
        a: { daily: ['03:00', '15:00'], scripts: ['x.py --fast', { shell: 'df -h', env: { A: 1 }, timeout: '5m' }] },
        b: { cron: '0 3 * * 1-5', dependsOn: ['a', { group: 'c', within: '20m' }], after: ['a'], lane: 'net' },
        c: { manual: true, retryAfter: ['5m', '15m'], priority: 'high' },
      },
    };
    for (const config of [example, full]) {
      const plain = fillIn(config, place, platform, plainChecks);
      expect(plain).toHaveProperty('config');
      expect(plain).toEqual(fillIn(config, place, platform, schemaChecks));
    }
  });
});

describe('keys that stand twice', () => {
  const key = fc.constantFrom('a', 'b', 'c:d', 'e"f', 'g\\', '__proto__', '{', ':h', 'i :', 'j":');
  const colon = fc.constantFrom(':', ' : ', '\n:');
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.oneof(key, fc.string()).map((text) => JSON.stringify(text)),
      fc.constantFrom('1', 'null', 'true'),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
      fc
        .array(fc.tuple(key, colon, tie('value')), { maxLength: 3 })
        .map(
          (entries) => `{${entries.map(([name, sign, part]) => `${JSON.stringify(name)}${sign}${part}`).join(',\n')}}`,
        ),
    ),
  }));

  it('are missed by no count', () => {
    fc.assert(
      fc.property(value, (text) => {
        expect(hasAllKeys(text, JSON.parse(text))).toBe(findDuplicateKeys(text).length === 0);
      }),
      { numRuns: 2_000 },
    );
  });
});
