import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { BreakerRule } from './breaker.ts';
import { fieldsOf, listOf, numberOf, textOf } from './loose.ts';
import { Complaint, messageOf } from './program.ts';

/** What a call may be sent to. */
export type Endpoint =
  | { readonly name: string; readonly kind: 'url' | 'tcp'; readonly target: string }
  | { readonly name: string; readonly kind: 'command'; readonly target: readonly string[] };

export interface Endpoints {
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** For each route its endpoints, the preferred first. */
  readonly routes: ReadonlyMap<string, readonly string[]>;
  readonly rule: BreakerRule & { readonly timeoutMs: number };
}

export const endpointsHelp = `
They are configured in endpoints.json beside tasks.config.ts ($RHYTHM_WORKSPACE, or else
the current folder):
  endpoints  by name: { "url": "https://…" } (answers below 400), { "tcp": "host:port" }
             (connects), or { "command": ["program", "argument", …] } (exits with 0)
  routes     by name: the endpoints that can serve it, the preferred first
  breaker    failures (3 in a row open it), coolDownMinutes (30, doubling up to eight times
             as long), successes (2 probes close it), timeoutSeconds (5)
`;

/** Reads `endpoints.json`. Complaint where it is missing or says something else than it should. */
export async function readEndpoints(workspace: string): Promise<Endpoints> {
  const file = join(workspace, 'endpoints.json');
  const problem = (what: string) => new Complaint(`${file}: ${what}; --help shows what it may hold.`);
  const text = await readFile(file, 'utf8').catch((error) => {
    throw problem(messageOf(error));
  });
  let config: Readonly<Record<string, unknown>>;
  try {
    config = fieldsOf(JSON.parse(text));
  } catch (error) {
    throw problem(messageOf(error));
  }
  const endpoints = Object.entries(fieldsOf(config.endpoints)).map(([name, value]) => {
    const endpoint = endpointOf(name, fieldsOf(value));
    if (endpoint === null) throw problem(`endpoints.${name} is neither a url, nor a tcp address, nor a command`);
    return endpoint;
  });
  const known = new Map(endpoints.map((endpoint) => [endpoint.name, endpoint]));
  const routes = Object.entries(fieldsOf(config.routes)).map(([route, value]) => {
    const names = listOf(value).filter((name) => typeof name === 'string');
    const unknown = names.find((name) => !known.has(name));
    if (unknown !== undefined) throw problem(`routes.${route} names "${unknown}", which is no endpoint`);
    if (names.length === 0) throw problem(`routes.${route} names no endpoint`);
    return [route, names] as const;
  });
  const { failures, successes, coolDownMinutes, timeoutSeconds } = fieldsOf(config.breaker);
  return {
    endpoints: known,
    routes: new Map(routes),
    rule: {
      failures: positive(failures) ?? 3,
      successes: positive(successes) ?? 2,
      coolDownMs: (positive(coolDownMinutes) ?? 30) * 60_000,
      timeoutMs: (positive(timeoutSeconds) ?? 5) * 1000,
    },
  };
}

function endpointOf(name: string, { url, tcp, command }: Readonly<Record<string, unknown>>): Endpoint | null {
  const words = listOf(command).filter((word) => typeof word === 'string');
  if (textOf(url) !== null && URL.canParse(String(url))) return { name, kind: 'url', target: String(url) };
  if (/^.+:\d+$/.test(textOf(tcp) ?? '')) return { name, kind: 'tcp', target: String(tcp) };
  return words.length > 0 ? { name, kind: 'command', target: words } : null;
}

function positive(value: unknown): number | null {
  const number = numberOf(value);
  return number !== null && number > 0 ? number : null;
}

/** A call to an endpoint: how long it took, in ms, and what went wrong, or null. */
export interface Probe {
  readonly ms: number;
  readonly failure: string | null;
}

/**
 * Makes a first call, to this very process: it loads and compiles what calls need, which would otherwise make the endpoint
 * that happens to be called first look slower than the others.
 */
export async function warmUp(): Promise<void> {
  const server = createServer((_, response) => response.end());
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  // What goes wrong here tells nothing of the endpoints.
  await fetch(`http://127.0.0.1:${port}/`).then(
    (response) => response.text(),
    () => null,
  );
  server.closeAllConnections();
  server.close();
}

/** Calls an endpoint once. Never throws: what goes wrong is what is asked for. */
export async function probe(endpoint: Endpoint, timeoutMs: number): Promise<Probe> {
  const start = performance.now();
  const failure = await call(endpoint, timeoutMs).then(
    () => null,
    (error: unknown) => describeFailure(error, timeoutMs),
  );
  return { ms: Math.round((performance.now() - start) * 10) / 10, failure };
}

async function call(endpoint: Endpoint, timeoutMs: number): Promise<void> {
  if (endpoint.kind === 'command') return run(endpoint.target, timeoutMs);
  if (endpoint.kind === 'tcp') return connectTo(endpoint.target, timeoutMs);
  const response = await fetch(endpoint.target, { signal: AbortSignal.timeout(timeoutMs) });
  await response.body?.cancel();
  if (response.status >= 400) throw new Error(`HTTP ${response.status}`);
}

function run([program = '', ...args]: readonly string[], timeout: number): Promise<void> {
  // Under a trigger's short PATH `node` may not be found, though it runs this.
  const file = program === 'node' ? process.execPath : program;
  return new Promise((done, fail) => {
    execFile(file, args, { timeout, killSignal: 'SIGKILL', windowsHide: true }, (error) => {
      if (error === null) return done();
      fail(error.killed ? new DOMException('', 'TimeoutError') : error);
    });
  });
}

function connectTo(target: string, timeout: number): Promise<void> {
  const colon = target.lastIndexOf(':');
  return new Promise((done, fail) => {
    const socket = connect({ host: target.slice(0, colon), port: Number(target.slice(colon + 1)) });
    socket.setTimeout(timeout, () => socket.destroy(new DOMException('', 'TimeoutError')));
    socket.once('error', fail).once('connect', () => {
      socket.destroy();
      done();
    });
  });
}

function describeFailure(error: unknown, timeoutMs: number): string {
  const { name, code, cause } = fieldsOfError(error);
  if (name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  // fetch hides what went wrong in the cause.
  const inner = fieldsOfError(cause).code ?? code;
  if (typeof inner === 'number') return `exit code ${inner}`;
  return inner === 'ENOENT' ? 'not installed' : (String(inner ?? messageOf(error)).split('\n', 1)[0] ?? '');
}

function fieldsOfError(error: unknown): { name?: unknown; code?: unknown; cause?: unknown } {
  return typeof error === 'object' && error !== null ? error : {};
}
