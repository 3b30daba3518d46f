import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { advance, type Breaker, closedBreaker, nextTry, settle } from '../../scripts/lib/breaker.ts';
import { probe, readEndpoints } from '../../scripts/lib/endpoints.ts';
import { choose, measure, optimise } from '../../scripts/lib/routing.ts';
import { argvOf, iso, readJsonLines, runScript, temporaryFolder, writeJsonLines } from './workspace.ts';

const minute = 60_000;
const start = Date.parse('2026-11-22T00:00:00Z');
const rule = { failures: 3, successes: 2, coolDownMs: 30 * minute };

/** Lets calls go through, one every ten minutes: `.` is well, `x` fails. The states, and `-` where none was let through. */
function play(calls: string): string {
  let breaker = closedBreaker(start);
  return [...calls]
    .map((call, index) => {
      const now = start + index * 10 * minute;
      breaker = advance(breaker, rule, now);
      if (breaker.state === 'open') return '-';
      breaker = settle(breaker, rule, now, call === 'x' ? 'down' : null);
      return { closed: 'c', open: 'o', 'half-open': 'h' }[breaker.state];
    })
    .join('');
}

describe('a circuit breaker', () => {
  it.each([
    ['.....', 'ccccc'],
    ['xx.xx.', 'cccccc'],
    ['xxx....', 'cco--hc'],
    ['xxxxxx', 'cco--o'],
    // The second time it waits for twice as long.
    ['xxxxxx......', 'cco--o-----h'],
    ['xxx...x......', 'cco--ho-----h'],
    ['xxx..x.....x.', 'cco--o-----o-'],
  ])('with the calls %s goes through the states %s', (calls, states) => {
    expect(play(calls)).toBe(states);
  });

  it('does not wait longer after the clock went back', () => {
    const open: Breaker = { ...closedBreaker(start), state: 'open', openings: 1 };
    expect(advance(open, rule, start - minute).state).toBe('half-open');
    expect(advance(open, rule, start + minute).state).toBe('open');
  });

  it('opens only after failures, closes only after successes, and never stays open beyond eight cool-downs', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (calls) => {
        let breaker = closedBreaker(start);
        for (const [index, isWell] of calls.entries()) {
          const now = start + index * 10 * minute;
          const before = advance(breaker, rule, now);
          if (before.state === 'open') {
            expect(nextTry(before, rule) - before.since).toBeLessThanOrEqual(8 * rule.coolDownMs);
            continue;
          }
          const after = settle(before, rule, now, isWell ? null : 'down');
          if (after.state === 'open') expect(isWell).toBe(false);
          if (before.state === 'half-open' && after.state === 'closed') expect(before.successes).toBe(1);
          breaker = after;
        }
      }),
    );
  });
});

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

