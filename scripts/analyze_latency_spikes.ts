import { join } from 'node:path';
import { replaceFile } from './lib/files.ts';
import { readHistory } from './lib/history.ts';
import { perform } from './lib/program.ts';
import { formatDuration, formatInstant } from './lib/quantity.ts';
import { findSpikes, type Spike, spikeRule, timesUsual } from './lib/spikes.ts';

const help = `
analyze_latency_spikes.ts

Finds the runs of the last 7 days, and the scripts in them, that took far longer than
usual: longer than the median by ${spikeRule.deviations} deviations (of the median absolute kind), by half
of it, and by ${formatDuration(spikeRule.floorMs)}. A group or script with fewer than ${spikeRule.minimumRuns} successful runs is not judged.
Writes latency_spikes.json. Spikes are news, not a failure: they do not change the exit
code.
`;

const span = 7 * 86_400_000;

await perform({ name: 'analyze_latency_spikes.ts', help }, async ({ outputs, now }) => {
  const { runs } = await readHistory(outputs, now - span);
  const { spikes, judged, tooFew } = findSpikes(runs);
  const report = {
    at: new Date(now).toISOString(),
    since: new Date(now - span).toISOString(),
    runs: runs.length,
    judged,
    tooFew,
    rule: spikeRule,
    spikes: spikes.map((spike) => ({
      ...spike,
      at: new Date(spike.at).toISOString(),
      timesUsual: Math.round(timesUsual(spike) * 10) / 10,
    })),
  };
  await replaceFile(join(outputs, 'latency_spikes.json'), `${JSON.stringify(report, null, 2)}\n`);
  console.log(`latency: ${summarise(spikes, judged, runs.length)}`);
  return 'fine';
});

function summarise(spikes: readonly Spike[], judged: number, runs: number): string {
  if (judged === 0)
    return `too little data: ${runs} ${runs === 1 ? 'run' : 'runs'} in 7 days, and ${spikeRule.minimumRuns} of a group are needed`;
  if (spikes.length === 0) return `no spikes in ${runs} runs of 7 days`;
  const named = spikes.slice(0, 3).map((spike) => {
    const name = spike.script === null ? spike.group : `${spike.group}/${spike.script}`;
    const lengths = `${formatDuration(spike.durationMs)} instead of ${formatDuration(spike.usualMs)}`;
    return `${name} took ${lengths} (${timesUsual(spike).toFixed(1)} times) at ${formatInstant(spike.at)}`;
  });
  const rest = spikes.length > named.length ? `; and ${spikes.length - named.length} more in latency_spikes.json` : '';
  return `${spikes.length} ${spikes.length === 1 ? 'spike' : 'spikes'} in ${runs} runs of 7 days: ${named.join('; ')}${rest}`;
}
