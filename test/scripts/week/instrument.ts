import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { appendRecord } from '../../../scripts/lib/series.ts';
import { benchmarkAt, injected, metricsAt } from './instruments.ts';

/** Stands in for the scripts that measure the machine: `instrument benchmark`, `instrument metrics`. */
const [kind, seed = '0', spikeMs = '0'] = process.argv.slice(2);
const { RHYTHM_OUTPUTS: outputs = '.', RHYTHM_GROUP: group, RHYTHM_BEAT: beat = '' } = process.env;
const now = Date.now();
const isSpike = group === injected.spike.group && Date.parse(beat) === injected.spike.beat;
if (isSpike) await sleep(Number(spikeMs));
if (kind === 'benchmark')
  await appendRecord(join(outputs, 'performance_benchmarks.jsonl'), now, benchmarkAt(Number(seed), now));
else await appendRecord(join(outputs, 'system_metrics.jsonl'), now, metricsAt(Number(seed), now));
console.log(`${kind}: measured`);
