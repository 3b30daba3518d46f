import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Run } from '../../scripts/lib/history.ts';
import { findSpikes } from '../../scripts/lib/spikes.ts';
import { deviation, fitLine, median, testTrend, thin } from '../../scripts/lib/statistics.ts';
import { argvOf, runEnd, runScript, scriptEnd, temporaryFolder, writeHistory } from './workspace.ts';

const hour = 3_600_000;

function run(group: string, id: string, durationMs: number | null, outcome = 'succeeded'): Run {
  const instants = { at: 0, beat: 0, startedAt: 0 };
  return { group, id, ...instants, reasons: [], outcome, durationMs, missedBeats: 0, scripts: [] };
}

function usual(group: string, count: number, durationMs = 2000): Run[] {
  return Array.from({ length: count }, (_, index) => run(group, `${group}${index}`, durationMs + index));
}

const namesOf = (runs: readonly Run[]) => findSpikes(runs).spikes.map(({ run }) => run);

describe('findSpikes', () => {
  it('judges no group with too few runs', () => {
    expect(findSpikes([])).toEqual({ spikes: [], judged: 0, tooFew: 0 });
    expect(findSpikes([...usual('a', 7), run('a', 'x', 1e9, 'failed')])).toMatchObject({ spikes: [], tooFew: 1 });
    expect(findSpikes(usual('a', 8))).toMatchObject({ spikes: [], judged: 1, tooFew: 0 });
  });

  it.each<[string, Run, boolean]>([
    ['a run ten times as long as usual', run('a', 'x', 20_000), true],
    ['a run 50 % and a second longer than usual', run('a', 'x', 3100), true],
    ['a run that is only slightly longer', run('a', 'x', 2900), false],
    ['a much shorter run', run('a', 'x', 1), false],
    ['a timeout', run('a', 'x', hour, 'timed-out'), true],
    ['a long failure', run('a', 'x', 20_000, 'failed'), true],
    ['an interrupted run', run('a', 'x', 20_000, 'interrupted'), false],
    ['a run of unknown length', run('a', 'x', null), false],
    ['a long run of another group', run('b', 'x', 20_000), false],
  ])('decides whether %s is a spike', (_, candidate, isSpike) => {
    expect(namesOf([...usual('a', 20), candidate])).toEqual(isSpike ? ['x'] : []);
  });

  it('is not misled by failures that end at once', () => {
    const failures = Array.from({ length: 50 }, (_, index) => run('a', `f${index}`, 1, 'failed'));
    expect(namesOf([...usual('a', 20), ...failures])).toEqual([]);
  });

  it('treats an extra second of a short run as noise', () => {
    expect(namesOf([...usual('a', 20, 10), run('a', 'x', 900)])).toEqual([]);
  });

  it('works for groups named like inherited object properties', () => {
    expect(namesOf([...usual('constructor', 20), run('constructor', 'x', 20_000)])).toEqual(['x']);
    expect(findSpikes([...usual('toString', 3), ...usual('__proto__', 3)])).toMatchObject({ judged: 0, tooFew: 2 });
  });

  it('finds exactly the spikes injected into noise', () => {
    const length = fc.integer({ min: 5000, max: 6000 });
    fc.assert(
      fc.property(
        fc.array(length, { minLength: 12, maxLength: 60 }),
        fc.array(fc.integer({ min: 12_000, max: 10_000_000 }), { maxLength: 4 }),
        (noise, injected) => {
          const runs = [
            ...noise.map((ms, index) => run('a', `n${index}`, ms)),
            ...injected.map((ms, index) => run('a', `x${index}`, ms)),
          ];
          expect(new Set(namesOf(runs))).toEqual(new Set(injected.map((_, index) => `x${index}`)));
        },
      ),
    );
  });
});

