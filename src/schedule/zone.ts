/**
 * The wall clocks of time zones. A zone is a row of segments, each with one offset from UTC, and everything that daylight
 * saving does happens where one ends and the next begins. Segments are surveyed on demand, a block of days at a time,
 * because asking Intl costs a microsecond and making its formatter 20 ms; segments that another process has surveyed can
 * be taken over ({@link surveyZone}, {@link adoptSegments}).
 */

/** The instants from `from` up to, not including, `until`, during which the wall clock shows UTC plus `offset` (ms). */
export interface Segment {
  readonly from: number;
  readonly until: number;
  readonly offset: number;
}

const day = 86_400_000;
const second = 1_000;
/** The first and last instants that a Date can hold (ECMA-262, time values). */
const lastInstant = 8.64e15;

const blockLength = 32 * day;
/**
 * Two changes within one step that undo each other would go unseen. Since 1960 the shortest stay of any zone in the tz
 * database at an offset is a week less an hour (Gaza and Hebron around Ramadan, Recife in 2000).
 */
const step = 4 * day;

const alwaysUtc: Segment = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY, offset: 0 };
const namesOfUtc = new Set(['UTC', 'Etc/UTC', 'GMT', 'Etc/GMT', 'Etc/UCT']);

type ReadOffset = (instant: number) => number;

interface Zone {
  /** In ms. */
  readonly readOffset: ReadOffset;
  readonly blocks: Map<number, readonly Segment[]>;
  /** Adopted segments, one after the other. */
  readonly adopted: readonly Segment[];
}

const zones = new Map<string, Zone>();

/** Whether the name is one of UTC, whose wall clock is known without Intl. */
export function isUtc(timezone: string): boolean {
  return namesOfUtc.has(timezone);
}

/**
 * Whether the name is a time zone that this Node knows. Bare offsets (`+01:00`) are not, since Node 20 does not know
 * them and newer ones do.
 */
export function isTimeZone(name: string): boolean {
  if (isUtc(name)) return true;
  if (/^[+-]/.test(name)) return false;
  try {
    zoneOf(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/**
 * The segment of the zone that holds the instant. A segment may also end, or begin, where its block does: then its
 * neighbour has the same offset. Throws a RangeError for a name that {@link isTimeZone} denies.
 */
export function segmentAt(timezone: string, instant: number): Segment {
  if (isUtc(timezone)) return alwaysUtc;
  const zone = zoneOf(timezone);
  const adopted = zone.adopted.find(({ from, until }) => from <= instant && instant < until);
  if (adopted !== undefined) return adopted;
  const index = Math.floor(instant / blockLength);
  let block = zone.blocks.get(index);
  if (block === undefined) {
    block = surveyBlock(zone.readOffset, index * blockLength);
    zone.blocks.set(index, block);
  }
  const segment = block.find(({ until }) => instant < until);
  if (segment === undefined) throw new RangeError(`${instant} is not an instant`);
  return segment;
}

/**
 * The first instant at which the zone's wall clock shows the given time or a later one. Wall-clock times are written as
 * the instant at which UTC shows them. For a time inside a gap that is the first instant after the gap, for one inside an
 * overlap its first occurrence, and for any other its only one.
 */
export function findInstantReaching(timezone: string, wall: number): number {
  // No offset reaches a day, so a day before `wall` by UTC the wall clock has not shown it yet.
  let segment = segmentAt(timezone, wall - day);
  while (segment.until + segment.offset <= wall) segment = segmentAt(timezone, segment.until);
  return Math.max(segment.from, wall - segment.offset);
}

/**
 * The latest time that the zone's wall clock has shown up to and including the instant: what it shows then, except after
 * it was set back, until it has caught up.
 */
export function findLatestReading(timezone: string, instant: number): number {
  let segment = segmentAt(timezone, instant);
  let latest = instant + segment.offset;
  // Offsets differ by less than two days, so what ended earlier than that can't have shown a later time.
  while (segment.from > instant - 2 * day) {
    segment = segmentAt(timezone, segment.from - 1);
    latest = Math.max(latest, segment.until - 1 + segment.offset);
  }
  return latest;
}

/** The segments of a zone from one instant to another (ms), as plain data; none of them has its neighbour's offset. */
export function surveyZone(timezone: string, from: number, until: number): Segment[] {
  const segments: Segment[] = [];
  for (let at = from; at < until; ) {
    const segment = segmentAt(timezone, at);
    const last = segments.at(-1);
    if (last?.offset === segment.offset) segments[segments.length - 1] = { ...last, until: segment.until };
    else segments.push(segment);
    at = segment.until;
  }
  return segments;
}

/**
 * Takes over segments that {@link surveyZone} returned under the same time zone data, so that Intl is asked only for
 * instants outside of them.
 */
export function adoptSegments(timezone: string, segments: readonly Segment[]): void {
  let readOffset: ReadOffset | undefined;
  zones.set(timezone, {
    readOffset(instant) {
      readOffset ??= createReader(timezone);
      return readOffset(instant);
    },
    blocks: new Map(),
    adopted: segments,
  });
}

function zoneOf(timezone: string): Zone {
  let zone = zones.get(timezone);
  if (zone === undefined) {
    zone = { readOffset: createReader(timezone), blocks: new Map(), adopted: [] };
    zones.set(timezone, zone);
  }
  return zone;
}

/** Asks Intl. */
function createReader(timezone: string): ReadOffset {
  const formatter = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' });
  return (instant) => parseOffset(formatter, instant);
}

function surveyBlock(readOffset: ReadOffset, blockStart: number): readonly Segment[] {
  const blockEnd = blockStart + blockLength;
  const segments: Segment[] = [];
  let from = blockStart;
  let offset = readOffset(from);
  for (let probe = blockStart + step; probe <= blockEnd; probe += step) {
    const there = readOffset(probe);
    while (offset !== there) {
      const change = findChange(readOffset, Math.max(from, probe - step), probe, offset);
      segments.push({ from, until: change, offset });
      from = change;
      offset = readOffset(change);
    }
  }
  if (from < blockEnd) segments.push({ from, until: blockEnd, offset });
  return segments;
}

/** Bisects for the first whole second after `low`, which has the offset, at which the zone has another one. */
function findChange(readOffset: ReadOffset, low: number, high: number, offset: number): number {
  let before = low;
  let after = high;
  while (after - before > second) {
    const middle = before + Math.floor((after - before) / 2 / second) * second;
    if (readOffset(middle) === offset) before = middle;
    else after = middle;
  }
  return after;
}

/** In ms. Offsets of seconds exist: Monrovia had -00:44:30 until 1972. */
function parseOffset(formatter: Intl.DateTimeFormat, instant: number): number {
  const text = formatter.format(Math.max(-lastInstant, Math.min(lastInstant, instant)));
  const found = /GMT(?:([+-])(\d+):(\d\d)(?::(\d\d))?)?$/.exec(text);
  if (found === null) throw new Error(`Intl wrote an offset that is not understood: ${text}`);
  const [, sign, hours = 0, minutes = 0, seconds = 0] = found;
  const length = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * second;
  return sign === '-' ? -length : length;
}
