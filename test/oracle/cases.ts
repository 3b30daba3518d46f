import fc from 'fast-check';
import type { GroupInput } from '../../src/config/resolve/config-schema.ts';
import type { GroupState, State } from '../../src/state/state-schema.ts';
import { zoneOf } from './calendar.ts';
import { beatsOf, recordSchedule, type WrittenConfig } from './oracle.ts';

/** A configuration, a state and an instant to plan for. */
export interface Case {
  readonly config: WrittenConfig;
  readonly state: State;
  readonly at: string;
  /** The lanes that another tick holds, each with the group that it runs. */
  readonly held: Readonly<Record<string, string | null>>;
}

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const names = ['constructor', 'toString', 'hasOwnProperty', 'a', 'b_2', 'C-3', 'valueOf', 'delta'];

/** Zones with hours that daylight saving takes at midnight, half hours, two hours, a winter time that is the exception. */
export const zoneNames = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Africa/Cairo',
  'Africa/Casablanca',
  'America/Havana',
  'America/Santiago',
  'Atlantic/Azores',
  'America/Scoresbysund',
  'Antarctica/Troll',
  'Asia/Beirut',
  'Asia/Kolkata',
  'Europe/Dublin',
  'Pacific/Chatham',
];

const from = Date.UTC(2026, 0, 1);
const to = Date.UTC(2028, 0, 1);

/** The hours in which the clocks of a zone are changed. */
function nightsOf(name: string): number[] {
  const { wall } = zoneOf(name);
  const offset = (instant: number): number => wall(instant) - instant;
  const nights: number[] = [];
  for (let start = from; start < to; start += day) {
    if (offset(start) === offset(start + day)) continue;
    let instant = start;
    while (offset(instant) === offset(start)) instant += 15 * minute;
    nights.push(instant);
  }
  return nights;
}

const nights = zoneNames.flatMap(nightsOf);

const optional = <Value>(value: fc.Arbitrary<Value>, freq = 3): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined, freq });
/** What a state may lack: the field, or its value. */
const lackable = <Value>(value: fc.Arbitrary<Value>, weight = 6): fc.Arbitrary<Value | null | undefined> =>
  fc.oneof({ weight, arbitrary: value }, { weight: 1, arbitrary: fc.constantFrom(null, undefined) });

const numberField = (least: number, most: number, common: readonly number[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...common).map(String) },
    { weight: 2, arbitrary: fc.uniqueArray(fc.constantFrom(...common), { minLength: 2 }).map((list) => list.join()) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))
        .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: 1, max: 9 }))
        .map(([start, step]) => `${start}-${most}/${step}`),
    },
  );
const lane = fc.constantFrom('main', 'main', 'side', 'constructor');
const stars = fc.constantFrom('*', '*/2', '*/5', '*/7', '*/15');
const cron: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.oneof({ weight: 3, arbitrary: numberField(0, 59, [0, 15, 30, 45, 59]) }, { weight: 1, arbitrary: stars }),
        fc.oneof(
          { weight: 3, arbitrary: numberField(0, 23, [0, 1, 2, 3, 4, 23]) },
          { weight: 1, arbitrary: fc.constantFrom('*', '*/2', '*/3') },
        ),
        fc.oneof(
          { weight: 5, arbitrary: fc.constant('*') },
          { weight: 2, arbitrary: fc.constantFrom('*/2', '1', '29', '1-7', 'L', '15,L', '25-31') },
        ),
        fc.oneof(
          { weight: 7, arbitrary: fc.constant('*') },
          { weight: 1, arbitrary: fc.constantFrom('*/3', '3,10', 'MAR-apr', 'oct,nov', '2') },
        ),
        fc.oneof(
          { weight: 5, arbitrary: fc.constant('*') },
          {
            weight: 2,
            arbitrary: fc.constantFrom('0', '7', '1-5', 'SUN', 'sat,Sun', '5-7', '5L', '0L', '1#2', '*/2', '0#4,3'),
          },
        ),
      )
      .map((fields) => fields.join(' ')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('@hourly', '@daily', '@weekly', '@monthly', '0 3 29 2 *', '@yearly', '59 23 31 12 *'),
  },
);
const daily = fc.constantFrom('00:00', '00:30', '01:00', '01:30', '01:59', '02:00', '02:30', '02:59', '03:00', '12:00');
const listed = (line: fc.Arbitrary<string>): fc.Arbitrary<string | string[]> =>
  fc.oneof(
    { weight: 3, arbitrary: line },
    { weight: 1, arbitrary: fc.uniqueArray(line, { minLength: 1, maxLength: 3 }) },
  );

