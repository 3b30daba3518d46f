import { open, readFile, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { judgeHealth, type Reading, summariseHealth, thresholds, worstLevel } from './lib/health.ts';
import { findNewestTick } from './lib/history.ts';
import { readDisk, readLoadPerCore, readMemory, sampleTimerDelay } from './lib/machine.ts';
import { messageOf, perform } from './lib/program.ts';
import { formatBytes, formatDuration, formatShare } from './lib/quantity.ts';
import { appendRecord } from './lib/series.ts';

const { disk, memory, loadPerCore, timerDelayMs, pulseAgeMs } = thresholds;

const help = `
check_health.ts [--fast]

Looks at the machine: room on the disk of the outputs folder, available memory, load,
lateness of timers, and the age of rhythm's last tick. Without --fast it also writes a
file there and reads it back, and talks to itself over 127.0.0.1.
Appends its reading to health.jsonl (30 days are kept).

Warns:  disk below ${formatShare(disk.warning.share)} and ${formatBytes(disk.warning.bytes)}, memory below ${formatShare(memory.warning)}, load above ${loadPerCore.warning} a core,
        timers more than ${formatDuration(timerDelayMs.warning)} late, no tick for ${formatDuration(pulseAgeMs.warning)}, no loopback.
Fails:  disk below ${formatShare(disk.critical.share)} and ${formatBytes(disk.critical.bytes)}, memory below ${formatShare(memory.critical)}, or the outputs folder
        can't be written.
`;

await perform({ name: 'check_health.ts', help, flags: ['fast'] }, async ({ outputs, now, flags }) => {
  const newestTick = await findNewestTick(outputs);
  const reading: Reading = {
    disk: await readDisk(outputs),
    memory: await readMemory(),
    loadPerCore: readLoadPerCore(),
    timerDelayMs: await sampleTimerDelay(),
    pulseAgeMs: newestTick === null ? null : now - newestTick,
    writing: flags.has('fast') ? null : await resultOf(testWriting(outputs)),
    loopback: flags.has('fast') ? null : await resultOf(testLoopback()),
  };
  const findings = [...judgeHealth(reading)];
  const level = worstLevel(findings);
  try {
    await appendRecord(join(outputs, 'health.jsonl'), now, { level, ...reading });
  } catch (error) {
    // On a full disk the verdict matters more than ever: it is printed even where it can't be kept.
    findings.push({ check: 'record', level: 'critical', text: `health.jsonl can't be written (${messageOf(error)})` });
  }
  console.log(summariseHealth(findings));
  return worstLevel(findings) === 'critical' ? 'look' : 'fine';
});

async function resultOf(test: Promise<void>): Promise<true | string> {
  return test.then(() => true as const, messageOf);
}

async function testWriting(outputs: string): Promise<void> {
  const file = join(outputs, `.health-${process.pid}.tmp`);
  const written = Buffer.alloc(65_536, `health ${process.pid} `);
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(written);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (!written.equals(await readFile(file))) throw new Error('what was read back is not what was written');
  } finally {
    await rm(file, { force: true });
  }
}

/** By address, not by name: a slow name server must not make the machine look ill. */
async function testLoopback(): Promise<void> {
  const server = createServer((socket) => socket.end('pulse'));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', () => {
        const address = server.address();
        const port = typeof address === 'object' && address !== null ? address.port : 0;
        const socket = connect(port, '127.0.0.1').once('error', reject);
        socket.setTimeout(2000, () => socket.destroy(new Error('no answer within 2 s')));
        socket.once('data', () => {
          socket.destroy();
          resolve();
        });
      });
    });
  } finally {
    server.close();
  }
}
