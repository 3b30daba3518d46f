import { readdirSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import {
  appendHistory,
  type HistoryLine,
  historyPath,
  pruneHistory,
  readHistory,
  readNewest,
} from '../../src/state/history.ts';
import { textOf } from '../../src/state/history-line.ts';
import { bringForward } from '../../src/state/recover.ts';
import { emptyState } from '../../src/state/state-schema.ts';
import { disk, everything, folder, isLinuxRoot, start } from './rig.ts';
import { story, lines as storyLines, withoutProgress } from './story.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 22, 16);
const iso = (instant: number): string => new Date(instant).toISOString();

function tick(instant: number, more: object = {}): HistoryLine {
  const counts = { ran: 0, failed: 0, skipped: 0 };
  return { at: iso(instant), type: 'tick', tick: iso(instant), outcome: 'idle', durationMs: 3, ...counts, ...more };
}

function seen(instant: number, group: string): HistoryLine {
  return { at: iso(instant), type: 'seen', group, entry: { firstSeenAt: iso(instant) } };
}

describe('the history', () => {
  it('reads at most maxBytes of its end, and leaves out a line that begins before them', () => {
    const outputs = folder();
    const all = [seen(now, 'a'), tick(now + 1), seen(now + 2, 'b')];
    appendHistory(outputs, all);
    const newest = textOf(all[2] as HistoryLine).length;
    const read = (maxBytes: number) => [...readNewest(outputs, { maxBytes })];
    expect(read(0)).toEqual([]);
    expect(read(newest)).toEqual([]);
    expect(read(newest + 1)).toEqual([all[2]]);
    expect(read(1 << 20)).toEqual(all.toReversed());
    expect([...readNewest(outputs, { maxBytes: newest + 1, group: 'a' })]).toEqual([]);
    expect([...readNewest(outputs, { maxBytes: 1 << 20, group: 'a' })]).toEqual([all[0]]);
  });

  it('asks isWanted about a line only after the newer lines have been consumed', () => {
    const outputs = folder();
    const all = [seen(now, 'a'), tick(now + 1), seen(now + 2, 'b'), tick(now + 3)];
    appendHistory(outputs, all);
    let ticks = 0;
    const isWanted = (json: string) => !json.includes('"type":"tick"') || ticks === 0;
    const read: HistoryLine[] = [];
    for (const line of readNewest(outputs, { isWanted })) {
      read.push(line);
      if (line.type === 'tick') ticks++;
    }
    expect(read).toEqual([all[3], all[2], all[0]]);
  });

  it('returns what was written in both directions, except the last run of an entry', () => {
    const outputs = folder();
    expect([...readHistory(outputs)]).toEqual([]);
    expect([...readNewest(outputs)]).toEqual([]);
    const entry = { lastBeat: iso(now), odd: 'ä\n\u2028' };
    appendHistory(outputs, []);
    expect(readdirSync(outputs)).toEqual([]);
    const line = { type: 'expire', group: 'constructor', beat: iso(now), missedBeats: 2 } as const;
    appendHistory(outputs, [tick(now), { at: iso(now), ...line, entry: { ...entry, lastRun: { id: 'r' } } }]);
    appendHistory(outputs, [tick(now + 1)], { durable: false });
    const expected = [tick(now), { at: iso(now), ...line, entry }, tick(now + 1)];
    expect([...readHistory(outputs)]).toEqual(expected);
    expect([...readNewest(outputs)]).toEqual(expected.toReversed());
    const text = readFileSync(historyPath(outputs), 'utf8').split('\n');
    expect(text).toHaveLength(4);
    expect(text[0]).toMatch(/^\{"at":"2026-11-22T16:00:00\.000Z","type":"tick","tick":/);
    if (process.platform !== 'win32') expect(statSync(historyPath(outputs)).mode & 0o027).toBe(0);
  });

  it('skips torn and foreign lines, and returns unknown types and fields', () => {
    const outputs = folder();
    const known = { at: iso(now), type: 'tick', tick: 't' };
    const foreign = [
      '{"at":"2026-11-22T16:0',
      'x',
      '5',
      'null',
      '[]',
      '{}',
      `{"at":"soon","type":"tick","tick":"t"}`,
      JSON.stringify({ at: iso(now) }),
      JSON.stringify({ ...known, tick: 5 }),
      JSON.stringify({ at: iso(now), type: 'run-end', group: 'a', lane: 'main', run: 'r' }),
      JSON.stringify({ at: iso(now), type: 'run-start', group: 'a', lane: 'main', run: 'r' }),
      JSON.stringify({ at: iso(now), type: 'held', group: 'a' }),
      JSON.stringify({ at: iso(now), type: 'seen', entry: {} }),
      JSON.stringify({ at: iso(now), type: 'seen', group: 'a', entry: [] }),
      '\0'.repeat(100_000),
    ];
    const passed = [known, { at: iso(now), type: 'news', more: [1] }, { type: 'seen', group: 'b', x: 1, at: iso(now) }];
    const texts = foreign.flatMap((text, index) => [text, JSON.stringify(passed[index % 3]), '']);
    writeFileSync(historyPath(outputs), texts.join('\n'));
    let skipped = 0;
    const read = [...readHistory(outputs, { onSkipped: () => skipped++ })];
    expect(read).toEqual(foreign.map((_, index) => passed[index % 3]));
    expect(skipped).toBe(foreign.length);
    expect([...readNewest(outputs)]).toEqual(read.toReversed());
  });

  it('starts a new line after one that a crash has torn', () => {
    const outputs = folder();
    appendHistory(outputs, [tick(now)]);
    writeFileSync(historyPath(outputs), '{"at":"2026', { flag: 'a' });
    appendHistory(outputs, [tick(now + 1)]);
    expect([...readHistory(outputs)]).toEqual([tick(now), tick(now + 1)]);
  });

  it('reads the same lines in both directions, wherever blocks end', () => {
    const outputs = folder();
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 8 }), fc.boolean(), (lengths, torn) => {
        const texts = lengths.map((length, index) =>
          JSON.stringify(tick(now + index, { filling: 'ü'.repeat(length) })),
        );
        writeFileSync(historyPath(outputs), texts.map((text) => `${text}\n`).join('') + (torn ? '{"at"' : ''));
        const forth = [...readHistory(outputs)].map((line) => JSON.stringify(line));
        expect(forth).toEqual(texts);
        expect([...readNewest(outputs)].map((line) => JSON.stringify(line))).toEqual(texts.toReversed());
      }),
      { numRuns: 25 },
    );
  });

  it('skips lines that are too long, in both directions, wherever blocks end', () => {
    const outputs = folder();
    const [first, last] = [tick(now), tick(now + 1)];
    for (const length of [16_777_217, 17_000_000, 33_600_000]) {
      const long = JSON.stringify(tick(now, { filling: 'x'.repeat(length) }));
      writeFileSync(historyPath(outputs), [JSON.stringify(first), long, JSON.stringify(last), ''].join('\n'));
      // Compared as text that was cut: a failure would print megabytes.
      const starts = (lines: Iterable<HistoryLine>): string[] =>
        [...lines].map((line) => JSON.stringify(line).slice(0, 200));
      const expected = [first, last].map((line) => JSON.stringify(line));
      expect(starts(readHistory(outputs))).toEqual(expected);
      expect(starts(readNewest(outputs))).toEqual(expected.toReversed());
    }
  });

  it('reads its newest lines without reading the whole file', () => {
    const outputs = folder();
    const filling = 'x'.repeat(300);
    const all = Array.from({ length: 20_000 }, (_, index) => tick(now - (20_000 - index) * 60_000, { filling }));
    appendHistory(outputs, all);
    const begun = performance.now();
    expect(readNewest(outputs).next().value).toEqual(all.at(-1));
    const newest = performance.now();
    expect([...readHistory(outputs)]).toHaveLength(all.length);
    expect(newest - begun).toBeLessThan((performance.now() - newest) / 3);
  });

  it('reports a file that can not be read or written as a StorageError', () => {
    const outputs = folder();
    writeFileSync(join(outputs, 'x'), '');
    const inFile = join(outputs, 'x');
    expect(() => [...readHistory(inFile)]).toThrow(StorageError);
    expect(() => appendHistory(inFile, [tick(now)])).toThrow(StorageError);
  });

  it('loses no line of several writers while it is pruned', { timeout: 60_000 }, async () => {
    const outputs = folder();
    appendHistory(outputs, [tick(now - 200 * day)]);
    const writers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => start(['append', outputs, name, '300'])));
    const ends = Promise.all(writers.map((writer) => writer.end()));
    let running = true;
    void ends.then(() => {
      running = false;
    });
    let pruned = 0;
    // An instant apart, so that each finds the mark of the one before overdue.
    for (let later = now; running; later += 100 * day) {
      if (pruneHistory(outputs, 90 * day, later)) pruned++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await ends).toEqual([0, 0, 0, 0]);
    expect(pruned).toBeGreaterThan(2);
    const got = [...readHistory(outputs)].filter((line) => line.type === 'tick');
    for (const name of ['a', 'b', 'c', 'd']) {
      const numbers = got.filter((line) => line.tick === name).map((line) => line.number);
      expect(numbers).toEqual(Array.from({ length: 300 }, (_, index) => index));
    }
  });

  it.skipIf(!isLinuxRoot)('stays as it was if the disk is full', () => {
    const outputs = disk('256k');
    const filler = join(outputs, 'filler');
    let failures = 0;
    for (let left = 0; left < 8; left++) {
      rmSync(filler, { force: true });
      appendHistory(outputs, [tick(now - 100 * day), tick(now)]);
      const before = readFileSync(historyPath(outputs), 'utf8');
      const { bavail, bsize } = statfsSync(outputs);
      writeFileSync(filler, Buffer.alloc(Math.max(bavail - left, 0) * bsize));
      let expected = before;
      const long = Array.from({ length: 80 }, (_, index) => tick(now + index));
      try {
        appendHistory(outputs, long);
        expected += long.map((line) => `${JSON.stringify(line)}\n`).join('');
      } catch (error) {
        expect((error as Error).message).toMatch(/history\.jsonl can't be written: the disk is full \(ENOSPC\)/);
        failures++;
      }
      expect(readFileSync(historyPath(outputs), 'utf8')).toBe(expected);
    }
    expect(failures).toBeGreaterThan(2);
    expect(failures).toBeLessThan(8);
  });
});

