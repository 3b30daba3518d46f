import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { HistoryLine } from '../../src/state/history.ts';
import { bringForward } from '../../src/state/recover.ts';
import { emptyState, type Lease, type State } from '../../src/state/state-schema.ts';
import { lines, type Step, story, withoutProgress } from './story.ts';

const at = (hour: number): string => new Date(Date.UTC(2026, 10, 22, hour)).toISOString();

it('the history alone yields the same state as the changes step by step', () => {
  fc.assert(
    fc.property(story, (events) => {
      const { steps } = lines(events);
      const { state } = steps.at(-1) as Step;
      const rebuilt = bringForward(
        emptyState(),
        steps.flatMap((step) => step.lines),
      );
      expect(rebuilt).toEqual({ ...state, leases: withoutProgress(state.leases) });
    }),
    { numRuns: 300 },
  );
});

it('any earlier copy and the history yield the present state', () => {
  fc.assert(
    fc.property(story, fc.nat(), (events, choice) => {
      const { steps } = lines(events);
      const { state } = steps.at(-1) as Step;
      const copy = (steps[choice % steps.length] as Step).state;
      const before = structuredClone(copy);
      const brought = bringForward(
        copy,
        steps.flatMap((step) => step.lines),
      );
      expect({ ...brought, leases: withoutProgress(brought.leases) }).toEqual({
        ...state,
        leases: withoutProgress(state.leases),
      });
      expect(copy).toEqual(before);
    }),
    { numRuns: 300 },
  );
});

it('the lease in the copy supplies how far a run has come', () => {
  const lease = { group: 'a', runId: 'r', since: at(1) };
  const known = { ...lease, script: 'two.sh', scripts: [{ name: 'one.sh' }] };
  const start: HistoryLine = {
    at: at(1),
    type: 'run-start',
    group: 'a',
    lane: 'main',
    run: 'r',
    beat: null,
    missedBeats: 0,
    reason: 'manual',
    lease,
  };
  const end: HistoryLine = {
    at: at(2),
    type: 'run-end',
    group: 'a',
    lane: 'main',
    run: { id: 'r', outcome: 'interrupted', finishedAt: at(2) },
  };
  const again: HistoryLine = { ...start, at: at(3), lease: { ...lease, since: at(3) } };
  const copy = { ...emptyState(), leases: { main: known } };
  expect(bringForward(copy, [start]).leases).toEqual({ main: known });
  expect(bringForward(copy, [start, end]).leases).toEqual({});
  // Resumed: the copy knows the earlier try only.
  expect(bringForward(copy, [start, end, again]).leases).toEqual({ main: { ...lease, since: at(3) } });
});

it('a run that reached the copy but not the history survives recovery', () => {
  const old: HistoryLine = {
    at: at(1),
    type: 'run-end',
    group: 'a',
    lane: 'main',
    run: { id: 'q', finishedAt: at(1) },
    entry: { lastBeat: at(0) },
  };
  const lease = { group: 'a', runId: 'r', since: at(2) };
  const started: State = {
    schemaVersion: 1,
    groups: { a: { lastBeat: at(2), lastRun: { id: 'q', finishedAt: at(1) } } },
    leases: { main: lease },
  };
  expect(bringForward(started, [old])).toEqual(started);
  const ended: State = {
    schemaVersion: 1,
    groups: { a: { lastBeat: at(2), lastRun: { id: 'r', finishedAt: at(3) } } },
    leases: {},
  };
  const start: HistoryLine = {
    at: at(2),
    type: 'run-start',
    group: 'a',
    lane: 'main',
    run: 'r',
    beat: at(2),
    missedBeats: 0,
    reason: 'beat-due',
    lease,
    entry: { lastBeat: at(2) },
  };
  expect(bringForward(ended, [old, start])).toEqual(ended);
  // But not where the history goes further than the copy.
  const later: HistoryLine = {
    at: at(5),
    type: 'expire',
    group: 'a',
    beat: at(4),
    missedBeats: 0,
    entry: { lastBeat: at(4) },
  };
  expect(bringForward(ended, [old, start, later]).groups?.a?.lastBeat).toBe(at(4));
});

it('recovery ignores runs without an entry, and entries and leases that the schema refuses', () => {
  const single: HistoryLine = { at: at(1), type: 'run-end', group: 'a', lane: 'main', run: { id: 'r' } };
  expect(bringForward(emptyState(), [single])).toEqual(emptyState());
  const good: HistoryLine = { at: at(1), type: 'seen', group: 'a', entry: { lastBeat: at(1) } };
  const bad = { at: at(2), type: 'seen', group: 'a', entry: { lastBeat: 5 } } as unknown as HistoryLine;
  const unknown = { at: at(2), type: 'news', group: 'b', entry: { lastBeat: at(2) } } as unknown as HistoryLine;
  const gone: HistoryLine = { at: at(3), type: 'seen', group: 'b', entry: null };
  expect(bringForward(emptyState(), [good, bad, unknown]).groups).toEqual({ a: good.entry, b: { lastBeat: at(2) } });
  expect(bringForward(emptyState(), [good, unknown, gone]).groups).toEqual({ a: good.entry });
  const lease = { group: 5 } as unknown as Lease;
  const start: HistoryLine = {
    at: at(1),
    type: 'run-start',
    group: 'a',
    lane: 'main',
    run: 'r',
    beat: null,
    missedBeats: 0,
    reason: 'x',
    lease,
  };
  expect(bringForward(emptyState(), [start]).leases).toEqual({});
});

it('recovery takes the newer last tick, and preserves fields that only the copy has', () => {
  const tick = (hour: number): HistoryLine => ({
    at: at(hour),
    type: 'tick',
    tick: `t${hour}`,
    outcome: 'ran',
    durationMs: 1000,
    ran: 1,
    failed: 0,
    skipped: 0,
  });
  const copy: State = { ...emptyState(), lastTick: { id: 't5', pid: 7, startedAt: at(4), more: 1 }, further: true };
  expect(bringForward(copy, [tick(2)])).toMatchObject({ lastTick: copy.lastTick, further: true });
  expect(bringForward(copy, [tick(2), tick(5)]).lastTick).toEqual({
    id: 't5',
    pid: 7,
    startedAt: at(4),
    finishedAt: at(5),
    outcome: 'ran',
    more: 1,
  });
  expect(bringForward(copy, [tick(6)]).lastTick).toMatchObject({
    id: 't6',
    startedAt: new Date(Date.parse(at(6)) - 1000).toISOString(),
  });
});
