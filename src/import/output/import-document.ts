import type { Account, Entry, Reading, ScriptDraft, SourceKind } from '../entry.ts';
import type { Grouping } from '../grouping/group-entries.ts';
import { countDifferences, type DifferenceKind, type Verification } from '../verify/verify.ts';
import { type BeforeAfter, scheduleOf } from './import-report.ts';
import type { Merge } from './merge-config.ts';

/** `rhythm import --json`. Stable within a schemaVersion; fields may be added. */
export interface ImportDocument {
  readonly schemaVersion: 1;
  readonly source: SourceKind;
  /** The file that was written; null where none was. */
  readonly out: string | null;
  readonly entries: readonly {
    /** The same at every import. */
    readonly id: string;
    readonly file: string;
    /** Counted from 1; null where lines mean nothing. */
    readonly line: number | null;
    /** The task, the timer, the label; empty for a crontab line. */
    readonly name: string;
    readonly description: string | null;
    /** The schedule in the words of its source. */
    readonly schedule: string;
    readonly group: string;
    /** How long after the group's beat it used to start. */
    readonly shiftMs: number;
    readonly enabled: boolean;
    readonly scripts: readonly ScriptDraft[];
    readonly notes: readonly string[];
    /** How it differs from what was written; null where it does not. */
    readonly approximation: string | null;
  }[];
  /** What became of every line, or element, that was read. */
  readonly accounts: readonly Account[];
  readonly groups: readonly {
    readonly group: string;
    readonly schedule: string;
    /** The ids of its entries, in order. */
    readonly entries: readonly string[];
    readonly lane: string;
    readonly dependsOn: readonly string[];
    readonly after: readonly string[];
  }[];
  readonly proposals: readonly {
    readonly from: string;
    readonly to: string;
    readonly kind: 'path' | 'stagger' | 'systemd';
    readonly evidence: string;
    readonly applied: boolean;
  }[];
  readonly report: BeforeAfter | null;
  /** With --verify. */
  readonly verification: {
    readonly differences: Readonly<Record<DifferenceKind, number>>;
    readonly entries: readonly Verification[];
  } | null;
  /** The ids that came in, were there, and have changed; null where there was no file to merge into. */
  readonly merge: {
    readonly added: readonly string[];
    readonly known: readonly string[];
    readonly changed: readonly string[];
  } | null;
  /** The configuration's text. */
  readonly config: string;
  /** With --disable-originals: what is done, and where the backup is. */
  readonly commands: readonly string[];
  readonly backup: string | null;
}

export function documentImport(all: {
  readonly kind: SourceKind;
  readonly reading: Reading;
  readonly grouping: Grouping;
  readonly applied: boolean;
  readonly load: BeforeAfter | null;
  readonly verifications: readonly Verification[] | null;
  readonly merge: Merge | null;
  readonly out: string | null;
  readonly config: string;
  readonly commands: readonly string[];
  readonly backup: string | null;
}): ImportDocument {
  const { kind, reading, grouping, applied, load, verifications, merge } = all;
  const ids = (entries: readonly Entry[]) => entries.map(({ id }) => id);
  return {
    schemaVersion: 1,
    source: kind,
    out: all.out,
    entries: grouping.groups.flatMap((group) =>
      group.members.map(({ entry, shift }) => ({
        id: entry.id,
        file: entry.origin.file,
        line: entry.origin.line,
        name: entry.origin.name,
        description: entry.description,
        schedule: entry.written,
        group: group.name,
        shiftMs: shift,
        enabled: entry.enabled,
        scripts: entry.scripts,
        notes: [...new Set(entry.notes)],
        approximation: entry.approximation,
      })),
    ),
    accounts: reading.accounts,
    groups: grouping.groups.map((group) => ({
      group: group.name,
      schedule: scheduleOf(group),
      entries: ids(group.members.map(({ entry }) => entry)),
      lane: group.lane ?? 'main',
      dependsOn: group.dependsOn,
      after: group.after,
    })),
    proposals: grouping.proposals.map(({ from, to, kind: by, evidence }) => ({
      from: from.id,
      to: to.id,
      kind: by,
      evidence,
      applied,
    })),
    report: load,
    verification:
      verifications === null ? null : { differences: countDifferences(verifications), entries: verifications },
    merge: merge === null ? null : { added: ids(merge.added), known: ids(merge.known), changed: ids(merge.changed) },
    config: all.config,
    commands: all.commands,
    backup: all.backup,
  };
}
