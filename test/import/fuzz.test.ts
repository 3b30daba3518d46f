import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SourceKind, type SourceText, sourceKinds } from '../../src/import/entry.ts';
import { groupEntries } from '../../src/import/grouping/group-entries.ts';
import { writeConfig } from '../../src/import/output/write-config.ts';
import { splitCommandLine } from '../../src/import/schtasks/command-line.ts';
import { parseCalendar } from '../../src/import/systemd/calendar-event.ts';
import { decodeText } from '../../src/import/text/encoding.ts';
import { tokenise } from '../../src/import/text/shell-words.ts';
import { type Element, readXml } from '../../src/import/text/xml.ts';
import { read, readCorpus } from './corpus.ts';

/*
 * Whatever the input: no reader throws or hangs, each line or element is accounted for, what comes out can be grouped
 * and written. Inputs are noise, the words of each language thrown together, and damaged cases of the corpus.
 */

const words: Readonly<Record<SourceKind, readonly string[]>> = {
  crontab: [
    '*',
    '*/5',
    '0',
    '3-5',
    '1,2',
    'MON',
    '@daily',
    '@reboot',
    '~',
    '%',
    '\\%',
    '\\',
    '\n',
    ' ',
    '\t',
    '#',
    '=',
    'A=b',
    'CRON_TZ=',
    'Europe/Berlin',
    'flock -n /x',
    'timeout 5',
    'nice',
    'cd /x &&',
    '>> /y 2>&1',
    "'",
    '"',
    '$(',
    '`',
    '&&',
    ';',
    'root',
    'é',
    '\u0000',
    '\r\n',
  ],
  systemd: [
    '[Timer]',
    '[Service]',
    '[Unit]',
    'OnCalendar=',
    'OnUnitActiveSec=',
    'Mon..Fri',
    '*-*-*',
    '*:0/15',
    '~1',
    '1h',
    'ExecStart=',
    '/bin/a',
    'Requires=',
    'job.service',
    'After=job.service',
    '%i',
    '%%',
    '\\',
    '\n',
    ' ',
    ';',
    '#',
    '=',
    "'",
    '"',
    '$X',
    'Unit=',
    'Persistent=yes',
    '\u0000',
    '\\x20',
  ],
  launchd: [
    '<plist>',
    '</plist>',
    '<dict>',
    '</dict>',
    '<key>',
    '</key>',
    'Label',
    'StartInterval',
    'StartCalendarInterval',
    '<integer>',
    '</integer>',
    '5',
    '<array>',
    '</array>',
    '<string>',
    '</string>',
    '&amp;',
    '&',
    '<',
    '>',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '\n',
    'Hour',
    '<true/>',
    '__proto__',
    'constructor',
  ],
  schtasks: [
    '<Task>',
    '</Task>',
    '<Tasks>',
    '</Tasks>',
    '<Triggers>',
    '</Triggers>',
    '<TimeTrigger>',
    '</TimeTrigger>',
    '<Repetition><Interval>PT5M</Interval></Repetition>',
    '<StartBoundary>2026-01-01T00:00:00</StartBoundary>',
    '<Actions><Exec><Command>a.exe</Command></Exec></Actions>',
    '<!-- \\x -->',
    '<?xml version="1.0"?>',
    'text',
    '&lt;',
    '<Settings/>',
    '\n',
    '\u0000',
    '<',
    '__proto__',
  ],
};

function namesFor(kind: SourceKind, text: string): SourceText[] {
  if (kind !== 'systemd') return [{ name: kind === 'crontab' ? 'table' : 'file', text }];
  const [timer = '', service = ''] = [text.slice(0, text.length / 2), text.slice(text.length / 2)];
  return [
    { name: 'job.timer', text: timer },
    { name: 'job.service', text: service },
  ];
}

function checkReading(kind: SourceKind, texts: readonly SourceText[]): void {
  const started = performance.now();
  const reading = read(kind, texts);
  expect(performance.now() - started).toBeLessThan(5_000);
  if (kind === 'crontab' || kind === 'systemd') {
    const lines = texts.reduce((sum, { text }) => sum + text.replace(/\r?\n$/, '').split('\n').length, 0);
    expect(reading.accounts.length).toBe(lines);
    expect(new Set(reading.accounts.map(({ file, line }) => `${file}:${line}`)).size).toBe(lines);
  } else if (texts.some(({ text }) => text.trim() !== '')) {
    expect(reading.accounts.length + reading.entries.length).toBeGreaterThan(0);
  }
  for (const { why } of reading.accounts) expect(why).not.toBe('');
  for (const applies of [false, true]) {
    const { groups } = groupEntries(reading.entries, { applies });
    expect(groups.flatMap(({ members }) => members).length).toBe(reading.entries.length);
    const text = writeConfig(groups, { sources: 'noise', timezone: 'UTC', enables: false });
    for (const { id, digest } of reading.entries) expect(text).toContain(`[${id}.${digest}]`);
  }
}

