import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Check, examine, type RegisteredTrigger, type Site } from '../../src/doctor/doctor.ts';
import { programChecks } from '../../src/doctor/program-checks.ts';
import { triggerChecks } from '../../src/doctor/trigger-checks.ts';
import { StorageError } from '../../src/errors.ts';
import { at, makeConfig, makeGroup, makeScript, minute } from '../builders.ts';

const cron: RegisteredTrigger = {
  trigger: 'cron',
  where: 'the crontab of jobs',
  every: 5 * minute,
  path: '',
  problems: [],
};

function site(more: Partial<Site> = {}): Site {
  return {
    ...{ workspace: '/', configTrouble: null, config: makeConfig([makeGroup('a', { scripts: [] })]), stateTrouble: [] },
    ...{ state: null, newest: null, lastSign: at - minute, triggers: [cron], now: at, environment: {} },
    ...more,
  };
}

const told = (checks: readonly Check[], more: Partial<Site>) =>
  examine(checks, site(more)).map(({ level, text }) => `${level}: ${text}`);

it.each<[string, Partial<Site>, string[]]>([
  ['everything is fine', {}, ['ok: cron starts the ticks (the crontab of jobs)', 'ok: the last tick came 1 min ago']],
  [
    'no trigger is registered',
    { triggers: [], lastSign: null },
    ['problem: no trigger of rhythm is registered for this workspace', 'problem: no tick has come yet'],
  ],
  [
    'ticks come without a registered trigger',
    { triggers: [] },
    [
      'warning: no trigger of rhythm is registered for this workspace, but something starts ticks, or somebody by hand',
      'ok: the last tick came 1 min ago',
    ],
  ],
  [
    'a registered trigger is broken and silent',
    {
      triggers: [{ ...cron, problems: ['Its Node is there no more; run rhythm install again.'] }],
      lastSign: at - 47 * minute,
    },
    [
      'problem: cron: Its Node is there no more; run rhythm install again',
      'problem: no tick for 47m; one is expected every 5m',
    ],
  ],
  [
    'the period differs from tickEvery',
    { triggers: [{ ...cron, every: 10 * minute }] },
    ['warning: cron starts a tick every 10m, and tickEvery is 5m', 'ok: the last tick came 1 min ago'],
  ],
  ['the registered triggers are unknown', { triggers: null }, ['ok: the last tick came 1 min ago']],
  ['the configuration is missing', { config: null }, []],
])('doctor checks the trigger: %s', (_, more, expected) => expect(told(triggerChecks, more)).toEqual(expected));

it('doctor compares the PATH of the trigger with the current PATH', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm doctor '));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ['old', 'new']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'tool'), '#!/bin/sh\n');
    chmodSync(join(folder, name, 'tool'), 0o755);
  }
  const config = makeConfig([makeGroup('a', { scripts: [makeScript('one', { argv: ['tool'] })] })]);
  const check = (path: string, mine: string) =>
    examine(programChecks, site({ config, environment: { PATH: mine }, triggers: [{ ...cron, path }] }))
      .filter((finding) => finding.check === 'trigger path')
      .map(({ level, text, mend }) => [level, text.replaceAll(folder, ''), mend]);
  const [old, fresh] = [join(folder, 'old'), join(folder, 'new')];
  expect(check(old, old)).toEqual([['ok', 'the PATH of the cron trigger leads to the same programs as yours', null]]);
  expect(check('/nowhere', fresh)).toEqual([
    [
      ...['problem', 'the PATH of the cron trigger lacks what these need, though yours has it: a/one (tool)'],
      'rhythm install',
    ],
  ]);
  expect(check(old, fresh)[0]?.slice(0, 2)).toEqual([
    ...[
      'warning',
      'the PATH of the cron trigger leads to other programs than yours: a/one (/old/tool, yours is /new/tool)',
    ],
  ]);
});

it('doctor reports an expected failure of a check as a problem, and rethrows a defect', () => {
  const failing = (error: Error): Check => ({
    name: 'locks',
    look() {
      throw error;
    },
  });
  expect(examine([failing(new StorageError('There are no locks.'))], site())).toEqual([
    { check: 'locks', level: 'problem', text: 'There are no locks', mend: null },
  ]);
  expect(() => examine([failing(new TypeError('oops'))], site())).toThrow('oops');
});
