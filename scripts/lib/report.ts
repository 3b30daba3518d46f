import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nullIfAbsent, replaceFile } from './files.ts';
import { fieldsOf, instantOf, listOf, textOf } from './loose.ts';

/** Something that an analysis found, for people, in one line; `at` is when it last held, in ms since the epoch. */
export interface Finding {
  readonly at: number;
  readonly text: string;
}

/** Writes what an analysis found, with the figures behind it, to a JSON file of the outputs folder. */
export async function writeReport(
  file: string,
  now: number,
  findings: readonly Finding[],
  figures: Readonly<Record<string, unknown>>,
): Promise<void> {
  const written = findings.map(({ at, text }) => ({ at: new Date(at).toISOString(), text }));
  const report = { at: new Date(now).toISOString(), findings: written, ...figures };
  await replaceFile(file, `${JSON.stringify(report, null, 2)}\n`);
}

/** The reports that there are, by the names of their files. */
export const reports = {
  spikes: 'latency_spikes.json',
  patterns: 'replan_patterns.json',
  trends: 'performance_trends.json',
} as const;

/** Reads a report: when it was written, and its findings; null where there is none that can be understood. */
export async function readReport(outputs: string, name: string): Promise<{ at: number; findings: Finding[] } | null> {
  const text = await readFile(join(outputs, name), 'utf8').catch(nullIfAbsent);
  try {
    const report = fieldsOf(JSON.parse(text ?? 'null'));
    const at = instantOf(report.at);
    if (at === null) return null;
    const findings = listOf(report.findings).map((finding) => {
      const { at: when, text: said } = fieldsOf(finding);
      return { at: instantOf(when) ?? at, text: textOf(said) ?? '' };
    });
    return { at, findings: findings.filter((finding) => finding.text !== '') };
  } catch {
    return null;
  }
}
