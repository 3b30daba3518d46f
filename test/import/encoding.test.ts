import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readTasks } from '../../src/import/schtasks/tasks.ts';
import { decodeText } from '../../src/import/text/encoding.ts';
import { settings } from './corpus.ts';

const folder = new URL('./corpus/schtasks/', import.meta.url);
const text = '<?xml version="1.0" encoding="UTF-16"?>\n<Task>Größe €</Task>';

const utf16 = (value: string) => Buffer.from(value, 'utf16le');
const big = (value: string) => utf16(value).swap16();

describe('decodeText', () => {
  it.each([
    ['UTF-8', Buffer.from(text), false],
    ['UTF-8 with a BOM', Buffer.from(`\uFEFF${text}`), false],
    ['UTF-16, little-endian, with a BOM', utf16(`\uFEFF${text}`), false],
    ['UTF-16, little-endian', utf16(text), false],
    ['UTF-16, big-endian, with a BOM', big(`\uFEFF${text}`), false],
    ['UTF-16, big-endian', big(text), false],
    ['windows-1252', Buffer.from(text.replace('€', '\x80'), 'latin1'), true],
  ])('decodes %s', (_, bytes, guessed) => {
    expect(decodeText(bytes)).toEqual({ text, guessed });
  });

  it.each([
    ['an empty file', Buffer.alloc(0), ''],
    ['a BOM alone', Buffer.from([0xff, 0xfe]), ''],
    ['half a code unit', Buffer.from([0xff, 0xfe, 0x41, 0x00, 0x42]), 'A\ufffd'],
    ['concatenated files', Buffer.concat([utf16('\uFEFFone'), utf16('\uFEFFtwo')]), 'onetwo'],
  ])('decodes %s', (_, bytes, expected) => {
    expect(decodeText(bytes).text).toBe(expected);
  });
});

describe('an export of Task Scheduler', () => {
  const tell = (file: string) => {
    const { entries } = readTasks(
      [{ name: file, text: decodeText(readFileSync(new URL(file, folder))).text }],
      settings.schtasks,
    );
    return entries.map(({ origin, rhythm, scripts }) => [
      origin.name,
      rhythm.kind === 'interval' ? rhythm.every / 60_000 : rhythm.lines.join(' + '),
      scripts.map(({ run, command, shell }) => run ?? command ?? shell).join(' && '),
    ]);
  };
  const node = 'C:\\Program Files\\nodejs\\node.exe';
  const seven = (report: string) => [
    ['\\Example\\tick', 5, node],
    ['\\Nightly copy', '30 23 * * *', 'C:\\Windows\\System32\\robocopy.exe'],
    [
      '\\Reports\\Weekly report',
      '0 8-15 * * 1,5',
      `cd /d "%USERPROFILE%\\Reports" && powershell.exe -NoProfile -File "C:\\Reports\\${report}.ps1"`,
    ],
    ['\\Build\\sync and pack', '0 3 1,L 1,7 *', `git fetch && git pull && ${node}`],
    ['\\Vendor\\Updater{0f8e1c52-1111-4222-8333-abcdefabcdef}', 60, '%ProgramFiles%\\Vendor\\update.exe /c'],
  ];

  it.each([
    ['query-xml-one.utf16.xml', seven('Größe')],
    ['query-xml-one.piped-utf8.xml', seven('Größe')],
    // A code page that nobody can tell: only letters beyond ASCII suffer.
    ['query-xml-one.piped-cp437.xml', seven('Gr\u201dáe')],
    ['query-xml.not-one.txt', seven('Gr\u201dáe')],
    ['register-every-5-minutes.xml', [['\\Example\\tick', 5, node]]],
    ['daily.xml', [seven('')[1]]],
    ['weekly-with-repetition.xml', [seven('Größe')[2]]],
    ['multi-action-multi-trigger.xml', [seven('')[3]]],
    ['reordered-defaults-omitted.xml', [seven('')[4]]],
    ['at-logon.xml', []],
    ['com-handler-no-exec.xml', []],
    ['no-triggers.xml', []],
  ])('is read from %s', (file, expected) => {
    expect(tell(file)).toEqual(expected);
  });

  it('has a case for each file of the folder', () => {
    expect(readdirSync(folder)).toHaveLength(12);
  });
});
