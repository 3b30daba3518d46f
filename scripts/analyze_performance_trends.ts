import { join } from 'node:path';
import { fieldsOf, instantOf, listOf, numberOf, textOf } from './lib/loose.ts';
import { perform } from './lib/program.ts';
import { count, formatBytes, formatDuration, formatShare } from './lib/quantity.ts';
import { type Finding, reports, writeReport } from './lib/report.ts';
import { readSince, type SeriesRecord } from './lib/series.ts';
import {
  describeFull,
  describeTrend,
  findLeaks,
  foreseeFull,
  judgeTrend,
  leakRule,
  type ProcessSample,
  type Sample,
  trendRule,
} from './lib/trends.ts';

const days = 7;
const day = 86_400_000;
/** A disk that would be full within this time is worth a look. */
const horizon = 14 * day;
/** Of what lies further ahead a week of readings tells nothing. */
const foreseeable = 365 * day;

const help = `
analyze_performance_trends.ts

Judges the last ${days} days of performance_benchmarks.jsonl and system_metrics.jsonl by medians,
which a few wild values do not move:
  slower   the last ${trendRule.recent} benchmarks against those before (by ${trendRule.deviations} deviations and ${formatShare(trendRule.change)}), or a
           steady climb of ${formatShare(trendRule.change)}
  leaking  a process that grew at nearly each of ${leakRule.minimum} looks or more within a day, by half and by
           ${formatBytes(leakRule.bytes)}, and still grows
  filling  a disk that would be full within ${formatDuration(horizon)}
Writes performance_trends.json. Fails where it finds one of these.
`;

const figures = [
  { field: 'hashMs', label: 'hashing' },
  { field: 'writeMs', label: 'the durable write' },
  { field: 'startMs', label: 'process start' },
] as const;

await perform({ name: 'analyze_performance_trends.ts', help }, async ({ outputs, now }) => {
  const since = now - days * day;
  const benchmarks = await readSince(join(outputs, 'performance_benchmarks.jsonl'), since);
  const metrics = await readSince(join(outputs, 'system_metrics.jsonl'), since);

  const trends = figures.map(({ field, label }) => ({
    field,
    label,
    ...judgeTrend(samplesOf(benchmarks, (record) => record[field])),
  }));
  const recent = metrics.filter(({ at }) => at >= now - day);
  const leaks = findLeaks(recent.flatMap(processesOf), metrics.at(-1)?.at ?? now);
  const full = foreseeFull(samplesOf(metrics, usedOf), numberOf(fieldsOf(metrics.at(-1)?.disk).total) ?? 0);

  const said = trends.map((trend) => ({ ...trend, text: describeTrend(trend.label, trend, days) }));
  const isWorse = ({ verdict }: { verdict: string }) => verdict === 'jumped' || verdict === 'climbs';
  const worse = [
    ...said.filter(isWorse).map(({ text }) => text),
    ...leaks.map(
      (leak) =>
        `${leak.name} (pid ${leak.pid}) leaks memory: ${formatBytes(leak.first)} to ${formatBytes(leak.last)} in ` +
        `${formatDuration(leak.to - leak.from)}, ${formatBytes(leak.perHour)} an hour`,
    ),
    full !== null && full < now + horizon ? describeFull(full) : null,
  ];
  const findings: Finding[] = worse.flatMap((text) => (text === null ? [] : [{ at: now, text }]));
  await writeReport(join(outputs, reports.trends), now, findings, {
    trends,
    leaks: leaks.map((leak) => ({
      ...leak,
      from: new Date(leak.from).toISOString(),
      to: new Date(leak.to).toISOString(),
    })),
    diskFullAt: full === null || full > now + foreseeable ? null : new Date(full).toISOString(),
    rules: { trend: trendRule, leak: leakRule },
  });
  const calm = said.filter((trend) => !isWorse(trend)).flatMap(({ text }) => text ?? []);
  const parts = [...findings.map(({ text }) => text), ...calm];
  const tooFew = `too little data: ${count(benchmarks.length, 'benchmark')} in ${days} d, and ${trendRule.minimum} are needed`;
  console.log(`trends: ${parts.length === 0 ? tooFew : parts.join('; ')}`);
  return findings.length > 0 ? 'look' : 'fine';
});

function samplesOf(records: readonly SeriesRecord[], pick: (record: SeriesRecord) => unknown): Sample[] {
  return records.flatMap((record) => {
    const value = numberOf(pick(record));
    return value === null ? [] : [{ at: record.at, value }];
  });
}

function usedOf({ disk }: SeriesRecord): number | null {
  const { free, total } = fieldsOf(disk);
  return typeof free === 'number' && typeof total === 'number' ? total - free : null;
}

function processesOf(record: SeriesRecord): ProcessSample[] {
  return listOf(record.largest).flatMap((value) => {
    const { pid, name, startedAt, memory } = fieldsOf(value);
    const [id, bytes, start] = [numberOf(pid), numberOf(memory), instantOf(startedAt)];
    if (id === null || bytes === null || start === null) return [];
    return [{ at: record.at, pid: id, name: textOf(name) ?? 'unnamed', memory: bytes, startedAt: start }];
  });
}
