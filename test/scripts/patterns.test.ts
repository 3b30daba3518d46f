import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readHistory } from '../../scripts/lib/history.ts';
import { describePattern, findPatterns } from '../../scripts/lib/patterns.ts';
import { argvOf, iso, runEnd, runScript, scriptEnd, temporaryFolder, writeHistory } from './workspace.ts';

const minute = 60_000;
const hour = 60 * minute;
const now = Date.parse('2026-11-22T16:00:00Z');
const start = now - 24 * hour;

const tick = (at: number) => ({ at: iso(at), type: 'tick', tick: 't', outcome: 'done' });
const held = (group: string, at: number, reason: string, ...blockedBy: string[]) => {
  return { at: iso(at), type: 'held', group, reason, blockedBy };
};
const released = (group: string, at: number) => ({ at: iso(at), type: 'released', group });
const started = (group: string, run: string, at: number, reason: string) => {
  return { at: iso(at), type: 'run-start', group, run, reason };
};
/** Ticks every five minutes of the day, but for a silence. */
const ticks = (silence = { from: 0, to: 0 }) =>
  Array.from({ length: 288 }, (_, index) => start + index * 5 * minute)
    .filter((at) => at < silence.from || at >= silence.to)
    .map(tick);
/** A run that starts at an instant, for a beat so long before. */
const run = (group: string, at: number, late = 0, more: Parameters<typeof runEnd>[2] = {}) => {
  const durationMs = more.durationMs ?? 1000;
  return runEnd(group, at + durationMs, { beat: iso(at - late), startedAt: iso(at), durationMs, ...more });
};

async function patternsOf(lines: readonly object[]) {
  const outputs = temporaryFolder();
  const ordered = lines.toSorted((a, b) => Date.parse((a as { at: string }).at) - Date.parse((b as { at: string }).at));
  writeHistory(outputs, ordered);
  return findPatterns(await readHistory(outputs, start), now);
}

const failing = (name: string) => [scriptEnd('fine.ts'), scriptEnd(name, { outcome: 'failed', exitCode: 1 })];

