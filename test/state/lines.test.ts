import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendHistory, type HistoryLine, readNewest, readOnward } from '../../src/state/history.ts';
import { backward, readBackward, readForward, seekLine } from '../../src/state/lines.ts';
import { folder } from './rig.ts';

const minute = 60_000;
const first = Date.UTC(2026, 10, 1);
const iso = (instant: number) => new Date(instant).toISOString();

function fileOf(text: string): string {
  const path = join(folder(), 'lines');
  writeFileSync(path, text);
  return path;
}

describe('lines of a file', () => {
  it('are found by a text that they contain, in both directions, wherever blocks end', () => {
    const piece = fc.oneof(
      fc.constantFrom('a', 'x"b"x', '"b"', '', 'ä"b"', '"b', 'b"'),
      fc.constantFrom('y'.repeat(262_143), 'y'.repeat(262_140), `${'y'.repeat(131_072)}"b"`),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, isTorn) => {
        const path = fileOf(pieces.join('\n') + (isTorn ? '' : '\n'));
        const expected = pieces.filter((line) => line.includes('"b"'));
        expect([...readForward(path, { containing: '"b"' })]).toEqual(expected);
        expect([...readBackward(path, { containing: '"b"' })]).toEqual(expected.toReversed());
      }),
      { numRuns: 60 },
    );
  });

  it('are whole, and start at the requested offset', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 8, unit: fc.constantFrom('a', 'b') })),
        fc.nat(60),
        (pieces, from) => {
          const text = pieces.map((line) => `${line}\n`).join('');
          const path = fileOf(text);
          const next = from === 0 ? 0 : text.indexOf('\n', from - 1) + 1;
          const after = next === 0 && from > 0 ? '' : text.slice(next);
          const before = from >= text.length ? text : text.slice(0, text.lastIndexOf('\n', from - 1) + 1);
          const lines = (part: string) => part.split('\n').filter((line) => line !== '');
          expect([...readForward(path, { from })]).toEqual(lines(after));
          expect([...readBackward(path, { from })]).toEqual(lines(from === 0 ? '' : before).reverse());
          const file = openSync(path, 'r');
          expect([...backward(path, file, { from, containing: 'a' })]).toEqual(
            lines(from === 0 ? '' : before)
              .filter((line) => line.includes('a'))
              .reverse(),
          );
          closeSync(file);
        },
      ),
    );
  });

  it('are empty for a missing file', () => {
    const path = join(folder(), 'none');
    expect([[...readForward(path)], [...readBackward(path)], seekLine(path, () => true)]).toEqual([
      [],
      [],
      { before: 0, after: 0 },
    ]);
  });
});

describe('a long history', () => {
  const line = (at: number): HistoryLine => {
    const group = at % (7 * minute) === 0 ? 'rare' : 'often';
    const pad = 'p'.repeat((at / minute) % 400);
    return { at: iso(at), type: 'seen', group, entry: { firstSeenAt: iso(at), pad } };
  };
  const all = Array.from({ length: 10_000 }, (_, index) => line(first + index * minute));

  it('gives the same lines from or up to an instant as if all of it were read', () => {
    const outputs = folder();
    appendHistory(outputs, all);
    for (const at of [-1, 0, 5_001, 9_999, 20_000].map((index) => first + index * minute)) {
      for (const group of [undefined, 'rare', 'none']) {
        const asked = all.filter((told) => group === undefined || told.group === group);
        const onward = asked.filter((told) => Date.parse(told.at) >= at);
        const upTo = asked.filter((told) => Date.parse(told.at) <= at).reverse();
        expect([...readOnward(outputs, at, { group })]).toEqual(onward);
        expect([...readNewest(outputs, { until: at, group })]).toEqual(upTo);
      }
    }
  });

  it('does not report a line as damaged because reading starts inside it', () => {
    const outputs = folder();
    appendHistory(outputs, all);
    let skipped = 0;
    const onSkipped = () => skipped++;
    for (const line of readNewest(outputs, { until: first + 5_000 * minute, onSkipped })) void line;
    for (const line of readOnward(outputs, first + 5_000 * minute, { onSkipped })) void line;
    expect(skipped).toBe(0);
  });
});
