import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path/posix';
import { RhythmError, UsageError } from '../errors.ts';
import { formatDuration } from '../schedule/duration.ts';
import { isMarked, readRecord, writeRecord } from './embedded-installation.ts';
import { writeLine } from './guard.ts';
import { call, demand } from './system-command.ts';
import { demandClock, type FoundEntry, type Order, type Printed, type PrintedFile, type Trigger } from './trigger.ts';

const systemFolder = '/etc/systemd/system';
const advice = 'name another trigger with --trigger cron';

/** A timer and its service, of the user or (`system`) of the machine. */
export const systemd: Trigger = {
  name: 'systemd',

  print(order): Printed {
    const control = (...args: string[]) => ['systemctl', ...managerOf(order.system), ...args];
    return {
      where: folderOf(order),
      files: [
        { path: pathOf(order, 'service'), text: writeService(order), encoding: 'utf-8' },
        { path: pathOf(order, 'timer'), text: writeTimer(order), encoding: 'utf-8' },
      ],
      commands: [
        control('daemon-reload'),
        control('enable', unitOf(order.id, 'timer')),
        control('restart', unitOf(order.id, 'timer')),
      ],
    };
  },

  install(order) {
    if (order.system && process.getuid?.() !== 0) {
      throw new UsageError('--system needs root; leave it out for timers of your own, or use sudo.');
    }
    const { files, commands } = systemd.print(order);
    const manager = managerOf(order.system);
    // Asked before anything is written: where no manager listens, nothing is left behind.
    const asked = call('systemctl', [...manager, 'show-environment']);
    if (asked === null) throw new RhythmError(`there is no program systemctl here; ${advice}.`, 74);
    if (asked.status !== 0) {
      const whose = order.system ? 'systemd does not run here' : 'no systemd manager runs for this user';
      const how = order.system ? '' : 'log in in your own name rather than with su or sudo, or ';
      throw new RhythmError(`${whose} (${asked.stderr}); ${how}${advice}.`, 74);
    }
    const before = files.map(({ path }) => readOrNull(path));
    refuseForeign(files, before);
    try {
      mkdirSync(folderOf(order), { recursive: true });
      for (const { path, text } of files) writeFileSync(path as string, text);
      for (const [program = '', ...args] of commands) demand(program, args, advice);
    } catch (error) {
      if (before.every((text) => text === null))
        call('systemctl', [...manager, 'disable', '--now', unitOf(order.id, 'timer')]);
      for (const [index, { path }] of files.entries()) restore(path as string, before[index] ?? null);
      call('systemctl', [...manager, 'daemon-reload']);
      throw error;
    }
    return explainLingering(order);
  },

  uninstall(id) {
    let isFound = false;
    for (const [folder, isSystem] of foldersHere()) {
      const paths = ['timer', 'service'].map((kind) => join(folder, unitOf(id, kind)));
      const there = paths.filter((path) => isMarked(readOrNull(path) ?? ''));
      if (there.length === 0) continue;
      isFound = true;
      const manager = managerOf(isSystem);
      // Also where no manager listens the units are taken away. A tick that runs is let run.
      const stopped = call('systemctl', [...manager, 'disable', '--now', unitOf(id, 'timer')]);
      if (stopped?.status !== 0) rmSync(join(folder, 'timers.target.wants', unitOf(id, 'timer')), { force: true });
      for (const path of there) rmSync(path, { force: true });
      call('systemctl', [...manager, 'daemon-reload']);
      call('systemctl', [...manager, 'reset-failed', unitOf(id, 'service')]);
    }
    return isFound;
  },

  find() {
    return foldersHere().flatMap(([folder, isSystem]) => findIn(folder, isSystem));
  },
};

function findIn(folder: string, isSystem: boolean): FoundEntry[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => /^rhythm-.+\.timer$/.test(name));
  } catch {
    return [];
  }
  return names.flatMap((name): FoundEntry[] => {
    const timer = readOrNull(join(folder, name)) ?? '';
    if (!isMarked(timer)) return [];
    const order = readRecord(timer);
    const service = readOrNull(join(folder, name.replace(/timer$/, 'service')));
    const isIntact = order !== null && timer === writeTimer(order) && service === writeService(order);
    const asked = call('systemctl', [...managerOf(isSystem), 'is-active', name]);
    const answer = asked === null ? '' : `${asked.stdout.toString('utf8').trim()} ${asked.stderr}`.trim();
    const manager = isSystem ? '' : ' --user';
    const idle =
      asked?.status === 0
        ? null
        : `systemd says that ${name} is not active (${answer}); systemctl${manager} start ${name} starts it`;
    return [{ where: join(folder, name), order, id: name.slice('rhythm-'.length, -'.timer'.length), isIntact, idle }];
  });
}

