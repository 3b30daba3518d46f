import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { type LogOptions, openLog } from '../../src/log/log.ts';

const root = mkdtempSync(join(tmpdir(), 'rhythm-log-'));
let options: LogOptions;

beforeEach(() => {
  const file = join(mkdtempSync(join(root, 'log-')), 'outputs', 'master.log');
  options = { file, format: 'text', maxSize: 5_000_000, maxFiles: 5, secrets: [] };
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The lines of the log, without their times; those are checked to be of the last minute. */
function lines(): string[] {
  const all = readFileSync(options.file, 'utf8').split('\n');
  expect(all.pop()).toBe('');
  return all.map((line) => {
    const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/.exec(line)?.[0] ?? '';
    expect(Math.abs(Date.now() - Date.parse(time))).toBeLessThan(60_000);
    return line.replace(time, 'TIME');
  });
}

describe('a text line of the log', () => {
  test('has a time, a level, a source and one line of text', () => {
    const log = openLog(options);
    log.info({ group: 'health_check', script: 'check_health.ts' }, 'started');
    log.warn({ group: 'health_check' }, 'late', { beat: 'is not shown' });
    log.error({}, 'a\nb');
    log.info({ group: 'toString', script: 'a b\n\x1b[31m] INFO' }, '');
    log.close();
    expect(lines()).toEqual([
      'TIME INFO  [health_check/check_health.ts] started',
      'TIME WARN  [health_check] late',
      'TIME ERROR [rhythm] a\\nb',
      'TIME INFO  [toString/a b\\n] INFO] ',
    ]);
  });

  test('takes format patterns in a text literally', () => {
    const log = openLog(options);
    log.info({ group: 'g' }, '100 %s %d %j ${x} {{y}}', { message: 'no', stack: 'no' });
    log.close();
    expect(lines()).toEqual(['TIME INFO  [g] 100 %s %d %j ${x} {{y}}']);
  });
});

describe('a JSON line of the log', () => {
  beforeEach(() => {
    options = { ...options, format: 'json' };
  });

  test("has the same names in the same order, then the event's fields", () => {
    const log = openLog(options);
    log.info({ group: 'g', script: 's\x1b[31m' }, 'started', { pid: 5, beat: null, parts: ['a\nb'] });
    log.error({}, 'say "no"');
    log.close();
    expect(lines()).toEqual([
      '{"time":"TIME","level":"info","group":"g","script":"s","message":"started","pid":5,"beat":null,"parts":["a\\\\nb"]}',
      '{"time":"TIME","level":"error","group":null,"script":null,"message":"say \\"no\\""}',
    ]);
  });

  test('lets no field replace its own names, and takes unusual ones', () => {
    const log = openLog(options);
    log.info({}, 'text', {
      time: 'x',
      level: 'x',
      message: 'x',
      ['__proto__']: 1,
      'a\u2028\x7f': 10n,
      missing: undefined,
    });
    log.close();
    expect(lines()).toEqual([
      '{"time":"TIME","level":"info","group":null,"script":null,"message":"text","__proto__":1,"a\\u2028\\u007f":"10"}',
    ]);
  });
});

test.each(['text', 'json'] as const)('whatever is logged as %s is one safe line', (format) => {
  const log = openLog({ ...options, format });
  const texts: string[] = [];
  const any = fc.string({ unit: 'binary', maxLength: 30 });
  fc.assert(
    fc.property(any, any, any, (script, text, field) => {
      log.info({ group: 'g', script }, text, { [field]: field });
      texts.push(text);
    }),
    { numRuns: 500 },
  );
  log.close();
  expect(lines()).toHaveLength(texts.length);
  expect(readFileSync(options.file, 'utf8')).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/);
  if (format === 'json') for (const line of lines()) JSON.parse(line);
});

test('the log contains no secret, not even coloured, cut in two by an escape or in a field', () => {
  for (const format of ['text', 'json'] as const) {
    const log = openLog({ ...options, format, secrets: ['hunter2', 'line one 1\nline two 2', ''] });
    log.info({ group: 'g' }, 'hunter2 \x1b[1mhunter2\x1b[0m hun\x1b[1mter2 hun\x1b]0;x\x07ter2', { a: ['hunter2'] });
    log.info({ group: 'g' }, 'line one 1\nline two 2');
    log.info({ group: 'g' }, 'line two 2');
    log.info({ group: 'g' }, `${'x'.repeat(1970)}hunter2${'x'.repeat(1000)}`);
    log.close();
  }
  expect(readFileSync(options.file, 'utf8')).not.toMatch(/hunt|ter2|line (one|two)/);
  expect(lines()[0]).toBe('TIME INFO  [g] [redacted] [redacted] [redacted] [redacted]');
});

test('a line that can not be written throws from its call, and later lines are written', () => {
  const log = openLog(options);
  log.info({}, 'first');
  rmSync(options.file);
  mkdirSync(options.file);
  expect(() => log.info({}, 'lost')).toThrow(StorageError);
  expect(() => log.error({}, 'lost')).toThrow(StorageError);
  rmSync(options.file, { recursive: true });
  log.info({}, 'second');
  log.info({}, 'third');
  log.close();
  expect(lines()).toEqual(['TIME INFO  [rhythm] second', 'TIME INFO  [rhythm] third']);
});

test('an event that can not be serialized throws from its call, and later lines are written', () => {
  const log = openLog({ ...options, format: 'json' });
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  expect(() => log.info({}, 'lost', { circle })).toThrow(TypeError);
  for (let line = 0; line < 100; line++) log.info({}, 'text');
  log.close();
  expect(lines()).toHaveLength(100);
});

test('a closed log refuses lines', () => {
  const log = openLog(options);
  log.close();
  expect(() => log.info({}, 'late')).toThrow(/is closed/);
});

test('opening a log that can not be written is a StorageError', () => {
  mkdirSync(options.file, { recursive: true });
  expect(() => openLog(options)).toThrow(StorageError);
});
