import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { appendHistory, historyPath } from '../../src/state/history.ts';
import { copyPath, statePath } from '../../src/state/paths.ts';
import { serializeState } from '../../src/state/state-file.ts';
import { emptyState, type State } from '../../src/state/state-schema.ts';
import { openStore, readState } from '../../src/state/store.ts';
import { disk, everything, folder, isLinuxRoot, makeReadOnly, program, start } from './rig.ts';

const at = (minute: number): string => new Date(Date.UTC(2026, 10, 22, 16, minute)).toISOString();
const withBeat =
  (minute: number) =>
  (state: State): State => ({
    ...state,
    groups: { ...state.groups, a: { firstSeenAt: at(0), lastBeat: at(minute) } },
  });
const file = (outputs: string): unknown => JSON.parse(readFileSync(statePath(outputs), 'utf8'));
const asides = (outputs: string): string[] => readdirSync(outputs).filter((name) => name.includes('.corrupt-'));

async function opened(outputs = folder(), now?: () => number) {
  const notices: string[] = [];
  const onNotice = (notice: string): void => void notices.push(notice);
  const store = await openStore({ outputs, onNotice, ...(now && { now }) });
  return { outputs, notices, ...store };
}

/** A workspace in which two beats were consumed: the file has the second, the copy the first, the history both. */
async function lived() {
  const store = await opened();
  for (const minute of [10, 20]) {
    const { groups } = store.updateState(withBeat(minute));
    appendHistory(store.outputs, [
      { at: at(minute), type: 'expire', group: 'a', beat: at(minute), missedBeats: 0, entry: groups?.a ?? null },
    ]);
  }
  return store;
}

describe('the state file', () => {
  it('is pretty-printed, readable by the group at most, with the last good copy beside it', async () => {
    const { outputs, updateState, notices } = await opened();
    expect(readState(outputs)).toEqual({ state: emptyState(), notices: [] });
    expect(updateState(withBeat(10))).toEqual(file(outputs));
    expect(readFileSync(statePath(outputs), 'utf8')).toBe(`${JSON.stringify(file(outputs), null, 2)}\n`);
    const first = readFileSync(statePath(outputs), 'utf8');
    expect(existsSync(copyPath(outputs))).toBe(false);
    updateState(withBeat(20));
    expect(readFileSync(copyPath(outputs), 'utf8')).toBe(first);
    expect(readState(outputs)).toEqual({ state: file(outputs), notices: [] });
    expect(notices).toEqual([]);
    expect(readdirSync(outputs).sort()).toEqual([
      'locks',
      'master_scheduler_state.json',
      'master_scheduler_state.json.bak',
    ]);
    const modes = Object.values(everything(outputs)).map((entry) => Number(entry.split(' ')[0]));
    if (process.platform !== 'win32') expect(modes.filter((mode) => mode & 0o027)).toEqual([]);
  });

  it('is not created by reading it, and neither is its folder', async () => {
    const outputs = join(folder(), 'missing');
    expect(readState(outputs)).toEqual({ state: emptyState(), notices: [] });
    expect((await opened(outputs)).readState().notices).toEqual([]);
    expect(existsSync(outputs)).toBe(false);
  });

  it('is not written if nothing has changed or a change throws', async () => {
    const { outputs, updateState } = await lived();
    const before = everything(join(outputs));
    const locks = Object.keys(before).filter((name) => name.startsWith('locks'));
    const withoutLocks = (all: Record<string, string>) =>
      Object.fromEntries(Object.entries(all).filter(([name]) => !locks.includes(name)));
    updateState((state) => ({ ...state }));
    const refuse = (): State => {
      throw new Error('refused');
    };
    expect(() => updateState(refuse)).toThrow('refused');
    expect(withoutLocks(everything(outputs))).toEqual(withoutLocks(before));
    updateState(withBeat(30));
  });

  it('is read again where another process has changed, damaged or removed it', async () => {
    const { outputs, readState, updateState } = await opened();
    updateState(withBeat(10));
    const text = readFileSync(statePath(outputs), 'utf8');
    expect(readState().state).toEqual(JSON.parse(text));
    const other = await opened(outputs);
    other.updateState(withBeat(20));
    expect(readState().state).toEqual(file(outputs));
    // Of the same length, within a moment.
    writeFileSync(statePath(outputs), text);
    expect(readState().state).toEqual(JSON.parse(text));
    writeFileSync(statePath(outputs), text.replace('{', '['));
    expect(readState().notices).toEqual([expect.stringContaining('it is not JSON')]);
    rmSync(statePath(outputs));
    expect(readState().notices).toEqual([expect.stringContaining('it is missing')]);
  });

  it('is not read again by the process that wrote it last', async () => {
    const { readState, updateState } = await opened();
    const written = updateState(withBeat(10));
    expect(readState().state).toBe(written);
    updateState((state) => {
      expect(state).toBe(written);
      return state;
    });
  });

  it('is swept of the temporary files of killed writers at the next change', async () => {
    const { outputs, updateState } = await opened();
    const left = [statePath(outputs), copyPath(outputs)].map((path) => join(outputs, `.${basename(path)}.12-ab.tmp`));
    for (const path of left) writeFileSync(path, 'half');
    readState(outputs);
    expect(left.every((path) => existsSync(path))).toBe(true);
    updateState(withBeat(10));
    expect(left.some((path) => existsSync(path))).toBe(false);
  });

  it('preserves unknown fields, their order, and unusual names of groups', async () => {
    const { outputs, updateState } = await opened();
    const text = `{"zebra": [1, null], "schemaVersion": 1, "groups": {"constructor": {"x": {"y": 1}, "lastBeat": null}, "toString": {}}, "__internal__": 1}`;
    writeFileSync(statePath(outputs), `\ufeff${text}`);
    expect(readState(outputs).notices).toEqual([]);
    updateState((state) => ({ ...state, lastTick: { id: 't' } }));
    const written = { ...JSON.parse(text), lastTick: { id: 't' } };
    expect(readFileSync(statePath(outputs), 'utf8')).toBe(`${JSON.stringify(written, null, 2)}\n`);
  });
});