/** A server that answers with what `status` says; 0 cuts the line, -1 never answers. */
async function serve() {
  const endpoint = { status: 200, url: '', port: 0 };
  const server = createServer((_, response) => {
    if (endpoint.status === 0) response.destroy();
    else if (endpoint.status > 0) response.writeHead(endpoint.status).end();
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  endpoint.port = (server.address() as AddressInfo).port;
  endpoint.url = `http://127.0.0.1:${endpoint.port}/`;
  return { endpoint, server };
}

describe('a probe of an endpoint', () => {
  it('reports the status, the timeout or the connection error of a URL or TCP port', async () => {
    const { endpoint, server } = await serve();
    const one = { name: 'one', kind: 'url', target: endpoint.url } as const;
    const results: (string | null)[] = [];
    for (const status of [200, 404, 503, 0, -1]) {
      endpoint.status = status;
      results.push((await probe(one, status === -1 ? 300 : 5000)).failure);
    }
    expect(results.slice(0, 3)).toEqual([null, 'HTTP 404', 'HTTP 503']);
    expect(results[3]).toMatch(/UND_ERR_SOCKET|ECONNRESET/);
    expect(results[4]).toBe('no answer within 0.3 s');
    const tcp = { name: 'two', kind: 'tcp', target: `127.0.0.1:${endpoint.port}` } as const;
    expect((await probe(tcp, 2000)).failure).toBeNull();
    server.closeAllConnections();
    server.close();
    expect((await probe(tcp, 2000)).failure).toBe('ECONNREFUSED');
    expect((await probe(one, 2000)).failure).toBe('ECONNREFUSED');
  });

  it.each([
    [['node', '-e', ''], null],
    [['node', '-e', 'process.exit(3)'], 'exit code 3'],
    [['rhythm-no-such-program'], 'not installed'],
    [['node', '-e', 'setTimeout(() => {}, 60000)'], 'no answer within 1.5 s'],
  ])('reports for the command %j the failure %s', async (target, failure) => {
    expect((await probe({ name: 'one', kind: 'command', target }, 1500)).failure).toBe(failure);
  });
});

describe('endpoints.json', () => {
  const read = (text: string) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'endpoints.json'), text);
    return readEndpoints(folder);
  };

  it('has default values for the breaker', async () => {
    const { rule, routes } = await read('{"endpoints":{"a":{"tcp":"h:1"}},"routes":{"r":["a"]}}');
    expect(rule).toEqual({ failures: 3, successes: 2, coolDownMs: 30 * minute, timeoutMs: 5000 });
    expect([...routes]).toEqual([['r', ['a']]]);
  });

  it.each([
    ['{', /Expected|JSON/],
    ['{"endpoints":{"a":{"url":"nowhere"}}}', /endpoints\.a is neither a url/],
    ['{"endpoints":{"a":{"command":"ls"}}}', /endpoints\.a is neither a url/],
    ['{"endpoints":{},"routes":{"r":["toString"]}}', /routes\.r names "toString", which is no endpoint/],
    ['{"endpoints":{},"routes":{"r":[]}}', /routes\.r names no endpoint/],
  ])('is refused with the reason if it is %s', async (text, said) => {
    await expect(read(text)).rejects.toThrow(said);
  });
});

describe('the choice of an endpoint', () => {
  const breaker = (change: Partial<Breaker>): Breaker => ({ ...closedBreaker(start), ...change });
  const breakers: Record<string, Breaker> = {
    well: breaker({}),
    shaky: breaker({ failures: 1 }),
    mending: breaker({ state: 'half-open', successes: 1 }),
    tried: breaker({ state: 'half-open' }),
    open: breaker({ state: 'open' }),
  };
  it.each([
    [['open', 'shaky', 'mending', 'well'], 'well'],
    [['open', 'shaky', 'mending'], 'mending'],
    [['open', 'shaky'], 'shaky'],
    [['open', 'tried'], null],
  ])('among %j is %s', (order, expected) => {
    expect(choose(order, (name) => breakers[name] as Breaker)).toBe(expected);
  });

  const probes = (count: number, ms: number, failures = 0) =>
    measure(
      Array.from({ length: count }, (_, index) => ({ ms, failure: index < failures ? 'down' : null })),
      1000,
    );

  it.each<[string, Record<string, ReturnType<typeof probes>>, string[]]>([
    ['the faster one', { a: probes(10, 80), b: probes(10, 20) }, ['b', 'a']],
    ['the one that fails less often', { a: probes(10, 20, 2), b: probes(10, 60) }, ['b', 'a']],
    ['the current one over a slightly faster one', { a: probes(10, 80), b: probes(10, 70) }, ['a', 'b']],
    ['the current one over one that saves a few ms', { a: probes(10, 12), b: probes(10, 3) }, ['a', 'b']],
    ['the current one over one with too few probes', { a: probes(10, 80), b: probes(3, 1) }, ['a', 'b']],
    ['a known one over one without probes', { a: probes(10, 80), b: probes(0, 0), c: probes(10, 5) }, ['c', 'a', 'b']],
    ['the one that answers at all', { a: probes(10, 1000, 10), b: probes(10, 500) }, ['b', 'a']],
  ])('prefers %s', (_, measures, expected) => {
    const order = optimise(Object.keys(measures), (name) => measures[name] as ReturnType<typeof probes>);
    expect(order).toEqual(expected);
    expect(
      optimise(order, (name) => measures[name] as ReturnType<typeof probes>),
      'and stays with it',
    ).toEqual(expected);
  });
});

