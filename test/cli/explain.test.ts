import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Explanation } from '../../src/report/explanation.ts';
import { gate, hasFaketime, makeGate, makeWorkspace, release, type Workspace } from '../rig.ts';

const day = '2026-11-22';
const clock = (time: string) => ({ at: `${day}T${time}Z` });
const shell = (line: string) => ({ scripts: [{ name: 'only', shell: line }] });

function workspaceOf(groups: Record<string, object>, more: object = {}): Workspace {
  const workspace = makeWorkspace();
  workspace.configure({ timezone: 'UTC', groups, ...more });
  return workspace;
}

/** The answer: what a person reads first. */
async function ask(workspace: Workspace, group: string, now: string, at?: string) {
  const args = at === undefined ? [] : ['--at', at.includes('T') ? at : `${day}T${at}Z`];
  const { code, stdout, stderr } = await workspace.rhythm(['explain', group, ...args, '--json'], clock(now));
  expect([code, stderr]).toEqual([0, '']);
  const it = JSON.parse(stdout) as Explanation;
  return { summary: it.summary, it };
}

describe.runIf(hasFaketime)('explain', () => {
  it('tells of a run that was on time, of one that failed, and of its retries', async () => {
    const workspace = workspaceOf({
      good: { daily: '03:00', firstRun: 'now', ...shell('true') },
      bad: { daily: '03:00', retryAfter: ['10m'], ...shell('test -e "$RHYTHM_WORKSPACE/mended" || exit 3') },
    });
    await workspace.tick(clock('02:55:00'));
    await workspace.tick(clock('03:00:00'));
    const good = await ask(workspace, 'good', '08:00:00', '04:00:00');
    expect(good.summary).toMatch(
      /^good ran for its 03:00 beat: it started at 03:00(:0\d)? and succeeded after \d+ms\.$/,
    );
    expect(good.it).toMatchObject({ fate: 'ran', beat: `${day}T03:00:00.000Z`, tense: 'past' });

    const pending = await ask(workspace, 'bad', '03:05:00');
    expect(pending.summary).toMatch(
      /^bad waits: retry at 03:10\S*, next beat 2026-11-23 03:00\. It last ran at 03:00\S* for its 03:00 beat and failed after \S+ \(only: exited with code 3\)\.$/,
    );
    expect(pending.it.changes[0]).toMatchObject({ what: 'its retry is due' });

    workspace.write('mended', '');
    await workspace.tick(clock('03:15:00'));
    const bad = await ask(workspace, 'bad', '08:00:00', '03:00:00');
    expect(bad.summary).toMatch(
      /^bad ran for its 03:00 beat: it started at 03:00\S* and failed after \S+ \(only: exited with code 3\); tried again at 03:15\S* it succeeded after \S+\.$/,
    );
    expect(bad.it.runs.map(({ reason, outcome }) => [reason, outcome])).toEqual([
      ['beat-due', 'failed'],
      ['retry-due', 'succeeded'],
    ]);
  });

  it('names the dependency that failed, since when, until when, and what came of it', async () => {
    const workspace = workspaceOf({
      dump: { daily: '02:00', ...shell('test -e "$RHYTHM_WORKSPACE/mended"'), retryAfter: ['2h'] },
      backup: { daily: '03:00', dependsOn: ['dump'], ...shell('true') },
    });
    for (const time of ['01:55:00', '02:00:00', '03:00:00', '03:05:00']) await workspace.tick(clock(time));
    const now = await ask(workspace, 'backup', '03:07:00');
    expect(now.summary).toMatch(
      /^backup is held back: its 03:00 beat is due, but dump last failed \(02:00\S*\)\. It has not run yet\.$/,
    );
    expect(now.it).toMatchObject({
      fate: 'held',
      reason: 'dependency-failed',
      holds: [{ since: expect.stringMatching(/T03:00:0/), until: null, blockedBy: ['dump'] }],
      dependencies: [{ group: 'dump', satisfied: false, reason: 'dependency-failed', run: { outcome: 'failed' } }],
      changes: [
        { what: 'the retry of dump is due' },
        { what: 'the next beat of dump comes' },
        { what: 'its next beat comes' },
      ],
    });
    const still = await ask(workspace, 'backup', '03:10:00', '03:06:00');
    expect(still.summary).toMatch(
      /^backup has not run for its 03:00 beat, for it was held back from 03:00\S*: dump had failed \(02:00\S*\)\. It is held back still\.$/,
    );

    workspace.write('mended', '');
    await workspace.tick(clock('04:05:00'));
    const then = await ask(workspace, 'backup', '08:00:00', '03:30:00');
    expect(then.summary).toMatch(
      /^backup ran for its 03:00 beat: it started at 04:05\S*, 1h5m late, and succeeded after \S+\. Before that, it was held back from 03:00\S* until 04:05\S*: dump had failed \(02:00\S*\)\.$/,
    );
    expect(then.it.changes.map(({ what }) => what)).toEqual([
      'it was no longer held back',
      'it started (beat-due)',
      expect.stringMatching(/^it succeeded/),
      'its next beat comes',
    ]);
    expect(then.it.dependencies).toMatchObject([{ group: 'dump', satisfied: true, run: { outcome: 'succeeded' } }]);
  });

  it('names a dependency that never ran, one whose run is too old, and one that is skipped itself', async () => {
    const workspace = workspaceOf({
      never: { manual: true, ...shell('true') },
      old: { daily: '01:00', ...shell('true') },
      a: { every: '1h', dependsOn: ['never'], ...shell('true') },
      b: { daily: '03:00', dependsOn: [{ group: 'old', within: '1h' }], ...shell('true') },
      c: { every: '1h', dependsOn: ['a'], ...shell('true') },
    });
    for (const time of ['00:55:00', '01:00:00', '03:00:00']) await workspace.tick(clock(time));
    for (const [group, now, then] of [
      ['a', 'never has never run', 'never had never run'],
      ['b', 'old finished too long ago (01:00', 'old had finished too long ago (01:00'],
      ['c', 'a is due and held back itself', 'a was due and held back itself'],
    ] as const) {
      expect((await ask(workspace, group, '03:03:00')).summary).toContain(`beat is due, but ${now}`);
      const past = await ask(workspace, group, '03:04:00', '03:02:00');
      expect(past.summary).toContain(then);
      expect(past.it.fate).toBe('held');
    }
  });

  it('tells of no tick at all between two instants, and of beats that expired over it', async () => {
    const workspace = workspaceOf({
      backup: { daily: '03:00', ...shell('true') },
      strict: { daily: '03:00', catchUpWithin: '2h', ...shell('true') },
    });
    await workspace.tick(clock('02:55:00'));
    const silent = await ask(workspace, 'backup', '06:00:00');
    expect(silent.summary).toBe(
      'backup runs with the next tick: its 03:00 beat is due. No tick has come since 02:55: is the trigger installed? rhythm doctor tells. It has not run yet.',
    );
    const none = await ask(workspace, 'backup', '06:00:00', '04:00:00');
    expect(none.summary).toMatch(
      /^backup has not run for its 03:00 beat yet, for no tick has come since the one at 02:55\S*\. The next tick runs it\.$/,
    );
    expect((await ask(workspace, 'strict', '06:00:00')).summary).toContain(
      'too late to start; the next tick lets it expire.',
    );

    await workspace.tick(clock('07:10:00'));
    const backup = await ask(workspace, 'backup', '08:00:00', '03:00:00');
    expect(backup.summary).toMatch(
      /^backup ran for its 03:00 beat: it started at 07:10\S*, 4h10m late, and succeeded after \S+\. Before that, no tick came between 02:55\S* and 07:10\S*\.$/,
    );
    const strict = await ask(workspace, 'strict', '08:00:00', '03:00:00');
    expect(strict.summary).toMatch(
      /^strict did not run for its 03:00 beat: at 07:10\S* that was 4h10m late, too late to start \(2h are allowed\), for no tick came between 02:55\S* and 07:10\S*\.$/,
    );
    expect(strict.it).toMatchObject({ fate: 'expired', lateness: { until: `${day}T05:00:00.000Z` } });
  });

  it('tells of beats that coalesced into a later run', async () => {
    const workspace = workspaceOf({ g: { every: '10m', ...shell('true') } });
    await workspace.tick(clock('02:00:00'));
    await workspace.tick(clock('03:00:00'));
    const { summary, it: told } = await ask(workspace, 'g', '03:05:00', '02:30:00');
    expect(summary).toMatch(
      /^g did not run for its 02:30 beat: the run for that of 03:00 stood in for it, started at 03:00\S*, which succeeded/,
    );
    expect(summary).toMatch(/Before that, no tick came between 02:00\S* and 03:00\S*\.$/);
    expect(told.fate).toBe('passed-over');
  });

  it('tells of pauses and of what is disabled, manual, or was not there yet', async () => {
    const workspace = workspaceOf({
      g: { daily: '03:00', ...shell('true') },
      off: { every: '10m', enabled: false, ...shell('true') },
      hand: { manual: true, ...shell('true') },
    });
    await workspace.tick(clock('02:00:00'));
    await workspace.rhythm(['pause', 'g', '--reason', 'new \x1b[31mdisk\x1b[0m'], clock('02:30:00'));
    await workspace.tick(clock('03:00:00'));
    const now = await ask(workspace, 'g', '03:30:00');
    expect(now.summary).toMatch(/^g does not run: it is paused since 02:30: new .*disk.*\. It has not run yet\.$/);
    const { stdout } = await workspace.rhythm(['explain', 'g'], clock('03:30:00'));
    expect(stdout).toMatch(
      /^g does not run: it is paused since 02:30: new disk\. It has not run yet\.\n\ng at 2026-11-22 03:30/,
    );
    expect(stdout).toContain('\n  paused        since 02:30: new disk\n');
    expect((await ask(workspace, 'g', '03:30:00', '03:20:00')).summary).toMatch(
      /^g did not run for its 03:00 beat: it was paused from 02:30\S*: new .*disk.*\.$/,
    );
    await workspace.rhythm(['resume', 'g'], clock('04:00:00'));
    const past = await ask(workspace, 'g', '08:00:00', '03:00:00');
    expect(past.summary).toMatch(
      /^g did not run for its 03:00 beat: it was paused from 02:30\S* until 04:00\S*: new .*disk.*\.$/,
    );
    expect(past.it.fate).toBe('paused');

    expect((await ask(workspace, 'off', '03:00:00')).summary).toMatch(
      /^off does not run: it is disabled in the configuration\./,
    );
    expect((await ask(workspace, 'off', '08:00:00', '03:00:00')).summary).toMatch(
      /it was disabled in the configuration\.$/,
    );
    expect((await ask(workspace, 'hand', '08:00:00', '03:00:00')).summary).toBe(
      'hand had no beats: it ran only when asked to.',
    );
    expect((await ask(workspace, 'hand', '03:00:00')).summary).toBe(
      'hand waits: runs only when asked to. It has not run yet.',
    );
    expect((await ask(workspace, 'g', '08:00:00', '01:00:00')).summary).toMatch(
      /^g did not run: no tick had seen it yet\. It was first seen at 02:00\S*\.$/,
    );
  });

  it('tells of a run in progress, of the lane that it holds, and of who waits for it', async () => {
    const workspace = workspaceOf(
      {
        slow: { daily: '03:00', lane: 'disk', ...shell(gate('gate')) },
        other: { daily: '03:10', lane: 'disk', ...shell('true') },
        needs: { daily: '03:10', dependsOn: ['slow'], ...shell('true') },
      },
      {},
    );
    makeGate(workspace, 'gate');
    await workspace.tick(clock('02:55:00'));
    const tick = workspace.start(['tick'], clock('03:00:00'));
    await expect
      .poll(() => workspace.has('outputs/history.jsonl') && workspace.history().at(-1)?.type, { timeout: 20_000 })
      .toBe('run-start');
    await workspace.tick(clock('03:10:00'));
    const slow = await ask(workspace, 'slow', '03:12:00');
    expect(slow.summary).toMatch(/^slow is running for its 03:00 beat since 03:00\S*, only at present\.$/);
    const then = await ask(workspace, 'slow', '03:12:00', '03:05:00');
    expect(then.summary).toMatch(/^slow ran for its 03:00 beat: it started at 03:00\S* and is still running\.$/);
    const other = await ask(workspace, 'other', '03:12:00');
    expect(other.summary).toMatch(/^other waits: its 03:10 beat is due, but another tick holds the lane disk\./);
    expect(other.it).toMatchObject({ fate: 'held', lane: { name: 'disk', heldBy: 'slow' } });
    expect(other.it.changes.map(({ what }) => what)).toContain('the run of slow ends, at the latest');
    const needs = await ask(workspace, 'needs', '03:12:00');
    expect(needs.summary).toContain('but slow is still running');
    release(workspace, 'gate');
    await tick.done;
    await workspace.tick(clock('03:20:00'));
    const held = await ask(workspace, 'other', '08:00:00', '03:15:00');
    expect(held.summary).toMatch(
      /^other ran for its 03:10 beat: it started at 03:20\S*, 10m late, and succeeded after \S+\. Before that, it was held back from 03:10\S* until 03:20\S*: another tick held the lane disk\.$/,
    );
    expect((await ask(workspace, 'needs', '08:00:00', '03:15:00')).summary).toMatch(
      /it was held back from 03:10\S* until 03:20\S*: slow was running\.$/,
    );
  });

  it('tells of a clock that went back', async () => {
    const workspace = workspaceOf({ g: { every: '10m', ...shell('true') } });
    await workspace.tick(clock('05:00:00'));
    await workspace.tick(clock('04:55:00'));
    expect((await ask(workspace, 'g', '04:56:00')).summary).toMatch(
      /^g waits: the clock went back: its 05:00 beat is consumed already, and it waits for a later one\./,
    );
    await workspace.tick(clock('03:05:00'));
    const reset = workspace.history().find(({ type }) => type === 'reset');
    expect(reset).toMatchObject({ group: 'g' });
    const { stdout } = await workspace.rhythm(['history', 'g'], clock('03:06:00'));
    expect(stdout).toMatch(/g {2,}reset {2,}.*the clock went back: last beat 05:00 → 03:00/);
  });

  it('foretells', async () => {
    const workspace = workspaceOf({
      dump: { daily: '02:00', ...shell('true') },
      backup: { daily: '03:00', dependsOn: ['dump'], ...shell('true') },
      hand: { manual: true, ...shell('true') },
      after_hand: { daily: '03:00', dependsOn: ['hand'], ...shell('true') },
    });
    await workspace.tick(clock('01:00:00'));
    for (const at of ['03:00:00', '2026-12-24T03:00:00Z']) {
      const { summary, it: told } = await ask(workspace, 'backup', '01:05:00', at);
      expect(summary).toMatch(
        /^backup will run for its 03:00 beat with the tick of about 03:00, if all runs until then succeed\. Its next beat after that is \S+ 03:00\.$/,
      );
      expect(told).toMatchObject({
        fate: 'will-run',
        tense: 'future',
        dependencies: [{ group: 'dump', satisfied: true }],
      });
    }
    expect((await ask(workspace, 'backup', '01:05:00', '02:00:00')).summary).toBe(
      'backup will have nothing to run for at 02:00. Its next beat is 03:00.',
    );
    expect((await ask(workspace, 'hand', '01:05:00', '02:00:00')).summary).toBe(
      'hand will not run by itself: it runs only when asked to.',
    );
    expect((await ask(workspace, 'after_hand', '01:05:00', '03:00:00')).summary).toBe(
      'after_hand will not run at 03:00, as things stand: its 03:00 beat is due, but hand has never run.',
    );
  });

  it('writes nothing, and answers where state and history are damaged, saying so', async () => {
    const workspace = workspaceOf({ g: { every: '10m', ...shell('true') } });
    await workspace.tick(clock('03:00:00'));
    appendFileSync(join(workspace.outputs, 'history.jsonl'), '{"at":"2026-11-22T03:0\nnonsense with ,"group":"g"\n');
    workspace.write('outputs/master_scheduler_state.json', '{"schemaVersion": 1, "gro');
    const before = workspace.fingerprint();
    for (const args of [
      ['explain', 'g'],
      ['explain', 'g', '--at', `${day}T03:00:00Z`],
      ['history'],
      ['log'],
      ['history', '--json'],
      ['log', '--json'],
    ]) {
      const { code, stdout, stderr } = await workspace.rhythm(args, clock('03:05:00'));
      expect([args, code, stdout === '']).toEqual([args, 0, false]);
      if (args[0] === 'log') continue;
      expect(stderr).toMatch(/^rhythm: The state .* can't be used/);
      expect(stderr).toMatch(/ lines? of .*history\.jsonl can't be understood and (is|are) passed over\./);
    }
    expect(workspace.fingerprint()).toEqual(before);
  });

  it('knows no group that is not there', async () => {
    const { code, stderr } = await workspaceOf({ backup: { every: '10m', scripts: [] } }).rhythm(['explain', 'bakup']);
    expect([code, stderr]).toEqual([2, 'rhythm: there is no group "bakup"; did you mean "backup"?\n']);
  });
});
