import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeWorkspace } from '../rig.ts';

it('makes a workspace that ticks at once, and says what comes next', async () => {
  const workspace = makeWorkspace();
  const { code, stdout } = await workspace.rhythm(['init'], { env: { npm_command: undefined } });
  expect(code).toBe(0);
  expect(stdout.replaceAll(workspace.folder, 'HERE').split('\n')).toEqual([
    'A workspace in HERE:',
    '  tasks.config.ts    what runs when, and after what',
    '  scripts/hello.mjs  a script to begin with',
    '  tsconfig.json      lets an editor check and complete tasks.config.ts',
    '  .gitignore         keeps the records out of the repository',
    '',
    'Next:',
    "  cd 'HERE'",
    '  rhythm tick --dry-run  what would run now, and why',
    '  rhythm                 run what is due',
    '  rhythm install         let it be started every five minutes',
    '',
  ]);
  const { groups } = await workspace.tick();
  expect(groups).toMatchObject([{ group: 'hello', outcome: 'succeeded' }]);
  expect(workspace.read(join('outputs', String(groups[0]?.scripts[0]?.outputFile)))).toMatch(
    /^HELLO from hello, for the beat \d{4}-/,
  );
});

it('makes the folder where it is missing', async () => {
  const workspace = makeWorkspace();
  const { code, stdout } = await workspace.rhythm(['init', 'a/new one', '--json']);
  const folder = join(workspace.folder, 'a/new one');
  const created = ['tasks.config.ts', 'scripts/hello.mjs', 'tsconfig.json', '.gitignore'];
  expect([code, JSON.parse(stdout)]).toEqual([0, { schemaVersion: 1, folder, created, kept: [] }]);
  expect(readdirSync(folder).sort()).toEqual(['.gitignore', 'scripts', 'tasks.config.ts', 'tsconfig.json']);
  expect(statSync(join(folder, 'tasks.config.ts')).mode & 0o022).toBe(0);
});

it('overwrites nothing, and says so', async () => {
  const workspace = makeWorkspace();
  workspace.configure({ groups: { mine: { manual: true, scripts: [{ shell: 'true' }] } } });
  workspace.write('.gitignore', 'mine\n');
  workspace.write('tsconfig.json', '{}');
  const before = workspace.fingerprint();
  const { code, stdout } = await workspace.rhythm(['init']);
  expect(code).toBe(0);
  expect(stdout.split('\n').slice(0, 2)).toEqual([
    'tasks.config.json, tsconfig.json, .gitignore are there already and stay as they are.',
    'See that .gitignore names outputs/.',
  ]);
  expect(workspace.fingerprint()).toEqual(before);
});

it('says what is in the way', async () => {
  const workspace = makeWorkspace();
  writeFileSync(join(workspace.folder, 'file'), '');
  const { code, stderr } = await workspace.rhythm(['init', 'file/below']);
  expect(code).toBe(74);
  expect(stderr).toMatch(/^rhythm: .*file\/below\/tasks\.config\.ts can't be written: a file stands where its folder/);
  mkdirSync(join(workspace.folder, 'other'));
  expect((await workspace.rhythm(['init', 'other', 'more'])).code).toBe(2);
});