/** The folders that units of ours may lie in, and whether they are the machine's. */
function foldersHere(): (readonly [folder: string, isSystem: boolean])[] {
  const home = process.env.HOME;
  return [...(home === undefined ? [] : [[userFolder(home), false] as const]), [systemFolder, true] as const];
}

/** Where systemd.unit(5) says that the units of a user are, XDG_CONFIG_HOME aside. */
function userFolder(home: string): string {
  return join(home, '.config/systemd/user');
}

function folderOf({ system, account }: Order): string {
  return system ? systemFolder : userFolder(account.home);
}

function pathOf(order: Order, kind: 'service' | 'timer'): string {
  return join(folderOf(order), unitOf(order.id, kind));
}

function unitOf(id: string, kind: string): string {
  return `rhythm-${id}.${kind}`;
}

function managerOf(isSystem: boolean): string[] {
  return isSystem ? [] : ['--user'];
}

function readOrNull(path: string | null): string | null {
  try {
    return readFileSync(path ?? '', 'utf8');
  } catch {
    return null;
  }
}

function restore(path: string, text: string | null): void {
  if (text === null) rmSync(path, { force: true });
  else writeFileSync(path, text);
}

function refuseForeign(files: readonly PrintedFile[], before: readonly (string | null)[]): void {
  for (const [index, { path }] of files.entries()) {
    const text = before[index] ?? null;
    if (text !== null && !isMarked(text))
      throw new UsageError(`${path} is there already and not of rhythm's making; move it away.`);
  }
}

/** Timers of a user run only while that user is logged in, unless the user lingers (loginctl(1)). */
function explainLingering({ system, account }: Order): string[] {
  if (system) return [];
  const asked = call('loginctl', ['show-user', account.user, '--property=Linger', '--value']);
  const answer = asked?.status === 0 ? asked.stdout.toString('utf8').trim() : '';
  if (answer === 'yes') return [];
  const state = answer === 'no' ? 'Lingering is off' : 'Whether lingering is on could not be found out';
  return [
    `${state}: the timer runs only while ${account.user} is logged in. \`loginctl enable-linger ${account.user}\` lets it run always.`,
  ];
}

function writeService(order: Order): string {
  const user = order.system && order.account.owner ? [`User=${order.account.owner}`] : [];
  return [
    `# ${writeRecord(order)}`,
    '[Unit]',
    `Description=A tick of rhythm in ${escapeSpecifiers(oneLine(order.workspace))}`,
    '# However often it is started and stopped: a start is never refused.',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=oneshot',
    ...user,
    `Environment=${quoteItem(`PATH=${order.path}`)}`,
    `ExecStart=/bin/sh -c ${quoteItem(writeLine(order)).replaceAll('$', '$$$$')}`,
    '# A stop tells the tick alone, so that it can end its scripts and write down what it interrupted.',
    'KillMode=mixed',
    `TimeoutStopSec=${Math.ceil(order.stopWithin / 1_000)}`,
    '# The exit code of a tick that was told to stop.',
    'SuccessExitStatus=143',
    '',
  ].join('\n');
}

function writeTimer(order: Order): string {
  const period = demandClock(order.every, 'systemd');
  const hours = (every: number) => (every === 24 ? '00:00 UTC' : `0/${every}:00 UTC`);
  const calendar = 'minutes' in period ? `*:0/${period.minutes}` : hours(period.hours);
  return [
    `# ${writeRecord(order)}`,
    '[Unit]',
    `Description=A tick of rhythm every ${formatDuration(order.every)} in ${escapeSpecifiers(oneLine(order.workspace))}`,
    '',
    '[Timer]',
    `OnCalendar=${calendar}`,
    'AccuracySec=1s',
    '# What was missed while the machine was off is made good once it is on.',
    'Persistent=true',
    '',
    '[Install]',
    'WantedBy=timers.target',
    '',
  ].join('\n');
}

/** A quoted item of systemd.syntax(7), with its C escapes; % begins a specifier in all of these settings. */
function quoteItem(text: string): string {
  return `"${escapeSpecifiers(text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n'))}"`;
}

function escapeSpecifiers(text: string): string {
  return text.replaceAll('%', '%%');
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\\]/gu, '?');
}
