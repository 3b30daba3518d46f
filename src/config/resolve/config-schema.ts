import * as z from 'zod';
import { parseCron, parseDaily } from '../../schedule/cron.ts';
import { isTimeZone } from '../../schedule/zone.ts';
import { priorities } from '../config.ts';
import { parseSize } from './byte-size.ts';
import {
  isArgument,
  isDuration,
  isExtension,
  isName,
  isScriptName,
  isText,
  isVariable,
  longestTimer,
  nameRule,
  scriptForms,
} from './rules.ts';

/**
 * What a user may write. The `error` of each piece is not a sentence but the answer to "what is allowed here?": the
 * sentences are put together in issues.ts. Nothing is transformed here: valid values stay as the user wrote them.
 */

const duration = (least = 0, most = Number.MAX_SAFE_INTEGER) =>
  z.stringFormat('duration', (text: string) => isDuration(text, least, most), {
    error:
      'a duration such as "10m" or "1h30m"' +
      (most === longestTimer ? ', at most 24d' : '') +
      (least > 0 ? ', at least 1s' : ''),
  });

const second = 1_000;

const size = z.stringFormat('size', (text: string) => parseSize(text) !== null, {
  error: 'a size such as "5MB" (units B, KB, MB, GB)',
});

const text = (allowed: string) => z.stringFormat('text', isText, { error: allowed });

const argument = z.stringFormat('argument', isArgument, { error: 'a text' });

