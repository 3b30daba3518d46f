import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { type Entry, sourceKinds } from '../../src/import/entry.ts';
import { groupEntries } from '../../src/import/grouping/group-entries.ts';
import { type Literal, writeComment, writeLiteral } from '../../src/import/output/literal.ts';
import { mergeConfig } from '../../src/import/output/merge-config.ts';
import { writeConfig } from '../../src/import/output/write-config.ts';
import { read, readCorpus } from './corpus.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const all = sourceKinds.map((kind) => readCorpus(kind).flatMap(({ texts }) => read(kind, texts).entries));

function writeFor(entries: readonly Entry[], options: { applies?: boolean; enables?: boolean } = {}): string {
  const { groups } = groupEntries(entries, { applies: options.applies ?? false });
  return writeConfig(groups, { sources: 'the corpus', timezone: 'UTC', enables: options.enables ?? false });
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-import-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function load(text: string) {
  const folder = makeFolder();
  writeFileSync(join(folder, 'tasks.config.ts'), text);
  return (await loadConfig(folder, { cache: 'off' })).config;
}

describe('the configuration written for the whole corpus', () => {
  it.each(sourceKinds.map((kind, index) => [kind, all[index] as Entry[]] as const))(
    'is valid for %s, and its groups are disabled unless they were enabled',
    async (_, entries) => {
      const off = await load(writeFor(entries));
      expect(off.groups.every(({ enabled }) => !enabled)).toBe(true);
      const scripts = entries.reduce((sum, entry) => sum + entry.scripts.length, 0);
      expect(off.groups.reduce((sum, group) => sum + group.scripts.length, 0)).toBe(scripts);
      const on = await load(writeFor(entries, { applies: true, enables: true }));
      expect(on.groups.filter(({ enabled }) => !enabled).length).toBe(
        new Set(groupEntries(entries, { applies: true }).groups.filter(({ enabled }) => !enabled)).size,
      );
    },
  );

  it('is formatted and passes the linter', { timeout: 60_000 }, () => {
    const folder = makeFolder();
    for (const [index, entries] of all.entries()) {
      writeFileSync(join(folder, `off-${index}.ts`), writeFor(entries));
      writeFileSync(join(folder, `on-${index}.ts`), writeFor(entries, { applies: true, enables: true }));
    }
    writeFileSync(join(folder, 'none.ts'), writeFor([]));
    writeFileSync(
      join(folder, 'biome.json'),
      JSON.stringify({
        formatter: { indentStyle: 'space', indentWidth: 2, lineWidth: 120 },
        javascript: { formatter: { quoteStyle: 'single' } },
        // A shell's variables look like a template's.
        linter: { rules: { suspicious: { noTemplateCurlyInString: 'off' } } },
        json: { formatter: { enabled: false } },
      }),
    );
    const result = spawnSync(
      join(root, 'node_modules/.bin/biome'),
      ['check', '--error-on-warnings', '--colors=off', '.'],
      {
        cwd: folder,
        encoding: 'utf8',
      },
    );
    expect(result.stderr + (result.status === 0 ? '' : result.stdout)).toBe('');
  });

  it('passes the type checker', { timeout: 60_000 }, () => {
    const folder = mkdtempSync(join(root, 'test/import/.types-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    for (const [index, entries] of all.entries()) {
      writeFileSync(join(folder, `config-${index}.ts`), writeFor(entries, { applies: true }));
    }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../../tsconfig.json', include: ['*.ts'] }),
    );
    const tsc = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' });
    expect(tsc.stdout).toBe('');
    expect(tsc.status).toBe(0);
    // And no others: a name that no group has is refused.
    writeFileSync(
      join(folder, 'config-0.ts'),
      writeFor(all[0] as Entry[]).replace(
        '      enabled: false,\n',
        "      enabled: false,\n      dependsOn: ['nobody'],\n",
      ),
    );
    expect(spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' }).stdout).toContain(
      '\'"nobody"\'',
    );
  });
});

describe('a written literal', () => {
  const literal: fc.Arbitrary<Literal> = fc.letrec<{ value: Literal }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.boolean(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(
        fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'a')),
        tie('value'),
        {
          maxKeys: 4,
        },
      ),
    ),
  })).value;

  it('evaluates to the original value', () => {
    fc.assert(
      fc.property(literal, (value) => {
        const { code } = transformSync(`result = ${writeLiteral(value, 0, 0)}`, { loader: 'ts' });
        const result = new Function(`let result; ${code}; return result`)();
        expect(JSON.stringify(result)).toBe(JSON.stringify(value));
      }),
      { numRuns: 200 },
    );
  });

  it('never ends a comment before the end of its line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        for (const line of writeComment(text, 8).split('\n').slice(0, -1))
          expect(line).toMatch(/^ {8}\/\/ [^\r\u2028\u2029\u202e\x00-\x1f]*$/);
      }),
    );
  });
});