describe('pruning the history', () => {
  it('removes old and torn lines once enough have gathered', () => {
    const outputs = folder();
    expect(pruneHistory(outputs, 90 * day, now)).toBe(false);
    expect(readdirSync(outputs)).toEqual([]);
    appendHistory(outputs, [tick(now - 98 * day), tick(now - 91 * day), tick(now - 89 * day), tick(now)]);
    const before = everything(outputs);
    expect(pruneHistory(outputs, 90 * day, now)).toBe(false);
    expect(everything(outputs)).toEqual(before);
    writeFileSync(historyPath(outputs), 'torn', { flag: 'a' });
    expect(pruneHistory(outputs, 90 * day, now + 2 * day)).toBe(true);
    const mark = { at: iso(now + 2 * day), type: 'pruned', olderThan: iso(now - 88 * day) };
    expect(readFileSync(historyPath(outputs), 'utf8')).toBe(
      [mark, tick(now)].map((line) => `${JSON.stringify(line)}\n`).join(''),
    );
    expect(pruneHistory(outputs, 90 * day, now + 10 * day)).toBe(false);
    expect(pruneHistory(outputs, 90 * day, now + 12 * day)).toBe(true);
    expect([...readHistory(outputs)]).toHaveLength(2);
    // A mark that the clock left in the future does not put an end to pruning.
    expect(pruneHistory(outputs, 90 * day, now - 20 * day)).toBe(true);
  });

  it('preserves the newest entry of each group and whether it is held, however old', () => {
    const outputs = folder();
    const run = { id: 'r', outcome: 'failed' as const };
    const old = now - 400 * day;
    const needed: HistoryLine[] = [
      { at: iso(old), type: 'run-end', group: 'a', lane: 'main', run, entry: { lastBeat: iso(old) } },
      { at: iso(old), type: 'pause', group: 'a', entry: { lastBeat: iso(old), pausedAt: iso(old) } },
      { at: iso(old), type: 'held', group: 'b', beat: null, reason: 'dependency-failed', blockedBy: ['a'] },
      {
        at: iso(old),
        type: 'run-start',
        group: 'b',
        lane: 'x',
        run: 's',
        beat: null,
        missedBeats: 0,
        reason: 'manual',
        lease: { group: 'b', runId: 's' },
      },
      { at: iso(old), type: 'resume', group: 'gone', entry: null },
    ];
    appendHistory(outputs, [seen(old, 'a'), seen(old, 'gone'), tick(old), ...needed, tick(now)]);
    expect(pruneHistory(outputs, 90 * day, now)).toBe(true);
    expect([...readHistory(outputs)].slice(1)).toEqual([...needed, tick(now)]);
  });

  it('leaves a history from which the same state is rebuilt', () => {
    const outputs = folder();
    fc.assert(
      fc.property(story, fc.integer({ min: 0, max: 40 }), (told, cut) => {
        const steps = storyLines(told).steps;
        rmSync(historyPath(outputs), { force: true });
        appendHistory(outputs, [tick(0), ...steps.flatMap((step) => step.lines)]);
        const { groups, leases } = bringForward(emptyState(), readHistory(outputs));
        // The lines of a story lie an hour apart.
        expect(pruneHistory(outputs, 1000, cut * 3_600_000 + 10_000)).toBe(true);
        expect(bringForward(emptyState(), readHistory(outputs))).toMatchObject({ groups, leases });
        for (const { state } of steps.slice(-3)) {
          expect(bringForward(state, readHistory(outputs)).groups).toEqual(groups);
          const copy = { ...state, leases: withoutProgress(state.leases) };
          expect(bringForward(copy, readHistory(outputs)).leases).toEqual(leases);
        }
      }),
      { numRuns: 60 },
    );
  });
});
