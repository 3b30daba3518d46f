import { describe, expect, it } from 'vitest';
import { isoOf, stateSchema } from '../../src/state/state-schema.ts';

const at = '2026-11-22T16:00:00.000Z';
const script = { name: 's', outcome: 'timed-out', exitCode: 1, attempts: 2, signal: null, outputFile: 'x', odd: [1] };
const whole = {
  schemaVersion: 1,
  lastTick: { id: 't', pid: 1, startedAt: at, finishedAt: null, outcome: 'succeeded' },
  groups: {
    a: {
      firstSeenAt: at,
      lastBeat: at,
      lastRun: { id: 'r', outcome: 'failed', durationMs: 5, scripts: [script] },
      retry: { at, attempt: 1 },
      schedule: { cron: ['0 3 * * *'], daily: '03:00', every: '5m', enabled: true, since: null },
      pauseReason: 'why',
      odd: {},
    },
    constructor: {},
  },
  leases: { main: { group: 'a', runId: 'r', pid: 5, scripts: [], until: at } },
};

/** The path of the first fault; null where there is none. */
function faultOf(value: unknown): string | null {
  return stateSchema.safeParse(value).error?.issues[0]?.path.join('.') ?? null;
}

/** A copy of the state in which what is at a path has another value; undefined removes it. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(whole) as unknown as Record<string, unknown>;
  const keys = path.split('.');
  const last = keys.pop() as string;
  const parent = keys.reduce((object, key) => object[key] as Record<string, unknown>, copy);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

/** The paths of all fields of a value, however deep; elements of lists are not fields. */
function fieldsOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const below = path === '' ? key : `${path}.${key}`;
    return [...(Array.isArray(value) ? [] : [below]), ...fieldsOf(inner, below)];
  });
}

const lease = ['leases.main.group', 'leases.main.runId'];
const required = ['schemaVersion', 'groups.a.lastRun.scripts.0.name', ...lease];
/** What a name stands for is there, or its name is not. */
const named = ['groups.a', 'groups.constructor', 'leases.main'];

describe('the schema of the state', () => {
  it('accepts every field that a state has', () => {
    expect(faultOf(whole)).toBeNull();
  });

  it.each(fieldsOf(whole).filter((path) => ![...required, ...named].includes(path)))(
    'accepts a state in which %s is missing or null',
    (path) => {
      expect(faultOf(changed(path, undefined))).toBeNull();
      expect(faultOf(changed(path, null))).toBeNull();
    },
  );

  it.each(required)('refuses a state without %s', (path) => {
    expect(faultOf(changed(path, undefined))).toBe(path);
    expect(faultOf(changed(path, null))).toBe(path);
  });

  it.each([
    ['schemaVersion', '1'],
    ['schemaVersion', 0],
    ['lastTick', []],
    ['lastTick.startedAt', 'soon'],
    ['groups', []],
    ['groups.a', null],
    ['groups.constructor', 'x'],
    ['groups.a.lastBeat', 5],
    ['groups.a.lastBeat', ''],
    ['groups.a.lastRun.outcome', 'lost'],
    ['groups.a.lastRun.durationMs', '5'],
    ['groups.a.lastRun.scripts', {}],
    ['groups.a.lastRun.scripts.0.exitCode', true],
    ['groups.a.retry.at', 'soon'],
    ['groups.a.schedule.cron', [5]],
    ['groups.a.schedule.enabled', 'yes'],
    ['leases.main', null],
    ['leases.main.scripts.0', 'x'],
  ])('names the path of a wrong value: %s = %j', (path, value) => {
    expect(faultOf(changed(path, value))).toBe(path);
  });

  it.each([null, 5, 'x', []])('refuses %j as a whole', (value) => {
    expect(faultOf(value)).toBe('');
  });
});

it('writes instants as ISO 8601 in UTC with milliseconds', () => {
  expect(isoOf(Date.UTC(2026, 10, 22, 16))).toBe(at);
  expect(() => isoOf(Number.NaN)).toThrow(RangeError);
});
