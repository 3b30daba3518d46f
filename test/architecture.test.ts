import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** Data flows one way; a folder may import from those named here, and from itself. Types may come from anywhere below. */
const anyoneMayImport = ['errors.ts', 'require.ts', 'user-cache.ts'];
const mayImport: Record<string, readonly string[]> = {
  schedule: [],
  bundle: [],
  config: ['bundle', 'schedule'],
  state: ['config', 'schedule', 'monotonic.ts'],
  log: ['state'],
  plan: ['config', 'schedule', 'state'],
  script: ['bundle', 'config', 'state', 'log', 'monotonic.ts'],
  tick: ['config', 'schedule', 'state', 'log', 'plan', 'script', 'monotonic.ts'],
  report: ['config', 'schedule', 'state', 'log', 'plan', 'tick'],
  trigger: ['config', 'schedule', 'state'],
  import: ['config', 'schedule', 'log', 'plan', 'trigger', 'report'],
  doctor: ['config', 'schedule', 'state', 'plan', 'script', 'tick', 'report', 'trigger'],
  cli: [
    'config',
    'schedule',
    'state',
    'log',
    'plan',
    'script',
    'tick',
    'report',
    'trigger',
    'import',
    'doctor',
    'monotonic.ts',
  ],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function readImports(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const statements = text.matchAll(
    /(?:^|\n)(import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|import\(\s*'([^']+)'\s*\)/g,
  );
  return [...statements].map(([, , type, from, dynamic]) => {
    const name = (from ?? dynamic) as string;
    return {
      from: relative(src, file),
      to: name.startsWith('.') ? relative(src, resolve(dirname(file), name)) : name,
      typeOnly: type !== undefined,
    };
  });
}

const imports = listFiles(src).flatMap(readImports);
const folderOf = (path: string) => path.split('/')[0] as string;

describe('the structure', () => {
  it('lets data flow one way', () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!to.endsWith('.ts') || anyoneMayImport.includes(to) || !from.includes('/')) return false;
      const [source, target] = [folderOf(from), folderOf(to)];
      return source !== target && !mayImport[source]?.includes(target);
    });
    expect(wrong).toEqual([]);
  });

  it('knows every folder', () => {
    const folders = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).filter((name) => !(name in mayImport))).toEqual([]);
  });

  it('has no import cycle in what runs scripts and ticks, types included', () => {
    const targets = (file: string) => imports.flatMap(({ from, to }) => (from === file ? [to] : []));
    const reachable = (file: string) => {
      const seen = new Set<string>(targets(file));
      for (const one of seen) for (const next of targets(one)) seen.add(next);
      return seen;
    };
    const files = new Set(imports.map(({ from }) => from).filter((file) => /^(script|tick)\//.test(file)));
    expect(files.size).toBeGreaterThan(20);
    expect([...files].filter((file) => reachable(file).has(file))).toEqual([]);
  });

  it('keeps effects out of schedules and plans', () => {
    const pure = imports.filter(({ from }) => ['schedule', 'plan'].includes(folderOf(from)));
    expect(pure.length).toBeGreaterThan(10);
    // To load a library when it is asked for is no effect.
    const lazy = ({ from, to }: Import) => from === 'schedule/cron.ts' && to === 'node:module';
    expect(
      pure
        .filter((one) => !lazy(one))
        .filter(({ to }) => to.startsWith('node:') || ['execa', 'conf', 'winston'].includes(to)),
    ).toEqual([]);
    const stateFiles = ['state/state-schema.ts', 'state/run-outcome.ts', 'config/config.ts', 'config/group-graph.ts'];
    const acting = pure.filter(
      ({ to, typeOnly }) => /^(state|config)\//.test(to) && !typeOnly && !stateFiles.includes(to),
    );
    expect(acting).toEqual([]);
    for (const file of [...listFiles(join(src, 'schedule')), ...listFiles(join(src, 'plan'))]) {
      const text = readFileSync(file, 'utf8');
      expect(text, file).not.toMatch(/\bprocess\.|Date\.now|new Date\(\)|performance\.|Math\.random|\bfetch\(/);
    }
  });

  it('has one file that prints', () => {
    const printing = /\bprocess\??\.std(out|err)\b|\bprocess\[|\bconsole\.|'(node:)?(process|console)'/;
    const files = listFiles(src).filter((file) => printing.test(readFileSync(file, 'utf8')));
    expect(files.map((file) => relative(src, file)).sort()).toEqual([
      // It holds the text of a script that `rhythm init` writes.
      'cli/commands/init-templates.ts',
      'cli/streams.ts',
    ]);
  });

  it.each([
    ['winston', ['log/log.ts']],
    ['execa', ['script/start-attempt.ts']],
    ['conf', ['state/state-file.ts']],
    ['cron-parser', ['schedule/cron.ts']],
  ])('gives %s one importer', (library, importers) => {
    expect(new Set(imports.filter(({ to }) => to === library).map(({ from }) => from))).toEqual(new Set(importers));
  });
});
