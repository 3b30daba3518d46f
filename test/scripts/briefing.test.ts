import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  argvOf,
  iso,
  runEnd,
  runScript,
  scriptEnd,
  temporaryFolder,
  writeHistory,
  writeJsonLines,
} from './workspace.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const gigabyte = 1024 ** 3;

async function brief(lines: readonly object[], outputs = temporaryFolder()) {
  writeHistory(outputs, lines);
  const ended = await runScript(argvOf('generate_daily_briefing.ts'), outputs);
  expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
  const markdown = readFileSync(join(outputs, 'daily_briefing.md'), 'utf8');
  expect(markdown.split('\n').length, 'under a screen long').toBeLessThanOrEqual(50);
  const sections = new Map(
    markdown.split('\n## ').map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end).trim().split('\n')];
    }),
  );
  const numbers = new Map(
    (sections.get('Numbers') ?? []).slice(2).map((row) => {
      const [label = '', ...cells] = row
        .split('|')
        .map((cell) => cell.trim())
        .slice(1, -1);
      return [label, cells];
    }),
  );
  return { stdout: ended.stdout, markdown, sections, numbers, important: sections.get('Look at this') };
}

/** Ticks every five minutes up to now, for so many days, so that the trigger shows no gap. */
function ticks(now: number, days = 1): object[] {
  return Array.from({ length: 12 * 24 * days }, (_, index) => ({
    at: iso(now - (288 * days - index) * 5 * minute + minute),
    type: 'tick',
    outcome: 'done',
  }));
}

