import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { redactText } from '../../src/log/safe-text.ts';
import { closeOutput, followLines, lastLines, openOutput, sealOutput, separate } from '../../src/script/output.ts';
import { redactor, secretsOf } from '../../src/script/redact.ts';
import { makeWorkbench, until, type Workbench } from './job.ts';

let bench: Workbench;
let file: string;
beforeEach(() => {
  bench = makeWorkbench();
  file = bench.path('output.log');
});
afterEach(() => bench.remove());

function redactInPieces(pieces: readonly Buffer[], secrets: readonly string[]): string {
  const hidden = redactor(secrets);
  const shown = pieces.map((piece) => Buffer.from(hidden.push(piece)));
  return Buffer.concat([...shown, hidden.end()]).toString('latin1');
}

describe('redaction', () => {
  it('takes values of any length, and the longer lines of those with several', () => {
    const environment = { A: 'x', B: '', C: 'first line\r\nsecond line\nlast\n', D: 'unasked', E: 'x' };
    expect(secretsOf(['A', 'B', 'C', 'E', 'MISSING', 'constructor', '__proto__'], environment)).toEqual([
      'x',
      'first line\r\nsecond line\nlast\n',
      'first line',
      'second line',
    ]);
  });

  it('are those of the last environment that has them', () => {
    expect(secretsOf(['A', 'B', 'C'], { A: 'one', B: 'two', C: 'three' }, { B: 'four' }, { C: '' })).toEqual([
      'one',
      'four',
    ]);
  });

  test.each([
    ['no secret here', ['secret!'], 'no secret here'],
    ['secret', ['secret'], '[redacted]'],
    ['a secret, a secret', ['secret'], 'a [redacted], a [redacted]'],
    ['xabcdefx', ['abcd', 'cdef'], 'x[redacted]x'],
    ['abcdef abc', ['abc', 'abcdef'], '[redacted] [redacted]'],
    ['aaaaa', ['aa'], '[redacted]'],
    ['abab', ['ab'], '[redacted][redacted]'],
    ['first\nsecond', ['first\nsecond'], '[redacted]'],
    ['secre', ['secret'], 'secre'],
    ['ssecret', ['secret'], 's[redacted]'],
  ])('of %j without %j is %j, however it is cut', (text, secrets, expected) => {
    for (let size = 1; size <= text.length; size++) {
      const pieces = [];
      for (let at = 0; at < text.length; at += size) pieces.push(Buffer.from(text.slice(at, at + size)));
      expect(redactInPieces(pieces, secrets)).toBe(expected);
    }
  });

  it('does not depend on where the stream is cut, and leaves no value', () => {
    const bytes = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 60 });
    const values = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 5 }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 8 }), values, (pieces, secrets) => {
        const inPieces = redactInPieces(
          pieces.map((piece) => Buffer.from(piece)),
          secrets,
        );
        expect(inPieces).toBe(redactInPieces([Buffer.from(pieces.join(''))], secrets));
        const outside = inPieces.split('[redacted]');
        for (const secret of secrets) expect(outside.some((part) => part.includes(secret))).toBe(false);
      }),
    );
  });

  it('agrees with that of the log where nothing overlaps with itself', () => {
    const pieces = fc.array(fc.constantFrom('ab', 'abc', 'bcd', 'x', 'yz', '\n'), { maxLength: 30 });
    fc.assert(
      fc.property(pieces, (parts) => {
        const secrets = ['ab', 'abcx', 'bcd', 'dx'];
        expect(
          redactInPieces(
            parts.map((part) => Buffer.from(part)),
            secrets,
          ),
        ).toBe(redactText(parts.join(''), secrets));
      }),
    );
  });
});

