import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeTrend, findLeaks, foreseeFull, judgeTrend, type ProcessSample } from '../../scripts/lib/trends.ts';
import { argvOf, iso, runScript, temporaryFolder, writeJsonLines } from './workspace.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const megabyte = 1024 ** 2;

/** Samples every half hour; noise of some percent that does not repeat soon. */
function samples(count: number, value: (index: number) => number) {
  return Array.from({ length: count }, (_, index) => ({
    at: index * 30 * minute,
    value: value(index) * (1 + (((index * 37) % 101) - 50) / 1000),
  }));
}

describe('judgeTrend', () => {
  it.each<[string, string, (index: number) => number]>([
    ['plain noise', 'steady', () => 10],
    ['a jump at the end', 'jumped', (index) => (index > 320 ? 14 : 10)],
    ['a jump of a tenth', 'steady', (index) => (index > 320 ? 11 : 10)],
    ['a drop at the end', 'dropped', (index) => (index > 320 ? 6 : 10)],
    ['a slow climb', 'climbs', (index) => 10 + index / 60],
    ['a slow fall', 'falls', (index) => 10 - index / 100],
    ['two outliers at the end', 'steady', (index) => (index > 333 ? 90 : 10)],
    ['one outlier in ten values', 'steady', (index) => (index % 10 === 0 ? 90 : 10)],
    ['a change of load by day and night', 'steady', (index) => (index % 48 < 24 ? 10 : 12)],
  ])('gives %s the verdict %s', (_, verdict, value) => {
    expect(judgeTrend(samples(336, value)).verdict).toBe(verdict);
  });

  it('does not judge too few samples', () => {
    expect(judgeTrend(samples(23, () => 10)).verdict).toBe('too-few');
    expect(describeTrend('hashing', judgeTrend([]), 7)).toBeNull();
  });

  it('finds no trend in any noise', () => {
    const noise = fc.array(fc.integer({ min: 9000, max: 11_000 }), { minLength: 24, maxLength: 120 });
    fc.assert(
      fc.property(noise, (values) => {
        const series = values.map((value, index) => ({ at: index * 30 * minute, value }));
        expect(judgeTrend(series).verdict).toBe('steady');
      }),
    );
  });

  it('has its verdict described in words', () => {
    const said = (value: (index: number) => number) => describeTrend('hashing', judgeTrend(samples(336, value)), 7);
    expect(said(() => 10)).toMatch(/^hashing is steady at 10 ms$/);
    expect(said((index) => (index > 320 ? 20 : 10))).toMatch(
      /^hashing has become (9|10)\d % slower \(10 ms before, (19|20) ms now\)$/,
    );
    expect(said((index) => 10 + index / 30)).toMatch(/^hashing gets slower, by 1\d\d % within 7 d/);
  });
});

describe('findLeaks', () => {
  const grow = (memory: (hour: number) => number, change: Partial<ProcessSample> = {}): ProcessSample[] =>
    Array.from({ length: 20 }, (_, index) => ({
      pid: 7,
      name: 'node leak.mjs',
      startedAt: -hour,
      at: index * hour,
      memory: memory(index) * megabyte,
      ...change,
    }));
  const newest = 19 * hour;

  it.each<[string, boolean, ProcessSample[]]>([
    ['a steady growth', true, grow((index) => 100 + 10 * index)],
    ['a growth with a hiccup', true, grow((index) => 100 + 10 * index - (index === 9 ? 12 : 0))],
    ['no growth', false, grow(() => 500)],
    ['a growth of few bytes', false, grow((index) => 10 + index)],
    ['a growth that is small relative to its memory', false, grow((index) => 2000 + 20 * index)],
    ['a growth that ended', false, grow((index) => 100 + 30 * Math.min(index, 8) + index / 100)],
    ['ups and downs', false, grow((index) => 100 + 10 * index + (index % 2) * 150)],
    ['a process that has ended', false, grow((index) => 100 + 10 * index).slice(0, -1)],
    ['a process that has run for seven hours', false, grow((index) => 100 + 10 * index).slice(-7)],
    [
      'two processes one after another under the same id',
      false,
      [
        ...grow((index) => 100 + 10 * index).slice(0, 10),
        ...grow((index) => 300 - index, { startedAt: 9 * hour }).slice(10),
      ],
    ],
    [
      'a start time that varies by a second',
      true,
      grow((index) => 100 + 10 * index).map((sample, index) => ({ ...sample, startedAt: -hour + (index % 2) * 1000 })),
    ],
  ])('given %s answers %s', (_, isLeak, processes) => {
    expect(findLeaks(processes, newest).map(({ pid }) => pid)).toEqual(isLeak ? [7] : []);
  });
});

it('the date at which a filling disk is full is predicted', () => {
  const used = (share: number) => samples(48, () => 100).map(({ at }, index) => ({ at, value: 100 + share * index }));
  expect(foreseeFull(used(1), 200)).toBe(100 * 30 * minute);
  expect(foreseeFull(used(0), 200)).toBeNull();
  expect(foreseeFull(used(-1), 200)).toBeNull();
});

describe.concurrent('analyze_performance_trends.ts', () => {
  const benchmark = (now: number, hashMs: (index: number) => number) =>
    samples(200, hashMs).map(({ at, value }) => ({
      at: iso(now - 200 * 30 * minute + at),
      hashMs: value,
      writeMs: 2,
      startMs: 40,
    }));

  it('finds a regression, a leak and a filling disk, and exits 1', async () => {
    const outputs = temporaryFolder();
    const now = Date.now();
    writeJsonLines(
      join(outputs, 'performance_benchmarks.jsonl'),
      benchmark(now, (index) => (index > 190 ? 9 : 5)),
    );
    writeJsonLines(
      join(outputs, 'system_metrics.jsonl'),
      Array.from({ length: 48 }, (_, index) => ({
        at: iso(now - (48 - index) * hour),
        disk: { free: (300 - index) * megabyte, total: 1000 * megabyte },
        largest: [
          { pid: 3, name: 'steady', startedAt: iso(now - 90 * day), memory: 900 * megabyte },
          { pid: 7, name: 'leaky', startedAt: iso(now - 90 * day), memory: (100 + 8 * index) * megabyte },
          'rubbish',
        ],
      })),
    );
    const { exitCode, stdout, stderr } = await runScript(argvOf('analyze_performance_trends.ts'), outputs);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toMatch(
      /^trends: hashing has become (7|8)\d % slower \(5 ms before, 9(\.\d)? ms now\); leaky \(pid 7\) leaks memory: \d+ MB to 476 MB in (22|23) h, 8\.0 MB an hour; at this pace the disk is full on \d{4}-\d\d-\d\d; the durable write is steady at 2 ms; process start is steady at 40 ms\n$/,
    );
    const report = JSON.parse(readFileSync(join(outputs, 'performance_trends.json'), 'utf8'));
    expect(report.findings).toHaveLength(3);
    expect(report.leaks).toMatchObject([{ pid: 7, name: 'leaky' }]);
    expect(report.trends.map(({ verdict }: { verdict: string }) => verdict)).toEqual(['jumped', 'steady', 'steady']);
  });

  it('finds nothing on an unchanged machine', async () => {
    const outputs = temporaryFolder();
    writeJsonLines(
      join(outputs, 'performance_benchmarks.jsonl'),
      benchmark(Date.now(), () => 5),
    );
    const { exitCode, stdout } = await runScript(argvOf('analyze_performance_trends.ts'), outputs);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^trends: hashing is steady at 5 ms; .*steady.*; .*steady.*\n$/);
  });
});
