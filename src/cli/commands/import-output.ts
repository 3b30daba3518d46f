import type { Reading } from '../../import/entry.ts';
import type { Grouping } from '../../import/grouping/group-entries.ts';
import { type compareLoad, renderReport, renderReported } from '../../import/output/import-report.ts';
import type { Merge } from '../../import/output/merge-config.ts';
import { renderVerification } from '../../import/verify/render-verification.ts';
import { countDifferences, type Verification } from '../../import/verify/verify.ts';
import { neutralise } from '../../log/safe-text.ts';
import { countOf } from '../../report/quantities.ts';
import { print, printLine } from '../streams.ts';

export interface OutputFlags {
  readonly out?: string;
  readonly inferDependencies?: boolean;
  readonly enable?: boolean;
  readonly report?: boolean;
  readonly dryRun?: boolean;
}

/** Prints what was asked for: the report, the verification, or else the configuration. */
export function printResult(result: {
  readonly flags: OutputFlags;
  readonly reading: Reading;
  readonly grouping: Grouping;
  readonly load: ReturnType<typeof compareLoad> | null;
  readonly verifications: readonly Verification[] | null;
  readonly text: string;
  readonly say: (text: string) => void;
}): void {
  const { flags, reading, grouping, load, verifications, text, say } = result;
  if (reading.entries.length === 0) say('Nothing was found that could be converted.');
  const report = flags.report && load !== null;
  if (report) {
    for (const line of renderReport(load, grouping, reading.accounts, flags.inferDependencies === true))
      printLine(neutralise(line));
  }
  if (verifications !== null) {
    if (report) printLine('');
    for (const line of renderVerification(verifications, countDifferences(verifications), reading.accounts))
      printLine(neutralise(line));
  }
  if (report || verifications !== null) return;
  if (flags.out === undefined && reading.entries.length > 0) print('stdout', text);
  for (const line of renderReported(reading.accounts)) say(line);
}

/** One sentence about what became of the file. */
export function summarise(
  out: string,
  { entries, accounts }: Reading,
  { groups }: Grouping,
  merge: Merge | null,
  flags: OutputFlags,
): string {
  const reported = accounts.filter(({ fate }) => fate === 'reported').length;
  const would = flags.dryRun ? 'would be ' : '';
  const left =
    reported === 0
      ? ''
      : ` ${reported === 1 ? '1 line or element was' : `${reported} lines or elements were`} not converted (see --report).`;
  const next = flags.enable ? '' : ' Their groups are not enabled yet.';
  if (entries.length === 0) return `${out} ${flags.dryRun ? 'would stay' : 'stays'} as it is.${left}`;
  if (merge === null) {
    return `${out} ${would}written: ${entries.length === 1 ? '1 entry' : `${entries.length} entries`} in ${countOf(groups.length, 'group')}.${left}${next}`;
  }
  const changed =
    merge.changed.length === 0 ? '' : `; ${merge.changed.length} changed in their source since (edit them by hand)`;
  return `${out}: ${merge.added.length} ${would}added, ${merge.known.length} there already${changed}.${left}${merge.added.length === 0 ? '' : next}`;
}
