/**
 * The wall clock of the system's own time zone, by Date. It comes from the same data as Intl's, and takes half a
 * millisecond at first where Intl takes 20 to 40.
 */

const day = 86_400_000;

/** Instants for which {@link readLocalOffset} is held to Intl by tests, zone by zone. */
const from = Date.parse('1970-01-01T00:00:00Z');
const until = Date.parse('2200-01-01T00:00:00Z');

/** Whether Date is to be believed for the instant. */
export function isWithinReach(instant: number): boolean {
  return instant >= from && instant < until;
}

/**
 * What the system's wall clock is ahead of UTC at the instant, in ms.
 *
 * The way from an instant to its local fields (`getHours`, `getTimezoneOffset`) is not to be trusted: V8 takes it that
 * no zone changes its offset twice within 19 days, and newer versions deny the week of summer time that Recife had in
 * 2000, and those that Gaza has around Ramadan. The way from local fields to an instant takes nothing for granted. So that
 * is asked for the offsets of a day earlier and a day later and, where they differ, on which side of the change the
 * instant lies. It takes the offset before the change for what falls into a gap or an overlap (ECMA-262, UTC(t)). So the
 * wall-clock time that the instant would have with the greater offset is found to be one of that offset exactly where the
 * offset holds: before a gap it lies in front of the gap's end, and after an overlap behind the overlap.
 */
export function readLocalOffset(instant: number): number {
  const earlier = offsetShowing(instant - day);
  const later = offsetShowing(instant + day);
  if (earlier === later) return earlier;
  const greater = Math.max(earlier, later);
  return offsetShowing(instant + greater) === greater ? greater : Math.min(earlier, later);
}

/** The offset with which the system's clock shows the time, written as the instant at which UTC shows it. */
function offsetShowing(wall: number): number {
  const utc = new Date(wall);
  const local = new Date(
    utc.getUTCFullYear(),
    utc.getUTCMonth(),
    utc.getUTCDate(),
    utc.getUTCHours(),
    utc.getUTCMinutes(),
    utc.getUTCSeconds(),
    utc.getUTCMilliseconds(),
  );
  return wall - local.getTime();
}
