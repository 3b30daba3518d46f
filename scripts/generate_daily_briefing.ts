import { mkdir, readdir, rm } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { briefingSpan, composeBriefing } from './lib/briefing.ts';
import { readTail, replaceFile } from './lib/files.ts';
import { readHistory } from './lib/history.ts';
import { perform } from './lib/program.ts';
import { formatDuration, formatShare } from './lib/quantity.ts';
import { readNewest } from './lib/series.ts';

const help = `
generate_daily_briefing.ts

Writes the last 24 hours of rhythm's history as Markdown to daily_briefing.md, and a
copy to briefings/<date>.md (90 days are kept): runs by group and outcome, failures with
the last line that their scripts printed, missed and expired beats, what was held back
and why, the longest runs against what is usual, and the machine in one line.
`;

const day = 86_400_000;

await perform({ name: 'generate_daily_briefing.ts', help }, async ({ outputs, now }) => {
  const history = await readHistory(outputs, now - briefingSpan - 7 * day);
  const failed = history.runs
    .filter(({ at, outcome }) => at >= now - briefingSpan && outcome !== 'succeeded')
    .flatMap(({ scripts }) => scripts.filter(({ outcome }) => outcome !== 'succeeded'));
  const lastLines = new Map<string, string>();
  for (const { outputFile } of failed) {
    if (outputFile === null) continue;
    const line = await readLastLine(outputs, outputFile);
    if (line !== null) lastLines.set(outputFile, line);
  }
  const { markdown, summary } = composeBriefing({ now, history, lastLines, machine: await describeMachine(outputs) });

  const folder = join(outputs, 'briefings');
  await mkdir(folder, { recursive: true, mode: 0o750 });
  await replaceFile(join(folder, `${dateOf(now)}.md`), markdown);
  await replaceFile(join(outputs, 'daily_briefing.md'), markdown);
  for (const name of await readdir(folder)) {
    if (/^\d{4}-\d\d-\d\d\.md$/.test(name) && name < `${dateOf(now - 90 * day)}.md`) await rm(join(folder, name));
  }
  console.log(`briefing: ${summary}; see ${join(outputs, 'daily_briefing.md')}`);
  return 'fine';
});

function dateOf(instant: number): string {
  return new Date(instant).toISOString().slice(0, 10);
}

/** The last line that is not blank of a script's output; null where the file is gone, for old ones are pruned. */
async function readLastLine(outputs: string, outputFile: string): Promise<string | null> {
  const file = resolve(outputs, outputFile);
  const within = relative(outputs, file);
  // The history names files of its own folder; whatever else a name there leads to is no business of a briefing.
  if (within.startsWith('..') || isAbsolute(within)) return null;
  const tail = await readTail(file, 4096).catch(() => null);
  return tail?.text.split('\n').findLast((line) => line.trim() !== '') ?? null;
}

async function describeMachine(outputs: string): Promise<string | null> {
  const [metrics] = await readNewest(join(outputs, 'system_metrics.jsonl'), 1);
  const [benchmark] = await readNewest(join(outputs, 'performance_benchmarks.jsonl'), 1);
  const parts = [
    describe('CPU busy', metrics?.cpuUse, formatShare),
    describe('memory available', shareOf(metrics?.memory), formatShare),
    describe('disk free', shareOf(metrics?.disk), formatShare),
    describe('hashing', benchmark?.hashMs, formatDuration),
    describe('durable write', benchmark?.writeMs, formatDuration),
    describe('process start', benchmark?.startMs, formatDuration),
  ].filter((part) => part !== null);
  return parts.length === 0 ? null : `${parts.join(', ')}.`;
}

function describe(label: string, value: unknown, format: (value: number) => string): string | null {
  return typeof value === 'number' ? `${label} ${format(value)}` : null;
}

function shareOf(room: unknown): number | null {
  if (typeof room !== 'object' || room === null || !('free' in room) || !('total' in room)) return null;
  return Number(room.free) / Number(room.total);
}
