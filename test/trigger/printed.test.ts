import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readRecord, writeRecord } from '../../src/trigger/embedded-installation.ts';
import { findTriggers, triggers } from '../../src/trigger/find-triggers.ts';
import { findStable, tidyPath } from '../../src/trigger/installation.ts';
import { launchd } from '../../src/trigger/launchd.ts';
import { decodeTask, encodeTask, findTasks, quoteArgument, schtasks } from '../../src/trigger/schtasks.ts';
import { systemd } from '../../src/trigger/systemd.ts';
import { identifyWorkspace, type Order, type TriggerName, triggerNames } from '../../src/trigger/trigger.ts';
import { awkward, makeOrder, windowsOrder } from './orders.ts';

const odd = makeOrder({
  workspace: `/srv/${awkward}`,
  outputs: `/srv/${awkward}/outputs`,
  path: `/opt/${awkward}/bin:/bin`,
});
const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const textOf = (name: TriggerName, order: Order) =>
  triggers[name].print(order).files.map(({ path, text }) => `${path ?? ''}\n${text}`);

describe.each(triggerNames)('the printed trigger for %s', (name) => {
  const usual = name === 'schtasks' ? windowsOrder : makeOrder();

  it('is the same on every platform', async () => {
    await expect(textOf(name, usual).join('\n')).toMatchFileSnapshot(`printed/${name}.txt`);
    await expect(textOf(name, { ...odd, guard: false, every: 3_600_000 }).join('\n')).toMatchFileSnapshot(
      `printed/${name}-odd.txt`,
    );
  });

  it('contains the order that it was created from', () => {
    for (const order of [usual, odd]) {
      for (const text of textOf(name, order)) {
        expect(readRecord(text.replaceAll('&lt;', '<'))).toEqual(order);
      }
    }
  });
});

it('an embedded record is one line of ASCII without special sequences', () => {
  const text = writeRecord(makeOrder({ workspace: '/a--b<!-- & %h $x ü 🎉\n\u2028"\\', path: 'rhythm-trigger {' }));
  expect(text).toMatch(/^[ -~]+$/);
  expect(text.slice('rhythm-trigger'.length)).not.toMatch(/--|[<>&%$]/);
  expect(readRecord(`x ${text} y`)?.workspace).toBe('/a--b<!-- & %h $x ü 🎉\n\u2028"\\');
  expect(readRecord('rhythm-trigger {"id": 1}')).toBe(null);
  expect(readRecord('rhythm-trigger {')).toBe(null);
});

it('a workspace is identified by its real path', () => {
  const folder = mkdtempSync(join(tmpdir(), 'Rhythm Jobs Ü '));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const link = `${folder} link`;
  symlinkSync(folder, link);
  onTestFinished(() => rmSync(link));
  const id = identifyWorkspace(folder);
  expect(id).toMatch(/^rhythm-jobs-u-[a-z0-9-]{1,9}-[0-9a-f]{8}$/);
  expect(identifyWorkspace(link)).toBe(id);
  expect(identifyWorkspace(`${folder}/../${folder.split('/').at(-1)}`)).toBe(id);
  expect(identifyWorkspace('/🎉')).toMatch(/^[0-9a-f]{8}$/);
});

it('the trigger uses a path of Node that survives updates', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm node '));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [real, link] = [join(folder, 'node-22.1.0'), join(folder, 'node')];
  writeFileSync(real, '');
  symlinkSync(real, link);
  expect(findStable(real, [join(folder, 'none'), link])).toBe(link);
  writeFileSync(join(folder, 'other'), '');
  expect(findStable(real, [join(folder, 'other')])).toBe(real);
});

it('the PATH of the trigger has no duplicates and none of npm’s temporary folders', () => {
  const path = '/a/node_modules/.bin:/usr/bin:/x/@npmcli/run-script/lib/node-gyp-bin:/bin:/usr/bin:';
  expect(tidyPath(path, ':')).toBe('/usr/bin:/bin');
});