it('a state is serialized as by JSON.stringify, whichever groups changed since the last time', () => {
  const values = fc.dictionary(fc.string({ unit: 'binary', maxLength: 5 }), fc.jsonValue(), { maxKeys: 4 });
  const groups = fc.dictionary(fc.constantFrom('a', 'b', 'constructor', '7', '__proto__'), values);
  const states = fc.record({ schemaVersion: fc.constant(1 as const), groups, more: values, last: fc.jsonValue() });
  const unusual = fc.oneof(values, fc.constantFrom({ groups: null }, { groups: undefined }));
  fc.assert(
    fc.property(fc.oneof(states, unusual), groups, (value, others) => {
      const state = value as State;
      const changed = { ...state, groups: { ...state.groups, ...(others as State['groups']) } };
      for (const one of [state, changed]) {
        expect(serializeState(one).toString()).toBe(`${JSON.stringify(one, null, 2)}\n`);
      }
    }),
    { numRuns: 1_000 },
  );
});

describe('a damaged state', () => {
  const damages: Record<string, string | null> = {
    missing: null,
    empty: '',
    'zero-filled': '\0'.repeat(4096),
    truncated: '{\n  "schemaVersion": 1,\n  "groups": {',
    null: 'null',
    'a number': '5',
    'a list': '[]',
    'an empty object': '{}',
    'a version that is text': '{"schemaVersion":"1"}',
    'a version that is no whole number': '{"schemaVersion":1.5}',
    'an older version': '{"schemaVersion":0}',
    'a foreign object': '{"name":"x","version":"1.0.0"}',
    'a wrong type within': '{"schemaVersion":1,"groups":{"a":{"lastBeat":5}}}',
    'groups in a list': '{"schemaVersion":1,"groups":[]}',
    'not UTF-8': '{"schemaVersion":1,"x":"\xff"}',
    'not UTF-8 but as long as its replacement': '{"schemaVersion":1,"x":"\xf0\x9f\x98"}',
    'JSON and more': '{"schemaVersion":1}\n{"schemaVersion":1}',
  };
  const damage = (outputs: string, text: string | null): void =>
    text === null ? rmSync(statePath(outputs)) : writeFileSync(statePath(outputs), text, 'latin1');

  it.each(Object.entries(damages))('that is %s is recovered from the copy and the history', async (_, text) => {
    const { outputs, updateState, notices } = await lived();
    damage(outputs, text);
    const before = everything(outputs);
    const read = readState(outputs);
    expect(read.state.groups?.a?.lastBeat).toBe(at(20));
    expect(read.notices).toEqual([expect.stringContaining('brought forward by')]);
    expect(everything(outputs)).toEqual(before);
    updateState((state) => ({ ...state, lastTick: { id: 't' } }));
    expect(file(outputs)).toEqual({ ...read.state, lastTick: { id: 't' } });
    expect(notices).toEqual([expect.stringContaining(`can't be used`)]);
    expect(asides(outputs).map((name) => readFileSync(join(outputs, name), 'latin1'))).toEqual(
      text === null ? [] : [text],
    );
    expect(JSON.parse(readFileSync(copyPath(outputs), 'utf8')).groups.a.lastBeat).toBe(at(10));
    expect(readState(outputs).notices).toEqual([]);
  });

  it.each(Object.entries(damages))('that is %s is rebuilt from the history alone', async (_, text) => {
    const { outputs, updateState, notices } = await lived();
    damage(outputs, text);
    if (text === null) rmSync(copyPath(outputs));
    else writeFileSync(copyPath(outputs), text, 'latin1');
    expect(readState(outputs).state.groups?.a?.lastBeat).toBe(at(20));
    expect(readState(outputs).notices).toEqual([expect.stringContaining('rebuilt from')]);
    updateState((state) => ({ ...state, lastTick: { id: 't' } }));
    expect(file(outputs)).toMatchObject({ groups: { a: { lastBeat: at(20) } } });
    expect(notices).toHaveLength(1);
  });

  it('is replaced by the copy without a history, and by an empty state without either, which is reported', async () => {
    const { outputs, notices, updateState } = await lived();
    damage(outputs, 'x');
    rmSync(historyPath(outputs));
    expect(readState(outputs).state.groups?.a?.lastBeat).toBe(at(10));
    rmSync(copyPath(outputs));
    const {
      state,
      notices: [notice],
    } = readState(outputs);
    expect(state).toEqual(emptyState());
    expect(notice).toBe(
      `The state ${statePath(outputs)} can't be used, for it is not JSON; neither a copy nor a history is left to rebuild it from, so every group counts as new. The next change of the state mends its file.`,
    );
    updateState((before) => before);
    expect(notices[0]).toMatch(/counts as new\. The file was set aside as \S+\.json\.corrupt-\d{8}T\d{6}Z\.$/);
  });

  it('is reported if the history has lines but none can be read', async () => {
    const { outputs } = await opened();
    writeFileSync(historyPath(outputs), 'torn');
    expect(readState(outputs).notices).toHaveLength(1);
  });

  it('never replaces one that was set aside in the same second', async () => {
    const { outputs, updateState } = await opened(folder(), () => Date.UTC(2026, 10, 22, 16, 0, 0, 5));
    for (const text of ['one', 'two', 'three']) {
      damage(outputs, text);
      updateState((state) => state);
    }
    const names = ['', '-2', '-3'].map((suffix) => `master_scheduler_state.json.corrupt-20261122T160000Z${suffix}`);
    expect(asides(outputs).sort()).toEqual(names);
    expect(names.map((name) => readFileSync(join(outputs, name), 'utf8'))).toEqual(['one', 'two', 'three']);
  });

  it('is not set aside if the change throws', async () => {
    const { outputs, updateState } = await lived();
    damage(outputs, 'x');
    expect(() =>
      updateState(() => {
        throw new Error('refused');
      }),
    ).toThrow('refused');
    expect(readFileSync(statePath(outputs), 'utf8')).toBe('x');
    expect(asides(outputs)).toEqual([]);
  });
});

