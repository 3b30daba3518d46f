import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { isMarked, readRecord, writeRecord } from './embedded-installation.ts';
import { escapeText } from './escape-xml.ts';
import { call, demand } from './system-command.ts';
import type { FoundEntry, Order, Printed, Trigger } from './trigger.ts';

const minute = 60_000;
const longest = 31 * 24 * 60 * minute;
const folder = '\\rhythm\\';

/** A task of Windows Task Scheduler, in its folder `rhythm`. */
export const schtasks: Trigger = {
  name: 'schtasks',

  print(order): Printed {
    return {
      where: `Task Scheduler, ${nameOf(order.id)}`,
      files: [{ path: null, text: writeTask(order), encoding: 'utf-16le' }],
      commands: [['schtasks', '/Create', '/TN', nameOf(order.id), '/XML', 'FILE', '/F']],
    };
  },

  install(order) {
    const { files, commands } = schtasks.print(order);
    const place = mkdtempSync(join(tmpdir(), 'rhythm-'));
    try {
      const file = join(place, 'task.xml');
      writeFileSync(file, encodeTask(files[0]?.text ?? ''));
      const [program = '', ...args] = commands[0] ?? [];
      const advice = 'name another trigger with --trigger, or see what --print shows';
      demand(
        program,
        args.map((word) => (word === 'FILE' ? file : word)),
        advice,
      );
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
    return [
      'The task runs while you are logged on; one that runs at any time has to be made by an administrator (Task Scheduler, "Run whether user is logged on or not").',
    ];
  },

  uninstall(id) {
    if (!schtasks.find().some((entry) => entry.id === id)) return false;
    demand('schtasks', ['/Delete', '/TN', nameOf(id), '/F'], 'delete it in Task Scheduler');
    return true;
  },

  find() {
    const listed = call('schtasks', ['/Query', '/XML', 'ONE']);
    return listed?.status === 0 ? findTasks(decodeTask(listed.stdout)) : [];
  },
};

/** The file as `schtasks /Create /XML` wants it: UTF-16, little endian, with a byte order mark and Windows' line ends. */
export function encodeTask(text: string): Buffer {
  return Buffer.from(`\uFEFF${text.replaceAll('\n', '\r\n')}`, 'utf16le');
}

/** What `schtasks /Query` says, whatever bytes it says it in: what is looked for in it is ASCII. */
export function decodeTask(bytes: Buffer): string {
  const isWide = bytes.subarray(0, 200).includes(0);
  return bytes.toString(isWide ? 'utf16le' : 'latin1').replaceAll('\r\n', '\n');
}

/** Our tasks among all those of an answer to `/Query /XML ONE`. Windows may write them otherwise than they were given. */
export function findTasks(text: string): FoundEntry[] {
  const tasks = text.split(/(?=<Task[\s>])/).filter((task) => /^<Task[\s>]/.test(task) && isMarked(task));
  return tasks.flatMap((task): FoundEntry[] => {
    const order = readRecord(unescapeText(task));
    if (order === null) return [];
    const isOn = !/<Settings>[\s\S]*?<Enabled>\s*false\s*<\/Enabled>[\s\S]*?<\/Settings>/.test(task);
    const element = (name: string, within: string) =>
      new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(within)?.[1] ?? '';
    const same = ['Interval', 'Command', 'WorkingDirectory'].every((name) =>
      isAscii(element(name, writeTask(order))) ? element(name, task).trim() === element(name, writeTask(order)) : true,
    );
    const idle = isOn ? null : `the task ${nameOf(order.id)} is disabled; enable it in Task Scheduler`;
    return [{ where: `Task Scheduler, ${nameOf(order.id)}`, order, id: order.id, isIntact: same, idle }];
  });
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function unescapeText(text: string): string {
  return text.replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&amp;', '&');
}

function nameOf(id: string): string {
  return `${folder}${id}`;
}

/**
 * A task after the schema of version 1.2 (MS-TSCH 2.5). Its elements come in the order that Windows writes them. The
 * console window that node.exe would open every few minutes stays away because conhost is told to be headless: `Hidden`
 * hides the task, not the window, and a task without a desktop (S4U) needs an administrator to make it. The environment,
 * PATH included, is the user's: a task can't set one.
 */
function writeTask(order: Order): string {
  const { every } = order;
  if (every % minute !== 0 || every < minute || every > longest) {
    throw new UsageError('Task Scheduler repeats a task every 1m to 31d, in whole minutes; choose --every so.');
  }
  const tick = [order.node, order.program, '-C', order.workspace, 'tick'].map(quoteArgument).join(' ');
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Source>rhythm</Source>
    <Author>${escapeText(order.account.user)}</Author>
    <Description>${escapeText(`A tick of rhythm in ${order.workspace}; rhythm uninstall takes it out`)}</Description>
    <Documentation>${escapeText(writeRecord(order))}</Documentation>
    <URI>${escapeText(nameOf(order.id))}</URI>
  </RegistrationInfo>
  <Triggers>
    <TimeTrigger>
      <Repetition>
        <Interval>PT${every / minute}M</Interval>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>
      <StartBoundary>2020-01-01T00:00:00</StartBoundary>
      <Enabled>true</Enabled>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>${escapeText(order.account.user)}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <IdleSettings>
      <StopOnIdleEnd>false</StopOnIdleEnd>
      <RestartOnIdle>false</RestartOnIdle>
    </IdleSettings>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <Enabled>true</Enabled>
    <Hidden>false</Hidden>
    <RunOnlyIfIdle>false</RunOnlyIfIdle>
    <WakeToRun>false</WakeToRun>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>7</Priority>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>%SystemRoot%\\System32\\conhost.exe</Command>
      <Arguments>${escapeText(`--headless ${tick}`)}</Arguments>
      <WorkingDirectory>${escapeText(order.workspace)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
`;
}

/** An argument as CommandLineToArgvW takes it apart: backslashes count only before a double quote. */
export function quoteArgument(word: string): string {
  if (/^[^\s"]+$/.test(word)) return word;
  return `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}
