import fc from 'fast-check';
import { expect, it } from 'vitest';
import { findFault } from '../../src/state/check.ts';
import { stateSchema } from '../../src/state/sound.ts';
import { cases } from '../oracle/cases.ts';

/** Replaces one value somewhere in a tree. */
function replaceAt(tree: unknown, place: number, value: unknown): unknown {
  const places: [Record<string, unknown>, string][] = [];
  const walk = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      places.push([node as Record<string, unknown>, key]);
      walk((node as Record<string, unknown>)[key]);
    }
  };
  const copy = structuredClone(tree);
  walk(copy);
  const [node, key] = places[place % places.length] ?? [];
  if (node === undefined || key === undefined) return value;
  node[key] = value;
  return copy;
}

const whole = {
  schemaVersion: 1,
  lastTick: { id: 't', pid: 1, startedAt: '2026-11-22T16:00:00.000Z', finishedAt: null, outcome: 'succeeded' },
  groups: {
    a: {
      firstSeenAt: '2026-11-22T16:00:00.000Z',
      lastBeat: '2026-11-22T16:00:00.000Z',
      lastRun: {
        id: 'r',
        outcome: 'failed',
        durationMs: 5,
        scripts: [{ name: 's', outcome: 'timed-out', exitCode: 1, attempts: 2, signal: null, outputFile: 'x' }],
      },
      retry: { at: '2026-11-22T16:00:00.000Z', attempt: 1 },
      schedule: { cron: ['0 3 * * *'], daily: '03:00', every: '5m', enabled: true, since: null },
      pauseReason: 'why',
      odd: {},
    },
  },
  leases: { main: { group: 'a', runId: 'r', pid: 5, scripts: [], until: '2026-11-22T16:00:00.000Z' } },
};

it('finds fault with what the schema refuses, and with nothing else', () => {
  expect([stateSchema.safeParse(whole).success, findFault(whole)]).toEqual([true, null]);
  const values = fc.oneof(
    fc.constantFrom(null, 'succeeded', 'x', '', '2026-11-22T16:00:00.000Z', 0, 1, 1.5, true, false, {}, []),
    fc.constantFrom(['x'], [1], { a: 1 }, { a: null }, { a: {} }, [null]),
    fc.jsonValue(),
  );
  const trees = fc.oneof(
    fc.tuple(fc.nat(), values).map(([place, value]) => replaceAt(whole, place, value)),
    fc.tuple(cases, fc.nat(), values).map(([{ state }, place, value]) => replaceAt(state, place, value)),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(trees, (tree) => {
      const result = stateSchema.safeParse(tree);
      const fault = findFault(tree);
      expect(fault === null).toBe(result.success);
      if (!result.success) expect(fault).toBe(result.error.issues[0]?.path.join('.'));
    }),
    { numRuns: 3_000 },
  );
});
