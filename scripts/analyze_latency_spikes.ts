import { join } from 'node:path';
import { readHistory } from './lib/history.ts';
import { perform } from './lib/program.ts';
import { formatDuration, formatInstant } from './lib/quantity.ts';
import { readReport, reports, writeReport } from './lib/report.ts';
import { findSpikes, type Spike, spikeRule, timesUsual } from './lib/spikes.ts';

const help = `
analyze_latency_spikes.ts

Finds the runs of the last 7 days, and the scripts in them, that took far longer than
usual: longer than the median by ${spikeRule.deviations} deviations (of the median absolute kind), by half
of it, and by ${formatDuration(spikeRule.floorMs)}. A group or script with fewer than ${spikeRule.minimumRuns} successful runs is not judged.
Writes latency_spikes.json. Fails once for each spike: where one is found that the last
report did not have.
`;

const span = 7 * 86_400_000;

await perform({ name: 'analyze_latency_spikes.ts', help }, async ({ outputs, now }) => {
  const { runs } = await readHistory(outputs, now - span);
  const { spikes, judged, tooFew } = findSpikes(runs);
  const known = (await readReport(outputs, reports.spikes))?.at ?? 0;
  const findings = spikes.map((spike) => ({ at: spike.at, text: describeSpike(spike) }));
  await writeReport(join(outputs, reports.spikes), now, findings, {
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
  });
  console.log(`latency: ${summarise(spikes, judged, runs.length)}`);
  return spikes.some(({ at }) => at > known) ? 'look' : 'fine';
});

function summarise(spikes: readonly Spike[], judged: number, runs: number): string {
  if (judged === 0)
    return `too little data: ${runs} ${runs === 1 ? 'run' : 'runs'} in 7 days, and ${spikeRule.minimumRuns} of a group are needed`;
  if (spikes.length === 0) return `no spikes in ${runs} runs of 7 days`;
  const named = spikes.slice(0, 3).map(describeSpike);
  const rest = spikes.length > named.length ? `; and ${spikes.length - named.length} more in latency_spikes.json` : '';
  return `${spikes.length} ${spikes.length === 1 ? 'spike' : 'spikes'} in ${runs} runs of 7 days: ${named.join('; ')}${rest}`;
}

function describeSpike(spike: Spike): string {
  const name = spike.script === null ? spike.group : `${spike.group}/${spike.script}`;
  const lengths = `${formatDuration(spike.durationMs)} instead of ${formatDuration(spike.usualMs)}`;
  return `${name} took ${lengths} (${timesUsual(spike).toFixed(1)} times) at ${formatInstant(spike.at)}`;
}