describe.concurrent('generate_daily_briefing.ts', () => {
  it('reports an empty history without findings', async () => {
    const { stdout, markdown, important, sections } = await brief([]);
    expect(stdout).toMatch(/^briefing: all is well; nothing ran; see .*daily_briefing\.md\n$/);
    expect(markdown).toMatch(/^# Daily briefing, \d{4}-\d\d-\d\d\n\n\*\*All is well\.\*\* /);
    expect([important, sections.get('Groups'), sections.get('Took longer')]).toEqual(
      Array.from({ length: 3 }, () => ['Nothing.']),
    );
  });

  it('reports a quiet day as quiet', async () => {
    const now = Date.now();
    const { stdout, important, sections, numbers } = await brief([
      ...ticks(now),
      runEnd('health_check', now - 2 * hour),
      runEnd('health_check', now - hour),
      { at: iso(now - hour), type: 'run-start', group: 'daily_routine', run: 'self', beat: iso(now) },
    ]);
    expect(stdout).toMatch(/^briefing: all is well; 2 runs \(2 succeeded\), 288 ticks; see /);
    expect(important).toEqual(['Nothing.']);
    expect(sections.get('Groups')?.slice(2)).toEqual(['| health_check | 2 | 100 % | 1 s | – |']);
    expect(numbers.get('runs')).toEqual(['2', '–']);
  });

  it('compares with the same day of the week before', async () => {
    const now = Date.now();
    const outputs = temporaryFolder();
    const metrics = (at: number, cpuUse: number) => {
      const room = { free: gigabyte, total: 4 * gigabyte };
      return { at: iso(at), cpuUse, cores: 2, memory: room, disk: null, load: [1, 1, 1] };
    };
    writeJsonLines(join(outputs, 'system_metrics.jsonl'), [
      ...Array.from({ length: 20 }, (_, index) => metrics(now - 6 * day + index * hour, 0.1)),
      metrics(now - hour, 0.4),
    ]);
    writeJsonLines(join(outputs, 'performance_benchmarks.jsonl'), [{ at: iso(now - hour), hashMs: 9.5 }]);
    const runs = Array.from({ length: 48 }, (_, index) =>
      runEnd('sync', now - 5 * day + index * 2 * hour, index % 4 === 0 ? { outcome: 'failed' } : {}),
    );
    const { numbers } = await brief([...ticks(now, 5), ...runs, runEnd('sync', now - hour)], outputs);
    expect(Object.fromEntries(numbers)).toEqual({
      runs: ['1', '12'],
      '… not succeeded': ['0', '3'],
      'beats missed or expired': ['0', '0'],
      ticks: ['288', '288'],
      'held back, all groups': ['0', '0'],
      'CPU busy': ['40 %', '10 %'],
      'memory in use': ['75 %', '75 %'],
      hashing: ['9.5 ms', '–'],
    });
  });

  it('reports failures by group with the last output of their scripts, and none of the day before', async () => {
    const now = Date.now();
    const outputs = join(temporaryFolder(), 'outputs');
    mkdirSync(join(outputs, 'runs'), { recursive: true });
    writeFileSync(join(outputs, 'runs', '1.log'), 'starting\n\u001b[31mno `route` to host\u001b[0m\r\n\n');
    writeFileSync(join(outputs, '..', 'secret.txt'), 'do not quote me');
    const failed = (name: string, outputFile: string, more: object = {}) => ({
      outcome: 'failed',
      scripts: [scriptEnd('fine.ts'), scriptEnd(name, { outcome: 'failed', exitCode: 3, outputFile, ...more })],
    });
    const look = scriptEnd('cleanup_processes.ts', { outcome: 'failed', exitCode: 1, outputFile: 'runs/1.log' });
    const { stdout, important } = await brief(
      [
        runEnd('upload', now - 30 * hour, { outcome: 'failed', scripts: [scriptEnd('old.ts', { outcome: 'failed' })] }),
        ...ticks(now),
        runEnd('upload', now - 3 * hour, failed('send.ts', 'runs/pruned.log')),
        runEnd('upload', now - 2 * hour, failed('send.ts', 'runs/1.log', { attempts: 2 })),
        runEnd('fetch', now - 2 * hour, failed('gone.ts', '../secret.txt', { message: 'gone.ts does not exist' })),
        runEnd('tidy', now - hour, { scripts: [look] }),
      ],
      outputs,
    );
    expect(stdout).toMatch(/^briefing: 3 things to look at; 4 runs \(1 succeeded, 3 failed\), 288 ticks; /);
    expect(important).toEqual([
      expect.stringMatching(
        /^- \*\*upload\*\* failed 2 times, last at .* UTC \(beat .* UTC\): `send\.ts` exit code 3, 2 attempts; its last line: `no 'route' to host`$/,
      ),
      expect.stringMatching(/^- \*\*fetch\*\* failed at .* UTC \(beat .* UTC\): `gone\.ts` gone\.ts does not exist$/),
      "- **tidy/cleanup_processes.ts** asks for a look, 1 time: `no 'route' to host`",
    ]);
  });

  it('counts an interrupted and resumed run once, with its final outcome', async () => {
    const now = Date.now();
    const { sections, important } = await brief([
      ...ticks(now),
      runEnd('upload', now - 2 * hour, { id: 'same', outcome: 'interrupted' }),
      runEnd('upload', now - hour, { id: 'same' }),
      runEnd('other', now - hour, { outcome: 'interrupted' }),
    ]);
    expect(sections.get('Groups')?.slice(2)).toEqual([
      '| other | 1 | 0 % | – | – |',
      '| upload | 1 | 100 % | 1 s | – |',
    ]);
    expect(important).toEqual([expect.stringMatching(/^- \*\*other\*\* interrupted at [^\n]*$/)]);
  });

  it('reports a silent trigger, the late groups, the expired beats and the group that stopped running', async () => {
    const now = Date.now();
    const start = now - hour;
    const { important, sections, numbers } = await brief([
      runEnd('asleep', now - 50 * hour),
      ...ticks(now).filter((_, index) => index < 100 || index >= 124),
      runEnd('sync', start, { missedBeats: 11 }),
      runEnd('mend', start, { startedAt: iso(start - 1000), beat: iso(start - 35 * minute) }),
      { at: iso(now - hour), type: 'expire', group: 'mail', beat: iso(now - 3 * hour), missedBeats: 2 },
    ]);
    expect(important).toEqual([
      expect.stringMatching(/^- No tick for 2 h 5 min: from .* UTC to .* UTC$/),
      expect.stringMatching(/^- \*\*mail\*\* let 3 beats expire at .* UTC, too late to run$/),
      expect.stringMatching(/^- \*\*sync\*\* .*passed over 11 beats, at .* UTC$/),
      expect.stringMatching(/^- \*\*mend\*\* started up to (34 min 59 s|35 min) late, at .* UTC$/),
    ]);
    expect(sections.get('Groups')?.[2]).toBe('| asleep | 0 | – | – | 1 s |');
    expect(numbers.get('beats missed or expired')?.[0]).toBe('14');
  });

  it('reports many groups that are late for one cause in one line', async () => {
    const now = Date.now();
    const late = ['a', 'b', 'c'].map((group) => runEnd(group, now - hour, { missedBeats: 3 }));
    const { important } = await brief([...ticks(now), ...late]);
    expect(important).toEqual([
      expect.stringMatching(/^- 3 groups were late: \*\*a\*\* .*; \*\*b\*\* .*; \*\*c\*\* .*$/),
    ]);
  });

  it('reports the groups that are held back, and how long others were', async () => {
    const now = Date.now();
    const held = (group: string, at: number, reason: string, blockedBy: string[]) => ({
      at: iso(at),
      type: 'held',
      group,
      reason,
      blockedBy,
    });
    const { important, numbers } = await brief([
      held('ended_before', now - 30 * hour, 'dependency-failed', ['a']),
      { at: iso(now - 29 * hour), type: 'released', group: 'ended_before' },
      held('still', now - 26 * hour, 'dependency-stale', ['metrics']),
      ...ticks(now),
      held('changed', now - 5 * hour, 'dependency-failed', ['a', 'b']),
      held('changed', now - 4 * hour, 'dependency-running', ['b']),
      { at: iso(now - 3.5 * hour), type: 'released', group: 'changed' },
    ]);
    expect(important).toEqual([
      expect.stringMatching(/^- \*\*still\*\* is held back since .* UTC, for 1 d 2 h \(dependency-stale: metrics\)$/),
    ]);
    expect(numbers.get('held back, all groups')?.[0]).toBe('1 d 2 h');
  });

  it('reports the findings of the analyses of the day, and unhealthy endpoints', async () => {
    const now = Date.now();
    const outputs = temporaryFolder();
    const report = (...findings: [number, string][]) =>
      JSON.stringify({ at: iso(now), findings: findings.map(([age, text]) => ({ at: iso(now - age), text })) });
    writeFileSync(join(outputs, 'performance_trends.json'), report([hour, 'hashing gets slower']));
    writeFileSync(join(outputs, 'latency_spikes.json'), report([2 * hour, 'a took long'], [25 * hour, 'b took long']));
    writeFileSync(join(outputs, 'replan_patterns.json'), '{');
    const breakers = { node: { state: 'open', since: iso(now - minute), openings: 1, reason: 'exit code 9' } };
    writeFileSync(join(outputs, 'circuit_breakers.json'), JSON.stringify({ at: iso(now), breakers }));
    const { important } = await brief(ticks(now), outputs);
    expect(important).toEqual([
      expect.stringMatching(/^- node is open since .* \(exit code 9\), next try .*$/),
      '- hashing gets slower',
      '- a took long',
    ]);
  });

  it('compares long runs with the usual duration', async () => {
    const now = Date.now();
    const weeks = (group: string, durationMs: number) =>
      Array.from({ length: 6 }, (_, index) => runEnd(group, now - (8 - index) * day + 2 * hour, { durationMs }));
    const { sections } = await brief([
      ...weeks('backup', 60_000),
      ...weeks('calm', 60_000),
      ...weeks('quick', 500),
      ...ticks(now),
      runEnd('backup', now - hour, { durationMs: 10 * minute }),
      runEnd('backup', now - 2 * hour, { durationMs: 5 * minute }),
      runEnd('calm', now - hour, { durationMs: 80_000 }),
      runEnd('quick', now - hour, { durationMs: 2000 }),
      runEnd('young', now - hour, { durationMs: 5 * minute }),
    ]);
    expect(sections.get('Took longer')).toEqual([
      expect.stringMatching(/^- \*\*backup\*\* took 10 min \(usually 1 min\), ended .* UTC$/),
    ]);
  });

  it('stays shorter than a screen, however much happened', async () => {
    const now = Date.now();
    const runs = Array.from({ length: 40 }, (_, index) => runEnd(`g${index}`, now - hour, { outcome: 'failed' }));
    const { important, sections } = await brief([...ticks(now), ...runs]);
    expect(important).toHaveLength(10);
    expect(important?.at(-1)).toBe('- … and 31 more');
    expect(sections.get('Groups')?.at(-1)).toBe('and 34 more.');
  });

  it('saves a dated copy, and deletes copies after 90 days', async () => {
    const outputs = temporaryFolder();
    const now = Date.now();
    const folder = join(outputs, 'briefings');
    const dated = (age: number) => `${iso(now - age).slice(0, 10)}.md`;
    mkdirSync(folder);
    for (const name of [dated(91 * day), dated(89 * day), 'notes.md']) writeFileSync(join(folder, name), 'kept');
    const { markdown } = await brief([], outputs);
    const today = readdirSync(folder).find((name) => name === dated(0) || name === dated(-minute)) ?? '';
    expect(readdirSync(folder).sort()).toEqual([dated(89 * day), today, 'notes.md'].sort());
    expect(readFileSync(join(folder, today), 'utf8')).toBe(markdown);
  });
});
