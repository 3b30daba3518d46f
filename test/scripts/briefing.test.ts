import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { argvOf, iso, runEnd, runScript, scriptEnd, temporaryFolder, writeHistory } from './workspace.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

async function brief(lines: readonly object[], outputs = temporaryFolder()) {
  writeHistory(outputs, lines);
  const ended = await runScript(argvOf('generate_daily_briefing.ts'), outputs);
  expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
  const markdown = readFileSync(join(outputs, 'daily_briefing.md'), 'utf8');
  const sections = new Map(
    markdown.split('\n## ').map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n')).trim()]),
  );
  return { stdout: ended.stdout, markdown, sections };
}

/** Ticks every five minutes up to now, so that the trigger shows no gap. */
function ticks(now: number): object[] {
  return Array.from({ length: 12 * 24 }, (_, index) => ({
    at: iso(now - (288 - index) * 5 * minute + minute),
    type: 'tick',
    outcome: 'done',
  }));
}

describe.concurrent('generate_daily_briefing.ts', () => {
  it('is sensible on an empty history', async () => {
    const { stdout, markdown, sections } = await brief([]);
    expect(stdout).toMatch(/^briefing: nothing ran; see .*daily_briefing\.md\n$/);
    expect(markdown).toMatch(/^# Daily briefing, \d{4}-\d\d-\d\d\n/);
    for (const title of ['Runs', 'Failures', 'Missed beats', 'Held back', 'Longest runs', 'Machine']) {
      expect(sections.get(title)).toBe('None.');
    }
  });

  it('reports a quiet day as quiet', async () => {
    const now = Date.now();
    const { stdout, sections } = await brief([
      ...ticks(now),
      runEnd('health_check', now - 2 * hour),
      runEnd('health_check', now - hour),
      { at: iso(now - hour), type: 'run-start', group: 'daily_routine', run: 'self', beat: iso(now) },
    ]);
    expect(stdout).toMatch(/^briefing: 2 runs \(2 succeeded\), 288 ticks; /);
    expect(sections.get('Runs')?.split('\n').slice(2)).toEqual(['| health_check | 2 | 2 | 0 | 0 | 0 | 0 | 0 |']);
    for (const title of ['Failures', 'Missed beats', 'Held back']) expect(sections.get(title)).toBe('None.');
  });

  it('reports failures with their scripts and what these said last, and none of the day before', async () => {
    const now = Date.now();
    const outputs = join(temporaryFolder(), 'outputs');
    mkdirSync(join(outputs, 'runs'), { recursive: true });
    writeFileSync(join(outputs, 'runs', '1.log'), 'starting\n\u001b[31mno `route` to host\u001b[0m\r\n\n');
    writeFileSync(join(outputs, '..', 'secret.txt'), 'do not quote me');
    const scripts = [
      scriptEnd('fetch.ts'),
      scriptEnd('send.ts', { outcome: 'failed', exitCode: 3, attempts: 2, outputFile: 'runs/1.log' }),
      scriptEnd('gone.ts', {
        outcome: 'failed',
        exitCode: 127,
        message: 'scripts/gone.ts does not exist',
        outputFile: '../secret.txt',
      }),
      scriptEnd('slow.ts', { outcome: 'timed-out', exitCode: null, signal: 'SIGTERM', outputFile: 'runs/pruned.log' }),
    ];
    const { stdout, sections } = await brief(
      [
        runEnd('upload', now - 30 * hour, { outcome: 'failed', scripts: [scriptEnd('old.ts', { outcome: 'failed' })] }),
        ...ticks(now),
        runEnd('upload', now - 3 * hour, { id: 'bad', outcome: 'failed', scripts }),
        runEnd('upload', now - 2 * hour),
      ],
      outputs,
    );
    expect(stdout).toMatch(/^briefing: 2 runs \(1 succeeded, 1 failed\), 288 ticks; /);
    const [first, ...rest] = sections.get('Failures')?.split('\n') ?? [];
    expect(first).toMatch(/^- \*\*upload\*\* failed at .* UTC \(beat .* UTC, run bad\)$/);
    expect(rest).toEqual([
      "  - `send.ts` failed; exit code 3; 2 attempts; its last line: `no 'route' to host`",
      '  - `gone.ts` failed; scripts/gone.ts does not exist',
      '  - `slow.ts` timed-out; signal SIGTERM',
    ]);
  });

  it('counts a run that was interrupted and resumed once, as it ended', async () => {
    const now = Date.now();
    const { sections } = await brief([
      ...ticks(now),
      runEnd('upload', now - 2 * hour, { id: 'same', outcome: 'interrupted' }),
      runEnd('upload', now - hour, { id: 'same' }),
      runEnd('other', now - hour, { outcome: 'interrupted' }),
    ]);
    expect(sections.get('Runs')?.split('\n').slice(2)).toEqual([
      '| other | 1 | 0 | 0 | 0 | 1 | 0 | 0 |',
      '| upload | 1 | 1 | 0 | 0 | 0 | 0 | 0 |',
    ]);
    expect(sections.get('Failures')).toMatch(/^- \*\*other\*\* interrupted at [^\n]*$/);
  });

  it('reports missed and expired beats, and silence of the trigger and of a group', async () => {
    const now = Date.now();
    const silence = ticks(now).filter((_, index) => index < 100 || index >= 124);
    const { sections } = await brief([
      runEnd('asleep', now - 50 * hour),
      ...silence,
      runEnd('sync', now - hour, { missedBeats: 11 }),
      { at: iso(now - hour), type: 'expire', group: 'mail', beat: iso(now - 3 * hour), missedBeats: 2 },
    ]);
    expect(sections.get('Runs')?.split('\n').slice(2)).toEqual([
      '| asleep | 0 | 0 | 0 | 0 | 0 | 0 | 0 |',
      '| mail | 0 | 0 | 0 | 0 | 0 | 0 | 3 |',
      '| sync | 1 | 1 | 0 | 0 | 0 | 11 | 0 |',
    ]);
    expect(sections.get('Missed beats')?.split('\n')).toEqual([
      expect.stringMatching(/^- No tick for 2 h 5 min: from .* UTC to .* UTC$/),
      expect.stringMatching(/^- \*\*sync\*\* passed over 11 beats, run at .* UTC$/),
      expect.stringMatching(/^- \*\*mail\*\* let 3 beats expire at .* UTC, too late to run$/),
    ]);
  });

  it('reports what was held back, why and how long', async () => {
    const now = Date.now();
    const held = (group: string, at: number, reason: string, blockedBy: string[]) => ({
      at: iso(at),
      type: 'held',
      group,
      reason,
      blockedBy,
    });
    const { stdout, sections } = await brief([
      held('ended_before', now - 30 * hour, 'dependency-failed', ['a']),
      { at: iso(now - 29 * hour), type: 'released', group: 'ended_before' },
      held('still', now - 26 * hour, 'dependency-stale', ['metrics']),
      ...ticks(now),
      held('changed', now - 5 * hour, 'dependency-failed', ['a', 'b']),
      held('changed', now - 4 * hour, 'dependency-running', ['b']),
      { at: iso(now - 3.5 * hour), type: 'released', group: 'changed' },
      held('ran', now - 2 * hour, 'lane-held', []),
      runEnd('ran', now - hour),
    ]);
    expect(stdout).toMatch(/3 groups held back/);
    expect(sections.get('Held back')?.split('\n')).toEqual([
      expect.stringMatching(/^- \*\*changed\*\* from .* UTC, for 1 h \(dependency-failed: a, b\)$/),
      expect.stringMatching(/^- \*\*changed\*\* from .* UTC, for 30 min \(dependency-running: b\)$/),
      expect.stringMatching(/^- \*\*ran\*\* from .* UTC, for 1 h \(lane-held\)$/),
      expect.stringMatching(/^- \*\*still\*\* from .* UTC, still, for 1 d 2 h \(dependency-stale: metrics\)$/),
    ]);
  });

  it('sets the longest runs against what is usual, and the machine in a line', async () => {
    const now = Date.now();
    const outputs = temporaryFolder();
    const room = { free: 1, total: 4 };
    const metrics = { at: iso(now), cpuUse: 0.07, memory: room, disk: null };
    writeFileSync(join(outputs, 'system_metrics.jsonl'), `${JSON.stringify(metrics)}\n`);
    writeFileSync(join(outputs, 'performance_benchmarks.jsonl'), `${JSON.stringify({ at: iso(now), hashMs: 9.5 })}\n`);
    const { sections } = await brief(
      [
        ...Array.from({ length: 6 }, (_, index) =>
          runEnd('backup', now - (8 - index) * day + 2 * hour, { durationMs: 60_000 }),
        ),
        ...ticks(now),
        runEnd('backup', now - hour, { durationMs: 10 * minute }),
        runEnd('young', now - hour, { durationMs: 5 * minute }),
      ],
      outputs,
    );
    expect(sections.get('Longest runs')?.split('\n')).toEqual([
      expect.stringMatching(/^- \*\*backup\*\* 10 min \(usually 1 min\), ended .* UTC$/),
      expect.stringMatching(/^- \*\*young\*\* 5 min \(no usual length known yet\), ended .* UTC$/),
    ]);
    expect(sections.get('Machine')).toBe('CPU busy 7 %, memory available 25 %, hashing 9.5 ms.');
  });

  it('keeps a dated copy, and old ones for 90 days', async () => {
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
