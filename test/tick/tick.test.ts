import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readEvidence } from '../../src/script/evidence.ts';
import { identify } from '../../src/script/process.ts';
import { gate, hasFaketime, isLinux, makeGate, makeWorkspace, note, program, release, type Workspace } from '../rig.ts';

/** A workspace whose groups are lines of sh, one script each. */
function workspaceOf(groups: Record<string, object | string>, more: object = {}): Workspace {
  const workspace = makeWorkspace();
  const configured = Object.entries(groups).map(([name, group]) => [
    name,
    typeof group === 'string'
      ? { every: '10m', scripts: [{ name: 'only', shell: group }] }
      : { every: '10m', ...group },
  ]);
  workspace.configure({ timezone: 'UTC', groups: Object.fromEntries(configured), ...more });
  return workspace;
}

const hasStrace = isLinux && spawnSync('strace', ['-V']).status === 0;
/** A busy machine takes its time. */
const patient = { timeout: 20_000 };
const shell = (line: string, more: object = {}) => ({ scripts: [{ name: 'only', shell: line, ...more }] });

describe('a tick', () => {
  it('runs what is due in order, records it, and leaves nothing due', async () => {
    const workspace = workspaceOf({
      second: { ...shell(note('second $RHYTHM_BEAT')), dependsOn: ['first'] },
      first: { ...shell(note('first $RHYTHM_GROUP/$RHYTHM_SCRIPT $RHYTHM_ATTEMPT')) },
      daily: { every: undefined, daily: '03:00', ...shell(note('daily')) },
    });
    const at = '2026-11-22T16:03:00Z';
    const tick = await workspace.tick(hasFaketime ? { at } : {});
    expect(tick.code).toBe(0);
    expect(tick.groups.map(({ group, decision, reason, outcome }) => [group, decision, reason, outcome])).toEqual([
      ['first', 'run', 'first-run', 'succeeded'],
      ['second', 'run', 'first-run', 'succeeded'],
      ['daily', 'wait', 'first-beat-ahead', undefined],
    ]);
    expect(workspace.ledger()[0]).toBe('first first/only 1');
    expect(workspace.ledger()[1]).toMatch(/^second 20..-..-..T..:.0:00\.000Z$/);

    const state = workspace.state();
    const run = state.groups?.second?.lastRun;
    expect(state.groups?.second).toMatchObject({ lastBeat: tick.groups[1]?.beat, consecutiveFailures: 0 });
    expect(run).toMatchObject({
      outcome: 'succeeded',
      missedBeats: 0,
      scripts: [{ name: 'only', exitCode: 0, attempts: 1 }],
    });
    expect(state.leases).toEqual({});
    expect(state.lastTick).toMatchObject({ outcome: 'succeeded' });
    expect(workspace.history().map(({ type }) => type)).toEqual([
      ...['seen', 'seen', 'seen', 'run-start', 'run-end', 'run-start', 'run-end', 'tick'],
    ]);
    expect(workspace.log()).toMatch(/^20\S+Z INFO {2}\[first\] started: first run, for its /m);
    expect(workspace.log()).toMatch(/^20\S+Z INFO {2}\[second\/only\] succeeded after /m);

    const again = await workspace.rhythm([], hasFaketime ? { at: '2026-11-22T16:04:00Z' } : {});
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(/^Nothing is due; next: second, first at \d\d:\d\d \(UTC\), in \d+ (min|s)\.\n$/);
    expect(workspace.ledger()).toHaveLength(2);
  });

  it('continues after a failing script, fails the group, and skips its dependents, who keep their beat', async () => {
    const workspace = workspaceOf({
      first: {
        scripts: [
          { name: 'bad', shell: 'echo one; echo two >&2; exit 3' },
          { name: 'good', shell: note('good') },
        ],
      },
      second: { ...shell(note('second')), dependsOn: ['first'] },
      third: { ...shell(note('third')), dependsOn: ['second'] },
      other: { ...shell(note('other')), dependsOn: [{ group: 'first', when: 'finished' }] },
    });
    const tick = await workspace.tick();
    expect(tick.code).toBe(1);
    expect(tick.groups.map(({ group, decision, reason, blockedBy }) => [group, decision, reason, blockedBy])).toEqual([
      ['first', 'run', 'first-run', []],
      ['other', 'run', 'first-run', []],
      ['second', 'skip', 'dependency-failed', ['first']],
      ['third', 'skip', 'dependency-skipped', ['second']],
    ]);
    expect(tick.groups[0]?.scripts.map(({ name, outcome, exitCode }) => [name, outcome, exitCode])).toEqual([
      ['bad', 'failed', 3],
      ['good', 'succeeded', 0],
    ]);
    expect(workspace.ledger()).toEqual(['good', 'other']);
    expect(workspace.state().groups?.first).toMatchObject({ consecutiveFailures: 1, lastRun: { outcome: 'failed' } });
    expect(workspace.state().groups?.second).toMatchObject({
      held: { reason: 'dependency-failed', blockedBy: ['first'] },
    });
    expect(workspace.state().groups?.second?.lastBeat).toBeUndefined();
    const log = workspace.log();
    expect(log).toMatch(/ERROR \[first\/bad\] failed after .*: exited with code 3; its output: runs\//);
    expect(log).toMatch(/ERROR \[first\/bad\] \| one\n.*ERROR \[first\/bad\] \| two\n/);
    expect(log).toMatch(/INFO {2}\[second\] held back \(dependency-failed\)/);
  });

  it.runIf(hasFaketime)(
    'prunes once a day, and before that when scripts have printed much since the last time',
    async () => {
      const print = 'head -c "$(cat "$RHYTHM_WORKSPACE/much")" /dev/zero';
      const workspace = workspaceOf({ first: shell(print) }, { runs: { maxSize: '1MB' } });
      const tickHaving = async (at: string, much: number) => {
        workspace.write('much', `${much}`);
        // Beyond its size, so that the next pruning takes it.
        workspace.write('outputs/runs/2026-11-22/a-old/1-one.log', 'x'.repeat(1 << 20));
        expect(await workspace.tick({ at })).toMatchObject({ groups: [{ outcome: 'succeeded' }] });
        return workspace.has('outputs/runs/2026-11-22/a-old') ? 'left' : 'pruned';
      };
      const seen = [];
      for (const [at, much] of [
        ['2026-11-22T16:00:00Z', 0],
        ['2026-11-22T16:10:00Z', 20_000],
        ['2026-11-22T16:20:00Z', 20_000],
        ['2026-11-22T16:30:00Z', 20_000],
        ['2026-11-22T16:40:00Z', 0],
        // More than a day after the last pruning, less than a day after a tick whose scripts printed nothing.
        ['2026-11-23T16:35:00Z', 0],
      ] as const) {
        seen.push(await tickHaving(at, much));
      }
      expect(seen).toEqual(['pruned', 'left', 'left', 'pruned', 'left', 'pruned']);
    },
  );

  it('tells once that a group begins to be held back, and once that this ends', async () => {
    const workspace = workspaceOf({
      first: { every: '1d', ...shell('test -e "$RHYTHM_WORKSPACE/good"'), retryAfter: ['1m'] },
      second: { ...shell(note('second')), dependsOn: ['first'] },
    });
    if (!hasFaketime) return;
    await workspace.tick({ at: '2026-11-22T16:00:00Z' });
    await workspace.tick({ at: '2026-11-22T16:00:30Z' });
    workspace.write('good', '');
    const tick = await workspace.tick({ at: '2026-11-22T16:05:00Z' });
    expect(tick.groups.map(({ group, reason }) => [group, reason])).toEqual([
      ['first', 'retry-due'],
      ['second', 'first-run'],
    ]);
    const told = workspace.history().filter(({ group }) => group === 'second');
    expect(told.map(({ type, reason }) => [type, reason])).toEqual([
      ['seen', undefined],
      ['held', 'dependency-failed'],
      ['released', undefined],
      ['run-start', 'first-run'],
      ['run-end', undefined],
    ]);
  });

  it('has each script find itself in the lease, after those that have ended', async () => {
    const lease = 'tr -d "\\n " <"$RHYTHM_OUTPUTS/master_scheduler_state.json" | sed "s/.*leases//"';
    const tell = `${lease} | grep -o '"name":"[a-z]*"\\|"script":"[a-z]*"' | tr -d "\\n" >>"$RHYTHM_WORKSPACE/ledger"`;
    const scripts = ['one', 'two', 'three'].map((name) => ({
      name,
      shell: `${tell}; echo >>"$RHYTHM_WORKSPACE/ledger"`,
    }));
    const workspace = workspaceOf({ g: { scripts } });
    await workspace.tick();
    expect(workspace.ledger()).toEqual([
      '"script":"one"',
      '"name":"one""script":"two"',
      '"name":"one""name":"two""script":"three"',
    ]);
  });

  it('stops at a failing script where it is told to, and lets optional ones fail', async () => {
    const workspace = workspaceOf({
      stopping: {
        onScriptFailure: 'stop',
        scripts: [
          { name: 'a', shell: 'exit 1', optional: true },
          { name: 'b', shell: 'exit 1' },
          { name: 'c', shell: note('c') },
        ],
      },
      lenient: {
        scripts: [
          { name: 'a', shell: 'exit 1', optional: true },
          { name: 'b', shell: note('b') },
        ],
      },
    });
    const { groups } = await workspace.tick();
    expect(groups.map(({ group, outcome }) => [group, outcome])).toEqual([
      ['stopping', 'failed'],
      ['lenient', 'succeeded'],
    ]);
    expect(workspace.ledger()).toEqual(['b']);
  });

  it('takes a missing script and a missing interpreter for failures of theirs, and goes on', async () => {
    const workspace = workspaceOf(
      {
        first: { scripts: ['missing.sh', 'there.strange', { name: 'last', shell: note('last') }] },
        second: { ...shell(note('second')), dependsOn: ['first'] },
        third: shell(note('third')),
      },
      { interpreters: { strange: 'no-such-interpreter' } },
    );
    workspace.write('scripts/there.strange', '');
    const tick = await workspace.tick();
    expect(tick.code).toBe(1);
    expect(tick.groups[0]?.scripts.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'succeeded']);
    expect(workspace.ledger()).toEqual(['last', 'third']);
    expect(workspace.log()).toMatch(/ERROR \[first\/missing\.sh\] failed .*scripts\/missing\.sh does not exist/);
    expect(workspace.log()).toMatch(/ERROR \[first\/there\.strange\] failed .*no-such-interpreter was not found/);
  });

  it.runIf(hasFaketime)('retries a failed group across ticks, until the list ends', async () => {
    const workspace = workspaceOf({
      g: { every: '1d', ...shell(`${note('$RHYTHM_BEAT')}; exit 1`), retryAfter: ['5m', '15m'] },
    });
    const reasons = [];
    for (const time of ['16:00:00', '16:04:00', '16:06:00', '16:15:00', '16:22:00', '17:00:00', '20:00:00']) {
      const { groups } = await workspace.tick({ at: `2026-11-22T${time}Z` });
      reasons.push(groups[0]?.reason);
    }
    expect(reasons).toEqual(['first-run', 'not-due', 'retry-due', 'not-due', 'retry-due', 'not-due', 'not-due']);
    expect(new Set(workspace.ledger())).toEqual(new Set(['2026-11-22T00:00:00.000Z']));
    expect(workspace.state().groups?.g).toMatchObject({ consecutiveFailures: 3, retry: null });
  });

  it.runIf(hasFaketime)('coalesces missed beats into one run, and expires what is too late', async () => {
    const workspace = workspaceOf({
      latest: shell(note('latest $RHYTHM_BEAT')),
      strict: { every: '1h', catchUp: 'none', ...shell(note('strict $RHYTHM_BEAT')) },
    });
    await workspace.tick({ at: '2026-11-22T15:00:00Z' });
    const { groups } = await workspace.tick({ at: '2026-11-22T16:25:00Z' });
    expect(groups.map(({ group, decision, beat, missedBeats }) => [group, decision, beat, missedBeats])).toEqual([
      ['latest', 'run', '2026-11-22T16:20:00.000Z', 7],
      ['strict', 'expire', '2026-11-22T16:00:00.000Z', 0],
    ]);
    expect(workspace.state().groups?.latest?.lastRun?.missedBeats).toBe(7);
    expect(workspace.state().groups?.strict?.lastBeat).toBe('2026-11-22T16:00:00.000Z');
    expect(workspace.history()).toContainEqual(
      expect.objectContaining({ type: 'expire', group: 'strict', missedBeats: 0 }),
    );
    expect(workspace.log()).toMatch(/WARN {2}\[strict\] expired: its 16:00 beat is 25m late/);
  });

  it.runIf(hasFaketime)('resets a group that a clock set back would starve, and says so', async () => {
    const workspace = workspaceOf({ g: shell(note('$RHYTHM_BEAT')) });
    await workspace.tick({ at: '2027-01-01T00:00:00Z' });
    await workspace.tick({ at: '2026-11-22T16:05:00Z' });
    await workspace.tick({ at: '2026-11-22T16:10:00Z' });
    expect(workspace.ledger()).toEqual(['2027-01-01T00:00:00.000Z', '2026-11-22T16:10:00.000Z']);
    expect(workspace.history()).toContainEqual(
      expect.objectContaining({ type: 'reset', from: '2027-01-01T00:00:00.000Z', to: '2026-11-22T16:00:00.000Z' }),
    );
  });
});