describe('the router and the optimizer', () => {
  it('fall back while an endpoint is down, open its breaker, probe it again and return to it', async () => {
    const primary = await serve();
    const standby = await serve();
    const [folder, outputs] = [temporaryFolder(), temporaryFolder()];
    const configure = (coolDownMinutes: number) =>
      writeFileSync(
        join(folder, 'endpoints.json'),
        JSON.stringify({
          endpoints: { primary: { url: primary.endpoint.url }, standby: { url: standby.endpoint.url } },
          routes: { gateway: ['primary', 'standby'], direct: ['primary'] },
          breaker: { failures: 2, successes: 2, coolDownMinutes },
        }),
      );
    const route = async (...flags: string[]) => {
      const { exitCode, stdout, stderr } = await runScript(
        argvOf('circuit_breaker_router.ts', ...flags),
        outputs,
        folder,
        folder,
      );
      expect(stderr).toBe('');
      return `${exitCode} ${stdout.trim()}`;
    };
    const routes = () => JSON.parse(readFileSync(join(outputs, 'routes.json'), 'utf8')).routes;

    configure(60);
    expect(await route('--status-only')).toBe(
      '0 router: gateway by primary, direct by primary; 2 breakers, all closed',
    );
    expect(existsSync(join(outputs, 'routes.json')), 'only looked').toBe(false);
    primary.endpoint.status = 503;
    expect(await route()).toBe(
      '0 router: gateway falls back to standby, direct by primary; primary failed 1 time: HTTP 503',
    );
    expect(routes().gateway).toEqual({ order: ['primary', 'standby'], endpoint: 'standby' });
    expect(await route()).toMatch(
      /^1 router: gateway falls back to standby, direct has no endpoint that is well; primary is open since .* \(HTTP 503\), next try /,
    );
    expect(routes().direct.endpoint).toBeNull();
    const probed = readJsonLines(join(outputs, 'endpoint_probes.jsonl')).length;
    expect(await route()).toMatch(/^1 .* primary is open/);
    expect(readJsonLines(join(outputs, 'endpoint_probes.jsonl')), 'the open one is left alone').toHaveLength(
      probed + 1,
    );

    configure(1e-9);
    expect(await route()).toMatch(/^1 .*primary is open since/);
    primary.endpoint.status = 200;
    expect(await route()).toMatch(
      /^0 router: gateway falls back to standby, direct by primary; primary is half-open since .* 1 of 2 tries went well$/,
    );
    expect(await route()).toBe('0 router: gateway by primary, direct by primary; 2 breakers, all closed');
  });

  it('prefer the cheaper endpoint, and say why', async () => {
    const [folder, outputs] = [temporaryFolder(), temporaryFolder()];
    const command = ['node', '-e', ''];
    writeFileSync(
      join(folder, 'endpoints.json'),
      JSON.stringify({ endpoints: { far: { command }, near: { command } }, routes: { any: ['far', 'near'] } }),
    );
    const now = Date.now();
    const file = join(outputs, 'endpoint_probes.jsonl');
    const at = (index: number) => iso(now - (20 - index) * 10 * minute);
    writeJsonLines(
      file,
      Array.from({ length: 20 }, (_, index) => index).flatMap((index) => [
        { at: at(index), endpoint: 'far', ms: 200 + index, failure: index < 2 ? 'down' : null },
        { at: at(index), endpoint: 'near', ms: 20, failure: null },
        { at: iso(now - 48 * 60 * minute), endpoint: 'near', ms: 5000, failure: 'down' },
        { at: at(index), endpoint: 'gone', ms: 1, failure: null },
      ]),
    );
    const { exitCode, stdout } = await runScript(argvOf('adaptive_routing_optimizer.ts'), outputs, folder, folder);
    expect(exitCode).toBe(0);
    expect(stdout).toBe('routing: any by near (near: 20 ms, far: 211 ms, 10 % errors); near is now preferred to far\n');
    const again = await runScript(argvOf('circuit_breaker_router.ts'), outputs, folder, folder);
    expect(again.stdout, 'the router goes by it').toMatch(/^router: any by near;/);
  });
});
