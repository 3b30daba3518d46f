import { join } from 'node:path';
import { type Breaker, settle } from './lib/breaker.ts';
import { type Endpoints, endpointsHelp, probe, readEndpoints, warmUp } from './lib/endpoints.ts';
import { perform } from './lib/program.ts';
import { count } from './lib/quantity.ts';
import {
  breakersAt,
  choose,
  describeBreaker,
  type Route,
  readBreakers,
  readOrder,
  writeBreakers,
  writeRoutes,
} from './lib/routing.ts';
import { appendRecords } from './lib/series.ts';

const help = `
circuit_breaker_router.ts [--status-only]

Calls each endpoint once, unless its circuit breaker is open, and says which endpoint each
route has: the first that is well, in the order that adaptive_routing_optimizer.ts found
best, or else as configured. The choice is written to routes.json, where other programs
find it; with --status-only it is only told. Breakers are kept in circuit_breakers.json,
each call is added to endpoint_probes.jsonl (30 days are kept).
Fails where a route has no endpoint that is well.
${endpointsHelp}`;

await perform(
  { name: 'circuit_breaker_router.ts', help, flags: ['status-only'] },
  async ({ workspace, outputs, now, flags }) => {
    const config = await readEndpoints(workspace);
    const breakers = breakersAt(config, await readBreakers(outputs, now), now);
    const order = await readOrder(outputs);
    const probes = await probeAll(config, breakers, now);
    await appendRecords(join(outputs, 'endpoint_probes.jsonl'), now, probes);
    await writeBreakers(outputs, now, breakers);

    const routes = new Map<string, Route>();
    for (const [route, configured] of config.routes) {
      const preferred = order(route, configured);
      routes.set(route, { order: preferred, endpoint: choose(preferred, (name) => breakerOf(breakers, name)) });
    }
    if (!flags.has('status-only')) await writeRoutes(outputs, now, routes);
    console.log(
      `router: ${[...routes].map(([name, route]) => describeRoute(name, route)).join(', ')}; ${describeBreakers(breakers, config)}`,
    );
    return [...routes.values()].some(({ endpoint }) => endpoint === null) ? 'look' : 'fine';
  },
);

/** Calls what the breakers let through, all at once, and moves the breakers on. */
async function probeAll({ endpoints, rule }: Endpoints, breakers: Map<string, Breaker>, now: number) {
  const called = [...endpoints.values()].filter(({ name }) => breakerOf(breakers, name).state !== 'open');
  if (called.some(({ kind }) => kind === 'url')) await warmUp();
  return Promise.all(
    called.map(async (endpoint) => {
      const { ms, failure } = await probe(endpoint, rule.timeoutMs);
      breakers.set(endpoint.name, settle(breakerOf(breakers, endpoint.name), rule, now, failure));
      return { endpoint: endpoint.name, ms, failure };
    }),
  );
}

function breakerOf(breakers: ReadonlyMap<string, Breaker>, name: string): Breaker {
  const breaker = breakers.get(name);
  if (breaker === undefined) throw new Error(`there is no breaker for ${name}`);
  return breaker;
}

function describeRoute(name: string, { order, endpoint }: Route): string {
  if (endpoint === null) return `${name} has no endpoint that is well`;
  return endpoint === order[0] ? `${name} by ${endpoint}` : `${name} falls back to ${endpoint}`;
}

function describeBreakers(breakers: ReadonlyMap<string, Breaker>, { rule }: Endpoints): string {
  const amiss = [...breakers].flatMap(([name, breaker]) => describeBreaker(name, breaker, rule) ?? []);
  return amiss.length === 0 ? `${count(breakers.size, 'breaker')}, all closed` : amiss.join('; ');
}