describe('sealing', () => {
  const seal = async (content: string | Buffer, secrets: readonly string[], isStillWritten = false) => {
    writeFileSync(file, content, { mode: 0o600 });
    await sealOutput(file, secrets, isStillWritten);
    return readFileSync(file);
  };
  const mode = () => statSync(file).mode & 0o777;

  it('lets the group read', async () => {
    expect((await seal('text', [])).toString()).toBe('text');
    expect(mode()).toBe(0o640);
  });

  it('leaves the file itself in place where no secret occurs', async () => {
    writeFileSync(file, 'text');
    const { ino } = statSync(file);
    await sealOutput(file, ['absent']);
    expect(statSync(file).ino).toBe(ino);
    expect(mode()).toBe(0o640);
  });

  it('finds a secret wherever the reading is cut', async () => {
    const chunk = 1 << 18;
    for (const shift of [-7, -6, -3, -1, 0]) {
      const content = Buffer.alloc(2 * chunk + 100, 0x2e);
      content.write('secret!', chunk + shift);
      content[0] = 0xff;
      const sealed = await seal(content, ['secret!', 'ret!x']);
      const expected = content.toString('latin1').replace('secret!', '[redacted]');
      expect(sealed.equals(Buffer.from(expected, 'latin1'))).toBe(true);
    }
    expect(mode()).toBe(0o640);
    expect(existsSync(`${file}.redacted`)).toBe(false);
  });

  it('keeps the file its owner’s where something still writes and there are secrets to hide', async () => {
    await seal('a secret', ['secret'], true);
    expect([bench.read('output.log'), mode()]).toEqual(['a [redacted]', 0o600]);
    await seal('a secret', [], true);
    expect(mode()).toBe(0o640);
  });

  it('says what it could not do', async () => {
    await expect(sealOutput(bench.path('absent.log'), ['x'])).rejects.toMatchObject({
      exitCode: 74,
      message: expect.stringContaining(`The output file ${bench.path('absent.log')} can't be completed (ENOENT`),
    });
  });
});

