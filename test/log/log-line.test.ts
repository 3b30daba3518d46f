import { describe, expect, it } from 'vitest';
import { formatLogLine, type LogFilter, matchesLine, parseLogLine } from '../../src/log/log-line.ts';

const time = '2026-11-22T16:00:00.123Z';
const plain = (word: string) => word;

describe('a line of the log', () => {
  it.each([
    [`${time} INFO  [g] started`, { time, level: 'info', group: 'g', script: null, message: 'started' }],
    [`${time} ERROR [g/a/b.sh] [x] no`, { time, level: 'error', group: 'g', script: 'a/b.sh', message: '[x] no' }],
    [`${time} WARN  [rhythm] odd`, { time, level: 'warn', group: null, script: null, message: 'odd' }],
    [`${time} INFO  [rhythm/a.sh] x`, { time, level: 'info', group: 'rhythm', script: 'a.sh', message: 'x' }],
    [`${time} INFO  [g] `, { time, level: 'info', group: 'g', script: null, message: '' }],
    [
      `{"time":"${time}","level":"warn","group":"g","script":null,"message":"m","event":{}}`,
      { time, level: 'warn', group: 'g', script: null, message: 'm' },
    ],
    ['{"time":"x","level":"warn"}', null],
    ['{"torn', null],
    ['', null],
    [`${time} DEBUG [g] x`, null],
  ])('%j', (text, expected) => {
    expect(parseLogLine(text)).toEqual(
      expected ?? { time: null, level: null, group: null, script: null, message: text },
    );
    if (expected !== null && !text.startsWith('{')) expect(formatLogLine(parseLogLine(text), plain)).toBe(text);
  });

  it('can do nothing to a terminal', () => {
    expect(formatLogLine(parseLogLine('foreign \x1b[31mred\x1b[0m\x07'), plain)).toBe('foreign red\\x07');
    expect(parseLogLine(`{"time":"${time}","level":"info","message":"\\u001b]0;x\\u0007y"}`).message).toBe('y');
    expect(parseLogLine(`${time} INFO  [g\x1b[2J/s\x07] x`)).toMatchObject({ group: 'g', script: 's\\x07' });
  });

  it.each<[LogFilter, string]>([
    [{}, 'abcde'],
    [{ group: 'g' }, 'ab'],
    [{ group: 'rhythm' }, 'd'],
    [{ script: 's' }, 'b'],
    [{ level: 'error' }, 'b'],
    [{ level: 'warn' }, 'bd'],
    [{ level: 'info' }, 'abcd'],
    [{ since: Date.parse('2026-11-22T16:02:00.000Z') }, 'cd'],
    [{ group: 'h', level: 'info' }, 'c'],
  ])('%j lets %s through', (filter, expected) => {
    const lines = [
      '2026-11-22T16:00:00.000Z INFO  [g] a',
      '2026-11-22T16:01:00.000Z ERROR [g/s] b',
      '2026-11-22T16:02:00.000Z INFO  [h] c',
      '2026-11-22T16:03:00.000Z WARN  [rhythm] d',
      'e',
    ].map(parseLogLine);
    const found = lines.filter((line) => matchesLine(line, filter));
    expect(found.map(({ message }) => message).join('')).toBe(expected);
  });
});
