import { mkdirSync, rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { readHistory } from '../../src/state/history.ts';
import { copyPath } from '../../src/state/path.ts';
import { isoOf, type State } from '../../src/state/schema.ts';
import { openStore, readState } from '../../src/state/store.ts';
import { type Change, record, recordSoon } from '../../src/tick/session.ts';
import { makeConfig } from '../builders.ts';
import { folder } from '../state/rig.ts';

/** A change that counts a failure of a group, so that being made twice shows. */
const fail =
  (group: string) =>
  (state: State): Change => {
    const entry = state.groups?.[group] ?? {};
    const failed = { ...entry, consecutiveFailures: (entry.consecutiveFailures ?? 0) + 1 };
    return {
      state: { ...state, groups: { ...state.groups, [group]: failed } },
      lines: [{ at: isoOf(0), type: 'pause', group, entry: failed }],
    };
  };

async function openSession() {
  const outputs = folder();
  const session = { config: makeConfig([], { outputs }), store: await openStore({ outputs }) };
  record(session, fail('first'));
  const failures = (group: string) => readState(outputs).state.groups?.[group]?.consecutiveFailures;
  const written = () => [...readHistory(outputs)].flatMap((line) => ('group' in line ? [line.group] : []));
  return { session, outputs, failures, written };
}

it('writes what waits together with the change that comes next, or alone', async () => {
  const { session, failures, written } = await openSession();
  const told: string[] = [];
  const recorded = recordSoon(session, fail('ended'), () => told.push('ended'));
  expect([failures('ended'), told]).toEqual([undefined, []]);
  record(session, fail('started'));
  expect([failures('ended'), failures('started'), told]).toEqual([1, 1, ['ended']]);
  await recorded;
  await recordSoon(session, fail('last'), () => told.push('last'));
  expect([failures('last'), told]).toEqual([1, ['ended', 'last']]);
  expect(written()).toEqual(['first', 'ended', 'started', 'last']);
});

it('writes what waits where the change that comes next can not be made', async () => {
  const { session, failures, written } = await openSession();
  const recorded = recordSoon(session, fail('ended'), () => undefined);
  const change = () => {
    throw new StorageError('no folder for it');
  };
  expect(() => record(session, change)).toThrow('no folder for it');
  await recorded;
  expect([failures('ended'), written()]).toEqual([1, ['first', 'ended']]);
});

it('makes no change twice where a write fails in its midst', async () => {
  const { session, outputs, failures, written } = await openSession();
  // The history can be written then, but not the state.
  mkdirSync(copyPath(outputs));
  const recorded = recordSoon(session, fail('ended'), () => undefined);
  expect(() => record(session, fail('started'))).toThrow(StorageError);
  await expect(recorded).rejects.toThrow(StorageError);
  expect(written()).toEqual(['first', 'ended', 'started']);
  rmSync(copyPath(outputs), { recursive: true });
  record(session, fail('next'));
  expect([failures('ended'), failures('started'), failures('next')]).toEqual([undefined, undefined, 1]);
});

it('leaves nobody waiting where one of several can not be told of', async () => {
  const { session, written } = await openSession();
  const first = recordSoon(session, fail('a'), () => undefined);
  const second = recordSoon(session, fail('b'), () => {
    throw new Error('not told');
  });
  const third = recordSoon(session, fail('c'), () => undefined);
  const moments: string[] = [];
  expect(() => record(session, fail('d'), { onStored: () => moments.push('stored') })).toThrow('not told');
  await first;
  await expect(second).rejects.toThrow('not told');
  await expect(third).rejects.toThrow('not told');
  expect([moments, written()]).toEqual([[], ['first', 'a', 'b', 'c', 'd']]);
});