describe('merging an import into a configuration', () => {
  const table = `0 3 * * * /srv/jobs/a.sh
5 3 * * * /srv/jobs/b.sh
*/10 * * * * /usr/bin/probe
`;
  const readTable = (text: string) => read('crontab', [{ name: 'table', text }]).entries;
  const merge = (text: string, more: string, isTaken: (name: string) => boolean = () => false) =>
    mergeConfig(
      text,
      groupEntries(readTable(more), { applies: false, isTaken }).groups,
      { timezone: 'UTC', enables: false },
      'x.ts',
    );

  it('changes nothing if everything has been imported', () => {
    const text = writeFor(readTable(table));
    const merged = merge(text, table);
    expect(merged.text).toBe(text);
    expect(merged.known).toHaveLength(3);
    expect(merged.added).toEqual([]);
  });

  it('preserves edited groups and recognizes them after their lines have moved', () => {
    const text = writeFor(readTable(table)).replaceAll('enabled: false', 'enabled: true').replace('jobs_a_b', 'mine');
    const merged = merge(text, `# moved\n\n${table}`);
    expect(merged.text).toBe(text);
  });

  it('inserts new groups at the right position and leaves the file valid and formatted', async () => {
    const text = writeFor(readTable(table));
    const merged = merge(text, `${table}10 3 * * * /srv/jobs/c.sh\n0 0 1 * * /usr/bin/rent\n`, (name) =>
      text.includes(`    ${name}: {`),
    );
    expect(merged.added).toHaveLength(2);
    const config = await load(merged.text);
    const before = await load(text);
    expect(config.groups.map(({ name }) => name)).toEqual([...before.groups.map(({ name }) => name), 'rent']);
    const grown = config.groups.find(({ scripts }) => scripts.length === 3);
    expect(grown?.scripts.map(({ file }) => file)).toEqual(['/srv/jobs/a.sh', '/srv/jobs/b.sh', '/srv/jobs/c.sh']);
    // A third time it is all there.
    expect(merge(merged.text, `${table}10 3 * * * /srv/jobs/c.sh\n0 0 1 * * /usr/bin/rent\n`).text).toBe(merged.text);
  });

  it('reports a changed source instead of duplicating its group', () => {
    const text = writeFor(readTable(table));
    const merged = merge(text, table.replace('0 3', '0 4'));
    expect(merged.text).toBe(text);
    expect(merged.changed.map(({ written }) => written)).toEqual(['0 4 * * *']);
  });

  it.each([
    [
      'on one line',
      `import { defineConfig } from 'rhythm-scheduler';\nexport default defineConfig({ groups: { own: { every: '1h', scripts: ['x.ts'] } } });\n`,
    ],
    [
      'missing a trailing comma',
      `export default {\n  groups: {\n    own: { every: '1h', scripts: ['x.ts'] }\n  }\n};\n`,
    ],
    [
      'ending with a comment',
      `export default {\n  groups: {\n    own: { every: '1h', scripts: ['x.ts'] } // mine }\n  },\n};\n`,
    ],
    [
      'full of brackets in strings',
      `// groups: { no }\nexport default {\n  groups: {\n    own: { description: "groups: { } ]", every: '1h', scripts: [{ shell: \`echo } \${1}\` }] },\n  },\n};\n`,
    ],
    ['empty', `export default { groups: {} };\n`],
  ])('extends a hand-written file that is %s', async (_, text) => {
    const merged = merge(text, table);
    const config = await load(merged.text);
    expect(config.groups.length).toBe(text.includes('own') ? 3 : 2);
    expect(merge(merged.text, table).text).toBe(merged.text);
  });

  it('refuses a file it can’t extend', () => {
    expect(() => merge('export default makeConfig();\n', table)).toThrow(
      /x\.ts has no "groups: \{ … \}" that can be added to/,
    );
  });
});

it('an imported job of another user runs as that user through runuser', () => {
  mkdirSync(makeFolder(), { recursive: true });
  const [entry] = read('crontab', [
    { name: '/etc/cron.d/x', text: '0 1 * * * nobody echo \'a b\' "$0" | cat\n' },
  ]).entries;
  const [script] = entry?.scripts ?? [];
  expect(script?.args?.slice(0, 5)).toEqual(['-u', 'nobody', '--', '/bin/sh', '-c']);
  // What the shell is given is the line, whatever its quotes.
  expect(execFileSync('/bin/sh', ['-c', script?.args?.[5] ?? '', 'zero'], { encoding: 'utf8' })).toBe('a b zero\n');
});
