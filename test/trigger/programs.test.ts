import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { launchd } from '../../src/trigger/launchd.ts';
import { schtasks } from '../../src/trigger/schtasks.ts';
import { systemd } from '../../src/trigger/systemd.ts';
import type { Order } from '../../src/trigger/trigger.ts';
import { isLinux, makeWorkspace } from '../rig.ts';
import { makeOrder, windowsOrder } from './orders.ts';

/*
 * What is called, in which order, and what is left where a system's program fails: with programs of the test's own in the
 * place of those that this machine does not have.
 */

let home = '';
let order: Order;
const { HOME, PATH } = process.env;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'rhythm programs '));
  order = makeOrder({ account: { home, user: 'ada', uid: process.getuid?.() ?? 0, owner: 1000 } });
  mkdirSync(join(home, 'bin'));
  Object.assign(process.env, { HOME: home, PATH: `${join(home, 'bin')}:/usr/bin:/bin` });
});

afterEach(() => {
  Object.assign(process.env, { HOME, PATH });
  rmSync(home, { recursive: true, force: true });
});

/** A program that writes down how it was called, and then does what is given. */
function provide(name: string, body: string): () => string[] {
  const log = join(home, `${name}.calls`);
  const text = `#!/bin/sh\nprintf "%s\\n" "$*" >>${JSON.stringify(log)}\nh=${JSON.stringify(home)}\n${body}\n`;
  writeFileSync(join(home, 'bin', name), text, { mode: 0o755 });
  return () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
}

describe.runIf(isLinux)('the launchd trigger', () => {
  const agent = () => join(home, 'Library/LaunchAgents/rhythm.jobs-1a2b3c4d.plist');
  const domain = `gui/${process.getuid?.()}`;
  const label = `${domain}/rhythm.jobs-1a2b3c4d`;
  /** Loads, unloads and tells, like launchctl. */
  const loader = `case $1 in
    bootstrap) [ -e "$h/loaded" ] && { echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }; touch "$h/loaded";;
    bootout) [ -e "$h/loaded" ] || exit 3; rm "$h/loaded";;
    print) [ -e "$h/loaded" ] || exit 113;;
  esac`;

  it('is loaded, reloaded, found and unloaded', () => {
    const calls = provide('launchctl', loader);
    launchd.install(order);
    launchd.install({ ...order, every: 600_000 });
    expect(calls()).toEqual([
      `bootout ${label}`,
      `bootstrap ${domain} ${agent()}`,
      `print ${label}`,
      `bootout ${label}`,
      `bootstrap ${domain} ${agent()}`,
      `print ${label}`,
    ]);
    expect(launchd.find()).toEqual([
      { where: agent(), order: { ...order, every: 600_000 }, id: order.id, isIntact: true, idle: null },
    ]);
    rmSync(join(home, 'loaded'));
    expect(launchd.find()[0]?.idle).toMatch(
      /^launchd has not loaded rhythm\.jobs-1a2b3c4d\.plist; launchctl bootstrap/,
    );
    expect(launchd.uninstall(order.id)).toBe(true);
    expect(launchd.uninstall(order.id)).toBe(false);
    expect(existsSync(agent())).toBe(false);
  });

  it('waits for an agent that is still unloading, and accepts one that is already loaded', () => {
    provide('launchctl', `${loader.replace('rm "$h/loaded"', '(sleep 0.4; rm "$h/loaded") &')}`);
    writeFileSync(join(home, 'loaded'), '');
    launchd.install(order);
    expect(launchd.find()[0]?.idle).toBe(null);
  });

  it('removes its agent if launchctl refuses it, and leaves a foreign agent alone', () => {
    provide(
      'launchctl',
      'case $1 in bootstrap) echo "Bootstrap failed: 125: Domain does not support specified action" >&2; exit 125;; *) exit 3;; esac',
    );
    expect(() => launchd.install(order)).toThrow(
      /^`launchctl bootstrap .*` failed: Bootstrap failed: 125: Domain does not/,
    );
    expect(existsSync(agent())).toBe(false);
    writeFileSync(agent(), '<plist/>');
    expect(() => launchd.install(order)).toThrow("is there already and not of rhythm's making; move it away.");
    expect(readFileSync(agent(), 'utf8')).toBe('<plist/>');
    expect(launchd.uninstall(order.id)).toBe(false);
  });
});