describe('findPatterns', () => {
  it('finds nothing in a normal day', async () => {
    const runs = Array.from({ length: 143 }, (_, index) => run('check', start + index * 10 * minute + 20_000, 20_000));
    expect(await patternsOf([...ticks(), ...runs])).toEqual([]);
  });

  it('finds groups that are held back, and traces the cause to its script', async () => {
    const failures = Array.from({ length: 18 }, (_, index) =>
      run('check', start + hour + index * 10 * minute, 0, { outcome: 'failed', scripts: failing('probe.ts') }),
    );
    const patterns = await patternsOf([
      ...ticks(),
      ...failures,
      held('middle', start + hour, 'dependency-failed', 'check'),
      released('middle', start + 4 * hour),
      held('last', start + 2 * hour, 'dependency-skipped', 'middle'),
      released('last', start + 4 * hour),
    ]);
    expect(patterns).toMatchObject([
      { group: 'middle', kind: 'held-back', times: 36, isOngoing: false },
      { group: 'last', kind: 'held-back', times: 24, cause: 'check failed 18 times: probe.ts, exit code 1' },
    ]);
    expect(describePattern(patterns[0] as (typeof patterns)[0], 'no route')).toBe(
      'middle was held back at 36 ticks from 2026-11-21 17:00:00 UTC until 2026-11-21 20:00:00 UTC; ' +
        'likely cause: check failed 18 times: probe.ts, exit code 1 – no route',
    );
  });

  it.each([
    ['dependency-never-ran', 'other has never run'],
    ['dependency-running', 'other was still running in another tick'],
    ['dependency-stale', 'other ends too seldom for what `within` asks'],
    ['dependency-failed', 'other did not succeed'],
  ])('names the cause of %s', async (reason, cause) => {
    const patterns = await patternsOf([...ticks(), held('waiting', start + 20 * hour, reason, 'other')]);
    expect(patterns).toMatchObject([{ group: 'waiting', times: 48, isOngoing: true, cause }]);
  });

  it('terminates on circular causes', async () => {
    const patterns = await patternsOf([
      ...ticks(),
      held('a', start, 'dependency-skipped', 'b'),
      held('b', start, 'dependency-skipped', 'a'),
    ]);
    expect(patterns.map(({ cause }) => cause)).toEqual(['a did not succeed', 'b did not succeed']);
  });

  it('ignores a single short hold', async () => {
    expect(await patternsOf([...ticks(), held('a', start, 'lane-held'), released('a', start + 40 * minute)])).toEqual(
      [],
    );
  });

  it('finds scripts that are retried, within a tick or by later ticks', async () => {
    const within = [1, 2, 3].map((index) =>
      run('flaky', start + index * hour, 0, { scripts: [scriptEnd('send.ts', { attempts: 3 })] }),
    );
    const later = [1, 2, 3].flatMap((index) => {
      const [id, at] = [`u${index}`, start + index * hour];
      const scripts = failing('push.ts');
      return [
        started('upload', id, at, 'retry-due'),
        run('upload', at, 30 * minute, { id, outcome: 'failed', scripts }),
      ];
    });
    expect(await patternsOf([...ticks(), ...within, ...later])).toMatchObject([
      { group: 'flaky', kind: 'retried', times: 3, cause: 'send.ts, exit code 0, 3 attempts' },
      { group: 'upload', kind: 'retried', times: 3, cause: 'push.ts, exit code 1' },
    ]);
    expect(await patternsOf([...ticks(), ...within.slice(1)])).toEqual([]);
  });

  it('does not count a failing script as a retried one', async () => {
    const runs = [1, 2, 3, 4].map((index) =>
      run('red', start + index * hour, 0, { outcome: 'failed', scripts: failing('red.ts') }),
    );
    expect(await patternsOf([...ticks(), ...runs])).toEqual([]);
  });

  it('finds groups that start late, and the group that ran before them', async () => {
    const hours = [2, 4, 6, 8].map((index) => start + index * hour);
    const patterns = await patternsOf([
      ...ticks(),
      ...hours.map((at) => run('backup', at, 0, { durationMs: 25 * minute })),
      ...hours.map((at) => run('report', at + 26 * minute, 26 * minute)),
    ]);
    expect(patterns).toMatchObject([
      {
        group: 'report',
        kind: 'moved',
        times: 4,
        cause: 'backup ran before it, for 25 min at 2026-11-22 00:00:00 UTC',
      },
    ]);
  });

  it('finds groups that miss beats for lack of ticks, except in a single silence of the trigger', async () => {
    const silence = { from: start + 2 * hour, to: start + 10 * hour };
    const after = run('hourly', silence.to, 5 * hour, { missedBeats: 7 });
    expect(await patternsOf([...ticks(silence), after])).toEqual([]);
    const rare = Array.from({ length: 24 }, (_, index) => tick(start + index * hour));
    const missing = [3, 4, 5].map((index) => run('often', start + index * hour, 0, { missedBeats: 5 }));
    expect(await patternsOf([...rare, ...missing])).toMatchObject([
      { group: 'often', kind: 'moved', cause: 'ticks come less often than its beats' },
    ]);
  });

  it('finds groups that are repeatedly interrupted or expire repeatedly', async () => {
    const cut = [scriptEnd('long.ts', { outcome: 'interrupted', exitCode: null, signal: 'SIGTERM' })];
    const times = [1, 2, 3].map((index) => start + index * hour);
    const patterns = await patternsOf([
      ...ticks(),
      ...times.map((at) => run('long', at, 0, { outcome: 'interrupted', scripts: cut })),
      ...times.map((at) => ({ at: iso(at), type: 'expire', group: 'mail', missedBeats: 0 })),
    ]);
    expect(patterns).toMatchObject([
      { group: 'long', kind: 'interrupted', times: 3, cause: 'long.ts, signal SIGTERM' },
      { group: 'mail', kind: 'expired', times: 3 },
    ]);
  });
});

describe.concurrent('analyze_replan_patterns.ts', () => {
  it('reports the worst pattern with the last output of its cause, and exits 1 while it lasts', async () => {
    const outputs = temporaryFolder();
    const at = Date.now() - 3 * hour;
    mkdirSync(join(outputs, 'runs'));
    writeFileSync(join(outputs, 'runs', '1.log'), 'trying\n\u001b[31mHTTP 503\u001b[0m\n');
    const scripts = [scriptEnd('probe.ts', { outcome: 'failed', exitCode: 1, outputFile: 'runs/1.log' })];
    writeHistory(outputs, [
      runEnd('check', at, { outcome: 'failed', scripts }),
      held('waiting', at, 'dependency-failed', 'check'),
      ...Array.from({ length: 30 }, (_, index) => tick(at + index * 5 * minute)),
    ]);
    const { exitCode, stdout, stderr } = await runScript(argvOf('analyze_replan_patterns.ts'), outputs);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toMatch(
      /^patterns: waiting was held back at 30 ticks from .* and still is; likely cause: check failed 1 time: probe\.ts, exit code 1 – HTTP 503\n$/,
    );
    const report = JSON.parse(readFileSync(join(outputs, 'replan_patterns.json'), 'utf8'));
    expect(report.patterns).toMatchObject([{ group: 'waiting', kind: 'held-back', times: 30 }]);
    expect(report.findings).toHaveLength(1);
  });
});