describe('lanes', () => {
  it('run side by side, and the groups of one lane one after another', async () => {
    const meet = (mine: string, other: string) => `echo >"$RHYTHM_WORKSPACE/${mine}" & ${gate(other)}; wait`;
    const overlap = `${note('begin')}; ${note('end')}`;
    const workspace = workspaceOf({
      left: { lane: 'left', ...shell(meet('a', 'b'), { timeout: '20s' }) },
      right: { lane: 'right', ...shell(meet('b', 'a'), { timeout: '20s' }) },
      one: shell(overlap),
      two: shell(overlap),
    });
    makeGate(workspace, 'a');
    makeGate(workspace, 'b');
    const { groups } = await workspace.tick();
    expect(groups.map(({ outcome }) => outcome)).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded']);
    expect(workspace.ledger()).toEqual(['begin', 'end', 'begin', 'end']);
  });

  it('that another tick holds are told of in one line, and waited for only when asked', async () => {
    const workspace = workspaceOf({
      slow: { every: '1d', ...shell(`${note('started')}; ${gate('gate')}`) },
      due: shell(note('due')),
    });
    makeGate(workspace, 'gate');
    const first = workspace.start(['tick']);
    await workspace.ledgerHas('started');

    const second = await workspace.rhythm();
    expect(second.code).toBe(0);
    expect(second.stdout.split('\n')[0]).toMatch(
      /^lane main is held: pid \d+ holds it since \d\d:\d\d:?\d* and runs slow\/only$/,
    );
    expect(workspace.log().match(/lane main is held/g)).toHaveLength(1);

    const preview = JSON.parse((await workspace.rhythm(['tick', '--dry-run', '--json'])).stdout);
    expect(preview.groups.map(({ group, reason }: { group: string; reason: string }) => [group, reason])).toEqual([
      ['slow', 'not-due'],
      ['due', 'lane-held'],
    ]);

    expect((await workspace.rhythm(['tick', '--wait', '1s'])).code).toBe(75);
    const waiting = workspace.start(['tick', '--wait', '30s']);
    release(workspace, 'gate');
    expect((await first.done).code).toBe(0);
    expect((await waiting.done).code).toBe(0);
    expect(workspace.ledger()).toEqual(['started', 'due']);
  });

  it('are held until their own work is done, even if another lane can not be recorded', async () => {
    const spoil =
      'rm -f "$RHYTHM_OUTPUTS/master_scheduler_state.json.bak"; mkdir "$RHYTHM_OUTPUTS/master_scheduler_state.json.bak"';
    const workspace = workspaceOf({
      long: { every: '1d', lane: 'one', ...shell(`${note('long')}; ${gate('gate')}`) },
      other: {
        every: '1d',
        lane: 'two',
        scripts: [
          { name: 'first', shell: `${gate('spoil')}; ${spoil}` },
          { name: 'second', shell: note('second') },
        ],
      },
      next: { every: '1d', lane: 'one', dependsOn: ['other'], ...shell(note('next')) },
    });
    makeGate(workspace, 'gate');
    makeGate(workspace, 'spoil');
    const tick = workspace.start(['tick']);
    await workspace.ledgerHas('long');
    release(workspace, 'spoil');
    await expect.poll(() => workspace.read('outputs/locks/lane-two.lock'), patient).toBe('');
    expect(workspace.read('outputs/locks/lane-one.lock')).toContain(`"pid":${tick.child.pid}`);

    rmSync(join(workspace.folder, 'outputs/master_scheduler_state.json.bak'), { recursive: true });
    release(workspace, 'gate');
    const { code, stderr } = await tick.done;
    expect([code, stderr]).toEqual([74, expect.stringContaining('master_scheduler_state.json.bak')]);
    expect(workspace.state().groups?.long?.lastRun?.outcome).toBe('succeeded');
    expect(workspace.ledger()).toEqual(['long']);
  });

  it('may be many', async () => {
    const lanes = Array.from({ length: 12 }, (_, index) => `lane${index}`);
    const groups = lanes.map((lane) => [lane, { every: '1d', lane, ...shell('sleep 0.3') }]);
    const { code, stderr } = await workspaceOf(Object.fromEntries(groups)).rhythm();
    expect([code, stderr]).toEqual([0, '']);
  });

  it('are free as soon as their own work is done, however long another lane takes', async () => {
    const workspace = workspaceOf({
      slow: { lane: 'slow', ...shell(`${note('slow')}; ${gate('gate')}`) },
      quick: { ...shell(note('quick')) },
    });
    makeGate(workspace, 'gate');
    const first = workspace.start(['tick']);
    await Promise.all([workspace.ledgerHas('slow'), workspace.ledgerHas('quick')]);
    workspace.configure({
      groups: {
        slow: { every: '10m', lane: 'slow', scripts: [{ shell: 'true' }] },
        quick: { every: '10m', scripts: [{ shell: 'true' }] },
        fresh: { every: '10m', scripts: [{ shell: note('fresh') }] },
      },
    });
    const second = await workspace.tick({ args: ['--wait', '10s'] });
    expect(second.groups.find(({ group }) => group === 'fresh')?.outcome).toBe('succeeded');
    release(workspace, 'gate');
    expect((await first.done).code).toBe(0);
  });
});

