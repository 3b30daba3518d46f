import { describe, expect, it } from 'vitest';
import { parseCron, parseDaily } from '../../src/schedule/cron.ts';
import type { CalendarLine } from '../../src/schedule/schedule.ts';

function read(text: string): CalendarLine {
  const line = parseCron(text);
  if ('problem' in line) throw new Error(line.problem);
  return line;
}

function complain(text: string): string {
  const line = parseCron(text);
  return 'problem' in line ? line.problem : `"${text}" was accepted`;
}

describe('the fields', () => {
  it('come out sorted and unique', () => {
    const line = read('30,0-10/5,5 3,1-2 1,15,1 DEC,jan,6-7 fri,Mon-Wed,0,7');
    expect(line.minutes).toEqual([0, 5, 10, 30]);
    expect(line.hours).toEqual([1, 2, 3]);
    expect(line.months).toEqual([1, 6, 7, 12]);
    expect(line.days).toEqual({
      daysOfMonth: [1, 15],
      lastDayOfMonth: false,
      weekdays: [0, 1, 2, 3, 5],
      nthWeekdays: [],
      lastWeekdays: [],
      either: true,
    });
  });

  it('may hold the last day, the last and the nth weekdays among others', () => {
    expect(read('0 0 L,15 * *').days).toMatchObject({ daysOfMonth: [15], lastDayOfMonth: true, either: false });
    expect(read('0 0 31,L 2 *').days).toMatchObject({ daysOfMonth: [31], lastDayOfMonth: true });
    expect(read('0 0 * * 5L,SUNL,7L,1').days).toMatchObject({ lastWeekdays: [5, 0, 0], weekdays: [1] });
    expect(read('0 0 * * 5#3,mon#1,7#5').days).toMatchObject({
      weekdays: [],
      nthWeekdays: [
        { weekday: 5, nth: 3 },
        { weekday: 1, nth: 1 },
        { weekday: 0, nth: 5 },
      ],
    });
  });

  it.each([
    ['* * * * 7', [0]],
    ['* * * * 5-7', [0, 5, 6]],
    ['* * * * FRI-SUN', [0, 5, 6]],
    ['* * * * SUN-TUE', [0, 1, 2]],
    ['* * * * sun-sun', [0]],
    ['* * * * mon-sun/2', [0, 1, 3, 5]],
    ['* * * * */2', [0, 2, 4, 6]],
    ['* * * * */7', [0]],
    ['* * * * 0-7', [0, 1, 2, 3, 4, 5, 6]],
  ])('%s falls on %j', (text, weekdays) => expect(read(text).days.weekdays).toEqual(weekdays));

  it.each([
    ['*/20 * * * *', [0, 20, 40]],
    ['5/20 * * * *', [5, 25, 45]],
    ['10-40/15 * * * *', [10, 25, 40]],
    ['*/90 * * * *', [0]],
    ['05 * * * *', [5]],
  ])('%s falls on the minutes %j', (text, minutes) => expect(read(text).minutes).toEqual(minutes));

  it('keeps the line as written, blanks normalised', () => {
    expect(read(' 0  3\t* * 1-5 ').text).toBe('0 3 * * 1-5');
  });
});

describe('whether either day field may match', () => {
  it.each([
    ['0 0 13 * 5', true],
    ['0 0 L * 5', true],
    ['0 0 1-31 * 5', true],
    ['0 0 13 * 0-7', true],
    ['0 0 * * 5', false],
    ['0 0 13 * *', false],
    ['0 0 */2 * 5', false],
    ['0 0 13 * */2', false],
    ['0 0 *,13 * 5', false],
    ['0 0 13,* * 5', true],
    ['0 0 ? * 5', false],
    ['0 0 13 * ?', false],
  ])('%s: %s', (text, either) => expect(read(text).days.either).toBe(either));
});

describe('whether the time is fixed', () => {
  it.each([
    ['0 3 * * *', true],
    ['0-59 0-23 * * *', true],
    ['0,30 2-4/2 * * *', true],
    ['* 3 * * *', false],
    ['*/30 3 * * *', false],
    ['30 * * * *', false],
    ['30 */2 * * *', false],
    ['? 3 * * *', false],
    ['@daily', true],
    ['@hourly', false],
  ])('%s: %s', (text, fixedTime) => expect(read(text).fixedTime).toBe(fixedTime));
});

describe('the shorthands', () => {
  it.each([
    ['@yearly', '0 0 1 1 *'],
    ['@annually', '0 0 1 1 *'],
    ['@monthly', '0 0 1 * *'],
    ['@weekly', '0 0 * * 0'],
    ['@daily', '0 0 * * *'],
    ['@midnight', '0 0 * * *'],
    ['@hourly', '0 * * * *'],
    ['@Daily', '0 0 * * *'],
  ])('%s is %s', (text, meaning) => expect(read(text)).toEqual({ ...read(meaning), text }));
});

