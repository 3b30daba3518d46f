import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { advance, type Breaker, type BreakerRule, closedBreaker, nextTry } from './breaker.ts';
import { type Endpoints, readEndpoints } from './endpoints.ts';
import { nullIfAbsent, replaceFile } from './files.ts';
import { fieldsOf, instantOf, listOf, numberOf, textOf } from './loose.ts';
import { count, formatInstant } from './quantity.ts';
import { median } from './statistics.ts';

/*
 * What the router and the optimizer keep: `circuit_breakers.json`, the breakers by endpoint; `routes.json`, for each
 * route the order in which its endpoints are preferred and the one in use; and, by each probe, a line of
 * `endpoint_probes.jsonl`. A file that can't be understood counts as none: the next probes tell all that is in it.
 */

/** Reads the breakers; one that is not known yet is closed. */
export async function readBreakers(outputs: string, now: number): Promise<(endpoint: string) => Breaker> {
  const { breakers } = await readObject(join(outputs, 'circuit_breakers.json'));
  const kept = new Map(Object.entries(fieldsOf(breakers)).map(([name, value]) => [name, breakerOf(value, now)]));
  return (endpoint) => kept.get(endpoint) ?? closedBreaker(now);
}

export async function writeBreakers(outputs: string, now: number, breakers: ReadonlyMap<string, Breaker>) {
  const written = [...breakers].map(([name, breaker]) => [name, { ...breaker, since: iso(breaker.since) }]);
  const document = { at: iso(now), breakers: Object.fromEntries(written) };
  await replaceFile(join(outputs, 'circuit_breakers.json'), `${JSON.stringify(document, null, 2)}\n`);
}

export interface Route {
  readonly order: readonly string[];
  /** Null where no endpoint can serve it. */
  readonly endpoint: string | null;
}

/** The order in which a route's endpoints are preferred: as last optimised, as far as these are still configured. */
export async function readOrder(outputs: string): Promise<(route: string, configured: readonly string[]) => string[]> {
  const routes = fieldsOf((await readObject(join(outputs, 'routes.json'))).routes);
  return (route, configured) => {
    const kept = Object.hasOwn(routes, route) ? listOf(fieldsOf(routes[route]).order) : [];
    const order = kept.filter((name) => typeof name === 'string' && configured.includes(name)) as string[];
    return [...order, ...configured.filter((name) => !order.includes(name))];
  };
}

export async function writeRoutes(outputs: string, now: number, routes: ReadonlyMap<string, Route>): Promise<void> {
  const document = { at: iso(now), routes: Object.fromEntries(routes) };
  await replaceFile(join(outputs, 'routes.json'), `${JSON.stringify(document, null, 2)}\n`);
}

/**
 * The endpoint that serves a route: the first whose breaker is closed and whose last call did well; else one that is
 * being tried again and did well; else one that failed, but not yet often enough to be given up. Null where all are
 * given up, for callers are better told so at once.
 */
export function choose(order: readonly string[], breakerOf: (endpoint: string) => Breaker): string | null {
  const isClosed = (name: string) => breakerOf(name).state === 'closed';
  const isHealthy = (name: string) => isClosed(name) && breakerOf(name).failures === 0;
  const isMending = (name: string) => breakerOf(name).state === 'half-open' && breakerOf(name).successes > 0;
  return order.find(isHealthy) ?? order.find(isMending) ?? order.find(isClosed) ?? null;
}

/** What is known of an endpoint from its probes. */
export interface Measure {
  readonly probes: number;
  readonly errorRate: number;
  /** The median of the calls that did well; null without any. */
  readonly latencyMs: number | null;
  /** What a call costs on average, in ms: its latency, and for each that fails the timeout that is waited for. */
  readonly costMs: number;
}

export function measure(probes: readonly { ms: number; failure: string | null }[], timeoutMs: number): Measure {
  const good = probes.filter(({ failure }) => failure === null).map(({ ms }) => ms);
  const errorRate = probes.length === 0 ? 0 : 1 - good.length / probes.length;
  const latencyMs = median(good);
  return {
    probes: probes.length,
    errorRate,
    latencyMs,
    costMs: (latencyMs ?? timeoutMs) * (1 - errorRate) + timeoutMs * errorRate,
  };
}

/** What it takes to change an order: this many probes, and a gain of a fifth and of some ms. */
export const orderRule = { probes: 6, gain: 0.2, floorMs: 10 } as const;

/**
 * The order of least cost, but for what would hardly change it: the present order stands unless one endpoint is clearly
 * cheaper than the one that it would overtake, so that two equals do not take turns.
 */
export function optimise(order: readonly string[], measureOf: (endpoint: string) => Measure): string[] {
  const better: string[] = [];
  for (const name of order) {
    const own = measureOf(name);
    const place = better.findIndex((other) => {
      const { probes, costMs } = measureOf(other);
      const gain = costMs - own.costMs;
      const isKnown = Math.min(own.probes, probes) >= orderRule.probes;
      return isKnown && gain > orderRule.gain * costMs && gain > orderRule.floorMs;
    });
    better.splice(place === -1 ? better.length : place, 0, name);
  }
  return better;
}

/** All breakers of a configuration, as they are at an instant. */
export function breakersAt(
  { endpoints, rule }: Pick<Endpoints, 'endpoints'> & { rule: BreakerRule },
  breakerOf: (endpoint: string) => Breaker,
  now: number,
): Map<string, Breaker> {
  return new Map([...endpoints.keys()].map((name) => [name, advance(breakerOf(name), rule, now)]));
}

function breakerOf(value: unknown, now: number): Breaker {
  const { state, since, failures, successes, openings, reason } = fieldsOf(value);
  return {
    state: state === 'open' || state === 'half-open' ? state : 'closed',
    since: instantOf(since) ?? now,
    failures: numberOf(failures) ?? 0,
    successes: numberOf(successes) ?? 0,
    openings: numberOf(openings) ?? 0,
    reason: textOf(reason),
  };
}

async function readObject(file: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readFile(file, 'utf8').catch(nullIfAbsent);
  try {
    return fieldsOf(JSON.parse(text ?? '{}'));
  } catch {
    return {};
  }
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}

/** How an endpoint is that is not well, in a few words; null of one that is. */
export function describeBreaker(name: string, breaker: Breaker, rule: BreakerRule): string | null {
  const { state, failures, successes, since, reason } = breaker;
  if (state === 'closed') return failures === 0 ? null : `${name} failed ${count(failures, 'time')}: ${reason}`;
  const ahead =
    state === 'open'
      ? `next try ${formatInstant(nextTry(breaker, rule))}`
      : `${successes} of ${rule.successes} tries went well`;
  return `${name} is ${state} since ${formatInstant(since)} (${reason}), ${ahead}`;
}

/** How the endpoints are that are not well; none where nothing is configured or known. */
export async function readTroubles(workspace: string, outputs: string, now: number): Promise<string[]> {
  const config = await readEndpoints(workspace).catch(() => null);
  if (config === null) return [];
  const breakers = breakersAt(config, await readBreakers(outputs, now), now);
  return [...breakers].flatMap(([name, breaker]) => describeBreaker(name, breaker, config.rule) ?? []);
}