describe('a tick that dies', () => {
  const threeScripts = {
    g: {
      every: '1d',
      scripts: [
        { name: 'one', shell: note('one') },
        {
          name: 'two',
          shell: `echo $$ >"$RHYTHM_WORKSPACE/pid"; ${note('two begins')}; ${gate('gate')}; ${note('two ends')}`,
        },
        { name: 'three', shell: note('three') },
      ],
    },
  };

  it('leaves a script that goes on: the next tick waits for it, takes its outcome, and goes on after it', async () => {
    const workspace = workspaceOf(threeScripts);
    makeGate(workspace, 'gate');
    const first = workspace.start(['tick']);
    await workspace.ledgerHas('two begins');
    const pid = workspace.read('pid').trim();
    await expect.poll(() => workspace.log(), patient).toContain(`[g/two] started (pid ${pid})`);
    first.child.kill('SIGKILL');
    await first.done;
    expect(workspace.state().leases?.main).toMatchObject({ group: 'g', script: 'two' });

    const second = workspace.start(['tick', '--json']);
    await expect.poll(() => workspace.log(), patient).toContain(`[g/two] still runs (pid ${pid})`);
    release(workspace, 'gate');
    const { stdout, code } = await second.done;
    expect(code).toBe(0);
    expect(JSON.parse(stdout).groups[0]).toMatchObject({ reason: 'resume-interrupted', outcome: 'succeeded' });
    expect(workspace.ledger()).toEqual(['one', 'two begins', 'two ends', 'three']);
    const { lastRun, interruptions } = workspace.state().groups?.g ?? {};
    expect(lastRun?.scripts?.map(({ name, outcome, message }) => [name, outcome, message])).toEqual([
      ['one', 'succeeded', null],
      ['two', 'succeeded', null],
      ['three', 'succeeded', null],
    ]);
    expect(interruptions).toBe(0);
    expect(
      new Set(
        workspace
          .history()
          .filter(({ type }) => type === 'run-start')
          .map(({ run }) => run),
      ).size,
    ).toBe(1);
  });

  it('leaves a script that has ended meanwhile: its outcome counts, and it is not repeated', async () => {
    const workspace = workspaceOf({
      g: { every: '1d', ...shell(`${note('begins')}; ${gate('gate')}; ${note('ends')}; exit 7`) },
    });
    makeGate(workspace, 'gate');
    const first = workspace.start(['tick']);
    await workspace.ledgerHas('begins');
    first.child.kill('SIGKILL');
    await first.done;
    release(workspace, 'gate');
    await workspace.ledgerHas('ends');

    const tick = await workspace.tick();
    expect(tick.groups[0]).toMatchObject({ decision: 'wait', reason: 'not-due' });
    expect(workspace.state().groups?.g).toMatchObject({
      consecutiveFailures: 1,
      lastRun: { outcome: 'failed', scripts: [{ name: 'only', outcome: 'failed', exitCode: 7 }] },
    });
    expect(workspace.ledger()).toEqual(['begins', 'ends']);
  });

  it('together with its script: the run is resumed at that script, and given up the third time', async () => {
    const workspace = workspaceOf(threeScripts);
    makeGate(workspace, 'gate');
    for (const interruptions of [1, 2, 3]) {
      const tick = workspace.start(['tick']);
      await expect
        .poll(() => workspace.ledger().filter((line) => line === 'two begins').length, patient)
        .toBe(interruptions);
      tick.child.kill('SIGKILL');
      await tick.done;
      const { folder = '' } = workspace.state().leases?.main ?? {};
      const { leader } = readEvidence(join(workspace.outputs, folder ?? ''), 2, 'two');
      process.kill(-(leader?.pid as number), 'SIGKILL');
    }
    const last = await workspace.tick();
    expect(last.groups[0]).toMatchObject({ decision: 'wait', reason: 'not-due' });
    expect(workspace.ledger()).toEqual(['one', 'two begins', 'two begins', 'two begins']);
    expect(workspace.state().groups?.g).toMatchObject({
      interruptions: 3,
      consecutiveFailures: 1,
      lastRun: { outcome: 'failed' },
    });
  });
});

