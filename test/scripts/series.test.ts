import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendRecord, readNewest } from '../../scripts/lib/series.ts';
import { iso, temporaryFolder } from './workspace.ts';

const day = 86_400_000;
const now = Date.parse('2026-11-22T16:00:00Z');

async function numbersOf(file: string): Promise<unknown[]> {
  return (await readNewest(file, Number.POSITIVE_INFINITY)).map(({ n }) => n);
}

describe('a series of records', () => {
  it('is empty without a file', async () => {
    expect(await readNewest(join(temporaryFolder(), 'none.jsonl'), 5)).toEqual([]);
  });

  it('adds a timestamp to each record', async () => {
    const file = join(temporaryFolder(), 's.jsonl');
    await appendRecord(file, now, { n: 1 });
    expect(readFileSync(file, 'utf8')).toBe('{"at":"2026-11-22T16:00:00.000Z","n":1}\n');
    expect(await readNewest(file, 5)).toEqual([{ at: now, n: 1 }]);
  });

  it('skips torn and foreign lines', async () => {
    const file = join(temporaryFolder(), 's.jsonl');
    await appendRecord(file, now, { n: 1 });
    appendFileSync(file, 'null\n5\n[]\n{"at":5}\n{"at":"soon"}\n\n{"at":"2026-11-22T16:0');
    await appendRecord(file, now + 1, { n: 2 });
    expect(await numbersOf(file)).toEqual([1, 2]);
  });

  it('does not split a record at a Unicode line separator', async () => {
    const file = join(temporaryFolder(), 's.jsonl');
    await appendRecord(file, now, { n: 'a\u2028b\u2029c\rd\ne' });
    expect(await numbersOf(file)).toEqual(['a\u2028b\u2029c\rd\ne']);
  });

  it('returns the newest records in chronological order', async () => {
    const file = join(temporaryFolder(), 's.jsonl');
    for (let n = 0; n < 5; n += 1) await appendRecord(file, now + n, { n });
    expect((await readNewest(file, 2)).map(({ n }) => n)).toEqual([3, 4]);
  });

  it('prunes records older than 30 days, once a day', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 's.jsonl');
    const line = (n: number, age: number) => `${JSON.stringify({ at: iso(now - age), n })}\n`;
    writeFileSync(file, line(1, 30.5 * day) + line(2, 29 * day));
    await appendRecord(file, now, { n: 3 });
    expect(await numbersOf(file)).toEqual([1, 2, 3]);
    await appendRecord(file, now + day, { n: 4 });
    expect(await numbersOf(file)).toEqual([2, 3, 4]);
    expect(readdirSync(folder)).toEqual(['s.jsonl']);
  });

  it.each([
    ['a stamp from a wrong clock', `${JSON.stringify({ at: '2099-01-01T00:00:00Z', n: 1 })}\n`],
    ['an unreadable record', 'rubbish\n'],
  ])('is pruned despite %s in its first line', async (_, head) => {
    const file = join(temporaryFolder(), 's.jsonl');
    writeFileSync(file, `${head}${JSON.stringify({ at: iso(now - 40 * day), n: 2 })}\n`);
    await appendRecord(file, now, { n: 3 });
    expect(await numbersOf(file)).toEqual([3]);
  });

  it('never holds more than 31 days or loses any of the last 30', async () => {
    const folder = temporaryFolder();
    let trial = 0;
    const steps = fc.array(fc.integer({ min: 1, max: 12 * day }), { minLength: 1, maxLength: 15 });
    await fc.assert(
      fc.asyncProperty(steps, async (gaps) => {
        trial += 1;
        const file = join(folder, `${trial}.jsonl`);
        const written: number[] = [];
        let at = now;
        for (const gap of gaps) {
          at += gap;
          written.push(at);
          await appendRecord(file, at, {});
          const held = (await readNewest(file, Number.POSITIVE_INFINITY)).map((record) => record.at);
          expect(held).toEqual(expect.arrayContaining(written.filter((one) => one >= at - 30 * day)));
          expect(held.filter((one) => one < at - 31 * day)).toEqual([]);
        }
      }),
      { numRuns: 25 },
    );
  });
});
