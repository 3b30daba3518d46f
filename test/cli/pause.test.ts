import { describe, expect, it } from 'vitest';
import { gate, hasFaketime, makeGate, makeWorkspace, note, release, type Workspace } from '../rig.ts';

function twoGroups(): Workspace {
  const workspace = makeWorkspace();
  workspace.configure({
    timezone: 'UTC',
    groups: {
      a: { every: '10m', scripts: [{ name: 'only', shell: note('a') }] },
      b: { every: '10m', scripts: [{ name: 'only', shell: note('b') }] },
    },
  });
  return workspace;
}

const at = (time: string) => ({ at: `2026-11-22T${time}Z` });

describe.runIf(hasFaketime)('pause and resume', () => {
  it('hold a group back, and say how many beats passed meanwhile', async () => {
    const workspace = twoGroups();
    await workspace.tick(at('16:00:00'));
    const paused = await workspace.rhythm(['pause', 'a', '--reason', 'new disk'], at('16:01:00'));
    expect(paused).toMatchObject({ code: 0, stdout: 'a is paused.\n' });
    const tick = await workspace.tick(at('16:25:00'));
    expect(tick.groups.map(({ group, decision, because }) => [group, decision, because])).toEqual([
      ['b', 'run', 'its 16:20 beat is due (1 earlier beat was missed)'],
      ['a', 'paused', 'paused since 16:01: new disk'],
    ]);
    const resumed = await workspace.rhythm(['resume'], at('16:31:00'));
    expect(resumed.stdout).toBe('a goes on; 3 beats passed meanwhile and count as consumed.\nb was not paused.\n');
    const later = await workspace.tick(at('16:32:00'));
    expect(later.groups.map(({ group, decision }) => [group, decision])).toEqual([
      ['b', 'run'],
      ['a', 'wait'],
    ]);
    expect(workspace.history().filter(({ type }) => type === 'pause' || type === 'resume')).toHaveLength(2);
    expect(workspace.log()).toMatch(/INFO {2}\[a\] paused: new disk\n.*\n?/);
    expect(workspace.log()).toMatch(/INFO {2}\[a\] resumed; 3 beats passed meanwhile/);
  });

  it('can end by itself, and be said about a group that no tick has seen', async () => {
    const workspace = twoGroups();
    const { stdout } = await workspace.rhythm(['pause', 'a', '--until', '2026-11-22T18:00:00Z'], at('16:00:00'));
    expect(stdout).toBe('a is paused until 18:00 (UTC).\n');
    expect((await workspace.tick(at('17:59:59'))).groups.map(({ reason }) => reason)).toEqual(['first-run', 'paused']);
    expect(
      (await workspace.tick(at('18:00:01'))).groups.map(({ group, reason, beat }) => [group, reason, beat]),
    ).toEqual([
      ['a', 'beat-due', '2026-11-22T18:00:00.000Z'],
      ['b', 'beat-due', '2026-11-22T18:00:00.000Z'],
    ]);
  });

  it('record what they notice of a clock that was set back', async () => {
    const workspace = twoGroups();
    await workspace.tick(at('16:00:00'));
    await workspace.rhythm(['pause', 'a'], at('12:05:00'));
    const lines = workspace.history().filter(({ group, type }) => group === 'a' && type !== 'run-start');
    expect(lines.slice(-2)).toMatchObject([
      { type: 'reset', from: '2026-11-22T16:00:00.000Z', to: '2026-11-22T12:00:00.000Z' },
      { type: 'pause', entry: { lastBeat: '2026-11-22T12:00:00.000Z' } },
    ]);
    expect(lines.at(-2)).not.toHaveProperty('tick');
  });

  it('during a tick is not lost by what the tick saves next', async () => {
    const workspace = twoGroups();
    workspace.configure({
      groups: { a: { every: '10m', scripts: [{ shell: `${note('started')}; ${gate('gate')}` }] } },
    });
    makeGate(workspace, 'gate');
    const tick = workspace.start(['tick'], at('16:00:00'));
    await workspace.ledgerHas('started');
    expect((await workspace.rhythm(['pause', 'a'], at('16:00:30'))).code).toBe(0);
    release(workspace, 'gate');
    expect((await tick.done).code).toBe(0);
    expect(workspace.state().groups?.a).toMatchObject({
      pausedAt: expect.stringMatching(/^2026-11-22T16:00:3/),
      lastRun: { outcome: 'succeeded' },
    });
    expect((await workspace.tick(at('16:10:00'))).groups[0]?.decision).toBe('paused');
  });

  it.each([
    [['pause', 'aa'], 'rhythm: there is no group "aa"; did you mean "a"?'],
    [
      ['pause', '--until', 'soon'],
      'rhythm: --until soon is neither an instant (2026-11-22T16:00:00Z) nor a duration (2h).',
    ],
    [['pause', '--until', '2020-01-01'], 'rhythm: --until 2020-01-01 has passed already.'],
  ])('%j is wrong usage', async (args, message) => {
    const { code, stderr } = await twoGroups().rhythm(args);
    expect([code, stderr.trim()]).toEqual([2, message]);
  });
});