describe('an orphan that failed with tries left', () => {
  it('is tried again by the tick that finds it', async () => {
    const line = `${note('try $RHYTHM_ATTEMPT')}; ${gate('gate')}; test $(wc -l <"$RHYTHM_WORKSPACE/ledger") -gt 1`;
    const workspace = workspaceOf({ g: { every: '1d', ...shell(line, { retries: 2 }) } });
    makeGate(workspace, 'gate');
    const first = workspace.start(['tick']);
    await workspace.ledgerHas('try 1');
    first.child.kill('SIGKILL');
    await first.done;
    release(workspace, 'gate');
    const second = workspace.start(['tick']);
    await expect.poll(() => workspace.ledger().length, patient).toBe(2);
    release(workspace, 'gate');
    expect((await second.done).code).toBe(0);
    expect(workspace.state().groups?.g?.lastRun?.outcome).toBe('succeeded');
  });
});

describe('a lease that was left behind', () => {
  /** What a tick of version 0.1.0 left when it was killed in the midst of its second script; paths and ids as they were. */
  const frozen = {
    schemaVersion: 1,
    lastTick: { id: '20261122T160000-aaaaaa', pid: 4242, startedAt: '2026-11-22T16:00:00.000Z' },
    groups: {
      g: {
        firstSeenAt: '2026-11-20T00:00:00.000Z',
        schedule: { every: '1d' },
        lastBeat: '2026-11-22T00:00:00.000Z',
        interruptions: 0,
        retry: null,
      },
    },
    leases: {
      main: {
        group: 'g',
        runId: '20261122T160000-0badcafe',
        beat: '2026-11-22T00:00:00.000Z',
        missedBeats: 0,
        tick: '20261122T160000-aaaaaa',
        pid: 4242,
        processStartedAt: '12345',
        boot: '00000000-0000-0000-0000-000000000000',
        since: '2026-11-22T16:00:00.000Z',
        until: '2026-11-22T18:00:00.000Z',
        folder: 'runs/2026-11-22/g-20261122T160000-0badcafe',
        runStartedAt: '2026-11-22T16:00:00.000Z',
        spentMs: 0,
        scripts: [{ name: 'one', outcome: 'succeeded', exitCode: 0, signal: null, attempts: 1, durationMs: 5 }],
        script: 'two',
        number: 2,
      },
    },
  };
  const groups = {
    g: {
      every: '1d',
      scripts: [
        { name: 'one', shell: note('one') },
        { name: 'two', shell: note('two') },
        { name: 'three', shell: note('three') },
      ],
    },
  };

  it.runIf(hasFaketime)(
    'by an earlier generation is understood: its run goes on at the script that was cut off',
    async () => {
      const workspace = workspaceOf(groups);
      workspace.write('outputs/master_scheduler_state.json', JSON.stringify(frozen));
      const tick = await workspace.tick({ at: '2026-11-22T16:05:00Z' });
      expect(tick.groups[0]).toMatchObject({ reason: 'resume-interrupted', outcome: 'succeeded' });
      expect(workspace.ledger()).toEqual(['two', 'three']);
      expect(workspace.state().groups?.g?.lastRun?.id).toBe('20261122T160000-0badcafe');
    },
  );

  it.runIf(hasFaketime && isLinux)(
    'names a pid that another process bears now: that one is left in peace',
    async () => {
      const workspace = workspaceOf(groups);
      workspace.write('outputs/master_scheduler_state.json', JSON.stringify(frozen));
      const innocent = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
      onTestFinished(() => void innocent.kill('SIGKILL'));
      const { boot, startedAt } = identify(innocent.pid as number) as { boot: string; startedAt: string };
      const folder = `outputs/${frozen.leases.main.folder}`;
      // The same pid in the same boot, started at another time.
      workspace.write(`${folder}/2-two.pid`, `1 ${innocent.pid} ${boot} ${Number(startedAt) - 100}\n`);
      workspace.write(`${folder}/2-two.exit`, '');
      const tick = await workspace.tick({ at: '2026-11-22T19:00:00Z' });
      expect(tick.groups[0]).toMatchObject({ reason: 'resume-interrupted', outcome: 'succeeded' });
      expect(identify(innocent.pid as number)?.startedAt).toBe(startedAt);
      expect(workspace.ledger()).toEqual(['two', 'three']);
    },
  );
});

