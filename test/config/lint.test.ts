import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDaylightChanges } from '../../src/config/lint/daylight-saving.ts';
import { lintConfig } from '../../src/config/lint/lint.ts';
import type { Lint } from '../../src/config/lint/lint-codes.ts';
import type { ScriptFiles } from '../../src/config/lint/script-files.ts';
import { rawConfigOf } from '../../src/config/load/raw-config.ts';
import type { Platform } from '../../src/config/resolve/argv.ts';
import { resolveConfig } from '../../src/config/resolve/resolve.ts';
import { countBeats, nextBeat } from '../../src/schedule/beats.ts';
import { parseCron } from '../../src/schedule/cron.ts';
import { segmentAt } from '../../src/schedule/zone.ts';
import { cron, cronLine, day, iso } from '../builders.ts';

const now = Date.parse('2026-11-22T16:00:00Z');
const platform: Platform = {
  platform: 'linux',
  execPath: '/node',
  tsxLoader: 'file:///tsx.mjs',
  systemTimezone: 'UTC',
  comSpec: 'cmd.exe',
  readFirstLine: () => null,
};
const noFiles: ScriptFiles = { flawed: new Map(), unused: [] };

function lint(input: object, files = noFiles): Lint[] {
  const result = resolveConfig(input, { workspace: '/w', file: '/w/tasks.config.ts' }, platform);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return lintConfig(result.config, { raw: rawConfigOf(input), now, files });
}

const lintGroups = (groups: object, more: object = {}): string[] =>
  lint({ timezone: 'UTC', ...more, groups }).map(({ code, path }) => `${code} ${path}`);
const lintOne = (group: object, more: object = {}): string[] =>
  lintGroups({ a: group }, more).map((text) => text.replace('groups.a.', ''));