describe('a line that can never match', () => {
  it.each(['0 0 30 2 *', '0 0 31 2 *', '0 0 31 4,6 *', '0 0 31 2,4,6,9,11 *', '0 0 30,31 2 */2'])('%s', (text) =>
    expect(complain(text)).toBe(
      `"${text}" can never match, for no month that it names has such a day: name one that exists`,
    ),
  );

  it.each(['0 0 29 2 *', '0 0 29 2 */7', '0 0 * 2 1#5', '0 0 30 2 1', '0 0 31 * *', '0 0 30,31 2,3 *', '0 0 L 2 *'])(
    '%s is rare and accepted',
    (text) => expect(complain(text)).toBe(`"${text}" was accepted`),
  );
});

describe('what is refused', () => {
  const five = 'five fields (minute hour day-of-month month day-of-week)';
  const also = 'a range from low to high (a-b), a step (*/n) or a list of these';

  it.each([
    ['', `the cron line is empty: write ${five}, such as "0 3 * * 1-5"`],
    ['  \t ', `the cron line is empty: write ${five}, such as "0 3 * * 1-5"`],
    ['5', `"5" has 1 field: write ${five}, such as "0 3 * * 1-5"`],
    ['0 3 * *', `"0 3 * *" has 4 fields: write ${five}, such as "0 3 * * 1-5"`],
    ['0 0 3 * * *', `"0 0 3 * * *" has 6 fields: write ${five}, without seconds, year or command`],
    ['60 * * * *', `"60 * * * *": "60" is not understood in the minute field: write 0-59, ${also}`],
    ['0 22-2 * * *', `"0 22-2 * * *": "22-2" is not understood in the hour field: write 0-23, ${also}`],
    ['0 0 0 * *', `"0 0 0 * *": "0" is not understood in the day-of-month field: write 1-31 or L, ${also}`],
    ['0 0 1 13 *', `"0 0 1 13 *": "13" is not understood in the month field: write 1-12 or JAN-DEC, ${also}`],
    [
      '0 0 * * 8',
      `"0 0 * * 8": "8" is not understood in the day-of-week field: write 0-7 or SUN-SAT (0 and 7 are Sunday), 5L or 5#3, ${also}`,
    ],
    ['1,,2 * * * *', '"1,,2 * * * *": the minute field has an empty item: write a value between the commas'],
    ['H/5 * * * *', '"H/5 * * * *": "H/5" in the minute field asks for a random value: write the number itself'],
    [
      '0 0 L-3 * *',
      '"0 0 L-3 * *": "L-3" in the day-of-month field is not supported: L alone is the last day of the month, any other is a number',
    ],
    ['0 0 * * L', '"0 0 * * L": "L" in the day-of-week field names no day: write 5L for the last Friday of the month'],
    [
      '0 0 LW * *',
      '"0 0 LW * *": "LW" in the day-of-month field (the nearest working day) is not supported: name the days, or let the script check the date',
    ],
    [
      '@reboot',
      '"@reboot" is not a cron line that rhythm can follow: a start of the machine is no time of day, so write the times instead, or `manual: true` to run it only when asked',
    ],
    ['@every 5m', '"@every 5m" is not a cron line that rhythm can follow: write `every` instead, as in every: "10m"'],
    [
      '@noon',
      '"@noon" is not a cron line that rhythm can follow: write five fields or one of @yearly @annually @monthly @weekly @daily @midnight @hourly',
    ],
  ])('%j', (text, problem) => expect(complain(text)).toBe(problem));

  it.each([
    'H * * * *',
    'H(0-7) * * * *',
    '0~30 * * * *',
    '0 0 15W * *',
    '@secondly',
    '@minutely',
    '@weekdays',
    '@constructor',
    '*/0 * * * *',
    '*/-5 * * * *',
    '5- * * * *',
    '1-2-3 * * * *',
    '1/2/3 * * * *',
    '-5 * * * *',
    '1.5 * * * *',
    '0x5 * * * *',
    '1e1 * * * *',
    '70-80 * * * *',
    '* 24 * * *',
    '* * 32 * *',
    '0 0 * 1JAN *',
    '0 0 * JAN1 *',
    '0 0 * JANUARY *',
    '0 0 * MON *',
    '0 0 * * SUN5',
    '0 0 * * MONDAY',
    '0 0 * * 1#6',
    '0 0 * * 1#0',
    '0 0 * * 1#1.5',
    '0 0 * * *#2',
    '0 0 * * #2',
    '0 0 * * 8L',
    '0 0 * * 1L5',
    '0 0 * * 6-1',
    '0 0 5L * *',
    'L * * * *',
    '* * * * * /usr/bin/true',
  ])('%s too', (text) => expect(complain(text)).not.toBe(`"${text}" was accepted`));
});

describe('a time of day', () => {
  it.each([
    ['03:00', '03:00', '0 3 * * *'],
    ['3:00', '03:00', '0 3 * * *'],
    ['00:00', '00:00', '0 0 * * *'],
    ['23:59', '23:59', '59 23 * * *'],
  ])('%s is %s, the line %s', (text, written, line) => {
    expect(parseDaily(text)).toEqual({ ...read(line), text: written });
  });

  it.each(['', '3', '24:00', '12:60', '3:0', '03:00:00', '3pm', '-3:00', '0 3 * * *'])('%j is none', (text) => {
    expect(parseDaily(text)).toEqual({
      problem: `"${text}" is not a time of day: write HH:MM, from 00:00 to 23:59`,
    });
  });
});
