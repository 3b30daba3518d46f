import { formatDistance } from './words.ts';

/** The next instant at which a group has a beat, ms, and who has it and when, in words. */
export interface NextBeat {
  readonly at: number;
  readonly said: string;
}

/** The sentence of a tick for which nothing is due. */
export function sayNothingDue(next: NextBeat | null, now: number, opening = 'Nothing is due'): string {
  if (next === null) return `${opening}, and no beat lies ahead.`;
  return `${opening}; next: ${next.said}, ${formatDistance(next.at, now)}.`;
}
