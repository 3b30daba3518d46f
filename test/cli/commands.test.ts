import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { makeWorkspace, program } from '../rig.ts';

/** Files whose name has a hyphen are parts of a command. */
const names = readdirSync(fileURLToPath(new URL('../../src/cli/commands', import.meta.url)))
  .map((file) => file.replace('.ts', ''))
  .filter((name) => !name.includes('-'));

describe('the command line', () => {
  it('has a file for each command', async () => {
    const { stdout } = await makeWorkspace().rhythm(['--help']);
    const listed = [...stdout.matchAll(/^ {2}([a-z]+)(?= )/gm)]
      .map(([, name]) => name)
      .filter((name) => name !== 'help');
    expect(listed.sort()).toEqual(names.sort());
  });

  it.each(names)('loads %s by its name', async (name) => {
    const { code, stdout } = await makeWorkspace().rhythm([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: rhythm ${name} `));
  });

  it('finds a command behind global options', async () => {
    const workspace = makeWorkspace();
    const { code, stderr } = await workspace.rhythm(['--verbose', '-C', join(workspace.folder, 'nowhere'), 'validate']);
    expect(code).toBe(2);
    expect(stderr).toContain('nowhere');
  });

  it.each([
    [['statsu'], 'there is no command "statsu"; did you mean "status"?'],
    [['constructor'], 'there is no command "constructor"; see rhythm --help.'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await makeWorkspace().rhythm(args);
    expect([code, stderr]).toEqual([2, `rhythm: ${message}\n`]);
  });
});

it('a tick loads few files, each of which costs a millisecond', () => {
  const dist = dirname(program);
  const loaded = new Set<string>();
  const load = (name: string) => {
    if (loaded.has(name)) return;
    loaded.add(name);
    const text = readFileSync(join(dist, name), 'utf8');
    for (const [, next = ''] of text.matchAll(/^(?:import\b|\})[^"\n]*"\.\/([^"]+)";$/gm)) load(next);
  };
  const entries = readFileSync(program, 'utf8').match(/(?<=import\("\.\/)tick-[^"]+/g) ?? [];
  expect(entries).toHaveLength(1);
  for (const name of ['rhythm.js', ...entries]) load(name);
  expect(loaded.size).toBeGreaterThan(2);
  expect(loaded.size).toBeLessThanOrEqual(14);
});