describe('a StorageError of the store', () => {
  it('refuses a newer version, untouched, in the file and in the copy', async () => {
    const { outputs, updateState } = await lived();
    for (const path of [statePath(outputs), copyPath(outputs)]) {
      writeFileSync(path, '{"schemaVersion":2,"groups":"otherwise"}');
      const message = `${path} is of version 2, and this rhythm knows version 1; install a newer rhythm.`;
      expect(() => readState(outputs)).toThrow(new StorageError(message));
      expect(() => updateState((state) => state)).toThrow(new StorageError(message));
      expect(readFileSync(path, 'utf8')).toBe('{"schemaVersion":2,"groups":"otherwise"}');
      rmSync(statePath(outputs), { force: true });
    }
    expect(asides(outputs)).toEqual([]);
  });

  it('reports a folder at the path of the state', async () => {
    const { outputs, updateState } = await opened();
    mkdirSync(statePath(outputs));
    const message = `${statePath(outputs)} can't be read: a folder is in its place (EISDIR); move that folder away.`;
    expect(() => readState(outputs)).toThrow(new StorageError(message));
    expect(() => updateState((state) => state)).toThrow(new StorageError(message));
    expect(readdirSync(outputs).sort()).toEqual(['locks', 'master_scheduler_state.json']);
  });

  it.skipIf(process.platform === 'win32')('reports a read-only folder', async () => {
    const outputs = isLinuxRoot ? disk('1m') : folder();
    const { updateState } = await opened(outputs);
    updateState(withBeat(10));
    if (isLinuxRoot) makeReadOnly(outputs);
    else chmodSync(outputs, 0o550);
    const before = everything(outputs);
    expect(() => updateState(withBeat(20))).toThrow(isLinuxRoot ? /can't be locked: .*EROFS/ : /EACCES/);
    expect(readState(outputs).state.groups?.a?.lastBeat).toBe(at(10));
    if (isLinuxRoot) expect(everything(outputs)).toEqual(before);
    if (!isLinuxRoot) chmodSync(outputs, 0o750);
  });

  it.skipIf(!isLinuxRoot)('reports a full disk, however much space is left, and leaves the old state', async () => {
    const outputs = disk('256k');
    const { updateState } = await opened(outputs);
    const filler = join(outputs, 'filler');
    const seen = { full: 0, done: 0 };
    for (let left = 0; left < 12; left++) {
      writeFileSync(filler, '');
      updateState((state) => ({ ...state, round: left, filling: 'x'.repeat(10_000) }));
      const before = file(outputs);
      const { bavail, bsize } = statfsSync(outputs);
      writeFileSync(filler, Buffer.alloc((bavail - left) * bsize));
      let expected = before;
      try {
        expected = updateState((state) => ({ ...state, filling: 'y'.repeat(20_000) }));
        seen.done++;
      } catch (error) {
        expect(error).toBeInstanceOf(StorageError);
        expect((error as Error).message).toMatch(
          /can't be written: the disk is full \(ENOSPC\); free some space there\.$/,
        );
        seen.full++;
      }
      expect(readState(outputs)).toEqual({ state: expected, notices: [] });
      expect(readdirSync(outputs).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    }
    expect(seen.full).toBeGreaterThan(3);
    expect(seen.done).toBeGreaterThan(3);
  });
});

const hasStrace = process.platform === 'linux' && spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0;

it.skipIf(!hasStrace)('the store syncs the new file before it replaces the old one, and the folder after', async () => {
  const { outputs, updateState } = await opened();
  updateState(withBeat(10));
  const counting = [process.execPath, await program(), 'count', outputs];
  const { stderr } = spawnSync('strace', ['-f', '-y', '-e', 'trace=fsync,rename,link', ...counting], {
    encoding: 'utf8',
  });
  const calls = stderr.split('\n').filter((line) => line.includes(outputs) && line.endsWith(' = 0'));
  const state = 'master_scheduler_state.json';
  const order = [
    /fsync\(\d+<.*\/\.master_scheduler_state\.json\.\d+-\w+\.tmp>\)/,
    new RegExp(`link\\(".*/${state}", ".*\\.tmp"\\)`),
    new RegExp(`rename\\(".*\\.tmp", ".*/${state}\\.bak"\\)`),
    new RegExp(`rename\\(".*\\.tmp", ".*/${state}"\\)`),
    new RegExp(`fsync\\(\\d+<${outputs}>\\)`),
  ];
  expect(calls).toEqual(order.map((pattern) => expect.stringMatching(pattern)));
});

describe('many processes that change the state', () => {
  it('lose none of 200 updates at once', { timeout: 120_000 }, async () => {
    const outputs = folder();
    const all = await Promise.all(Array.from({ length: 200 }, () => start(['count', outputs])));
    expect(new Set(await Promise.all(all.map((child) => child.end())))).toEqual(new Set([0]));
    expect(readState(outputs)).toEqual({ state: { ...emptyState(), count: 200 }, notices: [] });
  });

  it('leave a readable state if they are killed while they write', { timeout: 60_000 }, async () => {
    const outputs = folder();
    let last = 0;
    for (let round = 0; round < 12; round++) {
      const child = await start(['count-for-ever', outputs]);
      let printed = 0;
      // Killed somewhere within a write, which takes almost all of its time.
      for (let lines = 0; lines <= round; lines++) printed = Number(await child.line());
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
      child.process.kill('SIGKILL');
      await child.end();
      const { state, notices } = readState(outputs);
      expect(notices).toEqual([]);
      expect(Number(state.count)).toBeGreaterThanOrEqual(printed);
      expect(printed).toBeGreaterThan(last);
      last = Number(state.count);
      if (round > 0) expect(() => JSON.parse(readFileSync(copyPath(outputs), 'utf8'))).not.toThrow();
    }
    const { updateState } = await opened(outputs);
    updateState((state) => ({ ...state, count: 0 }));
    expect(readdirSync(outputs).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
