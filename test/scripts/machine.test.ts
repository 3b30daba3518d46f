import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseLimit, parseMeminfo, parseVmStat, readMemory, sampleCpuUse } from '../../scripts/lib/machine.ts';
import { formatBytes, formatDuration, formatShare } from '../../scripts/lib/quantity.ts';
import { argvOf, readJsonLines, runScript, temporaryFolder } from './workspace.ts';

describe('the memory of the machine', () => {
  it('is read from /proc/meminfo', () => {
    const text = 'MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    4000000 kB\n';
    expect(parseMeminfo(text)).toEqual({ free: 4_096_000_000, total: 8_192_000_000 });
    expect(parseMeminfo('MemTotal: 8000000 kB\n')).toBeNull();
  });

  it('is read from vm_stat', () => {
    const text = [
      'Mach Virtual Memory Statistics: (page size of 16384 bytes)',
      'Pages free:                                4000.',
      'Pages active:                            300000.',
      'Pages inactive:                          290000.',
      'Pages speculative:                         6000.',
      'Pages wired down:                        120000.',
    ].join('\n');
    expect(parseVmStat(text, 16 * 1024 ** 3)).toEqual({ free: 300_000 * 16384, total: 16 * 1024 ** 3 });
    expect(parseVmStat('no such report', 1)).toBeNull();
  });

  it.each([
    [
      'inactive cache, which counts as free',
      '1000\n',
      '900\n',
      'anon 500\ninactive_file 300\n',
      { free: 400, total: 1000 },
    ],
    ['no limit', 'max\n', '900\n', 'inactive_file 300\n', null],
    ['more in use than allowed', '1000\n', '1200\n', 'anon 1\n', { free: 0, total: 1000 }],
    [
      'more cache than use, read at different moments',
      '1000\n',
      '200\n',
      'inactive_file 300\n',
      { free: 1000, total: 1000 },
    ],
  ])('is read from a control group with %s', (_, max, current, stat, room) => {
    expect(parseLimit(max, current, stat)).toEqual(room);
  });

  it('is known on this system, and no more of it is free than exists', async () => {
    const room = await readMemory();
    expect(room?.free).toBeGreaterThan(0);
    expect(room?.free).toBeLessThanOrEqual(room?.total ?? 0);
  });
});

it('the CPU use is between 0 and 1', async () => {
  const use = await sampleCpuUse(50);
  expect(use).toBeGreaterThanOrEqual(0);
  expect(use).toBeLessThanOrEqual(1);
});

it.each([
  [formatBytes(0), '0 B'],
  [formatBytes(1023), '1023 B'],
  [formatBytes(1536), '1.5 KB'],
  [formatBytes(80 * 1024 ** 3), '80 GB'],
  [formatDuration(0.42), '0.4 ms'],
  [formatDuration(850.4), '850 ms'],
  [formatDuration(2500), '2.5 s'],
  [formatDuration(200_000), '3 min 20 s'],
  [formatDuration(3_600_000), '1 h'],
  [formatDuration(7_500_000), '2 h 5 min'],
  [formatDuration(4 * 86_400_000 + 7_200_000), '4 d 2 h'],
  [formatShare(0.016), '1.6 %'],
  [formatShare(0.284), '28 %'],
])('a quantity is formatted as %s', (written, expected) => {
  expect(written).toBe(expected);
});

it('collect_system_metrics.ts appends one line per run', async () => {
  const outputs = temporaryFolder();
  const { stdout } = await runScript(argvOf('collect_system_metrics.ts'), outputs);
  expect(stdout).toMatch(/^metrics: .*memory .* available, disk .* free, .*up /);
  await runScript(argvOf('collect_system_metrics.ts'), outputs);
  const lines = readJsonLines(join(outputs, 'system_metrics.jsonl'));
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatchObject({ cores: expect.any(Number), memory: { total: expect.any(Number) } });
  if (process.platform === 'linux') expect(lines[1]).toMatchObject({ processes: expect.any(Number) });
});
