import { availableParallelism, loadavg, uptime } from 'node:os';
import { join } from 'node:path';
import { type Room, readDisk, readMemory, sampleCpuUse } from './lib/machine.ts';
import { readProcesses } from './lib/processes.ts';
import { perform } from './lib/program.ts';
import { count, formatBytes, formatDuration, formatShare } from './lib/quantity.ts';
import { appendRecord } from './lib/series.ts';

/** So many processes tell which one grows, without a series of all there are. */
const largest = 20;

const help = `
collect_system_metrics.ts

Appends one line to system_metrics.jsonl (30 days are kept): CPU use over half a second,
memory, disk (where the outputs folder lies), load, uptime, the number of processes, and the
${largest} that have most memory in use. What the system does not tell is null: load on Windows.
`;

await perform({ name: 'collect_system_metrics.ts', help }, async ({ outputs, now }) => {
  const processes = await readProcesses();
  const metrics = {
    cpuUse: await sampleCpuUse(500),
    cores: availableParallelism(),
    memory: await readMemory(),
    disk: await readDisk(outputs),
    load: process.platform === 'win32' ? null : loadavg(),
    processes: processes.length,
    zombies: processes.filter(({ isZombie }) => isZombie).length,
    largest: processes
      .toSorted((a, b) => b.memory - a.memory)
      .slice(0, largest)
      .map(({ pid, name, startedAt, memory }) => ({ pid, name, startedAt: new Date(startedAt).toISOString(), memory })),
    uptimeSeconds: Math.round(uptime()),
  };
  await appendRecord(join(outputs, 'system_metrics.jsonl'), now, metrics);
  const parts = [
    metrics.cpuUse === null ? null : `CPU ${formatShare(metrics.cpuUse)} busy`,
    metrics.memory && `memory ${describe(metrics.memory)} available`,
    metrics.disk && `disk ${describe(metrics.disk)} free`,
    count(metrics.processes, 'process', 'processes'),
    `up ${formatDuration(metrics.uptimeSeconds * 1000)}`,
  ];
  console.log(`metrics: ${parts.filter((part) => part !== null).join(', ')}`);
  return 'fine';
});

function describe(room: Room): string {
  return `${formatBytes(room.free)} of ${formatBytes(room.total)}`;
}
