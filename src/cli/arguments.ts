import { UsageError } from '../errors.ts';
import { parseDuration } from '../schedule/duration.ts';

/** A flag's duration in ms; a UsageError where it is none. */
export function readDuration(flag: string, text: string): number {
  const length = parseDuration(text);
  if (length === null) throw new UsageError(`${flag} ${text} is not a duration: write 30s, 5m or 1h30m.`);
  return length;
}

/** A flag's instant in ms since the epoch; a UsageError where it is none. */
export function readInstant(flag: string, text: string): number {
  const instant = parseInstant(text);
  if (instant === null) {
    throw new UsageError(`${flag} ${text} is not an instant: write it as ISO 8601, such as 2026-11-22T16:00:00Z.`);
  }
  return instant;
}

/** A flag that says when something ends: an instant, or a duration from now. A UsageError where it lies behind. */
export function readEnd(flag: string, text: string, now: number): number {
  const length = parseDuration(text);
  const end = length === null ? parseInstant(text) : now + length;
  if (end === null)
    throw new UsageError(`${flag} ${text} is neither an instant (2026-11-22T16:00:00Z) nor a duration (2h).`);
  if (end <= now) throw new UsageError(`${flag} ${text} has passed already.`);
  return end;
}

/** A flag that says since when: an instant, or a duration ago. A UsageError where it is neither. */
export function readSince(flag: string, text: string, now: number): number {
  const length = parseDuration(text);
  const since = length === null ? parseInstant(text) : now - length;
  if (since !== null) return since;
  throw new UsageError(`${flag} ${text} is neither an instant (2026-11-22T16:00:00Z) nor a duration ago (2h).`);
}

/** A flag's whole number; a UsageError where it is none. */
export function readCount(flag: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`${flag} ${text} is not a whole number: write how many are to be shown, such as 20.`);
}

function parseInstant(text: string): number | null {
  const instant = /^\d{4}-\d\d-\d\d([T ]|$)/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(instant) ? null : instant;
}
