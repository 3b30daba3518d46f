import { formatDuration } from '../schedule/duration.ts';

/** A length of time for people, rounded as they would: `350ms`, `4s`, `12m`, `3h20m`, `5d`. */
export function formatLength(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  const unit = ms < 10 * 60_000 ? 1_000 : ms < 48 * 3_600_000 ? 60_000 : 3_600_000;
  return formatDuration(Math.round(ms / unit) * unit);
}

/** A length of time within a sentence, rounded as in {@link formatDistance}: `30 s`, `5 min`, `2 h 10 min`, `3 d`. */
export function phraseLength(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 100 && seconds !== 60) return `${seconds} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.round(hours / 24)} d`;
  return hours >= 10 || minutes % 60 === 0 ? `${Math.round(minutes / 60)} h` : `${hours} h ${minutes % 60} min`;
}

/** How far an instant lies from `now`, both in ms: `in 4 min`, `2 h ago`, `now`. */
export function formatDistance(instant: number, now: number): string {
  const length = Math.abs(instant - now);
  if (length < 1_000) return 'now';
  const [unit, word] = (
    [
      [86_400_000, 'd'],
      [3_600_000, 'h'],
      [60_000, 'min'],
      [1_000, 's'],
    ] as const
  ).find(([size]) => length >= size * (size > 60_000 ? 2 : 1)) ?? [1_000, 's'];
  // What lies ahead is rounded up: nothing comes before it is announced.
  const count = instant > now ? Math.ceil(length / unit) : Math.floor(length / unit);
  return instant > now ? `in ${count} ${word}` : `${count} ${word} ago`;
}

/** A number with its noun: `1 beat`, `3 beats`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