const schedule: fc.Arbitrary<GroupInput> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      {
        every: fc.constantFrom('10m', '1m', '5m', '7m', '15m', '30m', '1h', '1h30m', '2h', '1d', '1w', '90s', '26h'),
        offset: fc.constantFrom('3m', '30s', '1h', '25m', '0s'),
      },
      { requiredKeys: ['every'] },
    ),
  },
  { weight: 2, arbitrary: fc.record({ daily: listed(daily) }) },
  { weight: 4, arbitrary: fc.record({ cron: listed(cron) }) },
  { weight: 1, arbitrary: fc.constant({ manual: true } as const) },
);

/** Lengths of time that matter to somebody: patience, grids and trigger periods, hit and just missed. */
const lengths = [
  ...[0, 1, second, 59_999, minute, 2 * minute, 5 * minute, 10 * minute - 1, 10 * minute, 10 * minute + 1, 11 * minute],
  ...[20 * minute, 30 * minute, hour, hour + 1, 2 * hour, 3 * hour, 12 * hour, day, 2 * day, 8 * day, 45 * day],
];
const past = fc.oneof(fc.constantFrom(...lengths), fc.integer({ min: 0, max: 3 * day }));
const around = fc.oneof({ weight: 6, arbitrary: past }, { weight: 1, arbitrary: past.map((length) => -length) });

/** How long ago a dependency may have finished. */
const patience = [
  ['5m', 5 * minute],
  ['20m', 20 * minute],
  ['1h', hour],
  ['1d', day],
] as const;

const dependency = fc.record({
  /** Which of those further up the line it is. */
  up: fc.nat(100),
  form: fc.constantFrom('name', 'name', 'object', 'after'),
  when: optional(fc.constantFrom('succeeded', 'finished')),
  within: optional(fc.constantFrom(...patience.map(([text]) => text)), 2),
});

const lastRun = fc.record({
  /** Whether its beat is the last consumed one. */
  beat: fc.constantFrom('last', 'last', 'last', 'last', 'earlier', 'later', 'null', 'missing'),
  outcome: lackable(
    fc.constantFrom(
      'succeeded',
      'succeeded',
      'succeeded',
      'failed',
      'failed',
      'timed-out',
      'interrupted',
      'interrupted',
    ),
    12,
  ),
  finished: lackable(fc.oneof(around, fc.constantFrom(...patience.map(([, length]) => length))), 12),
});

const entry = fc.record({
  firstSeen: lackable(around),
  last: lackable(fc.record({ ago: around, onGrid: fc.boolean() }), 4),
  lastRun: lackable(lastRun, 5),
  retry: fc.oneof(
    { weight: 2, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.record({ at: lackable(around, 12), attempt: lackable(fc.integer({ min: 1, max: 3 })) }),
    },
  ),
  interruptions: lackable(fc.integer({ min: 0, max: 4 })),
  pause: fc.oneof(
    { weight: 6, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.record({
        at: lackable(around, 8),
        onGrid: fc.boolean(),
        until: fc.oneof(
          { weight: 1, arbitrary: fc.constantFrom(null, undefined) },
          {
            weight: 3,
            arbitrary: fc.oneof(
              past,
              past,
              past.map((length) => -length),
            ),
          },
        ),
      }),
    },
  ),
  schedule: fc.oneof(
    { weight: 2, arbitrary: fc.constant('missing' as const) },
    { weight: 4, arbitrary: fc.constant('same' as const) },
    { weight: 1, arbitrary: fc.constant('was-disabled' as const) },
    { weight: 2, arbitrary: schedule },
  ),
  since: optional(
    fc.oneof({ weight: 3, arbitrary: around }, { weight: 1, arbitrary: past.map((length) => -length) }),
    2,
  ),
  /** A field that the recorded schedule lacks. */
  lost: fc.constantFrom(
    null,
    null,
    null,
    null,
    null,
    null,
    'timezone',
    'every',
    'cron',
    'daily',
    'offset',
    'manual',
    'null',
  ),
});