describe.each(sourceKinds)('the %s reader', (kind) => {
  it('survives random text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => checkReading(kind, namesFor(kind, text))),
      { numRuns: 150 },
    );
  });

  it('survives keywords of its format in any order', () => {
    const text = fc
      .array(fc.constantFrom(...words[kind]), { maxLength: 60 })
      .map((some) => some.join(kind === 'crontab' ? ' ' : ''));
    fc.assert(
      fc.property(text, (one) => checkReading(kind, namesFor(kind, one))),
      { numRuns: 300 },
    );
  });

  it('survives damaged versions of well-formed files', () => {
    const cases = readCorpus(kind);
    const damage = fc.record({
      texts: fc.constantFrom(...cases).map(({ texts }) => texts),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.nat(40),
      insert: fc.oneof(fc.constant(''), fc.constantFrom(...words[kind]), fc.string({ unit: 'binary', maxLength: 5 })),
    });
    fc.assert(
      fc.property(damage, ({ texts, at, length, insert }) => {
        const damaged = texts.map(({ name, text }) => {
          const from = Math.floor(at * text.length);
          return { name, text: text.slice(0, from) + insert + text.slice(from + length) };
        });
        checkReading(kind, damaged);
      }),
      { numRuns: 300 },
    );
  });

  it('reads long input within seconds', () => {
    const [first = ''] = words[kind];
    for (const unit of [first, ' ', 'a ', '\\', '"', '$(', '<a>', '- ', ',1', '/1']) {
      const text = unit.repeat(20_000);
      const started = performance.now();
      read(kind, namesFor(kind, `${text}\n* * * * * ${text}`));
      expect(performance.now() - started, unit).toBeLessThan(4_000);
    }
  });
});

it('the parsers of single values accept any text without throwing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 400 }), (text, bytes) => {
      parseCalendar(text);
      splitCommandLine(text);
      tokenise(text);
      expect(decodeText(bytes).text).toBeTypeOf('string');
    }),
    { numRuns: 1_000 },
  );
});

/** Trees of elements that occur in tasks, where they may and where they may not. */
const tree = fc.letrec<{ node: string }>((tie) => ({
  node: fc
    .tuple(
      fc.constantFrom(
        'Settings',
        'Triggers',
        'Actions',
        'Exec',
        'Command',
        'Enabled',
        'Repetition',
        'Interval',
        'CalendarTrigger',
        'TimeTrigger',
        'LogonTrigger',
        'ScheduleByDay',
        'DaysInterval',
        'StartBoundary',
        'RegistrationInfo',
        'Principals',
        'RestartOnFailure',
        'Strange',
      ),
      fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom('', 'true', 'PT5M', '2026-01-01T00:00:00', 'x'),
        fc.array(tie('node'), { minLength: 1, maxLength: 4 }).map((some) => some.join('')),
      ),
    )
    .map(([name, inner]) => `<${name}>${inner}</${name}>`),
})).node;

it('the import accounts for each element of a scheduled task', () => {
  const countLeaves = (element: Element): number =>
    element.children.length === 0 ? 1 : element.children.reduce((sum, child) => sum + countLeaves(child), 0);
  const check = (text: string) => {
    const root = readXml(text);
    if ('problem' in root || root.children.length === 0) return;
    const told = read('schtasks', [{ name: 'x', text }]).accounts.filter(({ what }) => !what.endsWith('/'));
    expect(told.map(({ what }) => what).length).toBe(countLeaves(root));
  };
  for (const { texts } of readCorpus('schtasks')) for (const { text } of texts) check(text);
  fc.assert(
    fc.property(fc.array(tree, { minLength: 1, maxLength: 5 }), (nodes) => check(`<Task>${nodes.join('')}</Task>`)),
    { numRuns: 500 },
  );
});

it('the import accounts for each key of a launchd agent', () => {
  const key = fc.constantFrom(
    'Label',
    'Program',
    'StartInterval',
    'StartCalendarInterval',
    'RunAtLoad',
    'Nice',
    'constructor',
    '__proto__',
    'toString',
    'Strange',
  );
  const value = fc.constantFrom(
    '<integer>5</integer>',
    '<true/>',
    '<false/>',
    '<string>x</string>',
    '<dict/>',
    '<array/>',
    '<real>1.5</real>',
    '<dict><key>Hour</key><integer>3</integer></dict>',
  );
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, minLength: 1 }), (pairs) => {
      const text = `<plist><dict>${pairs.map(([name, one]) => `<key>${name}</key>${one}`).join('')}</dict></plist>`;
      const { accounts } = read('launchd', [{ name: 'x', text }]);
      expect(accounts.map(({ what }) => what.split('/').at(-1)).sort()).toEqual(pairs.map(([name]) => name).sort());
    }),
    { numRuns: 500 },
  );
});
