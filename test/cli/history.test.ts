import { describe, expect, it } from 'vitest';
import type { HistoryDocument, RunItem } from '../../src/report/run-history.ts';
import { gate, hasFaketime, makeGate, makeWorkspace, release, type Workspace } from '../rig.ts';

const clock = (time: string) => ({ at: `2026-11-22T${time}Z` });
const shell = (line: string) => ({ scripts: [{ name: 'only', shell: line }] });

async function lived(): Promise<Workspace> {
  const workspace = makeWorkspace();
  workspace.configure({
    timezone: 'UTC',
    groups: {
      good: { every: '30m', ...shell('true') },
      bad: {
        every: '1h',
        scripts: [
          { name: 'fine', shell: 'true' },
          { name: 'brücke', shell: 'exit 3', retries: 1, retryDelay: '1s' },
        ],
      },
      strict: { daily: '03:10', catchUpWithin: '5m', ...shell('true') },
    },
  });
  await workspace.tick(clock('03:00:00'));
  await workspace.tick(clock('03:45:00'));
  await workspace.rhythm(['pause', 'good', '--until', '2h', '--reason', 'new disk'], clock('03:50:00'));
  await workspace.rhythm(['run', 'bad/fine'], clock('03:55:00'));
  await workspace.rhythm(['resume', 'good'], clock('04:00:00'));
  await workspace.tick(clock('05:35:00'));
  return workspace;
}

const kinds = ({ items }: HistoryDocument) =>
  items.map((item) => (item.type === 'run' ? `${item.group} ${item.outcome}` : `${item.group} ${item.type}`));

describe.runIf(hasFaketime)('history', () => {
  it('shows runs and events, newest first, what failed and where its output is', async () => {
    const workspace = await lived();
    const { stdout, code } = await workspace.rhythm(['history'], clock('06:00:00'));
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toMatch(/^started {2,}group {2,}outcome {2,}length {2,}beat$/);
    expect(stdout).toMatch(/^2026-11-22 05:35\S* +good +succeeded +\S+ +05:30 +5m\S* late, 2 beats missed$/m);
    // Where it took a second, what is usual stands beside that.
    expect(stdout).toMatch(
      /^2026-11-22 05:35\S* +bad +failed +\S+(?: \(~ \S+\))? +05:00 +35m\S* late, 1 beat missed, 2 attempts$/m,
    );
    expect(stdout).toMatch(
      /^ {4}brücke {2}failed {2}\S+ +exited with code 3, 2 attempts\n {6}\S.*outputs\/runs\/2026-11-22\/bad-\S+\/2-.*\.log$/m,
    );
    expect(stdout).not.toContain('    fine');
    expect(stdout).toMatch(/^2026-11-22 04:00\S* +good +resumed$/m);
    expect(stdout).toMatch(/^2026-11-22 03:55\S* +bad +succeeded +\S+ +one script by hand$/m);
    expect(stdout).toMatch(/^2026-11-22 03:50\S* +good +paused +until 05:50\S*: new disk$/m);
    expect(stdout).toMatch(/^2026-11-22 03:45\S* +strict +expired +03:10 +too late to start$/m);
    expect(stdout).toMatch(/^2026-11-22 03:00\S* +good +succeeded +\S+ +03:00 +first-run$/m);

    const all = JSON.parse(
      (await workspace.rhythm(['history', '--json'], clock('06:00:00'))).stdout,
    ) as HistoryDocument;
    expect(all.schemaVersion).toBe(1);
    expect(kinds(all).sort()).toEqual(
      [
        ...['good succeeded', 'bad failed', 'good resume', 'bad succeeded', 'good pause'],
        ...['good succeeded', 'strict expire', 'good succeeded', 'bad failed'],
      ].sort(),
    );
    const run = all.items.find((item) => item.group === 'bad') as RunItem;
    expect(run).toMatchObject({
      type: 'run',
      outcome: 'failed',
      reason: 'beat-due',
      beat: '2026-11-22T05:00:00.000Z',
      missedBeats: 1,
      counts: true,
      scripts: [{ name: 'fine' }, { name: 'brücke', exitCode: 3, attempts: 2 }],
    });
    expect(run.lateMs).toBeGreaterThanOrEqual(35 * 60_000);

    const ask = async (...args: string[]) =>
      kinds(JSON.parse((await workspace.rhythm(['history', '--json', ...args], clock('06:00:00'))).stdout));
    expect(await ask('good', '-n', '2')).toEqual(['good succeeded', 'good resume']);
    expect(await ask('--outcome', 'failed')).toEqual(['bad failed', 'bad failed']);
    expect(await ask('--since', '2h9m', '--until', '1h')).toEqual(['good resume', 'bad succeeded']);
    expect(await ask('--run', run.runId)).toEqual(['bad failed']);
    expect(await ask('-n', '0')).toEqual([]);

    const details = (await workspace.rhythm(['history', '--run', run.runId], clock('06:00:00'))).stdout;
    expect(details).toContain(`    run ${run.runId}\n    fine    succeeded  `);
  });

  it('shows a run in progress', async () => {
    const workspace = makeWorkspace();
    workspace.configure({ timezone: 'UTC', groups: { slow: { every: '1h', ...shell(gate('gate')) } } });
    makeGate(workspace, 'gate');
    const tick = workspace.start(['tick'], clock('03:00:00'));
    await expect
      .poll(() => workspace.has('outputs/history.jsonl') && workspace.history().at(-1)?.type, { timeout: 20_000 })
      .toBe('run-start');
    const { stdout } = await workspace.rhythm(['history', '--outcome', 'running'], clock('03:05:00'));
    expect(stdout).toMatch(/^2026-11-22 03:00\S* +slow +running +03:00 +first-run$/m);
    tick.child.kill('SIGKILL');
    await tick.done;
    expect((await workspace.rhythm(['history'], clock('03:06:00'))).stdout).toMatch(
      /slow +unknown +03:00 +first-run, its tick died; the next one settles it$/m,
    );
    release(workspace, 'gate');
  });

  it.each([
    [
      ['history', '--outcome', 'bad'],
      'rhythm: --outcome bad is no outcome: write succeeded, failed, timed-out, interrupted or running.',
    ],
    [
      ['history', '--since', 'soon'],
      'rhythm: --since soon is neither an instant (2026-11-22T16:00:00Z) nor a duration ago (2h).',
    ],
    [['history', '-n', 'x'], 'rhythm: -n x is not a whole number: write how many are to be shown, such as 20.'],
    [['history', 'gg'], 'rhythm: there is no group "gg"; did you mean "g"?'],
    [['history', '--run', 'x'], 'rhythm: the history has no run "x"; rhythm history --details shows their ids.'],
    [['log', '--level', 'debug'], 'rhythm: --level debug is no level of the log: write error, warn or info.'],
  ])('%j is wrong usage', async (args, message) => {
    const workspace = makeWorkspace();
    workspace.configure({ groups: { g: { every: '10m', scripts: [] } } });
    const { code, stderr } = await workspace.rhythm(args);
    expect([code, stderr.trim()]).toEqual([2, message]);
  });

  it('says so where nothing has happened yet', async () => {
    const workspace = makeWorkspace();
    workspace.configure({ groups: { g: { every: '10m', scripts: [] } } });
    expect((await workspace.rhythm(['history'])).stdout).toBe('Nothing of the kind is recorded.\n');
    expect(await workspace.rhythm(['log'])).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });
});