describe('a tick that is told to stop', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('by %s ends what runs, records it as interrupted, and the next one resumes', async (signal, code) => {
    const workspace = workspaceOf({
      g: {
        every: '1d',
        ...shell(`${note('begins')}; test -e "$RHYTHM_WORKSPACE/again" || ${gate('gate')}; ${note('ends')}`),
      },
      never: { every: '1d', ...shell(note('never')), after: ['g'] },
    });
    makeGate(workspace, 'gate');
    const tick = workspace.start(['tick']);
    await workspace.ledgerHas('begins');
    tick.child.kill(signal);
    expect((await tick.done).code).toBe(code);
    expect(workspace.state().groups?.g).toMatchObject({ interruptions: 1, lastRun: { outcome: 'interrupted' } });
    expect(workspace.state()).toMatchObject({ leases: {}, lastTick: { outcome: 'interrupted' } });
    expect(workspace.ledger()).toEqual(['begins']);

    workspace.write('again', '');
    const next = await workspace.tick();
    expect(next.groups[0]).toMatchObject({ reason: 'resume-interrupted', outcome: 'succeeded' });
    expect(workspace.ledger()).toEqual(['begins', 'begins', 'ends', 'never']);
  });
});

it.runIf(hasStrace)('a script starts when its run is durable in the history and in the state, and not before', () => {
  const workspace = workspaceOf({ one: shell('true'), two: { ...shell('true'), dependsOn: ['one'] } });
  const strace = ['-f', '-qq', '-y', '-s', '4096', '-e', 'trace=write,fsync', process.execPath, program];
  const { stderr } = spawnSync('strace', [...strace, '-C', workspace.folder], { encoding: 'utf8' });
  const moments: readonly (readonly [string, RegExp])[] = [
    ['history written', /write\(\d+<.*history\.jsonl>.*run-start.*"group\\":\\"two/],
    ['history synced', /fsync\(\d+<.*history\.jsonl>\)/],
    ['state synced', /fsync\(\d+<.*master_scheduler_state\.json.*tmp>\)/],
    ['folder synced', /fsync\(\d+<.*\/outputs>\)/],
    ['script started', /write\(\d+<.*>, "go\\n", 3\)/],
  ];
  const seen = stderr
    .split('\n')
    .flatMap((line) => moments.filter(([, mark]) => mark.test(line)).map(([what]) => what));
  expect(seen.slice(seen.indexOf('history written')).slice(0, 5)).toEqual(moments.map(([what]) => what));
});

it.runIf(hasStrace).each([
  ['the history', 'history.jsonl', 3],
  // Its first fsync is for the folder of the locks.
  ['the folder of the state', '', 4],
])('a script does not start when %s can not be made durable, and the next tick runs it', async (_, file, call) => {
  const workspace = workspaceOf({
    one: shell(note('one')),
    two: { ...shell(note('two')), dependsOn: ['one'] },
    three: { ...shell(note('three')), dependsOn: ['two'] },
  });
  workspace.write('outputs/history.jsonl', '');
  // The writes: the plan; the start of `one`; its end with the start of `two`.
  const failing = ['-P', join(workspace.folder, 'outputs', file), '-e', `inject=fsync:error=EIO:when=${call}+`];
  const strace = ['-f', '-qq', '-o', '/dev/null', ...failing, process.execPath, program, '-C', workspace.folder];
  const { status, stderr } = spawnSync('strace', strace, { encoding: 'utf8' });
  expect(status).toBe(74);
  expect(stderr).toMatch(/can't be written/);
  expect(workspace.ledger()).toEqual(['one']);
  expect((await workspace.rhythm([])).code).toBe(0);
  expect(workspace.ledger()).toEqual(['one', 'two', 'three']);
});

it.runIf(hasStrace)(
  'a tick that is told to stop just as a script ends does not wait for it',
  async () => {
    const scripts = ['one', 'two', 'three'].map((name) => ({ name, shell: 'true' }));
    for (const call of [1, 2, 5, 7, 9, 10]) {
      const workspace = workspaceOf({ g: { scripts } });
      const strace = ['-f', '-qq', '-o', '/dev/null', '-e', `inject=fsync:signal=TERM:when=${call}`];
      const began = performance.now();
      spawnSync('strace', [...strace, process.execPath, program, '-C', workspace.folder]);
      // Much less than killAfter.
      expect(performance.now() - began).toBeLessThan(8_000);
    }
  },
  60_000,
);

it.runIf(hasStrace)(
  'a tick that looks long for its next script holds up nobody meanwhile',
  async () => {
    const workspace = workspaceOf({
      a: {
        scripts: [
          { name: 'one', shell: note('one') },
          { name: 'two', shell: note('two'), cwd: 'slow' },
        ],
      },
      z: { every: undefined, manual: true, ...shell('true') },
    });
    workspace.write('slow/file', '');
    const delay = ['-P', join(workspace.folder, 'slow'), '-e', 'inject=statx,stat,newfstatat:delay_enter=3000000'];
    const tick = spawn('strace', ['-f', '-qq', ...delay, process.execPath, program, '-C', workspace.folder], {
      stdio: 'ignore',
    });
    const ended = once(tick, 'exit');
    onTestFinished(() => void tick.kill('SIGKILL'));
    await workspace.ledgerHas('one');
    const began = performance.now();
    expect((await workspace.rhythm(['pause', 'z'])).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(2_500);
    await ended;
    expect(workspace.ledger()).toEqual(['one', 'two']);
  },
  30_000,
);

describe('a tick that is told to stop twice', () => {
  it.runIf(isLinux)('gives nothing time any more: not what ignores signals, nor a session of its own', async () => {
    const stubborn =
      'trap \'\' TERM INT HUP; setsid sh -c \'trap "" TERM; echo $$ >"$RHYTHM_WORKSPACE/other"; sleep 600\' & ';
    const line = `${stubborn} while ! test -s "$RHYTHM_WORKSPACE/other"; do sleep 0.01; done; ${note('ready')}; sleep 600`;
    const workspace = workspaceOf({ g: { every: '1d', ...shell(line, { killAfter: '10m' }) } });
    const tick = workspace.start(['tick']);
    await workspace.ledgerHas('ready');
    tick.child.kill('SIGTERM');
    tick.child.kill('SIGINT');
    // The system may deliver either first.
    expect([130, 143]).toContain((await tick.done).code);
    expect(identify(Number(workspace.read('other')))).toBeNull();
    expect(workspace.state()).toMatchObject({ leases: {}, groups: { g: { lastRun: { outcome: 'interrupted' } } } });
  });
});

describe('a tick within a script', () => {
  it('finds its own lane held, says so at once, and does not wait for itself', async () => {
    const workspace = makeWorkspace();
    const nested = `"${process.execPath}" "${program}" -C "$RHYTHM_WORKSPACE" tick --wait 1h >"$RHYTHM_WORKSPACE/nested"; ${note('$?')}`;
    workspace.configure({
      groups: {
        g: { every: '10m', scripts: [{ name: 'only', shell: nested }] },
        due: { every: '10m', after: ['g'], scripts: [{ shell: note('due') }] },
      },
    });
    expect((await workspace.tick()).code).toBe(0);
    expect(workspace.ledger()).toEqual(['75', 'due']);
    expect(workspace.read('nested')).toMatch(
      /^lane main is held: pid \d+ .* runs g\/only, of which this tick is a part\n/,
    );
  });
});

describe('what can not be recorded', () => {
  it('is not started: an outputs folder that can not be made ends the tick with 74', async () => {
    const workspace = workspaceOf({ g: shell(note('ran')) });
    writeFileSync(workspace.outputs, 'a file');
    const { code, stderr } = await workspace.rhythm();
    expect(code).toBe(74);
    expect(stderr).toMatch(/^rhythm: .*outputs.*\.\n$/);
    expect(workspace.ledger()).toEqual([]);
  });

  it('leaves the plan recorded: a folder for the first run that can not be made', async () => {
    const workspace = workspaceOf({ g: shell(note('ran')) });
    workspace.write('outputs/runs', 'a file');
    const { code, stderr } = await workspace.rhythm();
    expect([code, stderr]).toEqual([74, expect.stringContaining(join(workspace.outputs, 'runs'))]);
    expect(workspace.ledger()).toEqual([]);
    expect(workspace.history().map(({ type }) => type)).toEqual(['seen']);
    expect(workspace.state().lastTick).toMatchObject({ id: expect.any(String) });
    expect(workspace.state().groups?.g).not.toHaveProperty('lastBeat');
  });

  it('a log that can not be written stops the tick before any script', async () => {
    const workspace = workspaceOf({ g: shell(note('ran')) });
    mkdirSync(join(workspace.outputs, 'master_scheduler.log'), { recursive: true });
    const { code, stderr } = await workspace.rhythm();
    expect([code, workspace.ledger()]).toEqual([74, []]);
    expect(stderr).toContain('master_scheduler.log');
    expect(workspace.history().map(({ type }) => type)).toEqual(['seen']);
    rmSync(join(workspace.outputs, 'master_scheduler.log'), { recursive: true });
    expect((await workspace.tick()).groups[0]?.outcome).toBe('succeeded');
  });

  it.runIf(hasStrace).each([
    [1, []],
    [4, ['one']],
    [5, ['one']],
  ])('a log that takes no line from the %d. on keeps any further script from starting', async (line, ran) => {
    const workspace = workspaceOf({ one: shell(note('one')), two: { ...shell(note('two')), dependsOn: ['one'] } });
    workspace.write('outputs/master_scheduler.log', '');
    const log = join(workspace.outputs, 'master_scheduler.log');
    const full = ['-P', log, '-e', 'trace=write', '-e', `inject=write:error=ENOSPC:when=${line}+`];
    const strace = ['-f', '-qq', '-o', '/dev/null', ...full, process.execPath, program, '-C', workspace.folder];
    expect(spawnSync('strace', strace).status).toBe(74);
    expect(workspace.ledger()).toEqual(ran);
    expect((await workspace.rhythm([])).code).toBe(0);
    expect(workspace.ledger()).toEqual(['one', 'two']);
  });

  it.runIf(hasStrace)('is the start of a run in one lane: no other lane starts anything from then on', async () => {
    const workspace = workspaceOf({
      other: { lane: 'other', ...shell(note('other')) },
      early: shell(gate('early')),
      late: { ...shell(note('late')), dependsOn: ['early'] },
    });
    makeGate(workspace, 'early');
    workspace.write('outputs/history.jsonl', '');
    const history = join(workspace.outputs, 'history.jsonl');
    // The plan is the first, the start of `early`, on which another one depends, the second, that of `other` the third.
    const failing = ['-P', history, '-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO:when=3'];
    const strace = ['-f', '-qq', '-o', '/dev/null', ...failing, process.execPath, program, '-C', workspace.folder];
    const tick = spawn('strace', strace, { stdio: 'ignore' });
    const ended = once(tick, 'exit');
    onTestFinished(() => void tick.kill('SIGKILL'));
    release(workspace, 'early');
    expect((await ended)[0]).toBe(74);
    expect(workspace.log()).toMatch(/\[early\/only\] succeeded/);
    expect(workspace.ledger()).toEqual([]);
  });
});

it.runIf(hasStrace)('the end of a run and the start of the next one, or the end of the tick, are one write', () => {
  const workspace = workspaceOf({ a: shell(note('a')), b: shell(note('b')), c: shell(note('c')) });
  const trace = ['-f', '-qq', '-e', 'signal=none', '-e', 'trace=rename', process.execPath, program];
  const { stderr } = spawnSync('strace', [...trace, '-C', workspace.folder], { encoding: 'utf8' });
  expect(workspace.ledger()).toEqual(['a', 'b', 'c']);
  // The plan, the first start, and each end.
  expect(stderr.match(/master_scheduler_state\.json"\)/g)).toHaveLength(5);
});

describe('a network file system under the outputs', () => {
  it.runIf(hasStrace)('is warned of by each tick that has work, and by no other', async () => {
    const workspace = workspaceOf({ g: shell(note('ran')) });
    // The answer of statfs(2) is made to begin with NFS_SUPER_MAGIC, little-endian.
    const nfs = ['-f', '-e', 'trace=statfs', '-e', 'inject=statfs:poke_exit=@arg2=6969000000000000'];
    const tick = () => spawnSync('strace', [...nfs, process.execPath, program, '-C', workspace.folder]);
    expect(tick().status).toBe(0);
    expect(workspace.log()).toMatch(
      /WARN {2}\[rhythm\] .*outputs lies on NFS, where locks and durable writes are what/,
    );
    const known = workspace.log();
    tick();
    expect(workspace.log()).toBe(known);
    expect(workspace.ledger()).toEqual(['ran']);
  });
});

describe('files', () => {
  it('are readable by the owner and the group at most', async () => {
    const workspace = workspaceOf({ g: shell('echo hello') });
    await workspace.tick();
    const folder = workspace.state().groups?.g?.lastRun?.folder as string;
    for (const name of [
      'master_scheduler_state.json',
      'master_scheduler.log',
      'history.jsonl',
      `${folder}/1-only.log`,
    ]) {
      expect([name, statSync(join(workspace.outputs, name)).mode & 0o007]).toEqual([name, 0]);
    }
    expect(workspace.read(`outputs/${folder}/1-only.log`)).toBe('hello\n');
  });

  it('hold no secret value, be it printed, logged or in the environment', async () => {
    const workspace = workspaceOf(
      { g: shell('echo "the token is $API_TOKEN"; exit 1', { env: { API_TOKEN: 'hunter2-hunter2' } }) },
      { redact: ['API_TOKEN'], log: { output: 'all' } },
    );
    await workspace.tick();
    const files = Object.entries(workspace.fingerprint()).filter(([name]) => name.startsWith('outputs/'));
    expect(files.filter(([, content]) => content.includes('hunter2')).map(([name]) => name)).toEqual([]);
    expect(workspace.log()).toContain('[g/only] the token is [redacted]');
  });
});

describe('the output of scripts', () => {
  const messy = [
    'head -c 10000000 /dev/zero | tr "\\0" x; echo',
    'head -c 2000 /dev/urandom',
    String.raw`printf "\n10%%\r50%%\r100%%\n"`,
    String.raw`printf "\033[31mred\033[0m \033]0;title\007bell \033[2Jcleared\n"`,
    'echo last line; exit 1',
  ].join('; ');

  it.each(['failed', 'all', 'none'] as const)('does not spoil the central log, with output: %s', async (output) => {
    const workspace = workspaceOf({ g: shell(messy) }, { log: { output } });
    expect((await workspace.tick()).code).toBe(1);
    const lines = workspace.log().split('\n').slice(0, -1);
    expect(lines.filter((line) => !/^\d{4}-\d\d-\d\dT[\d:.]{12}Z (INFO |WARN |ERROR) \[/.test(line))).toEqual([]);
    expect(lines.filter((line) => /[\x00-\x1f\x7f-\x9f]/.test(line) || line.length > 2500)).toEqual([]);
    const copied = lines.filter((line) => line.includes('last line')).length;
    expect(copied).toBe(output === 'none' ? 0 : 1);
    if (output !== 'none') {
      expect(lines.some((line) => line.endsWith('100%'))).toBe(true);
      expect(lines.some((line) => line.includes('50%'))).toBe(false);
      expect(lines.some((line) => line.endsWith('red bell cleared'))).toBe(true);
    }
    const { lastRun } = workspace.state().groups?.g ?? {};
    const file = join(workspace.outputs, lastRun?.scripts?.[0]?.outputFile as string);
    expect(statSync(file).size).toBeGreaterThan(10_002_000);
  });
});