const group = fc.record({
  schedule,
  settings: fc.record(
    {
      priority: fc.constantFrom('critical', 'high', 'normal', 'low'),
      catchUp: fc.constantFrom('latest', 'every', 'none'),
      catchUpWithin: fc.constantFrom('1m', '10m', '1h', '2h', '1d'),
      firstRun: fc.constantFrom('now', 'wait'),
      onInterrupt: fc.constantFrom('resume', 'skip'),
      retryAfter: fc.subarray(['5m', '15m', '1h']),
    },
    { requiredKeys: [] },
  ),
  timezone: optional(fc.constantFrom(...zoneNames), 2),
  disabled: fc.nat(9).map((n) => n === 0),
  lane,
  dependencies: fc.array(dependency, { maxLength: 3 }),
  entry: fc.option(entry, { nil: undefined, freq: 5 }),
  place: fc.nat(),
});

const instant = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...nights),
      fc.integer({ min: -2_000, max: 2_000 }),
      fc.constantFrom(0, 0, 0, 1, 30_000, 59_999),
    )
    .map(([night, minutes, rest]) => night + minutes * minute + rest),
  fc.integer({ min: from / (5 * minute), max: to / (5 * minute) }).map((n) => n * 5 * minute),
  fc.integer({ min: from, max: to }),
);

const raw = fc.record({
  at: instant,
  timezone: optional(fc.constantFrom(...zoneNames), 5),
  tickEvery: optional(fc.constantFrom('1m', '5m', '15m', '1h'), 2),
  useLanes: fc.nat(3).map((n) => n === 0),
  held: optional(
    fc.uniqueArray(fc.record({ lane, group: optional(fc.nat(7), 5) }), {
      selector: ({ lane }) => lane,
      minLength: 1,
      maxLength: 2,
    }),
    2,
  ),
  groups: fc.array(group, { minLength: 1, maxLength: names.length }),
  state: fc.constantFrom('full', 'full', 'full', 'full', 'full', 'full', 'full', 'no groups', 'null groups'),
});

type Raw = typeof raw extends fc.Arbitrary<infer Value> ? Value : never;
type RawGroup = Raw['groups'][number];

/** Random cases; those whose configuration is refused are left to the caller to pass over. */
export const cases: fc.Arbitrary<Case> = raw.map((value) => {
  // Dependencies go up a line of their own, so that the order of the configuration is not already topological.
  const line = value.groups.map((_, index) => index).sort((a, b) => placeOf(value, a) - placeOf(value, b) || a - b);
  const frame: Omit<WrittenConfig, 'groups'> = {
    ...(value.timezone === undefined ? {} : { timezone: value.timezone }),
    ...(value.tickEvery === undefined ? {} : { tickEvery: value.tickEvery }),
  };
  const nameOf = (index: number): string => names[index] ?? '';
  const groups = Object.fromEntries(
    value.groups.map((one, index) => [
      nameOf(index),
      writeGroup(one, value.useLanes, line.slice(0, line.indexOf(index)).map(nameOf)),
    ]),
  );
  const config: WrittenConfig = { ...frame, groups };
  const entries = Object.fromEntries(
    value.groups.flatMap((one, index) => {
      const group = groups[nameOf(index)] as GroupInput;
      return one.entry ? [[nameOf(index), writeEntry(one.entry, group, config, value.at)]] : [];
    }),
  );
  const state: State = {
    schemaVersion: 1,
    ...(value.state === 'full' ? { groups: entries } : value.state === 'null groups' ? { groups: null } : {}),
  };
  return { config, state, at: iso(value.at), held: hold(value, groups) };
});

