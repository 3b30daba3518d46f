import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judgeHealth, type Reading, summariseHealth, worstLevel } from '../../scripts/lib/health.ts';
import { argvOf, iso, readJsonLines, runScript, temporaryFolder, writeHistory } from './workspace.ts';

const gigabyte = 1024 ** 3;
const minute = 60_000;

const sound: Reading = {
  disk: { free: 80 * gigabyte, total: 252 * gigabyte },
  memory: { free: 12 * gigabyte, total: 24 * gigabyte },
  loadPerCore: 0.5,
  timerDelayMs: 0.4,
  pulseAgeMs: 5 * minute,
  writing: true,
  loopback: true,
};

describe('judgeHealth', () => {
  it('finds no problem on a healthy machine', () => {
    const findings = judgeHealth(sound);
    expect(findings.map(({ check, level }) => `${check} ${level}`)).toEqual([
      'disk ok',
      'memory ok',
      'load ok',
      'timers ok',
      'pulse ok',
      'writing ok',
      'loopback ok',
    ]);
    expect(summariseHealth(findings)).toBe(
      'health ok: disk 80 GB of 252 GB (32 %) free; memory 12 GB of 24 GB (50 %) available; load 0.50 a core; ' +
        'timers 0.4 ms late; last tick 5 min ago; writing works; loopback works',
    );
  });

  it('ignores readings that the system does not provide', () => {
    const unknown = { ...sound, disk: null, memory: null, loadPerCore: null, writing: null, loopback: null };
    const findings = judgeHealth({ ...unknown, pulseAgeMs: null });
    expect(summariseHealth(findings)).toBe('health ok: timers 0.4 ms late; no tick recorded yet');
  });

  const disk = (free: number, total: number): Partial<Reading> => ({ disk: { free, total } });
  const memory = (share: number): Partial<Reading> => ({ memory: { free: share * gigabyte, total: gigabyte } });

  it.each<[string, Partial<Reading>, string[]]>([
    ['1.9 % and 0.9 GB of disk', disk(0.9 * gigabyte, 50 * gigabyte), ['disk critical']],
    ['1 % of a large disk, plenty in bytes', disk(20 * gigabyte, 2000 * gigabyte), []],
    ['1.5 % with 1.5 GB: low, not critical', disk(1.5 * gigabyte, 100 * gigabyte), ['disk warning']],
    ['0.5 GB of a small disk, half of it', disk(0.5 * gigabyte, gigabyte), []],
    ['no disk left', disk(0, 50 * gigabyte), ['disk critical']],
    ['2.9 % of memory', memory(0.029), ['memory critical']],
    ['3.1 % of memory', memory(0.031), ['memory warning']],
    ['9.9 % of memory', memory(0.099), ['memory warning']],
    ['10.1 % of memory', memory(0.101), []],
    ['a load of 1.9', { loadPerCore: 1.9 }, []],
    ['a load of 2.1', { loadPerCore: 2.1 }, ['load warning']],
    ['timers 99 ms late', { timerDelayMs: 99 }, []],
    ['timers 101 ms late', { timerDelayMs: 101 }, ['timers warning']],
    ['a tick 29 min ago', { pulseAgeMs: 29 * minute }, []],
    ['a tick 31 min ago', { pulseAgeMs: 31 * minute }, ['pulse warning']],
    ['a tick half a minute ahead', { pulseAgeMs: -minute / 2 }, []],
    ['a tick an hour ahead', { pulseAgeMs: -60 * minute }, ['pulse warning']],
    ['a failed write', { writing: 'EIO' }, ['writing critical']],
    ['a failed loopback', { loopback: 'refused' }, ['loopback warning']],
    ['two problems at once', { ...disk(0, gigabyte), loadPerCore: 9 }, ['disk critical', 'load warning']],
  ])('judges %s', (_, change, expected) => {
    const findings = judgeHealth({ ...sound, ...change });
    const amiss = findings.filter(({ level }) => level !== 'ok').map(({ check, level }) => `${check} ${level}`);
    expect(amiss).toEqual(expected);
    const worst = expected.some((one) => one.endsWith('critical')) ? 'critical' : expected[0] ? 'warning' : 'ok';
    expect(worstLevel(findings)).toBe(worst);
    if (worst !== 'ok') expect(summariseHealth(findings)).toMatch(new RegExp(`^health ${worst}: ${worst}: `));
  });
});

describe.concurrent('check_health.ts', () => {
  it('appends its readings to a series', async () => {
    const outputs = temporaryFolder();
    await runScript(argvOf('check_health.ts', '--fast'), outputs);
    await runScript(argvOf('check_health.ts'), outputs);
    const [fast, full, ...more] = readJsonLines(join(outputs, 'health.jsonl'));
    expect(more).toEqual([]);
    expect(fast).toMatchObject({ level: expect.any(String), writing: null, loopback: null, pulseAgeMs: null });
    expect(fast).toMatchObject({ disk: { free: expect.any(Number), total: expect.any(Number) } });
    expect(fast).toMatchObject({ memory: { free: expect.any(Number), total: expect.any(Number) } });
    expect(full).toMatchObject({ writing: true, loopback: true });
  });

  it('takes the pulse from the newest tick, however much follows it', async () => {
    const outputs = temporaryFolder();
    const now = Date.now();
    const tick = (age: number) => ({ at: iso(now - age), type: 'tick', outcome: 'done' });
    const filler = { at: iso(now), type: 'run-end', group: 'a', run: { note: 'x'.repeat(200_000) } };
    writeHistory(outputs, [tick(90 * minute), tick(45 * minute), filler]);
    const { exitCode, stdout } = await runScript(argvOf('check_health.ts', '--fast'), outputs);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^health warning: .*warning: last tick 45 min.* ago, so the trigger paused/);
  });

  // A real disk that is nearly full, which only Linux lets us have without privileges.
  const mount = (size: string, fill: string) => [
    'unshare',
    '--user',
    '--map-root-user',
    '--mount',
    'sh',
    '-c',
    `mount -t tmpfs -o size=${size} tmpfs "$RHYTHM_OUTPUTS" && ${fill} && exec "$@"`,
    'sh',
  ];
  const canMount =
    spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]).status ===
    0;

  it.skipIf(!canMount).each([
    [
      'nearly full',
      'dd if=/dev/zero of="$RHYTHM_OUTPUTS/fill" bs=1k count=4060 2>/dev/null',
      /^health critical: critical: disk .* free; /,
    ],
    [
      'full',
      '{ cat /dev/zero >"$RHYTHM_OUTPUTS/fill" 2>/dev/null; true; }',
      /critical: health\.jsonl can't be written \(ENOSPC/,
    ],
  ])('fails on a disk that is %s', async (_, fill, said) => {
    const outputs = join(temporaryFolder(), 'outputs');
    mkdirSync(outputs);
    const ended = await runScript([...mount('4m', fill), ...argvOf('check_health.ts', '--fast')], outputs);
    expect(ended).toMatchObject({ exitCode: 1, stderr: '' });
    expect(ended.stdout).toMatch(said);
  });
});
