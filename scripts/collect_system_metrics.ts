import { availableParallelism, loadavg, uptime } from 'node:os';
import { join } from 'node:path';
import { countProcesses, type Room, readDisk, readMemory, sampleCpuUse } from './lib/machine.ts';
import { perform } from './lib/program.ts';
import { formatBytes, formatDuration, formatShare } from './lib/quantity.ts';
import { appendRecord } from './lib/series.ts';

const help = `
collect_system_metrics.ts

Appends one line to system_metrics.jsonl (30 days are kept): CPU use over half a second,
memory, disk (where the outputs folder lies), load, number of processes and uptime. What
the system does not tell is null: load on Windows, processes anywhere but on Linux.
`;

await perform({ name: 'collect_system_metrics.ts', help }, async ({ outputs, now }) => {
  const metrics = {
    cpuUse: await sampleCpuUse(500),
    cores: availableParallelism(),
    memory: await readMemory(),
    disk: await readDisk(outputs),
    load: process.platform === 'win32' ? null : loadavg(),
    processes: await countProcesses(),
    uptimeSeconds: Math.round(uptime()),
  };
  await appendRecord(join(outputs, 'system_metrics.jsonl'), now, metrics);
  const parts = [
    metrics.cpuUse === null ? null : `CPU ${formatShare(metrics.cpuUse)} busy`,
    metrics.memory && `memory ${describe(metrics.memory)} available`,
    metrics.disk && `disk ${describe(metrics.disk)} free`,
    metrics.processes === null ? null : `${metrics.processes} processes`,
    `up ${formatDuration(metrics.uptimeSeconds * 1000)}`,
  ];
  console.log(`metrics: ${parts.filter((part) => part !== null).join(', ')}`);
  return 'fine';
});

function describe(room: Room): string {
  return `${formatBytes(room.free)} of ${formatBytes(room.total)}`;
}