function placeOf(value: Raw, index: number): number {
  return value.groups[index]?.place ?? 0;
}

function hold({ held, groups: list }: Raw, groups: Readonly<Record<string, GroupInput>>): Case['held'] {
  const used = list.map((_, index) => names[index] ?? '');
  return Object.fromEntries(
    (held ?? []).map(({ lane, group: index }) => {
      const inLane = used.filter((name) => (groups[name]?.lane ?? 'main') === lane);
      return [lane, index === undefined ? null : (inLane[index % Math.max(inLane.length, 1)] ?? null)];
    }),
  );
}

function writeGroup(group: RawGroup, useLanes: boolean, above: readonly string[]): GroupInput {
  const dependsOn: NonNullable<GroupInput['dependsOn']> = [];
  const after: string[] = [];
  const used = new Set<string>();
  for (const { up, form, when, within } of group.dependencies) {
    const name = above[up % Math.max(above.length, 1)];
    if (name === undefined || used.has(name)) continue;
    used.add(name);
    if (form === 'after') after.push(name);
    if (form === 'name') dependsOn.push(name);
    if (form === 'object') {
      dependsOn.push({ group: name, ...(when ? { when } : {}), ...(within ? { within } : {}) });
    }
  }
  const calendar = group.schedule.daily !== undefined || group.schedule.cron !== undefined;
  return {
    ...group.schedule,
    ...group.settings,
    ...(calendar && group.timezone !== undefined ? { timezone: group.timezone } : {}),
    ...(group.disabled ? { enabled: false } : {}),
    ...(useLanes ? { lane: group.lane } : {}),
    ...(dependsOn.length > 0 ? { dependsOn } : {}),
    ...(after.length > 0 ? { after } : {}),
    scripts: ['x.sh'],
  };
}

function writeEntry(
  entry: NonNullable<RawGroup['entry']>,
  group: GroupInput,
  config: WrittenConfig,
  at: number,
): GroupState {
  const ago = (length: number | null | undefined) => (length == null ? length : iso(at - length));
  const beats = beatsOf(group, config);
  /** So long ago, or at the last beat before. */
  const snap = (length: number | null | undefined, onGrid: boolean) =>
    length == null || !onGrid || beats === null ? ago(length) : iso(beats.upTo(at - length));
  const last = entry.last == null ? entry.last : snap(entry.last.ago, entry.last.onGrid);
  const run = entry.lastRun;
  const beatOfRun = { last, earlier: iso(at - 3 * day), later: iso(at + 7 * minute), null: null, missing: undefined }[
    run?.beat ?? 'missing'
  ];
  const recorded =
    entry.schedule === 'missing'
      ? undefined
      : recordSchedule(
          entry.schedule === 'same'
            ? group
            : entry.schedule === 'was-disabled'
              ? { ...group, enabled: false }
              : entry.schedule,
          config,
        );
  return drop({
    firstSeenAt: ago(entry.firstSeen),
    lastBeat: last,
    lastRun:
      run == null ? run : drop({ id: 'r1', beat: beatOfRun, outcome: run.outcome, finishedAt: ago(run.finished) }),
    retry: entry.retry === null ? null : drop({ at: ago(entry.retry.at), attempt: entry.retry.attempt }),
    interruptions: entry.interruptions,
    ...(entry.pause === null
      ? {}
      : {
          pausedAt: snap(entry.pause.at, entry.pause.onGrid),
          pausedUntil: snap(entry.pause.until, entry.pause.onGrid),
        }),
    schedule:
      entry.lost === 'null'
        ? null
        : recorded &&
          drop({ ...recorded, since: ago(entry.since), ...(entry.lost === null ? {} : { [entry.lost]: undefined }) }),
  });
}

/** What is undefined is missing. */
function drop<Fields extends object>(fields: Fields): { [Key in keyof Fields]: Exclude<Fields[Key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}
