import { countOf } from '../../report/quantities.ts';
import { alignRows } from '../../report/table.ts';
import type { Account } from '../entry.ts';
import { renderReported } from '../output/import-report.ts';
import type { Difference, DifferenceKind, Verification } from './verify.ts';

/** A verification for people. */

const words: Readonly<Record<DifferenceKind, string>> = {
  'next-tick': 'starts with the first tick after it',
  grouped: 'starts with its group',
  coalesced: 'one run for several beats between two ticks',
  'daylight-saving': 'near a change of the clock, where the two follow different rules',
  phase: 'what it was counted from is written nowhere',
  approximated: 'its form was not to be had',
  unexplained: 'UNEXPLAINED',
};

/** So many beats of one kind are listed; all of them are in the JSON. */
const listed = 5;

export function renderVerification(
  verifications: readonly Verification[],
  counts: Readonly<Record<DifferenceKind, number>>,
  accounts: readonly Account[],
): string[] {
  const beats = verifications.reduce((sum, one) => sum + one.beats, 0);
  const same = verifications.reduce((sum, one) => sum + one.same, 0);
  const lines = [
    `${countOf(beats, 'beat')} of ${countOf(verifications.length, 'job')}: ${same} start to the minute as before, ${beats - same} differ, ${counts.unexplained} unexplained.`,
    '',
    ...alignRows(
      verifications.map(({ entry, group, by, beats: own, same: kept }) => [
        entry,
        group,
        `${own} beats`,
        `${kept} same`,
        `by ${by.join(', ')}`,
      ]),
    ),
  ];
  for (const { entry, differences } of verifications) {
    if (differences.length === 0) continue;
    lines.push('', `${entry}:`);
    const kinds = new Map<DifferenceKind, Difference[]>();
    for (const one of differences) kinds.set(one.why, [...(kinds.get(one.why) ?? []), one]);
    for (const [kind, some] of kinds) {
      lines.push(`  ${some.length} × ${words[kind]}`);
      for (const { before, after } of some.slice(0, listed))
        lines.push(`    ${before ?? '(none)'} -> ${after ?? '(none)'}`);
      if (some.length > listed) lines.push(`    … and ${some.length - listed} more (--json lists all)`);
    }
  }
  lines.push(...renderReported(accounts));
  return lines;
}
