import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { argvOf, iso, readJsonLines, runScript, temporaryFolder } from './workspace.ts';

it('save_performance_benchmark.ts has nothing to compare its first measurement with', async () => {
  const outputs = temporaryFolder();
  const { exitCode, stdout } = await runScript(argvOf('save_performance_benchmark.ts'), outputs);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^benchmark: hashing .*, durable write .*, process start .*; nothing to compare with yet\n$/);
  expect(readdirSync(outputs)).toEqual(['performance_benchmarks.jsonl']);
  const [line] = readJsonLines(join(outputs, 'performance_benchmarks.jsonl'));
  for (const field of ['hashMs', 'writeMs', 'startMs']) expect(line?.[field]).toBeGreaterThan(0);
});

it('save_performance_benchmark.ts compares with the median of the last 20 runs only', async () => {
  const outputs = temporaryFolder();
  const now = Date.now();
  // Twenty runs on a machine a million times slower but for a few outliers; before them, some on one much faster.
  const lines = Array.from({ length: 40 }, (_, index) => {
    const ms = index < 20 || index % 5 === 0 ? 0.000_001 : 10_000_000;
    return JSON.stringify({ at: iso(now - (40 - index) * 1_800_000), hashMs: ms, writeMs: ms, startMs: ms });
  });
  writeFileSync(join(outputs, 'performance_benchmarks.jsonl'), `${lines.join('\n')}\n`);
  const { stdout } = await runScript(argvOf('save_performance_benchmark.ts'), outputs);
  expect(stdout.match(/\(100 % faster\)/g)).toHaveLength(3);
  expect(stdout).toMatch(/; against the median of the last 20\n$/);
});