const whole = (least: number, most: number) => {
  const error = `a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};

const flag = z.boolean({ error: 'true or false' });

const zone = z.stringFormat('timezone', isTimeZone, {
  error: 'a time zone such as "UTC", "Europe/Berlin" or "America/New_York"',
});

const laneName = z.stringFormat('name', isName, { error: `a name: ${nameRule}` });
/** Any text: whether there is such a group is checked when all of them are known. */
const groupName = z.string({ error: 'the name of a group' });

const variableName = z.stringFormat('variable', isVariable, { error: 'the name of an environment variable' });

/** One or several lines of a calendar, each refused with the reason that its reader gives. */
const calendar = (read: (line: string) => object | { problem: string }, allowed: string) => {
  const line = z.string({ error: allowed }).check((context) => {
    const result = read(context.value);
    if ('problem' in result) {
      context.issues.push({ code: 'custom', message: String(result.problem), input: context.value });
    }
  });
  const error = `${allowed}, or a list of them`;
  return z.union([line, z.array(line, { error }).min(1, { error })], { error });
};

const list = <Item extends z.ZodType>(item: Item, allowed: string) => z.array(item, { error: allowed });

/** Unknown keys are problems: their issue carries the known ones, which the message lists. */
const strict = <Shape extends z.ZodRawShape>(shape: Shape, allowed: string) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : allowed),
  });

export const scriptObject = strict(
  {
    /** A file under `scriptsDir`, or an absolute one; its interpreter is chosen by its extension. */
    run: text('a file name').optional(),
    /** A program that is found on PATH. */
    command: text('a program').optional(),
    /** A line for the system's shell. */
    shell: text('a line for the shell').optional(),
    /** Arguments, with `run` or `command`. */
    args: list(argument, 'a list of texts').optional(),
    /** What it is called in records; the file or program itself unless given. */
    name: z.stringFormat('script', isScriptName, { error: 'a name of 1 to 100 characters on one line' }).optional(),
    /** Where it runs; the workspace unless given. */
    cwd: text('a folder').optional(),
    /** Added to the environment of the tick. */
    env: z
      .record(
        variableName,
        z.union([argument, z.number(), z.boolean()], { error: 'a text, a number, true or false' }),
        {
          error: 'an object of environment variables',
        },
      )
      .optional(),
    /** How long one attempt may take: `'1h'` unless given. */
    timeout: duration(second, longestTimer).optional(),
    /** How long after SIGTERM comes SIGKILL; the configuration's unless given. */
    killAfter: duration(0, longestTimer).optional(),
    /** Further attempts after a failed one, within the tick: 0 unless given. */
    retries: whole(0, 100).optional(),
    /** Before the first of them, doubling with each further one: `'1s'` unless given. */
    retryDelay: duration(0, longestTimer).optional(),
    /** Its failure does not make the group fail. */
    optional: flag.optional(),
    /** Exit codes that count as success: `[0]` unless given. */
    successExitCodes: list(whole(0, 4_294_967_295), 'a list of exit codes')
      .min(1, { error: 'a list of at least one exit code' })
      .optional(),
  },
  'a script object',
);

const scriptInput = z.union([z.string(), scriptObject], { error: scriptForms });

const dependencyObject = strict(
  {
    /** The group that goes first. */
    group: groupName,
    /** How it must have ended: `'succeeded'` unless given. */
    when: z.enum(['succeeded', 'finished']).optional(),
    /** How long ago it may have finished: however long unless given. */
    within: duration(second).optional(),
  },
  'a dependency object',
);

const groupSettings = {
  description: z.string({ error: 'a text' }).optional(),
  /** `false` switches the group off; it collects no beats. */
  enabled: flag.optional(),
  /** Beats on a fixed grid, counted from the Unix epoch: `'10m'`. */
  every: duration(second).optional(),
  /** Shifts the grid of `every`: `'3m'`. */
  offset: duration().optional(),
  /** Times of day: `'03:00'`. */
  daily: calendar(parseDaily, 'a time of day such as "03:00"').optional(),
  /** Cron lines of five fields: `'0 3 * * 1-5'`. */
  cron: calendar(parseCron, 'a cron line such as "0 3 * * 1-5"').optional(),
  /** No beats: runs only when asked to. */
  manual: z.literal(true).optional(),
  /** The time zone of `daily` and `cron`; the configuration's unless given. */
  timezone: zone.optional(),
  /** Groups that must have ended well before this one runs. */
  dependsOn: list(
    z.union([groupName, dependencyObject], { error: 'the name of a group, or { group, when, within }' }),
    'a list of groups',
  ).optional(),
  /** Groups that only go first: they order and never block. */
  after: list(groupName, 'a list of groups').optional(),
  /** Among groups that are free to go, the higher goes first: `'normal'` unless given. */
  priority: z.enum(priorities).optional(),
  /** Groups of one lane never run at the same time: `'main'` unless given. */
  lane: laneName.optional(),
  /** What becomes of missed beats: one run for the latest (unless given), one for each, or none. */
  catchUp: z.enum(['latest', 'every', 'none']).optional(),
  /** How late a beat may start: however late unless given. */
  catchUpWithin: duration(second).optional(),
  /** Whether a group that is new runs at once: `'now'` for an interval and `'wait'` for a calendar unless given. */
  firstRun: z.enum(['now', 'wait']).optional(),
  /** Whether the scripts after a failed one still run: `'continue'` unless given. */
  onScriptFailure: z.enum(['continue', 'stop']).optional(),
  /** What becomes of a run that was cut off: `'resume'` unless given. */
  onInterrupt: z.enum(['resume', 'skip']).optional(),
  /** How long after a failed run it is tried again: `['5m', '15m', '1h']`. */
  retryAfter: list(duration(), 'a list of durations').optional(),
};

const scriptList = 'a list of scripts';
/** A group whose scripts are looked at one by one, so that a problem in one hides none in another. */
export const groupFrame = strict(
  { ...groupSettings, scripts: list(z.unknown(), scriptList).optional() },
  'a group object',
);
const groupInput = strict({ ...groupSettings, scripts: list(scriptInput, scriptList).optional() }, 'a group object');

const settings = {
  /** For editors; has no effect. */
  $schema: z.string({ error: 'a text' }).optional(),
  /** The time zone of calendars; the system's unless given. */
  timezone: zone.optional(),
  /** How often the trigger starts a tick: `'5m'` unless given. */
  tickEvery: duration(second).optional(),
  /** The folder of records: `'outputs'` unless given. */
  outputs: text('a folder').optional(),
  /** The folder of scripts: `'scripts'` unless given. */
  scriptsDir: text('a folder').optional(),
  /** How long after SIGTERM comes SIGKILL: `'10s'` unless given. */
  killAfter: duration(0, longestTimer).optional(),
  /** The program, or program and arguments, that runs files of an extension: `{ py: '.venv/bin/python' }`. */
  interpreters: z
    .record(
      z.stringFormat('extension', isExtension, { error: 'an extension such as "py"' }),
      z.union([text('a program'), z.tuple([text('a program')], argument, { error: 'a program and its arguments' })], {
        error: 'a program, or a list of a program and its arguments',
      }),
      { error: 'an object of programs by extension' },
    )
    .optional(),
  /** Environment variables whose values appear in no file. */
  redact: list(variableName, 'a list of environment variables').optional(),
  log: strict(
    {
      /** What of the scripts' output the central log copies: `'failed'` unless given. */
      output: z.enum(['failed', 'all', 'none']).optional(),
      /** `'text'` unless given. */
      format: z.enum(['text', 'json']).optional(),
      /** Where the central log is rotated: `'5MB'` unless given. */
      maxSize: size.optional(),
      /** How many files are kept, the current one included: 5 unless given. */
      maxFiles: whole(1, 1_000).optional(),
    },
    'an object with output, format, maxSize and maxFiles',
  ).optional(),
  history: strict(
    {
      /** How long the history is kept: `'90d'` unless given. */
      keep: duration(second).optional(),
    },
    'an object with keep',
  ).optional(),
  runs: strict(
    {
      /** How long the scripts' output is kept: `'14d'` unless given. */
      keep: duration(second).optional(),
      /** How much of it: `'200MB'` unless given. */
      maxSize: size.optional(),
    },
    'an object with keep and maxSize',
  ).optional(),
};

/** A configuration whose groups are looked at one by one, so that a problem in one hides none in another. */
export const configFrame = strict({ ...settings, groups: z.unknown().optional() }, 'a configuration object');

const configInput = strict({ ...settings, groups: z.record(z.string(), groupInput) }, 'a configuration object');

/** A configuration as it is written. */
export type ConfigInput = z.infer<typeof configInput>;
/** A group as it is written. */
export type GroupInput = z.infer<typeof groupInput>;
/** A script as it is written. */
export type ScriptInput = z.infer<typeof scriptInput>;
