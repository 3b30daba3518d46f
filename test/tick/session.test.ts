import { mkdirSync, rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { readHistory } from '../../src/state/history.ts';
import { copyPath } from '../../src/state/paths.ts';
import { isoOf, type State } from '../../src/state/state-schema.ts';
import { openStore, readState } from '../../src/state/store.ts';
import { type Change, queueRecord, record } from '../../src/tick/session.ts';
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

it('queued changes are written together with the next one, or alone when none follows', async () => {
  const { session, failures, written } = await openSession();
  const logged: string[] = [];
  const recorded = queueRecord(session, fail('ended'), () => logged.push('ended'));
  expect([failures('ended'), logged]).toEqual([undefined, []]);
  record(session, fail('started'));
  expect([failures('ended'), failures('started'), logged]).toEqual([1, 1, ['ended']]);
  await recorded;
  await queueRecord(session, fail('last'), () => logged.push('last'));
  expect([failures('last'), logged]).toEqual([1, ['ended', 'last']]);
  expect(written()).toEqual(['first', 'ended', 'started', 'last']);
});

it('queued changes are written although the next change can not be made', async () => {
  const { session, failures, written } = await openSession();
  const recorded = queueRecord(session, fail('ended'), () => undefined);
  const change = () => {
    throw new StorageError('no folder for it');
  };
  expect(() => record(session, change)).toThrow('no folder for it');
  await recorded;
  expect([failures('ended'), written()]).toEqual([1, ['first', 'ended']]);
});

it('no change is made twice when a write fails between the history and the state', async () => {
  const { session, outputs, failures, written } = await openSession();
  // The history can be written then, but not the state.
  mkdirSync(copyPath(outputs));
  const recorded = queueRecord(session, fail('ended'), () => undefined);
  expect(() => record(session, fail('started'))).toThrow(StorageError);
  await expect(recorded).rejects.toThrow(StorageError);
  expect(written()).toEqual(['first', 'ended', 'started']);
  rmSync(copyPath(outputs), { recursive: true });
  record(session, fail('next'));
  expect([failures('ended'), failures('started'), failures('next')]).toEqual([undefined, undefined, 1]);
});
