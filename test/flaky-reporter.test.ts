import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const vitest = resolve(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
const reporter = join(import.meta.dirname, 'flaky-reporter.ts');

const failsOnce = `let attempts = 0;
describe('a group', () => {
  test('fails once', () => {
    if (++attempts === 1) throw new Error('the first attempt failed\\nwith details');
  });
});
`;
const passes = `test('passes', () => {});\n`;
const fails = `test('always fails', () => { throw new Error('broken'); });\n`;

it('the flaky reporter lists each test that passed on a retry, at the end of the run', () => {
  const { status, stdout } = runVitest(failsOnce + passes);
  expect(status).toBe(0);
  expect(stdout.trimEnd().split('\n').slice(-3)).toEqual([
    ' Flaky: 1 passed only on a retry',
    '  fixture.test.js > a group > fails once',
    '    first attempt: the first attempt failed',
  ]);
});

it('the flaky reporter prints nothing where tests pass at once or fail for good', () => {
  const { status, stdout } = runVitest(passes + fails);
  expect(status).toBe(1);
  expect(stdout).toContain('1 failed');
  expect(stdout).not.toContain('Flaky');
});

/** Runs vitest on one file of tests, with retries and the reporter. */
function runVitest(tests: string): { status: number | null; stdout: string } {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-flaky-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'fixture.test.js'), tests);
  const config = { test: { globals: true, retry: 1, reporters: ['default', reporter] } };
  writeFileSync(join(folder, 'vitest.config.mjs'), `export default ${JSON.stringify(config)};\n`);
  const args = [vitest, 'run', '--root', folder, '--config', join(folder, 'vitest.config.mjs')];
  const env = { ...process.env, NO_COLOR: '1' };
  return spawnSync(process.execPath, args, { cwd: folder, env, encoding: 'utf8' });
}
