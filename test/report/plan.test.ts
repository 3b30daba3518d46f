import { expect, it } from 'vitest';
import type { Group } from '../../src/config/config.ts';
import { describePlatform } from '../../src/config/load/platform.ts';
import { resolveConfig } from '../../src/config/resolve/resolve.ts';
import { planTick } from '../../src/plan/decide.ts';
import { renderPlan, writePlan } from '../../src/report/plan.ts';
import { emptyState, type State } from '../../src/state/schema.ts';

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

it('shows a plan in 80 columns, and what people wrote as plain text', () => {
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

it('leaves reasons whole where there is no terminal', () => {
  expect(renderPlan(plan, config).split('\n').length).toBeLessThan(
    renderPlan(plan, config, undefined, 80).split('\n').length,
  );
});

it('is written in parts that end between lines, however much there is of it', () => {
  const groups = Array.from({ length: 3_000 }, (_, index) => ({
    ...(config.groups[index % 2 === 0 ? 0 : 3] as Group),
    name: `group_${index}`,
  }));
  const large = { ...config, groups };
  const parts: string[] = [];
  writePlan(planTick(large, emptyState(), plan.at), large, (part) => parts.push(part));
  expect(parts.length).toBeGreaterThan(3);
  expect(parts.filter((part) => part.length > 40_000 || part.endsWith('\n'))).toEqual([]);
  const lines = parts.join('').split('\n');
  expect(lines.slice(0, 4)).toEqual([
    'Plan for 2026-11-22 16:03 (UTC); a dry run, nothing is changed.',
    '',
    '   1. run       group_0     first run, for its 16:00 beat',
    '                check_health.ts',
  ]);
  expect(lines.slice(3_001)).toEqual([
    '                check_health.ts',
    '',
    ...groups
      .filter((_, index) => index % 2 === 1)
      .map(({ name }) => `      wait      ${name.padEnd(10)}  runs only when asked to`),
  ]);
});
