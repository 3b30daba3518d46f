import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** A process has one zone of the system, so each is looked at by a process of its own. */
const code = `
import { readLocalOffset } from './local.ts';
import { declareLocal, segmentAt } from './zone.ts';

const [mode, zones, from, until] = process.argv.slice(2);
const hour = 3_600_000;
const second = 1_000;
const around = [1, second, 1_800 * second, hour, 2 * hour, 23 * hour, 24 * hour, 25 * hour, 48 * hour];

function listChanges(zone) {
  const changes = [];
  let last = null;
  for (let at = Date.parse(from); at < Date.parse(until); at = segmentAt(zone, at).until) {
    const { offset } = segmentAt(zone, at);
    if (offset !== last) changes.push([new Date(at).toISOString(), offset]);
    last = offset;
  }
  return changes;
}

function listDifferences(zone) {
  const instants = [];
  for (let at = Date.parse(from); at < Date.parse(until); at = segmentAt(zone, at).until) {
    instants.push(at, ...around.flatMap((distance) => [at - distance, at + distance]));
  }
  return instants
    .filter((at) => at >= 0 && readLocalOffset(at) !== segmentAt(zone, at).offset)
    .map((at) => zone + ' ' + new Date(at).toISOString());
}

const lists = zones.split(',').map((zone) => {
  if (mode === 'all') process.env.TZ = zone;
  if (mode === 'date') {
    Intl.DateTimeFormat = undefined;
    declareLocal(zone);
  }
  return mode === 'all' ? listDifferences(zone) : { changes: listChanges(zone), differences: listDifferences(zone) };
});
console.log(JSON.stringify(mode === 'all' ? lists.flat() : lists[0]));
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rhythm test '));
  buildSync({
    stdin: { contents: code, resolveDir: fileURLToPath(new URL('../../src/schedule', import.meta.url)) },
    outfile: join(folder, 'ask.cjs'),
    bundle: true,
    platform: 'node',
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ask(mode: 'intl' | 'date' | 'all', zones: string, from: string, until: string) {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined, TZ: mode === 'all' ? 'UTC' : zones };
  const args = [join(folder, 'ask.cjs'), mode, zones, from, until];
  const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8', maxBuffer: 2 ** 26 });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

describe('the wall clock that Date shows', () => {
  it.each([
    'Europe/Berlin',
    'Europe/Dublin',
    'America/New_York',
    'America/Santiago',
    'America/Havana',
    // Two changes within a week.
    'America/Recife',
    'Asia/Gaza',
    'Asia/Beirut',
    'Asia/Kolkata',
    'Africa/Cairo',
    'Africa/Casablanca',
    // Offsets with seconds, and of quarters and halves of an hour.
    'Africa/Monrovia',
    'Pacific/Chatham',
    'Australia/Lord_Howe',
    'Atlantic/Azores',
    'Antarctica/Troll',
    // A day that never was.
    'Pacific/Apia',
    'Pacific/Kwajalein',
    'UTC',
  ])('is that of Intl in %s from 1970 to 2100, on both sides of each change', (zone) => {
    const intl = ask('intl', zone, '1970-01-01', '2100-01-01');
    const date = ask('date', zone, '1970-01-01', '2100-01-01');
    expect([...intl.differences, ...date.differences]).toEqual([]);
    expect(date.changes).toEqual(intl.changes);
    expect(intl.changes.length).toBeGreaterThan(zone === 'Asia/Kolkata' || zone === 'UTC' ? 0 : 1);
  });

  it.each([
    ['1999-01-01', '2002-01-01'],
    ['2026-01-01', '2029-01-01'],
  ])('is that of Intl in every zone from %s to %s', (from, until) => {
    expect(ask('all', Intl.supportedValuesOf('timeZone').join(), from, until)).toEqual([]);
  });
});
