import type { Group } from '../config/config.ts';
import { countBeats, latestBeat, nextBeat } from '../schedule/beats.ts';
import { parseCron, parseDaily } from '../schedule/cron.ts';
import { formatDuration, parseDuration } from '../schedule/duration.ts';
import type { Schedule } from '../schedule/schedule.ts';
import { type GroupState, instantOf, isoOf, type SeenSchedule } from '../state/state-schema.ts';
import { consumedBeat } from './due.ts';

/** What a tick notices about a group before it decides, and writes into the state and the history. */
export type Observation =
  | { readonly type: 'seen' }
  | { readonly type: 'edited' }
  | { readonly type: 'pause-ended'; readonly passedBeats: number }
  | { readonly type: 'reset'; readonly from: number; readonly to: number | null };

interface Observed {
  readonly entry: GroupState;
  readonly observations: readonly Observation[];
}

/**
 * Brings a group's entry up to an instant: first sight, an edited schedule, a pause that has run out, a clock that went
 * back so far that the group would starve. Returns the same entry where there is nothing to notice.
 */
export function observe(group: Group, known: GroupState | undefined, now: number): Observed {
  if (known === undefined) {
    return { entry: { firstSeenAt: isoOf(now), schedule: describeSeen(group) }, observations: [{ type: 'seen' }] };
  }
  const observations: Observation[] = [];
  let entry = known;
  const notice = (change: GroupState, observation: Observation) => {
    entry = { ...entry, ...change };
    observations.push(observation);
  };

  if (entry.firstSeenAt == null) notice({ firstSeenAt: isoOf(now) }, { type: 'seen' });

  const seen = entry.schedule;
  const current = describeSeen(group);
  // Word for word the same, mostly. To compare meanings takes the cron parser, which alone takes 20 ms to load.
  const isUnchanged = seen != null && JSON.stringify({ ...seen, since: undefined }) === JSON.stringify(current);
  if (seen == null || (!isUnchanged && keyOf(seen) === null)) notice({ schedule: current }, { type: 'seen' });
  else if (!isUnchanged && !isSame(seen, current)) {
    notice({ schedule: { ...current, since: isoOf(now) } }, { type: 'edited' });
  }

  const until = instantOf(entry.pausedUntil);
  if (entry.pausedAt != null && until !== null && until <= now) {
    const { entry: resumed, passedBeats } = endPause(group.schedule, entry, until - 1);
    notice(resumed, { type: 'pause-ended', passedBeats });
  }

  // The clock went back. A little: the group waits for a beat later than the last one (see `decideDue`). So far that it
  // would miss the next two: it starts over from the latest beat, and the same holds for the other instants that hold
  // beats back.
  const starves = (instant: number | null) =>
    instant !== null && instant > now && isFarAhead(group.schedule, now, instant);
  const consumed = consumedBeat(entry);
  if (consumed !== null && starves(consumed)) {
    const to = latestBeat(group.schedule, now);
    notice({ lastBeat: to === null ? null : isoOf(to) }, { type: 'reset', from: consumed, to });
  }
  if (starves(instantOf(entry.firstSeenAt))) notice({ firstSeenAt: isoOf(now) }, { type: 'seen' });
  if (starves(instantOf(entry.schedule?.since))) {
    notice({ schedule: { ...entry.schedule, since: isoOf(now) } }, { type: 'edited' });
  }
  return { entry, observations };
}

/** A group's pause ends: what passed since it began, up to and including `upTo`, counts as consumed. */
export function endPause(
  schedule: Schedule,
  entry: GroupState,
  upTo: number,
): { readonly entry: GroupState; readonly passedBeats: number } {
  const resumed: GroupState = { ...entry, pausedAt: null, pausedUntil: null, pauseReason: null };
  const from = Math.max(instantOf(entry.pausedAt) ?? upTo, consumedBeat(entry) ?? Number.NEGATIVE_INFINITY);
  const passed = latestBeat(schedule, upTo);
  if (passed === null || passed <= from) return { entry: resumed, passedBeats: 0 };
  return {
    entry: { ...resumed, lastBeat: isoOf(passed) },
    passedBeats: countBeats(schedule, from, passed, Number.POSITIVE_INFINITY),
  };
}

/** Whether an instant is later than the second beat after now. */
function isFarAhead(schedule: Schedule, now: number, instant: number): boolean {
  const first = nextBeat(schedule, now);
  const second = first === null ? null : nextBeat(schedule, first);
  return second !== null && instant > second;
}

/** A schedule as the state keeps it: in the configuration's own words. A disabled group counts as another schedule. */
export function describeSeen({ schedule, enabled }: Pick<Group, 'schedule' | 'enabled'>): SeenSchedule {
  return enabled ? describe(schedule) : { ...describe(schedule), enabled: false };
}

function describe(schedule: Schedule): SeenSchedule {
  switch (schedule.kind) {
    case 'manual':
      return { manual: true };
    case 'interval': {
      const offset = schedule.offset === 0 ? {} : { offset: formatDuration(schedule.offset) };
      return { every: formatDuration(schedule.every), ...offset };
    }
    case 'calendar': {
      const texts = schedule.lines.map((line) => line.text);
      // No cron line holds a colon, and every time of day does.
      const daily = texts.filter((text) => text.includes(':'));
      const cron = texts.filter((text) => !text.includes(':'));
      return {
        ...(daily.length > 0 ? { daily } : {}),
        ...(cron.length > 0 ? { cron } : {}),
        timezone: schedule.timezone,
      };
    }
  }
}

function isSame(seen: SeenSchedule, current: SeenSchedule): boolean {
  if (current.timezone != null && seen.timezone != null && current.timezone !== seen.timezone) return false;
  return keyOf(seen) === keyOf(current);
}

/** What makes two descriptions of a schedule equal, its time zone aside; null where it describes none. */
function keyOf(seen: SeenSchedule): string | null {
  const switchedOff = seen.enabled === false ? ' disabled' : '';
  if (seen.manual === true) return `manual${switchedOff}`;
  if (seen.every != null) {
    const every = parseDuration(seen.every);
    const offset = parseDuration(seen.offset ?? '0s');
    return every && offset !== null ? `every ${every} offset ${offset % every}${switchedOff}` : null;
  }
  const lines = [
    ...listOf(seen.cron).map((text) => parseCron(text)),
    ...listOf(seen.daily).map((text) => parseDaily(text)),
  ].map((line) => ('problem' in line ? line.problem : JSON.stringify({ ...line, text: '' })));
  return lines.length > 0 ? `${lines.sort().join('; ')}${switchedOff}` : null;
}

function listOf(value: string | string[] | null | undefined): string[] {
  if (value == null) return [];
  return typeof value === 'string' ? [value] : value;
}
