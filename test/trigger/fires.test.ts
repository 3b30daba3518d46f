import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { note, program } from '../rig.ts';

/*
 * Registered is not running: here a real cron daemon and a real systemd manager fire what install registered, from folders
 * with names that each of them would take for its own words.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = (name: string) => join(root, 'test/trigger', name);
const isRoot = process.getuid?.() === 0;
const has = (name: string) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
const canUnshare =
  isRoot && has('unshare') && spawnSync('unshare', ['--mount', '--pid', '--fork', 'true']).status === 0;
const hasCron = canUnshare && has('cron') && has('faketime') && has('crontab');
const hasSystemd = canUnshare && has('systemctl') && startsManager();

function startsManager(): boolean {
  const home = makeFolder('probe');
  const { status } = spawnSync(here('with-systemd.sh'), [home, 'systemctl', '--user', 'list-timers'], {
    timeout: 20_000,
  });
  rmSync(join(home, '..'), { recursive: true, force: true });
  return status === 0;
}

/** Waits in the shell until a condition holds, for half a minute at most. */
const until = (condition: string) => `for _ in $(seq 300); do ${condition} && break; sleep .1; done; ${condition}`;
const ticks = (outputs: string, count: number) =>
  until(`[ "$(cat '${outputs}/history.jsonl' 2>/dev/null | grep -c '"type":"tick"')" -ge ${count} ]`);

function makeFolder(name: string): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'rhythm fires ')), name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** What sh has to be told about: a single quote in a single-quoted word. */
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function makeJobs(name: string, config: object): string {
  const folder = makeFolder(name);
  onTestFinished(() => rmSync(join(folder, '..'), { recursive: true, force: true, maxRetries: 5 }));
  writeFileSync(join(folder, 'tasks.config.json'), JSON.stringify(config));
  return folder;
}

