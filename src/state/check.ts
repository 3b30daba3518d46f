import { outcomes, stateVersion } from './schema.ts';

/**
 * Whether values read from a file are what `stateSchema` of sound.ts describes, and where they are not. Every command
 * reads the state, and zod takes longer to load than most of them take in all; a test holds the two against each other.
 */
type Check = (value: unknown) => string[] | null;
// Loops here count: what iterates over a large state makes more garbage than it looks at.

const fine = null;
const wrong: string[] = [];
const test =
  (isRight: (value: unknown) => boolean): Check =>
  (value) =>
    isRight(value) ? fine : wrong;

const text = test((value) => typeof value === 'string');
const number = test((value) => Number.isFinite(value));
const flag = test((value) => typeof value === 'boolean');
const instant = test((value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)));
const outcome = test((value) => outcomes.some((one) => one === value));

const optional =
  (check: Check): Check =>
  (value) =>
    value == null ? fine : check(value);

const list =
  (check: Check): Check =>
  (value) => {
    if (!Array.isArray(value)) return wrong;
    for (let index = 0; index < value.length; index++) {
      const path = check(value[index]);
      if (path !== fine) return [`${index}`, ...path];
    }
    return fine;
  };

const record =
  (check: Check): Check =>
  (value) => {
    if (!isObject(value)) return wrong;
    const keys = Object.keys(value);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string;
      // zod passes over that key as well: it could only be meant to do harm.
      const path = key === '__proto__' ? fine : check(value[key]);
      if (path !== fine) return [key, ...path];
    }
    return fine;
  };

const object = (fields: Readonly<Record<string, Check>>): Check => {
  const keys = Object.keys(fields);
  const checks = Object.values(fields);
  return (value) => {
    if (!isObject(value)) return wrong;
    for (let index = 0; index < keys.length; index++) {
      const path = (checks[index] as Check)(value[keys[index] as string]);
      if (path !== fine) return [keys[index] as string, ...path];
    }
    return fine;
  };
};

/** States that follow one another share most of their parts, which are never changed in place: each is looked at once. */
const once = (check: Check): Check => {
  const sound = new WeakSet<object>();
  return (value) => {
    if (isObject(value) && sound.has(value)) return fine;
    const fault = check(value);
    if (fault === fine && isObject(value)) sound.add(value);
    return fault;
  };
};

const texts: Check = (value) => (typeof value === 'string' ? fine : list(text)(value) === fine ? fine : wrong);

const script = once(
  object({
    name: text,
    outcome: optional(outcome),
    exitCode: optional(number),
    signal: optional(text),
    attempts: optional(number),
    startedAt: optional(instant),
    finishedAt: optional(instant),
    durationMs: optional(number),
    outputFile: optional(text),
    message: optional(text),
  }),
);

const run = object({
  id: optional(text),
  beat: optional(instant),
  startedAt: optional(instant),
  finishedAt: optional(instant),
  durationMs: optional(number),
  outcome: optional(outcome),
  missedBeats: optional(number),
  scripts: optional(list(script)),
});

const schedule = object({
  every: optional(text),
  offset: optional(text),
  daily: optional(texts),
  cron: optional(texts),
  timezone: optional(text),
  manual: optional(flag),
  enabled: optional(flag),
  since: optional(instant),
});

const group = once(
  object({
    firstSeenAt: optional(instant),
    lastBeat: optional(instant),
    lastRun: optional(run),
    lastSuccessAt: optional(instant),
    consecutiveFailures: optional(number),
    interruptions: optional(number),
    retry: optional(object({ at: optional(instant), attempt: optional(number) })),
    pausedAt: optional(instant),
    pausedUntil: optional(instant),
    pauseReason: optional(text),
    schedule: optional(schedule),
  }),
);

const lease = object({
  group: text,
  runId: text,
  beat: optional(instant),
  missedBeats: optional(number),
  reason: optional(text),
  tick: optional(text),
  pid: optional(number),
  processStartedAt: optional(text),
  boot: optional(text),
  since: optional(instant),
  until: optional(instant),
  folder: optional(text),
  scripts: optional(list(script)),
  script: optional(text),
});

const state = object({
  schemaVersion: test((value) => value === stateVersion),
  lastTick: optional(
    object({
      id: optional(text),
      pid: optional(number),
      startedAt: optional(instant),
      finishedAt: optional(instant),
      outcome: optional(text),
    }),
  ),
  groups: optional(record(group)),
  leases: optional(record(lease)),
});

/** Where a value is not what a state has to be, as `groups.a.lastBeat`; empty for the whole, null where it is one. */
export function findFault(value: unknown): string | null {
  const path = state(value);
  return path === null ? null : path.join('.');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
