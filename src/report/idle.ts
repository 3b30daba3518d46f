import { formatDuration } from '../schedule/duration.ts';

/** The next instant at which a group has a beat, ms, and who has it and when, in words. */
export interface NextBeat {
  readonly at: number;
  readonly said: string;
}

/** The sentence of a tick for which nothing is due. */
export function sayNothingDue(next: NextBeat | null, now: number, opening = 'Nothing is due'): string {
  if (next === null) return `${opening}, and no beat lies ahead.`;
  const wait = formatDuration(Math.ceil((next.at - now) / 60_000) * 60_000);
  return `${opening}; next: ${next.said}, in ${wait}.`;
}