describe('statistics', () => {
  it.each([
    [[], null],
    [[3], 3],
    [[9, 1, 5], 5],
    [[10, 9, 1, 2], 5.5],
  ])('compute the median of %j as %j', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('compute a deviation that ignores an outlier', () => {
    expect(deviation([1, 2, 3, 4, 1e9], 3)).toBeCloseTo(1.4826);
    expect(deviation([], 3)).toBe(0);
  });
});

describe('the trend functions', () => {
  const points = (count: number, y: (x: number) => number) => Array.from({ length: count }, (_, x) => ({ x, y: y(x) }));

  it('fit a line that a quarter of outliers does not move', () => {
    const line = fitLine(points(40, (x) => (x % 4 === 0 ? 1e9 : 3 * x + 5)));
    expect(line?.slope).toBeCloseTo(3);
    const mild = fitLine(points(40, (x) => (x % 5 === 0 ? -1e9 : 3 * x + 5)));
    expect(mild?.intercept).toBeCloseTo(5);
    expect(fitLine([])).toBeNull();
    expect(
      fitLine([
        { x: 1, y: 1 },
        { x: 1, y: 2 },
      ]),
    ).toBeNull();
  });

  it('fit points on a line exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -50, max: 50 }), (slope, intercept) => {
        const line = fitLine(points(9, (x) => slope * x + intercept));
        expect(line?.slope).toBeCloseTo(slope);
        expect(line?.intercept).toBeCloseTo(intercept);
      }),
    );
  });

  it.each([
    [[1, 2, 3, 4, 5], 1],
    [[5, 4, 3, 2, 1], -1],
    [[1, 1, 1], 0],
    [[7], 0],
  ])('compute Kendall’s tau of %j as %s', (values, tau) => {
    expect(testTrend(values).tau).toBe(tau);
  });

  it('thin out a series by medians', () => {
    expect(
      thin(
        points(9, (x) => (x === 4 ? 1e9 : x)),
        3,
      ),
    ).toEqual([
      { x: 1, y: 1 },
      { x: 4, y: 5 },
      { x: 7, y: 7 },
    ]);
    expect(
      thin(
        points(3, (x) => x),
        5,
      ),
    ).toHaveLength(3);
  });
});

describe.concurrent('analyze_latency_spikes.ts', () => {
  const report = (outputs: string) => JSON.parse(readFileSync(join(outputs, 'latency_spikes.json'), 'utf8'));

  it('names the script that spiked and its group once, and nothing older than a week', async () => {
    const outputs = temporaryFolder();
    const now = Date.now();
    const ended = (at: number, id: string, fetchMs: number) => {
      const scripts = [
        scriptEnd('fetch.ts', { durationMs: fetchMs }),
        scriptEnd('store.ts', { durationMs: 2000 + (at % 100) }),
      ];
      return runEnd('upload', at, { id, durationMs: fetchMs + 2100, scripts });
    };
    writeHistory(outputs, [
      ended(now - 200 * hour, 'long ago', 900_000),
      ...Array.from({ length: 20 }, (_, index) => ended(now - (100 - index) * hour, `u${index}`, 5000 + index)),
      ...Array.from({ length: 20 }, (_, index) => runEnd('calm', now - (100 - index) * hour)),
      { at: 'never', type: 'run-end' },
      { at: new Date(now).toISOString(), type: 'something-new', group: 'upload' },
      ended(now - hour, 'slow', 60_000),
    ]);
    const { exitCode, stdout } = await runScript(argvOf('analyze_latency_spikes.ts'), outputs);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^latency: 1 spike in 41 runs of 7 days: upload\/fetch\.ts took 1 min instead of 5 s \(12\.0 times\) at .* UTC\n$/,
    );
    expect(report(outputs)).toMatchObject({ runs: 41, judged: 4, tooFew: 0 });
    expect(report(outputs).spikes).toEqual([
      expect.objectContaining({ group: 'upload', script: 'fetch.ts', run: 'slow', durationMs: 60_000, timesUsual: 12 }),
    ]);
    const again = await runScript(argvOf('analyze_latency_spikes.ts'), outputs);
    expect(again, 'the same spike a second time').toMatchObject({ exitCode: 0, stdout });
  });

  it('says that there are too few runs', async () => {
    const outputs = temporaryFolder();
    writeHistory(outputs, [runEnd('upload', Date.now() - hour, { durationMs: 1 })]);
    const { exitCode, stdout } = await runScript(argvOf('analyze_latency_spikes.ts'), outputs);
    expect(exitCode).toBe(0);
    expect(stdout).toBe('latency: too little data: 1 run in 7 days, and 8 of a group are needed\n');
    expect(report(outputs)).toMatchObject({ runs: 1, judged: 0, tooFew: 1, spikes: [] });
  });
});
