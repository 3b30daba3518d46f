import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describePlatform } from '../../src/config/load/platform.ts';
import { resolveConfig } from '../../src/config/resolve/resolve.ts';
import { planTick } from '../../src/plan/decide.ts';
import { documentPlan, type PlanDocument } from '../../src/report/plan-document.ts';
import { stateSchema } from '../../src/state/state-schema.ts';
import { makeWorkspace } from '../rig.ts';
import { type Case, cases } from './cases.ts';
import { foretell, type Verdict } from './oracle.ts';

const seed = 20_261_122;

test('the planner agrees with a second reading of the rules', () => {
  const reasons = new Set<string>();
  fc.assert(
    fc.property(cases, (one) => {
      const expected = foretell(one.config, one.state, Date.parse(one.at), heldLanes(one));
      for (const { decision, reason } of expected) reasons.add(`${decision} ${reason}`);
      expect(verdictsOf(planInProcess(one))).toEqual(expected);
    }),
    { seed, numRuns: 500 },
  );
  // Every decision and reason that there is was met, or the cases have become too tame.
  expect([...reasons].sort()).toEqual([
    'disabled disabled',
    'expire too-late',
    'paused paused',
    'run beat-due',
    'run first-run',
    'run resume-interrupted',
    'run retry-due',
    'skip dependency-failed',
    'skip dependency-never-ran',
    'skip dependency-running',
    'skip dependency-skipped',
    'skip dependency-stale',
    'wait first-beat-ahead',
    'wait lane-held',
    'wait manual',
    'wait not-due',
  ]);
});

test('the command agrees with it as well, and writes nothing', { timeout: 120_000 }, async () => {
  // A lane can't be held for an instant that is not now.
  const samples = fc.sample(cases, { seed, numRuns: 40 }).map((one): Case => ({ ...one, held: {} }));
  const workspaces = [makeWorkspace(), makeWorkspace(), makeWorkspace()];
  const work = async (workspace: (typeof workspaces)[number]): Promise<void> => {
    for (let one = samples.shift(); one !== undefined; one = samples.shift()) {
      workspace.configure(one.config);
      workspace.write('outputs/master_scheduler_state.json', JSON.stringify(one.state));
      const before = workspace.fingerprint();
      const args = ['tick', '--dry-run', '--json', '--at', one.at];
      const { code, stdout, stderr } = await workspace.rhythm(args);
      const context = JSON.stringify(one);
      expect({ code, stderr }, context).toEqual({ code: 0, stderr: '' });
      expect(verdictsOf(JSON.parse(stdout)), context).toEqual(foretell(one.config, one.state, Date.parse(one.at)));
      expect(workspace.fingerprint()).toEqual(before);
    }
  };
  await Promise.all(workspaces.map(work));
});

function planInProcess(one: Case): PlanDocument {
  const place = { workspace: '/workspace', file: '/workspace/tasks.config.json' };
  const result = resolveConfig(one.config, place, { ...describePlatform(), systemTimezone: 'UTC' });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  const plan = planTick(result.config, stateSchema.parse(one.state), Date.parse(one.at), heldLanes(one));
  return documentPlan(plan, result.config);
}

function heldLanes({ held }: Case): Map<string, string | null> {
  return new Map(Object.entries(held));
}

function verdictsOf({ groups }: PlanDocument): Verdict[] {
  return groups.map(({ group, decision, reason, blockedBy, beat, missedBeats, nextBeat }) => {
    return { group, decision, reason, blockedBy, beat, missedBeats, nextBeat };
  });
}
