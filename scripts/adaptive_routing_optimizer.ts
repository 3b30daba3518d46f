import { join } from 'node:path';
import { endpointsHelp, readEndpoints } from './lib/endpoints.ts';
import { numberOf, textOf } from './lib/loose.ts';
import { perform } from './lib/program.ts';
import { formatDuration, formatShare } from './lib/quantity.ts';
import {
  breakersAt,
  choose,
  type Measure,
  measure,
  optimise,
  orderRule,
  type Route,
  readBreakers,
  readOrder,
  writeRoutes,
} from './lib/routing.ts';
import { readSeries } from './lib/series.ts';

const help = `
adaptive_routing_optimizer.ts

Puts the endpoints of each route into the order of what a call costs: the median latency of
the last 24 hours' calls by circuit_breaker_router.ts, and the timeout for each that failed.
An order is changed for a gain of ${formatShare(orderRule.gain)} and ${formatDuration(orderRule.floorMs)} at least, and once an endpoint has had ${orderRule.probes}
calls. Writes order and choice to routes.json; an endpoint whose breaker is not closed is not
chosen.
${endpointsHelp}`;

const span = 86_400_000;

await perform({ name: 'adaptive_routing_optimizer.ts', help }, async ({ workspace, outputs, now }) => {
  const config = await readEndpoints(workspace);
  const breakers = breakersAt(config, await readBreakers(outputs, now), now);
  const probes = await readProbes(join(outputs, 'endpoint_probes.jsonl'), now - span);
  const measureOf = (name: string) => measure(probes.get(name) ?? [], config.rule.timeoutMs);
  const present = await readOrder(outputs);

  const routes = new Map<string, Route>();
  const said: string[] = [];
  for (const [route, configured] of config.routes) {
    const before = present(route, configured);
    const order = optimise(before, measureOf);
    const endpoint = choose(order, (name) => breakers.get(name) ?? never(name));
    routes.set(route, { order, endpoint });
    said.push(`${route} by ${endpoint ?? 'none'} (${order.map((name) => describe(name, measureOf(name))).join(', ')})`);
    if (order[0] !== before[0]) said.push(`${order[0]} is now preferred to ${before[0]}`);
  }
  await writeRoutes(outputs, now, routes);
  console.log(`routing: ${said.join('; ')}`);
  return 'fine';
});

async function readProbes(file: string, since: number) {
  const probes = new Map<string, { ms: number; failure: string | null }[]>();
  for await (const record of readSeries(file)) {
    const [endpoint, ms] = [textOf(record.endpoint), numberOf(record.ms)];
    if (record.at < since || endpoint === null || ms === null) continue;
    const known = probes.get(endpoint) ?? [];
    probes.set(endpoint, known);
    known.push({ ms, failure: textOf(record.failure) });
  }
  return probes;
}

function describe(name: string, { probes, latencyMs, errorRate }: Measure): string {
  if (probes === 0) return `${name}: not measured yet`;
  const latency = latencyMs === null ? 'no answer' : formatDuration(latencyMs);
  return `${name}: ${latency}${errorRate === 0 ? '' : `, ${formatShare(errorRate)} errors`}`;
}

function never(name: string): never {
  throw new Error(`there is no breaker for ${name}`);
}
