import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { argvOf, readJsonLines, runScript, temporaryFolder } from './workspace.ts';

const scripts = [
  'check_health.ts',
  'save_performance_benchmark.ts',
  'collect_system_metrics.ts',
  'generate_daily_briefing.ts',
  'analyze_latency_spikes.ts',
];

describe.concurrent('every script', () => {
  it.each(scripts)('%s explains itself and writes nothing', async (script) => {
    const folder = temporaryFolder();
    const { exitCode, stdout } = await runScript(argvOf(script, '--help'), null, folder);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${script}`));
    expect(stdout).toContain('$RHYTHM_OUTPUTS');
    expect(stdout).toContain('Exit codes:');
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(scripts)('%s succeeds on a first run, with one line', async (script) => {
    const { exitCode, stdout, stderr } = await runScript(argvOf(script), temporaryFolder());
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^\S.*\n$/);
  });

  it('refuses an argument that it does not know', async () => {
    const folder = temporaryFolder();
    const { exitCode, stderr } = await runScript(argvOf('check_health.ts', '--quick'), folder);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^check_health\.ts: Unknown option '--quick'.*--help/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('run by hand keeps its files in outputs/ under the current folder', async () => {
    const folder = temporaryFolder();
    expect((await runScript(argvOf('collect_system_metrics.ts'), null, folder)).exitCode).toBe(0);
    expect(readdirSync(folder)).toEqual(['outputs']);
    expect(readJsonLines(join(folder, 'outputs', 'system_metrics.jsonl'))).toHaveLength(1);
  });

  it('says what is wrong where the outputs folder is a file', async () => {
    const folder = temporaryFolder();
    await runScript(argvOf('collect_system_metrics.ts'), folder);
    const file = join(folder, 'system_metrics.jsonl');
    const { exitCode, stderr } = await runScript(argvOf('analyze_latency_spikes.ts'), file);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^analyze_latency_spikes\.ts: can't work in .*system_metrics\.jsonl \(EEXIST.*\n$/);
    expect(existsSync(file)).toBe(true);
  });
});
