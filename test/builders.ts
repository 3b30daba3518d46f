import type { Config, Dependency, Group, Script } from '../src/config/config.ts';
import { parseCron } from '../src/schedule/cron.ts';
import type { CalendarLine, CalendarSchedule, IntervalSchedule } from '../src/schedule/schedule.ts';
import type { GroupState, State } from '../src/state/state-schema.ts';

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

/** Sunday, 16:00 UTC: on the grid of every interval that divides the hour. */
export const at = Date.parse('2026-11-22T16:00:00.000Z');

export function iso(instant: number): string {
  return new Date(instant).toISOString();
}

export function every(length: number, offset = 0): IntervalSchedule {
  return { kind: 'interval', every: length, offset };
}

export function cron(text: string, timezone = 'UTC'): CalendarSchedule {
  return { kind: 'calendar', timezone, lines: [cronLine(text)] };
}

export function cronLine(text: string): CalendarLine {
  const line = parseCron(text);
  if ('problem' in line) throw new Error(line.problem);
  return line;
}

export function on(group: string, more: Partial<Dependency> = {}): Dependency {
  return { group, when: 'succeeded', within: null, ...more };
}

export function makeGroup(name: string, more: Partial<Group> = {}): Group {
  return {
    name,
    description: null,
    enabled: true,
    schedule: every(10 * minute),
    dependsOn: [],
    after: [],
    priority: 'normal',
    lane: 'main',
    catchUp: 'latest',
    catchUpWithin: null,
    firstRun: null,
    onScriptFailure: 'continue',
    onInterrupt: 'resume',
    retryAfter: [],
    scripts: [makeScript('script.js')],
    ...more,
  };
}

export function makeScript(name: string, more: Partial<Script> = {}): Script {
  return {
    name,
    argv: ['/usr/bin/env', name],
    file: null,
    cwd: '/',
    env: {},
    timeout: hour,
    killAfter: 10_000,
    retries: 0,
    retryDelay: 1000,
    optional: false,
    successExitCodes: [0],
    ...more,
  };
}

export function makeConfig(groups: readonly Group[], more: Partial<Config> = {}): Config {
  return {
    workspace: '/workspace',
    file: '/workspace/tasks.config.ts',
    outputs: '/workspace/outputs',
    scriptsDir: '/workspace/scripts',
    timezone: 'UTC',
    tickEvery: 5 * minute,
    log: { output: 'failed', format: 'text', maxSize: 5_000_000, maxFiles: 5 },
    keep: { history: 90 * day, runs: 14 * day, runsSize: 200_000_000 },
    redact: [],
    groups,
    ...more,
  };
}

export function makeState(groups: Record<string, GroupState>): State {
  return { schemaVersion: 1, groups, leases: {} };
}

/** The entry of a group whose run for `beat` succeeded at once. */
export function ran(beat: number, more: GroupState = {}): GroupState {
  return {
    firstSeenAt: iso(beat),
    lastBeat: iso(beat),
    lastRun: { id: 'r1', beat: iso(beat), startedAt: iso(beat), finishedAt: iso(beat), outcome: 'succeeded' },
    ...more,
  };
}

/** The entry of a group whose run for `beat` ended otherwise. */
export function ranAndEnded(
  beat: number,
  outcome: 'failed' | 'timed-out' | 'interrupted',
  more: GroupState = {},
): GroupState {
  const entry = ran(beat, more);
  return { ...entry, lastRun: { ...entry.lastRun, outcome } };
}
