import { describe, expect, it } from 'vitest';
import { entryAfterEnd, entryAfterExpiry, entryAfterStart, judgeRun } from '../../src/state/run-outcome.ts';
import type { GroupState, Outcome } from '../../src/state/state-schema.ts';
import { at, hour, iso, makeGroup, makeScript, minute, ran } from '../builders.ts';

const group = makeGroup('g', { retryAfter: [5 * minute, 15 * minute] });

function end(entry: GroupState, outcome: Outcome, finishedAt = at): GroupState {
  return entryAfterEnd(entry, { id: 'r', beat: iso(at), finishedAt: iso(finishedAt), outcome }, group);
}

describe('a run', () => {
  it('consumes its beat when it starts, and ends an earlier retry', () => {
    const before = ran(at - hour, { retry: { at: iso(at), attempt: 2 }, interruptions: 2 });
    expect(entryAfterStart(before, at, false)).toMatchObject({ lastBeat: iso(at), retry: null, interruptions: 0 });
  });

  it('that is retried or resumed preserves the count of earlier tries', () => {
    const before = ran(at, { retry: { at: iso(at), attempt: 2 }, interruptions: 2 });
    expect(entryAfterStart(before, at, true)).toEqual(before);
  });

  it('by hand consumes nothing if nothing is due', () => {
    expect(entryAfterStart(ran(at), null, false)).toEqual(ran(at));
  });

  it('that succeeds resets the count of failures', () => {
    const entry = end({ consecutiveFailures: 3, retry: { at: iso(at), attempt: 1 }, interruptions: 1 }, 'succeeded');
    expect(entry).toMatchObject({ lastSuccessAt: iso(at), consecutiveFailures: 0, retry: null, interruptions: 0 });
    expect(entry.lastRun?.outcome).toBe('succeeded');
  });

  it('that fails is retried after each of the listed delays, then no more', () => {
    const first = end({}, 'failed');
    expect(first).toMatchObject({ consecutiveFailures: 1, retry: { at: iso(at + 5 * minute), attempt: 1 } });
    const second = end(first, 'timed-out', at + hour);
    expect(second).toMatchObject({ consecutiveFailures: 2, retry: { at: iso(at + hour + 15 * minute), attempt: 2 } });
    expect(end(second, 'failed')).toMatchObject({ consecutiveFailures: 3, retry: null });
  });

  it('that is interrupted for the third time counts as failed', () => {
    const first = end(entryAfterStart({}, at, false), 'interrupted');
    expect(first).toMatchObject({ interruptions: 1, lastRun: { outcome: 'interrupted' } });
    expect(first.consecutiveFailures ?? 0).toBe(0);
    const second = end(first, 'interrupted');
    expect(second).toMatchObject({ interruptions: 2, lastRun: { outcome: 'interrupted' } });
    const third = end(second, 'interrupted');
    expect(third).toMatchObject({ interruptions: 3, lastRun: { outcome: 'failed' }, consecutiveFailures: 1 });
    expect(third.retry).toEqual({ at: iso(at + 5 * minute), attempt: 1 });
  });

  it('by hand is neither retried nor counted as an interruption', () => {
    const run = { id: 'r', beat: null, finishedAt: iso(at) };
    expect(entryAfterEnd({}, { ...run, outcome: 'failed' }, group).retry).toBeNull();
    expect(entryAfterEnd({}, { ...run, outcome: 'interrupted' }, group).interruptions).toBe(0);
  });

  it('whose beat expires consumes it and ends retries', () => {
    expect(entryAfterExpiry(ran(at - hour, { retry: { at: iso(at), attempt: 1 } }), at)).toMatchObject({
      lastBeat: iso(at),
      retry: null,
    });
  });
});

describe('the outcome of a run', () => {
  const scripts = [makeScript('a'), makeScript('b'), makeScript('c', { optional: true })];
  it.each<[Outcome, Outcome[]]>([
    ['succeeded', []],
    ['succeeded', ['succeeded', 'succeeded', 'succeeded']],
    ['succeeded', ['succeeded', 'succeeded', 'failed']],
    ['succeeded', ['succeeded', 'succeeded', 'timed-out']],
    ['failed', ['failed', 'succeeded', 'succeeded']],
    ['failed', ['failed', 'timed-out', 'succeeded']],
    ['timed-out', ['timed-out', 'succeeded', 'failed']],
    ['timed-out', ['timed-out', 'timed-out']],
    ['interrupted', ['failed', 'interrupted']],
  ])('is %s for %j', (expected, ended) => {
    const records = ended.map((outcome, index) => ({ name: 'abc'[index] as string, outcome }));
    expect(judgeRun(records, { scripts })).toBe(expected);
  });
});