describe('a launchd plist', () => {
  /** launchd.plist(5): what it knows, and of which type. */
  const types: Record<string, string> = {
    Label: 'str',
    ProgramArguments: 'list',
    EnvironmentVariables: 'dict',
    StartInterval: 'int',
    StartCalendarInterval: 'list',
    RunAtLoad: 'bool',
    ProcessType: 'str',
    LowPriorityIO: 'bool',
    AbandonProcessGroup: 'bool',
    ExitTimeOut: 'int',
    StandardOutPath: 'str',
    StandardErrorPath: 'str',
  };

  it.runIf(has('python3')).each([60_000, 300_000, 420_000, 3_600_000, 7_200_000, 86_400_000])(
    'for every %i ms has valid keys and types, and the ordered values',
    (every) => {
      const text = launchd.print({ ...odd, every }).files[0]?.text ?? '';
      const script =
        'import json,plistlib,sys; p=plistlib.loads(sys.stdin.buffer.read()); print(json.dumps({"types":{k:type(v).__name__ for k,v in p.items()},"values":p}))';
      const { types: found, values } = JSON.parse(
        execFileSync('python3', ['-c', script], { input: text, encoding: 'utf8' }),
      );
      for (const [key, type] of Object.entries(found)) expect(type, key).toBe(types[key]);
      expect(values.Label).toBe(`rhythm.${odd.id}`);
      expect(values.EnvironmentVariables).toEqual({ PATH: odd.path });
      const [shell, flag, line] = values.ProgramArguments;
      expect([shell, flag]).toEqual(['/bin/sh', '-c']);
      const ran = execFileSync('sh', ['-c', line.replace(/exec \S+ /, 'exec echo ')], { encoding: 'utf8' });
      expect(ran).toBe(`${odd.program} -C ${odd.workspace} tick --stamp\n`);
      const times = values.StartCalendarInterval as Record<string, number>[] | undefined;
      if (times === undefined) expect(values.StartInterval).toBe(every / 1_000);
      else {
        expect(times.length * every).toBe(times[0] && 'Hour' in times[0] ? 86_400_000 : 3_600_000);
        for (const time of times) {
          expect(Object.keys(time).every((key) => ['Minute', 'Hour'].includes(key))).toBe(true);
          expect((time.Minute ?? 0) < 60 && (time.Hour ?? 0) < 24).toBe(true);
        }
      }
    },
  );

  it('is refused if XML can’t contain a name', () => {
    expect(() => launchd.print({ ...odd, workspace: '/srv/\u0007' })).toThrow(/can't hold a character/);
  });
});

describe('a scheduled task', () => {
  const text = schtasks.print(windowsOrder).files[0]?.text ?? '';

  it('is XML with the elements of the schema in the order of Windows', () => {
    expect(XMLValidator.validate(text)).toBe(true);
    const parsed = new XMLParser({ preserveOrder: true, ignoreAttributes: false, parseTagValue: false }).parse(text);
    const names = (nodes: Record<string, unknown>[]) => nodes.map((node) => Object.keys(node)[0]);
    const child = (nodes: Record<string, unknown>[], name: string) =>
      nodes.find((node) => name in node)?.[name] as Record<string, unknown>[];
    const task = child(parsed, 'Task');
    expect(names(task)).toEqual(['RegistrationInfo', 'Triggers', 'Principals', 'Settings', 'Actions']);
    expect(names(child(child(task, 'Triggers'), 'TimeTrigger'))).toEqual(['Repetition', 'StartBoundary', 'Enabled']);
    expect(names(child(child(task, 'Principals'), 'Principal'))).toEqual(['UserId', 'LogonType', 'RunLevel']);
    expect(names(child(child(task, 'Actions'), 'Exec'))).toEqual(['Command', 'Arguments', 'WorkingDirectory']);
    const plain = new XMLParser({ parseTagValue: false }).parse(text).Task;
    expect(plain.Settings).toMatchObject({
      MultipleInstancesPolicy: 'IgnoreNew',
      DisallowStartIfOnBatteries: 'false',
      StopIfGoingOnBatteries: 'false',
      StartWhenAvailable: 'true',
      ExecutionTimeLimit: 'PT0S',
    });
    expect(plain.Triggers.TimeTrigger.Repetition).toEqual({ Interval: 'PT5M', StopAtDurationEnd: 'false' });
    expect(plain.Principals.Principal.UserId).toBe('WORKBENCH\\ada');
    expect(plain.Actions.Exec).toEqual({
      Command: '%SystemRoot%\\System32\\conhost.exe',
      Arguments: `--headless "${windowsOrder.node}" ${windowsOrder.program} -C "${windowsOrder.workspace}" tick`,
      WorkingDirectory: windowsOrder.workspace,
    });
  });

  it('is written in UTF-16 with a BOM, and read in any encoding', () => {
    const bytes = encodeTask(text);
    expect([...bytes.subarray(0, 2)]).toEqual([0xff, 0xfe]);
    expect(bytes.toString('utf16le')).toContain('encoding="UTF-16"?>\r\n<Task');
    const other = '<Task xmlns="x"><Actions><ComHandler/></Actions></Task>';
    const body = text.replace(/^<\?xml.*\n/, '');
    const answer = `<?xml version="1.0" encoding="UTF-16"?>\r\n<Tasks>\r\n<!-- \\Other -->\r\n${other}\r\n<!-- \\rhythm\\x -->\r\n${body}</Tasks>`;
    for (const encoded of [
      Buffer.from(answer),
      Buffer.from(answer, 'latin1'),
      Buffer.from(answer, 'utf16le'),
      Buffer.from(`\uFEFF${answer}`, 'utf16le'),
    ]) {
      const [found, ...more] = findTasks(decodeTask(encoded));
      expect(more).toEqual([]);
      expect(found).toMatchObject({ id: windowsOrder.id, order: windowsOrder, isIntact: true, idle: null });
    }
    expect(findTasks(answer.replace('<Interval>PT5M', '<Interval>PT9M'))[0]?.isIntact).toBe(false);
    expect(
      findTasks(answer.replace('<Enabled>true</Enabled>\n    <Hidden>', '<Enabled>false</Enabled>\n    <Hidden>'))[0]
        ?.idle,
    ).toMatch('is disabled');
  });

  it.each([
    ['plain', 'plain'],
    ['C:\\a b\\', '"C:\\a b\\\\"'],
    ['C:\\ab\\', 'C:\\ab\\'],
    ['', '""'],
    ['a "b" \\"', '"a \\"b\\" \\\\\\""'],
  ])('quotes the argument %j as %s', (word, quoted) => expect(quoteArgument(word)).toBe(quoted));

  it.each([[30_000], [90_000], [32 * 86_400_000]])('can’t be written for every %i ms', (every) => {
    expect(() => schtasks.print({ ...windowsOrder, every })).toThrow('every 1m to 31d, in whole minutes');
  });
});

describe.runIf(has('systemd-analyze'))('a pair of systemd units', () => {
  it.each([[60_000], [300_000], [3_600_000], [7_200_000], [86_400_000]])(
    'for every %i ms passes systemd-analyze verify',
    (every) => {
      const folder = mkdtempSync(join(tmpdir(), 'rhythm units '));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const { files } = systemd.print({ ...odd, every });
      const paths = files.map(({ path, text }) => {
        const file = join(folder, path?.split('/').at(-1) ?? '');
        writeFileSync(file, text);
        return file;
      });
      const env = { ...process.env, XDG_RUNTIME_DIR: folder };
      const { status, stderr } = spawnSync(
        'systemd-analyze',
        ['--user', 'verify', '--recursive-errors=one', ...paths],
        { env, encoding: 'utf8' },
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const calendar = /^OnCalendar=(.*)$/m.exec(files[1]?.text ?? '')?.[1] ?? '';
      const told = execFileSync('systemd-analyze', ['calendar', '--iterations=3', calendar], {
        encoding: 'utf8',
        env: { ...env, TZ: 'UTC' },
      });
      const fires = [...told.matchAll(/(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g)].map(([, day, time]) =>
        Date.parse(`${day}T${time}Z`),
      );
      const distinct = [...new Set(fires)].sort((a, b) => a - b);
      expect(distinct.length).toBeGreaterThanOrEqual(3);
      for (const [index, instant] of distinct.entries()) {
        expect(instant % every).toBe(0);
        if (index > 0) expect(instant - (distinct[index - 1] as number)).toBe(every);
      }
    },
  );

  it('runs as the owner of the workspace if installed system-wide', () => {
    const [service] = systemd.print(makeOrder({ system: true })).files;
    expect(service?.path).toBe('/etc/systemd/system/rhythm-jobs-1a2b3c4d.service');
    expect(service?.text).toMatch(/^User=1000$/m);
  });
});

it('a registered trigger is listed with its problems', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm find '));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { HOME, PATH } = process.env;
  onTestFinished(() => void Object.assign(process.env, { HOME, PATH }));
  process.env.HOME = folder;
  process.env.PATH = folder;
  const order = makeOrder({
    id: identifyWorkspace('/srv/gone'),
    workspace: '/srv/gone',
    node: '/opt/node-18/bin/node',
    program: '/srv/gone/rhythm.js',
    path: `/opt/node-18/bin:${folder}`,
  });
  const block = triggers.cron.print(order).files[0]?.text ?? '';
  writeFileSync(join(folder, 'crontab'), `#!/bin/sh\nexec /bin/cat ${JSON.stringify(join(folder, 'table'))}\n`, {
    mode: 0o755,
  });
  writeFileSync(join(folder, 'table'), block.replace('*/5 *', '*/4 *'));
  // Another workspace, which may be the one that is gone, under its new name.
  expect(findTriggers(folder, 'linux')).toEqual([
    {
      trigger: 'cron',
      where: 'the crontab',
      workspace: '/srv/gone',
      every: 300_000,
      command: [order.node, order.program],
      path: order.path,
      guards: order.outputs,
      problems: [
        'It starts ticks in /srv/gone, which is there no more; if that was moved, run rhythm install where it is now, and rhythm uninstall -C "/srv/gone".',
        'Its Node, /opt/node-18/bin/node, is there no more; run rhythm install again.',
        'Its rhythm, /srv/gone/rhythm.js, is there no more; run rhythm install again.',
        'Folders of its PATH are there no more (/opt/node-18/bin); run rhythm install again if scripts miss a program.',
        'Its entry in the crontab was changed since rhythm made it; rhythm install makes it anew.',
      ],
    },
  ]);
  expect(findTriggers('/srv/gone', 'linux')).toHaveLength(1);
  writeFileSync(join(folder, 'table'), '');
  expect(findTriggers(folder, 'linux')).toEqual([]);
});