describe.runIf(isLinux)('the schtasks trigger', () => {
  it('is installed from XML in UTF-16, found and removed', () => {
    const calls = provide(
      'schtasks',
      `case $1 in
        /Create) cp "$5" "$h/task.xml";;
        /Query) [ -e "$h/task.xml" ] && cat "$h/task.xml";;
        /Delete) rm "$h/task.xml";;
      esac`,
    );
    expect(schtasks.find()).toEqual([]);
    expect(schtasks.uninstall(windowsOrder.id)).toBe(false);
    schtasks.install(windowsOrder);
    expect(calls().at(-1)).toMatch(/^\/Create \/TN \\rhythm\\jobs-1a2b3c4d \/XML .*task\.xml \/F$/);
    expect([...readFileSync(join(home, 'task.xml')).subarray(0, 4)]).toEqual([0xff, 0xfe, 0x3c, 0]);
    expect(schtasks.find()).toMatchObject([{ id: windowsOrder.id, order: windowsOrder, isIntact: true, idle: null }]);
    expect(schtasks.uninstall(windowsOrder.id)).toBe(true);
    expect(calls().at(-1)).toBe('/Delete /TN \\rhythm\\jobs-1a2b3c4d /F');
    expect(readdirSync(home).sort()).toEqual(['bin', 'schtasks.calls']);
  });

  it('reports why schtasks refused', () => {
    provide('schtasks', 'echo "ERROR: Access is denied." >&2; exit 1');
    expect(() => schtasks.install(windowsOrder)).toThrow(
      /^`schtasks \/Create .*` failed: ERROR: Access is denied; name another/,
    );
  });
});

describe.runIf(isLinux)('the systemd trigger', () => {
  const folder = () => join(home, '.config/systemd/user');

  it('writes nothing if no systemd manager is reachable', () => {
    provide('systemctl', 'echo "Failed to connect to bus: No medium found" >&2; exit 1');
    expect(() => systemd.install(order)).toThrow(
      /^no systemd manager runs for this user \(Failed to connect to bus: No medium found\); log in in your own name/,
    );
    expect(existsSync(folder())).toBe(false);
  });

  it('removes its units if systemctl refuses them, and leaves foreign units alone', () => {
    const calls = provide('systemctl', 'case $2 in enable) echo "Failed to enable unit" >&2; exit 1;; esac');
    expect(() => systemd.install(order)).toThrow(
      '`systemctl --user enable rhythm-jobs-1a2b3c4d.timer` failed: Failed to enable unit;',
    );
    expect(readdirSync(folder())).toEqual([]);
    expect(calls().at(-1)).toBe('--user daemon-reload');
    writeFileSync(join(folder(), 'rhythm-jobs-1a2b3c4d.timer'), '[Timer]\n');
    expect(() => systemd.install(order)).toThrow("is there already and not of rhythm's making");
    expect(systemd.uninstall(order.id)).toBe(false);
    expect(readFileSync(join(folder(), 'rhythm-jobs-1a2b3c4d.timer'), 'utf8')).toBe('[Timer]\n');
  });

  it('explains lingering if it is off, and reports an inactive timer', () => {
    provide('systemctl', 'case $2 in is-active) echo inactive; exit 3;; esac');
    provide('loginctl', 'echo no');
    expect(systemd.install(order)).toEqual([
      'Lingering is off: the timer runs only while ada is logged in. `loginctl enable-linger ada` lets it run always.',
    ]);
    provide('loginctl', 'echo yes');
    expect(systemd.install(order)).toEqual([]);
    expect(systemd.find()).toMatchObject([
      {
        id: order.id,
        isIntact: true,
        idle: expect.stringMatching(/is not active \(inactive\); systemctl --user start/),
      },
    ]);
    writeFileSync(join(folder(), 'rhythm-jobs-1a2b3c4d.service'), 'x');
    expect(systemd.find()[0]?.isIntact).toBe(false);
  });

  it('replaces the cron trigger of the workspace', async () => {
    const workspace = makeWorkspace();
    workspace.configure({ groups: { a: { every: '10m', scripts: [{ shell: 'true' }] } } });
    provide(
      'crontab',
      'case $1 in -l) [ -e "$h/table" ] && exec cat "$h/table"; echo "no crontab for ada" >&2; exit 1;; -r) rm "$h/table";; -) cat >"$h/table";; esac',
    );
    provide('systemctl', '');
    const env = { HOME: home, PATH: process.env.PATH };
    expect((await workspace.rhythm(['install', '--trigger', 'cron'], { env })).code).toBe(0);
    expect(existsSync(join(home, 'table'))).toBe(true);
    const { stdout, code } = await workspace.rhythm(['install', '--trigger', 'systemd', '--json'], { env });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ trigger: 'systemd', replaced: ['cron'] });
    expect(existsSync(join(home, 'table'))).toBe(false);
    const gone = await workspace.rhythm(['uninstall', '--json'], { env });
    expect(JSON.parse(gone.stdout)).toMatchObject({ schemaVersion: 1, uninstalled: ['systemd'] });
    expect(readdirSync(folder())).toEqual([]);
  });
});