describe('the output file', () => {
  it('is its owner’s alone, appended to, and separated in lines of their own', () => {
    const first = openOutput(file);
    separate(first, 'nothing before it');
    writeSync(first.descriptor, 'one');
    separate(first, 'attempt 2');
    writeSync(first.descriptor, 'two\n');
    closeOutput(first);
    chmodSync(file, 0o640);
    const again = openOutput(file);
    separate(again, 'resumed');
    closeOutput(again);
    expect(bench.read('output.log')).toBe('one\n--- attempt 2 ---\ntwo\n--- resumed ---\n');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is not opened through a link, and an error says so', () => {
    symlinkSync(bench.path('elsewhere'), file);
    expect(() => openOutput(file)).toThrow(/output\.log can't be opened \(ELOOP/);
    expect(existsSync(bench.path('elsewhere'))).toBe(false);
  });
});

describe('the last lines', () => {
  const last = (content: string | Buffer, count = 20, secrets: readonly string[] = []) => {
    writeFileSync(file, content);
    return lastLines(file, count, secrets);
  };

  test.each<[string, string | Buffer, string[]]>([
    ['an empty file', '', []],
    ['one line without its end', 'a', ['a']],
    ['an empty line', '\n', ['']],
    ['fewer lines', 'a\nb\n', ['a', 'b']],
    ['as many lines', 'a\nb\nc', ['a', 'b', 'c']],
    ['more lines', 'z\na\n\nc\n', ['a', '', 'c']],
    ['Windows line ends', 'a\r\nb\r\n', ['a', 'b']],
    ['a progress bar', ' 1%\r 50%\r100%\ndone\n', ['100%', 'done']],
    ['a progress bar that is wiped out', ' 1%\r 50%\r    \r\ndone\n', [' 50%', 'done']],
    ['a progress bar that is not over', 'a\n 1%\r 2%\r', ['a', ' 2%']],
    ['colours and cursor moves', '\x1b[1;31mred\x1b[0m\x1b[2K\x1b]0;title\x07!\n', ['red!']],
    ['control characters', 'bell\x07 null\0\n', ['bell\\x07 null\\x00']],
    ['bytes that are not UTF-8', Buffer.from([0x61, 0xff, 0xfe, 0x62, 0xc3]), ['a\ufffd\ufffdb\ufffd']],
    ['text beyond ASCII', 'ü 漢字 🎉\n', ['ü 漢字 🎉']],
  ])('of %s', async (_, content, expected) => {
    expect(await last(content, 3)).toEqual(expected);
  });

  it('are those of the whole text, wherever the reading is cut', async () => {
    const line = fc.oneof(
      fc.constant(''),
      fc.integer({ min: 1, max: 400_000 }).map((length) => 'x'.repeat(length)),
    );
    const property = fc.asyncProperty(
      fc.array(line, { maxLength: 6 }),
      fc.nat(4),
      fc.boolean(),
      async (lines, count, open) => {
        const text =
          lines.map((text, index) => `${index}${text}`).join('\n') + (open || lines.length === 0 ? '' : '\n');
        const starts = (await last(text, count + 1)).map((shown) => shown.slice(0, 5));
        expect(starts).toEqual(lines.map((text, index) => `${index}${text}`.slice(0, 5)).slice(-count - 1));
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });

  it('are cut where they are long, with a note of their length', async () => {
    const [before, long, after] = await last(`a\n${'x'.repeat(10 << 20)}\nb\n`);
    expect([before, after]).toEqual(['a', 'b']);
    expect(long).toBe(`${'x'.repeat(1950)} … (10485760 bytes)`);
    const [bar] = await last(`${'.'.repeat(1 << 20)}\r${'#'.repeat(20_000)}\r99%\n`);
    expect(bar).toBe('99%');
  });

  it('hide a secret in which an escape stands', async () => {
    expect(await last('a sec\x1b[31mret b\n', 1, ['secret'])).toEqual(['a [redacted] b']);
  });
});

describe('following', () => {
  it('hands each line over as it appears, and at the end what is left', async () => {
    appendFileSync(file, 'before\n');
    const output = openOutput(file);
    const lines: string[] = [];
    const follower = followLines(output, ['secret'], (line) => lines.push(line));
    writeSync(output.descriptor, 'one\ntw');
    await until(() => lines.length === 1);
    writeSync(output.descriptor, 'o sec');
    writeSync(output.descriptor, 'ret\r\n\n5%\r10%');
    await until(() => lines.length === 3);
    writeSync(output.descriptor, '\rlast sec');
    await follower.finish();
    closeOutput(output);
    expect(lines).toEqual(['one', 'two [redacted]', '', 'last sec']);
  });

  it('shows what `lastLines` shows', async () => {
    const piece = fc.constantFrom('a', 'bb\n', '\r', '\r\n', '\n', ' ', '\x1b[1m', 'c'.repeat(9000), 'ü');
    const property = fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
      writeFileSync(file, '');
      const output = openOutput(file);
      const lines: string[] = [];
      const follower = followLines(output, [], (line) => lines.push(line));
      for (const piece of pieces) writeSync(output.descriptor, piece);
      await follower.finish();
      closeOutput(output);
      expect(lines).toEqual(await lastLines(file, 100));
    });
    await fc.assert(property, { numRuns: 50 });
  });

  it('throws at its end what the taker of the lines threw', async () => {
    const output = openOutput(file);
    let calls = 0;
    const follower = followLines(output, [], () => {
      calls++;
      throw new Error('disk full');
    });
    writeSync(output.descriptor, 'a\nb\n');
    await until(() => calls > 0);
    await expect(follower.finish()).rejects.toThrow('disk full');
    closeOutput(output);
  });
});

describe('much output', () => {
  it('is sealed, followed and told in memory that stays flat', () => {
    // 100 MB of lines, then a line of 100 MB, with a secret now and then.
    const descriptor = openSync(file, 'w', 0o600);
    const chunk = Buffer.from('0123456789 secret abcdefghijk\n'.repeat(35_000));
    for (let written = 0; written < 100 << 20; written += chunk.length) writeSync(descriptor, chunk);
    const long = Buffer.alloc(1 << 20, 'x');
    for (let count = 0; count < 100; count++) writeSync(descriptor, long);
    closeSync(descriptor);
    const source = pathToFileURL(join(import.meta.dirname, '../../src/script/output.ts')).href;
    const program = bench.write(
      'read.mjs',
      `import { closeSync, openSync } from 'node:fs';
       import { followLines, lastLines, sealOutput } from ${JSON.stringify(source)};
       const file = ${JSON.stringify(file)};
       const before = process.resourceUsage().maxRSS;
       await sealOutput(file, ['secret', 'bijou']);
       const tail = await lastLines(file, 20, ['secret']);
       console.log(JSON.stringify({ grown: (process.resourceUsage().maxRSS - before) / 1024, tail }));`,
    );
    const child = spawnSync(process.execPath, ['--import', import.meta.resolve('tsx'), program], { encoding: 'utf8' });
    expect(child.stderr).toBe('');
    const { grown, tail } = JSON.parse(child.stdout);
    expect(tail).toHaveLength(20);
    expect(tail[18]).toBe('0123456789 [redacted] abcdefghijk');
    expect(tail[19]).toMatch(/^x+ … \(104857600 bytes\)$/);
    expect(grown).toBeLessThan(80);
  });
});
