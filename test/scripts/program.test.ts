import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import config from '../../tasks.config.ts';
import { argvOf, readJsonLines, repository, runScript, temporaryFolder } from './workspace.ts';

/** The master scheduler report's groups and scripts, in its order. */
const groups = {
  health_check: ['check_health.ts --fast', 'circuit_breaker_router.ts --status-only'],
  performance_analysis: [
    'save_performance_benchmark.ts',
    'analyze_performance_trends.ts',
    'adaptive_routing_optimizer.ts',
  ],
  system_maintenance: ['cleanup_processes.ts', 'collect_system_metrics.ts'],
  daily_routine: ['generate_daily_briefing.ts', 'generate_visual_dashboard.ts'],
  event_analysis: ['analyze_latency_spikes.ts', 'analyze_replan_patterns.ts'],
};

const scripts = Object.values(groups)
  .flat()
  .map((line) => line.split(' ')[0] as string);

it('the example has the groups and scripts of the master scheduler report', () => {
  const found = Object.entries(config.groups).map(([name, group]) => [
    name,
    (group.scripts ?? []).map((script) => (typeof script === 'string' ? script : 'run' in script ? script.run : '')),
  ]);
  expect(found).toEqual(Object.entries(groups));
});

it('the example’s scripts import only Node’s modules, each other and systeminformation', () => {
  const folder = join(repository, 'scripts');
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  )) {
    const imports = [...readFileSync(join(folder, name), 'utf8').matchAll(/(?:from|import\() ?'([^']+)'/g)];
    for (const [, target] of imports) expect(target, name).toMatch(/^(node:|\.\/|systeminformation$)/);
  }
});

describe.concurrent('an example script', () => {
  it.each(scripts)('prints its help and writes nothing: %s', async (script) => {
    const folder = temporaryFolder();
    const { exitCode, stdout } = await runScript(argvOf(script, '--help'), null, folder);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${script}`));
    expect(stdout).toContain('$RHYTHM_OUTPUTS');
    expect(stdout).toContain('Exit codes:');
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(scripts)('succeeds on its first run and prints one line: %s', async (script) => {
    const { exitCode, stdout, stderr } = await runScript(argvOf(script), temporaryFolder());
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^\S.*\n$/);
  });

  it('refuses an unknown argument', async () => {
    const folder = temporaryFolder();
    const { exitCode, stderr } = await runScript(argvOf('check_health.ts', '--quick'), folder);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^check_health\.ts: Unknown option '--quick'.*--help/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('writes to outputs/ under the current folder if run manually', async () => {
    const folder = temporaryFolder();
    expect((await runScript(argvOf('collect_system_metrics.ts'), null, folder)).exitCode).toBe(0);
    expect(readdirSync(folder)).toEqual(['outputs']);
    expect(readJsonLines(join(folder, 'outputs', 'system_metrics.jsonl'))).toHaveLength(1);
  });

  it('reports an outputs folder that is a file', async () => {
    const folder = temporaryFolder();
    await runScript(argvOf('collect_system_metrics.ts'), folder);
    const file = join(folder, 'system_metrics.jsonl');
    const { exitCode, stderr } = await runScript(argvOf('analyze_latency_spikes.ts'), file);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^analyze_latency_spikes\.ts: can't work in .*system_metrics\.jsonl \(EEXIST.*\n$/);
    expect(existsSync(file)).toBe(true);
  });
});
