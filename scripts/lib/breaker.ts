/**
 * A circuit breaker, after Michael Nygard's pattern. Closed lets everything through; after some failures in a row it
 * opens and lets nothing through; after a while it is half-open and lets probes through, until they have done well often
 * enough to close it, or one fails and it opens again, for twice as long. Instants are ms since the epoch.
 */
export interface Breaker {
  readonly state: 'closed' | 'open' | 'half-open';
  /** Since when it is in this state. */
  readonly since: number;
  /** Failures in a row; while half-open, probes in a row that did well. */
  readonly failures: number;
  readonly successes: number;
  /** How often it opened since it was last closed. */
  readonly openings: number;
  /** What the last failure was. */
  readonly reason: string | null;
}

export interface BreakerRule {
  readonly failures: number;
  readonly successes: number;
  readonly coolDownMs: number;
}

/** A breaker never stays open for longer than this many times its first cool-down. */
const longest = 8;

export function closedBreaker(now: number): Breaker {
  return { state: 'closed', since: now, failures: 0, successes: 0, openings: 0, reason: null };
}

/** When an open breaker lets the next probe through. */
export function nextTry(breaker: Breaker, rule: BreakerRule): number {
  return breaker.since + rule.coolDownMs * Math.min(longest, 2 ** Math.max(0, breaker.openings - 1));
}

/** A tick that comes some seconds earlier than the last one did must not put a try off until the next. */
const grace = 0.05;

/** The breaker as it is at an instant: an open one is half-open once its time has come. */
export function advance(breaker: Breaker, rule: BreakerRule, now: number): Breaker {
  // A clock that went back would leave it open for as long as it went back.
  const isDue = now >= nextTry(breaker, rule) - grace * rule.coolDownMs || now < breaker.since;
  return breaker.state === 'open' && isDue ? { ...breaker, state: 'half-open', since: now, successes: 0 } : breaker;
}

/** The breaker after a call that it let through: `failure` says what went wrong, null that nothing did. */
export function settle(breaker: Breaker, rule: BreakerRule, now: number, failure: string | null): Breaker {
  if (failure !== null) {
    const failures = breaker.failures + 1;
    const opens = breaker.state === 'half-open' || failures >= rule.failures;
    const next = { ...breaker, failures, successes: 0, reason: failure };
    return opens ? { ...next, state: 'open', since: now, openings: breaker.openings + 1 } : next;
  }
  if (breaker.state === 'closed') return { ...breaker, failures: 0, reason: null };
  const successes = breaker.successes + 1;
  return successes >= rule.successes ? closedBreaker(now) : { ...breaker, successes };
}