describe('daylight saving', () => {
  it.each<[zone: string, schedule: object, lints: string[]]>([
    ['UTC', { cron: '30 2 * * *' }, []],
    ['Asia/Kolkata', { daily: '02:30' }, []],
    ['Europe/Berlin', { daily: '03:00' }, []],
    ['Europe/Berlin', { daily: '01:59' }, []],
    // A fixed time that the clock shows twice has one beat: nothing is to be said.
    ['America/New_York', { daily: '01:30' }, []],
    ['Europe/Berlin', { daily: '02:00' }, ['dst-moves-beat daily: moves 02:00 on 2027-03-28 to 03:00;']],
    ['Europe/Berlin', { daily: '02:30' }, ['dst-moves-beat daily: moves 02:30 on 2027-03-28 to 03:00;']],
    ['America/New_York', { cron: '30 2 * * *' }, ['dst-moves-beat cron: moves 02:30 on 2027-03-14 to 03:00;']],
    // 14 March 2027 is a Sunday.
    ['America/New_York', { cron: '30 2 * * 1-6' }, []],
    ['America/New_York', { cron: '30 2 1-7 3 *' }, []],
    ['Australia/Lord_Howe', { daily: '02:15' }, ['dst-moves-beat daily: moves 02:15 on 2027-10-03 to 02:30;']],
    ['Australia/Lord_Howe', { daily: '02:30' }, []],
    // The clocks of Santiago change at midnight.
    ['America/Santiago', { daily: '00:30' }, ['dst-moves-beat daily: moves 00:30 on 2027-09-05 to 01:00;']],
    [
      'Europe/Berlin',
      { cron: '0,30 2 * * *' },
      ['dst-moves-beat cron: moves 2 beats from 02:00 to 02:30 on 2027-03-28 to 03:00, where they become one;'],
    ],
    [
      'Europe/Berlin',
      { cron: '0 2,3 * * *' },
      ['dst-moves-beat cron: moves 02:00 on 2027-03-28 to 03:00, where they become one with the beat of that time;'],
    ],
    // Real time: what beats evenly through the change is not spoken of.
    ['Europe/Berlin', { cron: '*/10 * * * *' }, []],
    ['Europe/Berlin', { cron: '0 * * * *' }, []],
    ['Europe/Berlin', { cron: '@hourly' }, []],
    ['Europe/Berlin', { cron: '*/15 9-17 * * *' }, []],
    [
      'Europe/Berlin',
      { cron: '0 */2 * * *' },
      [
        'dst-drops-beat cron: leaves out 02:00 on 2027-03-28, since the line begins',
        'dst-doubles-beat cron: has twice 02:00 on 2027-10-31, since the line begins',
      ],
    ],
    [
      'America/New_York',
      { cron: '*/30 1 * * *' },
      ['dst-doubles-beat cron: has twice 2 beats from 01:00 to 01:30 on 2027-11-07, since'],
    ],
    [
      'America/New_York',
      { cron: '*/30 2 * * *' },
      ['dst-drops-beat cron: leaves out 2 beats from 02:00 to 02:30 on 2027-03-14, since'],
    ],
    // Half an hour is no full hour.
    ['Australia/Lord_Howe', { cron: '*/30 * * * *' }, []],
    ['Australia/Lord_Howe', { cron: '0 * * * *' }, ['dst-drops-beat cron: leaves out 02:00 on 2027-10-03, since']],
  ])('in %s, %j', (timezone, schedule, expected) => {
    const found = lint({ timezone, groups: { a: schedule } }).map(
      ({ code, path, message }) =>
        `${code} ${path.replace('groups.a.', '')}: ${message.replace(`daylight saving in ${timezone} `, '')}`,
    );
    expect(found).toHaveLength(expected.length);
    for (const [index, text] of expected.entries()) expect(found[index]).toContain(text);
  });

  it('is looked at in the twelve months after now, each time it changes', () => {
    const changes = findDaylightChanges(cronLine('30 2 * * *'), 'Europe/Berlin', now, now + 3 * 365 * day);
    expect(changes.map(({ at }) => iso(at).slice(0, 10))).toEqual(['2027-03-28', '2028-03-26', '2029-03-25']);
    expect(findDaylightChanges(cronLine('30 2 * * *'), 'Europe/Berlin', now, now + 90 * day)).toEqual([]);
  });

  it('changes the beats as the warnings say', () => {
    const zone = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Santiago');
    const minutes = fc.constantFrom('0', '*', '30', '15,45', '*/20', '*/7', '0-10');
    const hours = fc.constantFrom('*', '0', '1', '2', '0-3', '*/2', '2,3', '1-23/2');
    fc.assert(
      fc.property(zone, minutes, hours, (timezone, minuteField, hourField) => {
        const line = parseCron(`${minuteField} ${hourField} * * *`);
        if ('problem' in line) throw new Error(line.problem);
        const schedule = cron(line.text, timezone);
        for (const change of findDaylightChanges(line, timezone, now, now + 365 * day)) {
          const before = segmentAt(timezone, change.at - 1).offset;
          const after = segmentAt(timezone, change.at).offset;
          const length = Math.abs(after - before);
          if (change.effect === 'moves') {
            expect(nextBeat(schedule, change.at - 1)).toBe(change.at);
            expect(after).toBeGreaterThan(before);
          }
          if (change.effect === 'drops') {
            expect(after).toBeGreaterThan(before);
            // The wall clock goes from the change straight to what it is set to.
            expect(change.first).toBeGreaterThanOrEqual(change.set - length);
            expect(change.last).toBeLessThan(change.set);
          }
          if (change.effect === 'doubles') {
            expect(countBeats(schedule, change.at - length - 1, change.at - 1)).toBe(change.count);
            expect(countBeats(schedule, change.at - 1, change.at + length - 1)).toBe(change.count);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('cron lines', () => {
  it.each([
    ['*/35 * * * *', 'means 0 and 35 and starts again with each hour, so 35 minutes are followed by 25;'],
    ['*/7 * * * *', 'means 0, 7, 14, …, 56 and starts again with each hour, so 7 minutes are followed by 4;'],
    ['5/35 * * * *', 'means 5 and 40 and starts again with each hour, so 35 minutes are followed by 25;'],
    ['0-59/7 * * * *', 'so 7 minutes are followed by 4; take a step that divides 60 (6 or 10), or write every'],
    ['0 */7 * * *', 'means 0, 7, 14 and 21 and starts again with each day, so 7 hours are followed by 3;'],
    ['0 0 */2 * *', 'starts again with each month, so 2 days are followed by fewer; name the days'],
    ['0 0 1 */5 *', 'means 1, 6 and 11 and starts again with each year, so 5 months are followed by 2;'],
    ['0 0 * * */2', 'means 0, 2, 4 and 6 and starts again with each week, so 2 days are followed by 1;'],
    ['*/90 * * * *', 'matches 0 alone, for it starts again with each hour; write 0, or every for longer distances'],
  ])('%s has an uneven step', (line, text) => {
    const [found] = lint({ timezone: 'UTC', groups: { a: { cron: line } } });
    expect(found).toMatchObject({ code: 'uneven-step', path: 'groups.a.cron' });
    expect(found?.message).toContain(text);
  });

  it.each(['*/5 * * * *', '*/30 */6 * * *', '10-40/7 * * * *', '0 9-17/2 * * *', '0 0 1 */3 *', '@daily', '0 0 * * *'])(
    '%s has none',
    (line) => expect(lintOne({ cron: line })).toEqual([]),
  );

  it.each([
    ['0 0 31 * *', 'the 31st, which February, April, June, September and November lack'],
    ['0 0 30 * *', 'the 30th, which February lacks'],
    ['0 0 29 * *', 'the 29th, which February has only in leap years'],
    ['0 0 1,31 4,5 *', 'the 31st, which April lacks'],
  ])('%s names a day that months lack', (line, text) => {
    const [found, ...others] = lint({ timezone: 'UTC', groups: { a: { cron: line } } });
    expect(others).toEqual([]);
    expect(found).toMatchObject({ code: 'month-lacks-day' });
    expect(found?.message).toContain(text);
  });

  it.each(['0 0 31 1,3,5 *', '0 0 28 * *', '0 0 L * *', '0 0 31,L * *', '0 0 25-31 * *', '0 0 30 4 *'])(
    '%s names none',
    (line) => expect(lintOne({ cron: line })).toEqual([]),
  );

  it('go by their places in a list, and groups in a list by theirs', () => {
    const groups = [
      { name: 'b', every: '1h' },
      { name: 'a', cron: ['0 0 * * *', '*/35 3 * * *'] },
    ];
    expect(lintGroups(groups)).toEqual(['uneven-step groups[1].cron[1]']);
  });
});

describe('intervals', () => {
  it.each([
    ['7h', 'take 6h or 8h,'],
    ['35m', 'take 32m or 36m,'],
    ['36h', 'take a day or several,'],
  ])('of %s drift over the day', (every, text) => {
    const [found] = lint({ timezone: 'UTC', groups: { a: { every } } });
    expect(found).toMatchObject({ code: 'interval-drifts', path: 'groups.a.every' });
    expect(found?.message).toContain(text);
  });

  it.each(['5m', '10m', '90m', '8h', '1d', '3d', '1w'])('of %s do not', (every) =>
    expect(lintOne({ every })).toEqual([]),
  );

  it.each<[object, object, string[]]>([
    [{ every: '1m' }, {}, ['faster-than-tick every']],
    [{ every: '1m' }, { tickEvery: '1m' }, []],
    [{ every: '10m' }, { tickEvery: '15m' }, ['faster-than-tick every']],
    [{ cron: '*/2 * * * *' }, {}, ['faster-than-tick cron']],
    [{ cron: ['0 3 * * *', '2 3 * * *'] }, {}, ['faster-than-tick cron']],
    [{ daily: ['03:00', '03:05'] }, {}, []],
    // The two beats that daylight saving brings together are nothing of the schedule's.
    [{ cron: '0 1,5 * * *', timezone: 'Europe/Berlin' }, { tickEvery: '1h' }, []],
  ])('%j beside %j', (group, more, expected) => expect(lintOne(group, more)).toEqual(expected));

  it('say what comes of it', () => {
    const said = (catchUp: string) => lint({ timezone: 'UTC', groups: { a: { every: '1m', catchUp } } })[0]?.message;
    expect(said('latest')).toContain('runs the latest of them, so several become one run');
    expect(said('every')).toContain('the group falls behind');
  });
});

describe('dependencies', () => {
  it.each<[string, object, string[]]>([
    ['a slower one', { d: { every: '1h' }, g: { every: '10m', dependsOn: ['d'] } }, ['slower-dependency']],
    ['one of the same length', { d: { every: '1h' }, g: { every: '1h', dependsOn: ['d'] } }, []],
    ['a quicker one', { d: { every: '10m' }, g: { every: '1h', dependsOn: ['d'] } }, []],
    ['one by calendar', { d: { cron: '0 3 * * 1-5' }, g: { daily: '04:00', dependsOn: ['d'] } }, ['slower-dependency']],
    [
      'one of another zone',
      { d: { daily: '03:00', timezone: 'Europe/Berlin' }, g: { every: '1d', dependsOn: ['d'] } },
      [],
    ],
    ['a slower one that only orders', { d: { every: '1h' }, g: { every: '10m', after: ['d'] } }, []],
    [
      'a disabled one',
      { d: { every: '1h', enabled: false }, g: { every: '1h', dependsOn: ['d'] } },
      ['disabled-dependency'],
    ],
    ['one by hand', { d: { manual: true }, g: { every: '1h', dependsOn: ['d'] } }, ['manual-dependency']],
    ['one by hand of one by hand', { d: { manual: true }, g: { manual: true, dependsOn: ['d'] } }, []],
    ['any of a disabled group', { d: { manual: true }, g: { every: '1m', enabled: false, dependsOn: ['d'] } }, []],
    [
      'one within less than its period',
      { d: { every: '1h' }, g: { every: '10m', dependsOn: [{ group: 'd', within: '20m' }] } },
      ['within-too-short'],
    ],
    [
      'one within its period',
      { d: { every: '1h' }, g: { every: '10m', dependsOn: [{ group: 'd', within: '1h' }] } },
      [],
    ],
    [
      'one within less than its period, in step',
      { d: { daily: '02:55' }, g: { daily: '03:00', dependsOn: [{ group: 'd', within: '20m' }] } },
      [],
    ],
    [
      'one that rests at the weekend',
      { d: { cron: '0 3 * * 1-5' }, g: { daily: '04:00', dependsOn: [{ group: 'd', within: '1d' }] } },
      ['within-too-short'],
    ],
  ])('%s', (_, groups, expected) => {
    const found = lint({ timezone: 'UTC', groups });
    expect(found.map(({ code }) => code)).toEqual(expected);
    for (const { path } of found) expect(path).toBe('groups.g.dependsOn[0]');
  });

  it('say at which beat an outcome is too old, and how old they become', () => {
    const groups = { d: { every: '1h' }, g: { every: '10m', dependsOn: [{ group: 'd', within: '20m' }] } };
    expect(lint({ timezone: 'UTC', groups })[0]?.message).toBe(
      'within 20m is too short for the beats of d: at the 2026-11-22T16:30Z beat of g the latest lies 30m back, so g is held back until d has run again; allow more than 50m, or run d more often',
    );
  });

  it('of groups that are called like what objects have', () => {
    const groups = { constructor: { manual: true }, toString: { every: '1h', dependsOn: ['constructor'] } };
    expect(lintGroups(groups)).toEqual(['manual-dependency groups.toString.dependsOn[0]']);
  });
});

describe('catching up and retries', () => {
  it.each<[object, string[]]>([
    [{ every: '10m', catchUp: 'none' }, ['catch-up-none-idle catchUp']],
    [{ every: '15m', catchUp: 'none' }, []],
    [{ daily: '03:00', catchUp: 'none' }, []],
    [{ daily: '03:00', catchUp: 'none', catchUpWithin: '1h' }, ['catch-up-within-ignored catchUpWithin']],
    [{ daily: '03:00', catchUpWithin: '4m' }, ['catch-up-within-too-short catchUpWithin']],
    [{ daily: '03:00', catchUpWithin: '5m' }, []],
    [{ every: '1h', retryAfter: ['5m', '15m', '1h'] }, ['retry-never-reached retryAfter[2]']],
    [{ every: '1h', retryAfter: ['30m', '30m', '30m'] }, ['retry-never-reached retryAfter[1]']],
    [{ every: '1h', retryAfter: ['5m', '15m'] }, []],
    // The hour that one week of the year has more is no time for it.
    [{ cron: '0 12 * * 1', timezone: 'Europe/Berlin', retryAfter: ['1w'] }, ['retry-never-reached retryAfter[0]']],
    // Over the weekend there is time for it.
    [{ cron: '0 3 * * 1-5', retryAfter: ['2d'] }, []],
    [{ manual: true, retryAfter: ['2d'], catchUp: 'none' }, []],
  ])('%j', (group, expected) => expect(lintOne(group)).toEqual(expected));
});

describe('scripts', () => {
  const input = { timezone: 'UTC', groups: { a: { every: '1h', scripts: ['gone.py', 'tool', 'check.sh'] } } };
  it('that are missing, may not be executed or are run by nobody', () => {
    const flawed: ScriptFiles['flawed'] = new Map([
      ['/w/scripts/gone.py', { flaw: 'missing', shown: 'scripts/gone.py' }],
      ['/w/scripts/tool', { flaw: 'not-executable', shown: 'scripts/tool' }],
      // Its interpreter reads it: it needs no right of its own.
      ['/w/scripts/check.sh', { flaw: 'not-executable', shown: 'scripts/check.sh' }],
    ]);
    expect(lint(input, { flawed, unused: ['old.sh'] })).toEqual([
      {
        code: 'script-missing',
        path: 'groups.a.scripts[0]',
        message: 'scripts/gone.py does not exist, so it would fail; create it or correct its name',
      },
      {
        code: 'script-not-executable',
        path: 'groups.a.scripts[1]',
        message:
          'scripts/tool may not be executed, so it would fail; chmod +x scripts/tool, or give it the extension of its language',
      },
      {
        code: 'script-unused',
        path: 'scriptsDir',
        message: 'no group runs old.sh; name it in a group, or move it away',
      },
    ]);
  });
});

it('lints 2,000 groups of all kinds within seconds', () => {
  const schedules = [{ every: '7m' }, { daily: '02:30' }, { cron: '*/35 * 31 * *' }, { manual: true }];
  const groups = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, index) => [
      `g${index}`,
      { ...schedules[index % 4], ...(index > 0 ? { dependsOn: [{ group: `g${index - 1}`, within: '1h' }] } : {}) },
    ]),
  );
  const start = performance.now();
  expect(lint({ timezone: 'Europe/Berlin', groups }).length).toBeGreaterThan(2_000);
  expect(performance.now() - start).toBeLessThan(10_000);
});
