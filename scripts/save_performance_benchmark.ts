import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { perform } from './lib/program.ts';
import { formatDuration } from './lib/quantity.ts';
import { appendRecord, readNewest } from './lib/series.ts';
import { median } from './lib/statistics.ts';

const help = `
save_performance_benchmark.ts

Measures the machine in under two seconds, each figure the median of several: hashing
4 MB (CPU), one small write that reaches the disk (in the outputs folder), and starting
an empty Node.js process. Appends the figures to performance_benchmarks.jsonl (30 days
are kept) and compares them with the median of the last 20.
`;

const figures = [
  { field: 'hashMs', label: 'hashing' },
  { field: 'writeMs', label: 'durable write' },
  { field: 'startMs', label: 'process start' },
] as const;

await perform({ name: 'save_performance_benchmark.ts', help }, async ({ outputs, now }) => {
  const file = join(outputs, 'performance_benchmarks.jsonl');
  const earlier = await readNewest(file, 20);
  const measured = { hashMs: measureHashing(), writeMs: measureWriting(outputs), startMs: measureStart() };
  await appendRecord(file, now, { ...measured, node: process.version, platform: process.platform, arch: process.arch });
  const parts = figures.map(({ field, label }) => {
    const usual = median(earlier.map((record) => record[field]).filter((value) => typeof value === 'number'));
    return `${label} ${formatDuration(measured[field])}${usual ? ` (${change(measured[field] / usual)})` : ''}`;
  });
  const basis =
    earlier.length === 0 ? 'nothing to compare with yet' : `against the median of the last ${earlier.length}`;
  console.log(`benchmark: ${parts.join(', ')}; ${basis}`);
  return 'fine';
});

function change(ratio: number): string {
  const percent = Math.round((ratio - 1) * 100);
  return percent === 0 ? 'as usual' : `${Math.abs(percent)} % ${percent > 0 ? 'slower' : 'faster'}`;
}

function measureHashing(): number {
  const block = Buffer.alloc(4 * 1024 * 1024, 'rhythm');
  return measure(15, () => createHash('sha256').update(block).digest());
}

function measureWriting(outputs: string): number {
  const file = join(outputs, `.benchmark-${process.pid}.tmp`);
  const block = Buffer.alloc(4096, 'rhythm');
  const descriptor = openSync(file, 'w', 0o600);
  try {
    return measure(15, () => {
      // Always at the start of the file: the figure is the disk's, not that of a growing file.
      writeSync(descriptor, block, 0, block.length, 0);
      fsyncSync(descriptor);
    });
  } finally {
    closeSync(descriptor);
    rmSync(file, { force: true });
  }
}

function measureStart(): number {
  // NODE_OPTIONS may load whatever its owner likes; a certificate file is read at every start.
  const env = { ...process.env, NODE_OPTIONS: '', NODE_EXTRA_CA_CERTS: '' };
  return measure(5, () => {
    const { error } = spawnSync(process.execPath, ['-e', '0'], { env, stdio: 'ignore', windowsHide: true });
    if (error) throw error;
  });
}

/** The median length of an action in ms: up to `times` of them, but not beyond half a second, and three at least. */
function measure(times: number, action: () => void): number {
  const lengths: number[] = [];
  const begin = performance.now();
  while (lengths.length < times && (lengths.length < 3 || performance.now() - begin < 500)) {
    const start = performance.now();
    action();
    lengths.push(performance.now() - start);
  }
  return Math.round((median(lengths) ?? 0) * 1000) / 1000;
}
