import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { briefingSpan, comparedSpan, composeBriefing } from './lib/briefing.ts';
import { replaceFile } from './lib/files.ts';
import { readHistory } from './lib/history.ts';
import { readMachine } from './lib/measured.ts';
import { readLastLine } from './lib/output.ts';
import { perform } from './lib/program.ts';
import { readReport, reports } from './lib/report.ts';
import { readTroubles } from './lib/routing.ts';

const help = `
generate_daily_briefing.ts

Writes the last 24 hours as Markdown to daily_briefing.md, and a copy to
briefings/<date>.md (90 days are kept). Under a screen long, the important first: what
failed and what it said last, silences of the trigger, what is held back, endpoints that
are not well, what the analyses found, what started late; then the numbers against a day
of the week before, the groups, and the runs that took longer than usual.
`;

/** The figures that say most: a briefing is under a screen long. The dashboard shows all. */
const told = new Set(['CPU busy', 'memory in use', 'disk in use', 'hashing', 'durable write', 'process start']);

const day = 86_400_000;

await perform({ name: 'generate_daily_briefing.ts', help }, async ({ workspace, outputs, now }) => {
  const since = now - briefingSpan;
  const history = await readHistory(outputs, since - comparedSpan);
  const failed = history.runs
    .filter(({ at }) => at >= since)
    .flatMap(({ scripts }) => scripts.filter(({ outcome }) => outcome !== 'succeeded'));
  const lastLines = new Map<string, string>();
  for (const { outputFile } of failed) {
    const line = outputFile === null ? null : await readLastLine(outputs, outputFile);
    if (outputFile !== null && line !== null) lastLines.set(outputFile, line);
  }
  const found = await Promise.all(
    [reports.trends, reports.patterns, reports.spikes].map((name) => readReport(outputs, name)),
  );
  const troubles = await readTroubles(workspace, outputs, now);
  const { markdown, summary } = composeBriefing({
    now,
    history,
    lastLines,
    findings: [...troubles.map((text) => ({ at: now, text })), ...found.flatMap((report) => report?.findings ?? [])],
    figures: (await readMachine(outputs, since - comparedSpan)).filter(({ label }) => told.has(label)),
  });

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
