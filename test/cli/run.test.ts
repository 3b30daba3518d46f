import { describe, expect, it } from 'vitest';
import { gate, hasFaketime, makeGate, makeWorkspace, note, program, release, type Workspace } from '../rig.ts';

function chain(): Workspace {
  const workspace = makeWorkspace();
  workspace.configure({
    timezone: 'UTC',
    groups: {
      first: { every: '1h', scripts: [{ name: 'one', shell: note('first $RHYTHM_BEAT') }] },
      second: {
        every: '1h',
        dependsOn: ['first'],
        scripts: [
          { name: 'one', shell: note('second/one $RHYTHM_BEAT') },
          { name: 'two', shell: note('second/two') },
        ],
      },
      asked: {
        manual: true,
        scripts: [{ name: 'one', shell: `${note('asked')}; test ! -e "$RHYTHM_WORKSPACE/broken"` }],
      },
    },
  });
  return workspace;
}

const at = (time: string) => ({ at: `2026-11-22T${time}Z` });

describe.runIf(hasFaketime)('run', () => {
  it('refuses what its dependencies do not allow, and says what would help', async () => {
    const workspace = chain();
    const { code, stdout } = await workspace.rhythm(['run', 'second'], at('16:05:00'));
    expect(code).toBe(1);
    expect(stdout).toBe(
      'second was not run: first has never run. --with-dependencies runs them first, --ignore-dependencies does without.\n',
    );
    expect(workspace.ledger()).toEqual([]);
  });

  it('--with-dependencies runs them first, and each consumes the beat that is due', async () => {
    const workspace = chain();
    const { code, stdout } = await workspace.rhythm(['run', 'second', '--with-dependencies'], at('16:05:00'));
    expect(code).toBe(0);
    const beat = '2026-11-22T16:00:00.000Z';
    expect(workspace.ledger()).toEqual([`first ${beat}`, `second/one ${beat}`, 'second/two']);
    expect(stdout).toContain('second: its 16:00 beat was due and is consumed.\n');
    expect((await workspace.tick(at('16:06:00'))).groups.map(({ reason }) => reason)).toEqual([
      ...['not-due', 'not-due', 'manual'],
    ]);
  });

  it('--ignore-dependencies runs it alone; without a due beat it consumes none and counts as the last run', async () => {
    const workspace = chain();
    await workspace.tick(at('16:00:00'));
    const { stdout } = await workspace.rhythm(['run', 'second', '--ignore-dependencies'], at('16:30:00'));
    expect(stdout).toContain('second: no beat was due, so none is consumed.\n');
    expect(workspace.state().groups?.second).toMatchObject({
      lastBeat: '2026-11-22T16:00:00.000Z',
      lastRun: { beat: null, outcome: 'succeeded' },
    });
    expect(workspace.ledger().slice(-2)).toEqual(['second/one ', 'second/two']);
  });

  it('a single script consumes nothing and counts for nothing', async () => {
    const workspace = chain();
    const { code } = await workspace.rhythm(['run', 'second/two', '--ignore-dependencies'], at('16:05:00'));
    expect(code).toBe(0);
    expect(workspace.ledger()).toEqual(['second/two']);
    expect(workspace.state().groups?.second?.lastRun).toBeUndefined();
    expect(workspace.state().leases).toEqual({});
    expect((await workspace.tick(at('16:06:00'))).groups.map(({ reason }) => reason).slice(0, 2)).toEqual([
      ...['first-run', 'first-run'],
    ]);
  });

  it('a single script --with-dependencies runs those whole', async () => {
    const workspace = chain();
    const args = ['run', 'second/two', '--with-dependencies'];
    expect((await workspace.rhythm(args, at('16:05:00'))).code).toBe(0);
    expect(workspace.ledger()).toEqual(['first 2026-11-22T16:00:00.000Z', 'second/two']);
  });

  it('a manual group runs only so; a failure is 1', async () => {
    const workspace = chain();
    expect((await workspace.rhythm(['run', 'asked'], at('16:05:00'))).code).toBe(0);
    workspace.write('broken', '');
    expect((await workspace.rhythm(['run', 'asked'], at('16:06:00'))).code).toBe(1);
    expect(workspace.state().groups?.asked).toMatchObject({ consecutiveFailures: 1, lastRun: { outcome: 'failed' } });
  });

  it('waits for a lane that is held only when asked, and never for its own', async () => {
    const workspace = chain();
    const nested = `"${process.execPath}" "${program}" -C "$RHYTHM_WORKSPACE" run other --wait 1h; ${note('nested $?')}`;
    workspace.configure({
      groups: {
        outer: { manual: true, scripts: [{ name: 'one', shell: `${nested}; ${gate('gate')}` }] },
        other: { manual: true, scripts: [{ name: 'one', shell: note('other') }] },
      },
    });
    makeGate(workspace, 'gate');
    const outer = workspace.start(['run', 'outer']);
    await workspace.ledgerHas('nested 75');
    const refused = await workspace.rhythm(['run', 'other']);
    expect(refused).toMatchObject({ code: 75, stdout: expect.stringContaining('other was not run.\n') });
    const waiting = workspace.start(['run', 'other', '--wait', '20s']);
    release(workspace, 'gate');
    expect([(await outer.done).code, (await waiting.done).code]).toEqual([0, 0]);
    expect(workspace.ledger()).toEqual(['nested 75', 'other']);
  });

  it.each([
    [['run', 'frist'], 'rhythm: there is no group "frist"; did you mean "first"?'],
    [['run', 'second/tow'], 'rhythm: second has no script "tow"; did you mean "two"?'],
    [['run'], "rhythm: missing required argument 'target'"],
  ])('%j is wrong usage', async (args, message) => {
    const { code, stderr } = await chain().rhythm(args);
    expect([code, stderr.trim()]).toEqual([2, message]);
  });
});
