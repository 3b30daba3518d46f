import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { sourceKinds } from '../../src/import/entry.ts';
import { groupEntries } from '../../src/import/grouping/group-entries.ts';
import { writeConfig } from '../../src/import/output/write-config.ts';
import { countDifferences, planRuns, verifyMember } from '../../src/import/verify/verify.ts';
import { read, readCorpus, settings, tellOutcome } from './corpus.ts';

/** How many cases there are at least. */
const sizes = { crontab: 60, systemd: 40, launchd: 20, schtasks: 40 };

describe.each(sourceKinds)('import from %s', (kind) => {
  const cases = readCorpus(kind);

  it('has enough cases in the corpus, each with a unique name', () => {
    expect(cases.length).toBeGreaterThanOrEqual(sizes[kind]);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  it.each(cases)('reads the case $name as expected and accounts for every line', ({ texts, outcome }) => {
    const reading = read(kind, texts);
    expect(tellOutcome(reading)).toEqual(outcome);
    expect(new Set(reading.entries.map(({ id }) => id)).size).toBe(reading.entries.length);
    if (kind === 'crontab' || kind === 'systemd') {
      // Every line once.
      const lines = texts.flatMap(({ name, text }) =>
        text
          .replace(/\n$/, '')
          .split('\n')
          .map((_, index) => `${name}:${index + 1}`),
      );
      expect(reading.accounts.map(({ file, line }) => `${file}:${line}`).sort()).toEqual(lines.sort());
    } else {
      const whats = reading.accounts.map(({ file, what }) => `${file} ${what}`);
      expect(new Set(whats).size).toBe(whats.length);
      expect(whats.length).toBeGreaterThan(0);
    }
  });

  const hereIsBerlin = kind === 'crontab' || kind === 'schtasks';
  it.each([
    ['autumn, when the clocks go back', hereIsBerlin ? '2026-10-24T18:00:00Z' : '2026-10-31T18:00:00Z', 1],
    ['spring, when the clocks go forward', hereIsBerlin ? '2027-03-27T18:00:00Z' : '2027-03-13T18:00:00Z', 1],
    ['the turn of the year', '2026-12-31T12:00:00Z', 1],
  ])('keeps every beat of %s, or reports why not', { timeout: 60_000 }, async (_, start, days) => {
    const from = Date.parse(start);
    const until = from + days * 86_400_000;
    const entries = cases.flatMap(({ texts, name }) =>
      read(kind, texts).entries.map((entry) => ({ ...entry, origin: { ...entry.origin, file: name } })),
    );
    const { timezone } = settings[kind];
    const { groups } = groupEntries(entries, { applies: false });
    const folder = mkdtempSync(join(tmpdir(), 'rhythm test '));
    try {
      writeFileSync(
        join(folder, 'tasks.config.ts'),
        writeConfig(groups, { sources: 'the corpus', timezone, enables: true }),
      );
      const { config } = await loadConfig(folder, { cache: 'off' });
      const runs = planRuns(config, from, until);
      const verifications = groups.flatMap((group) =>
        group.members.map((member) =>
          verifyMember(member, group.name, runs.get(group.name) ?? [], {
            from,
            until,
            tickEvery: config.tickEvery,
            timezone,
          }),
        ),
      );
      expect(verifications.length).toBe(entries.length);
      const unexplained = verifications.flatMap(({ entry, group, differences }) =>
        differences.filter(({ why }) => why === 'unexplained').map((one) => ({ entry, group, ...one })),
      );
      expect(unexplained.slice(0, 10)).toEqual([]);
      expect(countDifferences(verifications).unexplained).toBe(0);
      expect(verifications.reduce((sum, { same }) => sum + same, 0)).toBeGreaterThan(100);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
