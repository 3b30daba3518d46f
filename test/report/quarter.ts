import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { HistoryLine } from '../../src/state/history.ts';
import type { GroupState, State } from '../../src/state/state-schema.ts';
import { day, iso, minute } from '../builders.ts';

/** The configuration, the state and the history of a workspace that has been at work for long. */
export interface Quarter {
  readonly config: object;
  readonly state: State;
  /** How many lines the history has. */
  readonly records: number;
}

/**
 * Writes what a workspace of 42 groups leaves behind in 90 days: a tick every five minutes; ten groups that run every
 * hour, thirty every six hours, one once a day and one once a week; about 100,000 records. Returns what the groups are.
 *
 * @param now ms; the newest tick is four minutes old
 */
export function writeQuarter(outputs: string, now: number, days = 90): Quarter {
  mkdirSync(outputs, { recursive: true });
  const file = openSync(join(outputs, 'history.jsonl'), 'w');
  const last = now - 4 * minute;
  const groups = Array.from({ length: 42 }, (_, index) => {
    const every = index < 10 ? 60 : index < 40 ? 360 : index === 40 ? 1440 : 7 * 1440;
    return { name: `group_${index}`, every: every * minute };
  });
  const entries = new Map<string, GroupState>();
  let records = 0;
  let lines: string[] = [];
  const write = (line: HistoryLine) => {
    records++;
    const { at, type, ...rest } = line;
    lines.push(`${JSON.stringify({ at, type, ...rest })}\n`);
  };
  for (let at = last - Math.floor((days * day) / (5 * minute)) * 5 * minute; at <= last; at += 5 * minute) {
    const tick = `tick-${at}`;
    let ran = 0;
    for (const { name, every } of groups) {
      // As far as ticks go: a beat is the first tick within each period.
      if (Math.floor(at / every) === Math.floor((at - 5 * minute) / every)) continue;
      const beat = iso(Math.floor(at / every) * every);
      const id = `${name}-${at}`;
      const folder = `runs/${beat.slice(0, 10)}/${id}`;
      const lease = {
        group: name,
        runId: id,
        beat,
        tick,
        pid: 4711,
        since: iso(at),
        until: iso(at + 3_600_000),
        folder,
      };
      const entry = {
        firstSeenAt: iso(last - days * day),
        lastBeat: beat,
        consecutiveFailures: 0,
        lastSuccessAt: iso(at),
      };
      write({
        at: iso(at),
        type: 'run-start',
        tick,
        group: name,
        lane: 'main',
        run: id,
        beat,
        missedBeats: 0,
        reason: 'beat-due',
        entry,
        lease: { ...lease, script: 'work.sh', number: 1 },
      });
      const times = { startedAt: iso(at), finishedAt: iso(at + 2000), durationMs: 2000, outcome: 'succeeded' as const };
      const script = { name: 'work.sh', ...times, exitCode: 0, signal: null, attempts: 1, message: null };
      const run = {
        id,
        beat,
        missedBeats: 0,
        folder,
        ...times,
        scripts: [{ ...script, outputFile: `${folder}/1-work.sh.log` }],
      };
      write({ at: iso(at + 2000), type: 'run-end', tick, group: name, lane: 'main', run, entry });
      entries.set(name, { ...entry, schedule: { every: `${every / minute}m` }, lastRun: run });
      ran++;
    }
    write({
      at: iso(at + 2100),
      type: 'tick',
      tick,
      outcome: ran > 0 ? 'succeeded' : 'nothing-due',
      durationMs: 2100,
      ran,
      failed: 0,
      skipped: 0,
    });
    if (lines.length > 1000) {
      writeSync(file, lines.join(''));
      lines = [];
    }
  }
  writeSync(file, lines.join(''));
  closeSync(file);
  const lastTick = {
    id: `tick-${last}`,
    pid: 4711,
    startedAt: iso(last),
    finishedAt: iso(last + 2100),
    outcome: 'succeeded',
  };
  return {
    config: {
      timezone: 'UTC',
      groups: Object.fromEntries(
        groups.map(({ name, every }) => [
          name,
          { every: `${every / minute}m`, scripts: [{ shell: 'true', name: 'work.sh' }] },
        ]),
      ),
    },
    state: { schemaVersion: 1, lastTick, groups: Object.fromEntries(entries), leases: {} },
    records,
  };
}