/** The example workspace, in a folder of that name. */
function makeExample(name: string): string {
  const folder = makeFolder(name);
  onTestFinished(() => rmSync(join(folder, '..'), { recursive: true, force: true, maxRetries: 5 }));
  for (const part of ['tasks.config.ts', 'scripts', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  spawnSync('chmod', ['-R', 'go-w', folder]);
  return folder;
}

/** Runs a script of bash beside the daemon; `rhythm DIR …` is the command in a workspace. */
function run(
  harness: string,
  first: string,
  script: string,
): { stdout: string; stderr: string; status: number | null } {
  const prelude = `rhythm() { dir=$1; shift; ${quote(process.execPath)} ${quote(program)} -C "$dir" "$@"; }`;
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined, NO_COLOR: '1' };
  return spawnSync(here(harness), [first, 'bash', '-c', `${prelude}\n${script}`], {
    encoding: 'utf8',
    env,
    timeout: 90_000,
  });
}

function historyOf(folder: string): Record<string, unknown>[] {
  const text = readFileSync(join(folder, 'outputs/history.jsonl'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const odd = `it's 50% "off" \\% $HOME & <b> ü`;

describe.runIf(hasCron)('cron', () => {
  it('runs the example workspace and does not start Node if nothing is due', { timeout: 120_000 }, () => {
    const example = makeExample(odd);
    const idle = makeJobs(`idle ${odd}`, { groups: { a: { every: '1d', scripts: [{ shell: note('ran') }] } } });
    const { stdout, stderr, status } = run(
      'with-cron.sh',
      '30',
      `
      cd ${quote(example)} || exit 1
      echo '0 3 1 1 * true # 50\\%' | crontab -
      crontab -l > ../before
      rhythm ${quote(example)} install --trigger cron --every 1m --no-guard >/dev/null || exit 1
      rhythm ${quote(idle)} install --trigger cron --every 1m --json >/dev/null || exit 1
      { ${ticks('outputs', 3)}; } || exit 2
      cd ${quote(idle)}
      { ${ticks('outputs', 1)}; } || exit 3
      { ${until('[ -e outputs/next ]')}; } || exit 4
      touch -d '-1 hour' outputs/mark
      touch -r outputs/history.jsonl outputs/last
      touch -d '-1 hour' outputs/pulse
      { ${until('[ outputs/pulse -nt outputs/mark ]')}; } || exit 5
      # A change of the state makes the next firing start Node.
      ticks=$(grep -c '"type":"tick"' outputs/history.jsonl)
      echo "ticks $ticks"
      rhythm . pause a >/dev/null
      { ${until('[ "$(grep -c \'"type":"tick"\' outputs/history.jsonl)" -gt "$ticks" ]')}; } || exit 6
      rhythm ${quote(idle)} uninstall >/dev/null
      rhythm ${quote(example)} uninstall >/dev/null
      crontab -l | cmp - ${quote(join(example, '../before'))} || exit 7
      `,
    );
    expect(status, `${stdout}${stderr}`).toBe(0);
    const history = historyOf(example);
    const runs = history.filter(({ type }) => type === 'run-start').map(({ group }) => group);
    expect(runs).toContain('health_check');
    expect(history.filter(({ type }) => type === 'tick').length).toBeGreaterThanOrEqual(3);
    expect(readFileSync(join(idle, 'ledger'), 'utf8')).toBe('ran\n');
    // Its first tick, and at most another if the file was too new for a stamp; not one for each firing.
    expect(Number(/ticks (\d+)/.exec(stdout)?.[1])).toBeLessThanOrEqual(3);
  });
});

describe.runIf(hasSystemd)('systemd', () => {
  /** The timer of every five minutes fires every two seconds for the test. */
  const hasten = `
    unit=$(basename "$(echo "$HOME"/.config/systemd/user/rhythm-*.timer)" .timer)
    mkdir -p "$HOME/.config/systemd/user/$unit.timer.d"
    printf '[Timer]\\nOnCalendar=\\nOnCalendar=*:*:0/2\\n' > "$HOME/.config/systemd/user/$unit.timer.d/fast.conf"
    systemctl --user daemon-reload
    systemctl --user restart "$unit.timer"`;

  function makeHome(): string {
    const home = makeFolder('home');
    onTestFinished(() => rmSync(join(home, '..'), { recursive: true, force: true, maxRetries: 5 }));
    return home;
  }

  it('runs the example workspace', { timeout: 120_000 }, () => {
    const example = makeExample(odd);
    const home = makeHome();
    const { stdout, stderr, status } = run(
      'with-systemd.sh',
      home,
      `
      rhythm ${quote(example)} install --trigger systemd --no-guard || exit 1
      systemctl --user list-timers --all --no-legend
      ${hasten}
      cd ${quote(example)}
      { ${ticks('outputs', 3)}; } || exit 2
      rm -r "$HOME/.config/systemd/user/$unit.timer.d"
      rhythm ${quote(example)} uninstall || exit 3
      systemctl --user list-timers --all --no-legend | grep rhythm && exit 4
      find "$HOME/.config/systemd/user" -name 'rhythm*' | grep . && exit 5
      exit 0
      `,
    );
    expect(status, `${stdout}${stderr}`).toBe(0);
    expect(stdout).toMatch(/^Installed: systemd starts a tick every 5m in /);
    expect(stdout).toMatch(/lingering/i);
    const history = historyOf(example);
    const ran = history.filter(({ type }) => type === 'run-start').map(({ group }) => group);
    expect(ran).toContain('health_check');
  });

  it('neither refuses, repeats nor loses a script, however often it is stopped and started', {
    timeout: 120_000,
  }, () => {
    // Each says who it is, and looks whether the one before is still there.
    const body = (name: string) =>
      [
        'cd "$RHYTHM_WORKSPACE"',
        'if [ -e last ]; then read -r pid <last; if kill -0 "$pid" 2>/dev/null; then echo "two at once" >>ledger; fi; fi',
        `echo $$ >last; echo "${name} begins" >>ledger; sleep 0.6; echo "${name} ends" >>ledger`,
      ].join('; ');
    const scripts = ['one', 'two', 'three'].map((name) => ({ name, shell: body(name) }));
    const jobs = makeJobs('race', {
      killAfter: '2s',
      groups: { all: { every: '1d', retryAfter: [], scripts } },
    });
    const home = makeHome();
    const { stdout, stderr, status } = run(
      'with-systemd.sh',
      home,
      `
      cd ${quote(jobs)}
      rhythm "$PWD" install --trigger systemd >/dev/null || exit 1
      service=$(basename "$HOME"/.config/systemd/user/rhythm-*.service)
      begun() { { ${until('grep -q "$1 begins" ledger 2>/dev/null')}; }; }
      # Cut off in its first script, and in its second.
      systemctl --user start --no-block $service; begun one
      systemctl --user restart --no-block $service || exit 2
      begun two
      systemctl --user stop $service || exit 3
      systemctl --user start $service || exit 4
      cp ledger ledger.first
      # And now faster than systemd's usual limit of five starts within ten seconds.
      for round in $(seq 12); do
        systemctl --user restart --no-block $service || exit 5
        [ $((round % 3)) = 0 ] && { systemctl --user stop $service || exit 6; }
        systemctl --user start --no-block $service || exit 7
      done
      systemctl --user start $service || exit 8
      systemctl --user is-failed $service && exit 9
      exit 0
      `,
    );
    const log = readFileSync(join(home, 'systemd.log'), 'utf8');
    expect(status, `${stdout}${stderr}${log}`).toBe(0);
    expect(log).not.toMatch(/repeated too quickly|start-limit/);
    const ledger = readFileSync(join(jobs, 'ledger.first'), 'utf8').trim().split('\n');
    expect(ledger.filter((line) => line.startsWith('two at once'))).toEqual([]);
    expect(ledger.filter((line) => line.endsWith('ends'))).toEqual(['one ends', 'two ends', 'three ends']);
    expect(readFileSync(join(jobs, 'ledger'), 'utf8').trim().split('\n')).toEqual(ledger);
    const history = historyOf(jobs);
    const outcomes = history
      .filter(({ type }) => type === 'run-end')
      .map(({ run }) => (run as { outcome: string }).outcome);
    expect(outcomes.at(-1)).toBe('succeeded');
    expect(outcomes.slice(0, -1).every((outcome) => outcome === 'interrupted')).toBe(true);
    expect(history.filter(({ type }) => type === 'run-start').map(({ run }) => run)).toSatisfy(
      (runs: string[]) => new Set(runs).size === 1,
    );
  });
});
