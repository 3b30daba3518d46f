import { expect, it } from 'vitest';
import { describePlatform } from '../../src/config/load/platform.ts';
import { resolveConfig } from '../../src/config/resolve/resolve.ts';
import { planTick } from '../../src/plan/decide.ts';
import { renderPlan } from '../../src/report/plan-document.ts';
import { emptyState, type State } from '../../src/state/state-schema.ts';

const resolved = resolveConfig(
  {
    timezone: 'UTC',
    groups: {
      health_check: { every: '10m', scripts: ['check_health.ts --fast'] },
      performance_analysis: {
        every: '30m',
        dependsOn: ['health_check'],
        scripts: ['save_benchmark.ts', 'analyze_trends.ts'],
      },
      uploads: { every: '1h', dependsOn: ['never'], scripts: ['upload.ts'] },
      never: { manual: true, scripts: ['once.ts'] },
      held: { every: '1h', scripts: ['held.ts'] },
    },
  },
  { workspace: '/srv/jobs', file: '/srv/jobs/tasks.config.ts' },
  describePlatform(),
);
if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
const { config } = resolved;
const state: State = {
  ...emptyState(),
  groups: {
    held: {
      pausedAt: '2026-11-22T15:00:00.000Z',
      pauseReason: 'the disk is being replaced by one that is \x1b[31mlarger, which may take until tomorrow',
    },
  },
};
const plan = planTick(config, state, Date.parse('2026-11-22T16:03:00Z'));

it('a plan is shown in 80 columns, and user-written texts as plain text', () => {
  const text = renderPlan(plan, config, undefined, 80);
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  expect(text).toMatchInlineSnapshot(`
    "Plan for 2026-11-22 16:03 (UTC); a dry run, nothing is changed.

    1. run       health_check          first run, for its 16:00 beat
                 check_health.ts
    2. run       performance_analysis  first run, for its 16:00 beat; health_check
                                       runs first
                 save_benchmark.ts
                 analyze_trends.ts

       skip      uploads               its 16:00 beat is due, but never has never
                                       run
       wait      never                 runs only when asked to
       paused    held                  paused since 15:00: the disk is being
                                       replaced by one that is larger, which may
                                       take until tomorrow"
  `);
});

it('a plan is not wrapped without a terminal', () => {
  expect(renderPlan(plan, config).split('\n').length).toBeLessThan(
    renderPlan(plan, config, undefined, 80).split('\n').length,
  );
});
