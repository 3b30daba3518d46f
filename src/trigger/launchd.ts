import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';
import { UsageError } from '../errors.ts';
import { isMarked, readRecord, writeRecord } from './embedded-installation.ts';
import { escapeText } from './escape-xml.ts';
import { writeLine } from './guard.ts';
import { call, demand } from './system-command.ts';
import { type FoundEntry, fitClock, type Order, type Printed, type Trigger } from './trigger.ts';

const advice = 'see `launchctl print` for the agent and try again';

/** An agent of the user's. */
export const launchd: Trigger = {
  name: 'launchd',

  print(order): Printed {
    const path = pathOf(order.account.home, order.id);
    const domain = domainOf(order.account.uid);
    return {
      where: path,
      files: [{ path, text: writePlist(order), encoding: 'utf-8' }],
      commands: [
        ['launchctl', 'bootout', `${domain}/${labelOf(order.id)}`],
        ['launchctl', 'bootstrap', domain, path],
      ],
    };
  },

  install(order) {
    const { files, commands } = launchd.print(order);
    const path = pathOf(order.account.home, order.id);
    const text = files[0]?.text ?? '';
    const before = readOrNull(path);
    if (before !== null && !isMarked(before)) {
      throw new UsageError(`${path} is there already and not of rhythm's making; move it away.`);
    }
    const [bootout = [], bootstrap = []] = commands;
    // Where nothing was loaded this fails, and says no more than that.
    call('launchctl', bootout.slice(1));
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      load(bootstrap);
    } catch (error) {
      if (before === null) rmSync(path, { force: true });
      else {
        writeFileSync(path, before);
        call('launchctl', bootstrap.slice(1));
      }
      throw error;
    }
    return [];
  },

  uninstall(id) {
    const path = pathOf(homeHere(), id);
    if (!isMarked(readOrNull(path) ?? '')) return false;
    call('launchctl', ['bootout', `${domainOf(uidHere())}/${labelOf(id)}`]);
    rmSync(path, { force: true });
    return true;
  },

  find() {
    const folder = dirname(pathOf(homeHere(), ''));
    let names: string[];
    try {
      names = readdirSync(folder).filter((name) => /^rhythm\..+\.plist$/.test(name));
    } catch {
      return [];
    }
    return names.flatMap((name): FoundEntry[] => {
      const where = join(folder, name);
      const text = readOrNull(where) ?? '';
      if (!isMarked(text)) return [];
      const id = name.slice('rhythm.'.length, -'.plist'.length);
      const order = readRecord(text);
      const service = `${domainOf(uidHere())}/${labelOf(id)}`;
      const isLoaded = call('launchctl', ['print', service])?.status === 0;
      const idle = isLoaded
        ? null
        : `launchd has not loaded ${name}; launchctl bootstrap ${domainOf(uidHere())} ${where} loads it`;
      return [{ where, order, id, isIntact: order !== null && writePlist(order) === text, idle }];
    });
  },
};

/** A bootout may still be under way, and then, as when it is loaded already, this says "5: Input/output error". */
function load([program = '', ...args]: readonly string[]): void {
  for (let tries = 0; tries < 20; tries++) {
    const called = call(program, args);
    if (called === null || called.status === 0 || !/\b5: Input\/output error/.test(called.stderr)) break;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
  }
  const [, domain, path = ''] = args;
  const label = basename(path, '.plist');
  if (call(program, ['print', `${domain}/${label}`])?.status === 0) return;
  demand(program, args, advice);
}

function homeHere(): string {
  return process.env.HOME ?? '/';
}

function uidHere(): number | null {
  return process.getuid?.() ?? null;
}

function labelOf(id: string): string {
  return `rhythm.${id}`;
}

function pathOf(home: string, id: string): string {
  return join(home, 'Library/LaunchAgents', `${labelOf(id)}.plist`);
}

function domainOf(uid: number | null): string {
  return `gui/${uid ?? 'UID'}`;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** The keys are those of launchd.plist(5). Anything printed but errors is in the log of rhythm anyway. */
function writePlist(order: Order): string {
  const errors = join(order.account.home, 'Library/Logs', `${labelOf(order.id)}.log`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    `<!-- ${writeRecord(order)} -->`,
    '<plist version="1.0">',
    '<dict>',
    '  <key>Label</key>',
    `  <string>${escapeText(labelOf(order.id))}</string>`,
    '  <key>ProgramArguments</key>',
    '  <array>',
    '    <string>/bin/sh</string>',
    '    <string>-c</string>',
    `    <string>${escapeText(writeLine(order))}</string>`,
    '  </array>',
    '  <key>EnvironmentVariables</key>',
    '  <dict>',
    '    <key>PATH</key>',
    `    <string>${escapeText(order.path)}</string>`,
    '  </dict>',
    ...writeTimes(order.every),
    '  <key>RunAtLoad</key>',
    '  <true/>',
    '  <key>ProcessType</key>',
    '  <string>Background</string>',
    '  <key>LowPriorityIO</key>',
    '  <true/>',
    // What a script leaves running when it ends is let live, as under cron.
    '  <key>AbandonProcessGroup</key>',
    '  <true/>',
    '  <key>ExitTimeOut</key>',
    `  <integer>${Math.ceil(order.stopWithin / 1_000)}</integer>`,
    '  <key>StandardOutPath</key>',
    '  <string>/dev/null</string>',
    '  <key>StandardErrorPath</key>',
    `  <string>${escapeText(errors)}</string>`,
    '</dict>',
    '</plist>',
    '',
  ].join('\n');
}

/** Calendar times where the period has some, for those that sleep swallowed are made good on waking; else an interval. */
function writeTimes(every: number): string[] {
  if (every % 1_000 !== 0 || every < 60_000) {
    throw new UsageError(
      'launchd starts a tick every minute at most, and after whole seconds; take --every 1m or more.',
    );
  }
  const period = fitClock(every);
  if (period === null || every === 60_000) {
    return ['  <key>StartInterval</key>', `  <integer>${every / 1_000}</integer>`];
  }
  const [step, length] = 'minutes' in period ? [period.minutes, 60] : [period.hours, 24];
  const times = Array.from({ length: length / step }, (_, index) => index * step);
  const dict = (time: number) =>
    'minutes' in period
      ? `    <dict><key>Minute</key><integer>${time}</integer></dict>`
      : `    <dict><key>Hour</key><integer>${time}</integer><key>Minute</key><integer>0</integer></dict>`;
  return ['  <key>StartCalendarInterval</key>', '  <array>', ...times.map(dict), '  </array>'];
}
