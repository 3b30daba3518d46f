import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { appendRecord, appendRecords } from '../../../scripts/lib/series.ts';
import example from '../../../tasks.config.ts';
import { launch, sweepClock } from '../../chaos/launch.ts';
import {
  benchmarkAt,
  chance,
  type Group,
  groups,
  hour,
  injected,
  isNight,
  iso,
  latestBeat,
  lengthAt,
  metricsAt,
  minute,
  probeMs,
  repository,
} from './instruments.ts';

/** How a week is passed. */
export interface Course {
  readonly seed: number;
  /** Until then the week is written down at once; from then on it passes tick by tick. Ms since the epoch. */
  readonly realFrom: number;
  /** Whether metrics are the machine's own, and a process on it really leaks; otherwise they are the instruments'. */
  readonly isLeakReal: boolean;
  /** How long the run of the spike sleeps, if it passes in a tick, in ms. */
  readonly spikeMs: number;
  readonly say?: (text: string) => void;
}

/** What is left of a week. */
export interface Week {
  readonly outputs: string;
  /** Of the endpoint that goes down: the states of its breaker, one after another. */
  readonly states: readonly string[];
  /** What the router said, one line after another, each only once in a row. */
  readonly routed: readonly string[];
  readonly leaking: { readonly pid: number } | null;
  readonly ticks: number;
  close(): void;
}

const period = 5 * minute;

/** Lets a week of the example workspace pass, with what is injected into it. Needs libfaketime. */
export async function passWeek(course: Course): Promise<Week> {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-week-'));
  const outputs = join(folder, 'outputs');
  mkdirSync(outputs);
  const endpoints = { api: await serve(), standby: await serve() };
  await prepare(folder, course, endpoints);
  const leaking = course.isLeakReal ? startLeaking(folder) : null;
  const states: string[] = [];
  const routed: string[] = [];
  let ticks = 0;
  const tick = async (at: number) => {
    const child = launch(folder, at, []);
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    child.stderr?.on('data', (text) => {
      said += text;
    });
    const [code] = await once(child, 'close');
    sweepClock(child.pid);
    ticks += 1;
    if (code !== 0 && code !== 1) throw new Error(`the tick of ${iso(at)} ended with ${code}: ${said}`);
    note(routed, lastOutput(outputs, said, 'circuit_breaker_router.ts'));
    note(states, JSON.parse(readFileSync(join(outputs, 'circuit_breakers.json'), 'utf8')).breakers.api?.state);
  };

  try {
    if (course.realFrom > injected.start) {
      // The first tick makes the state as rhythm makes it; then the groups are brought to where they would be.
      await tick(injected.start + 20_000);
      await writeDown(outputs, course);
    }
    for (let now = course.realFrom; now <= injected.end; now += period) {
      if (isNight(now)) continue;
      const { outage, leak } = injected;
      endpoints.api.isDown = now >= outage.from && now < outage.to;
      if (leaking !== null && now >= leak.from && now % hour === 30 * minute) await leaking.grow();
      if (!isDue(outputs, now)) continue;
      course.say?.(`${iso(now)} ${ticks} ticks, the breaker ${states.at(-1) ?? 'not seen yet'}`);
      await tick(now + 20_000);
    }
  } finally {
    endpoints.api.close();
    endpoints.standby.close();
    leaking?.close();
  }
  return {
    outputs,
    states,
    routed,
    leaking,
    ticks,
    close: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

function note(list: string[], value: string | undefined): void {
  if (value !== undefined && list.at(-1) !== value) list.push(value);
}

/** The example's scripts, each bundled into a file, for that they start in a fraction of the time; and its groups. */
async function prepare(
  folder: string,
  { seed, isLeakReal, spikeMs }: Course,
  endpoints: Record<string, { url: string }>,
) {
  const instruments: Record<string, string[]> = {
    'save_performance_benchmark.ts': ['benchmark', `${seed}`, `${spikeMs}`],
    ...(isLeakReal ? {} : { 'collect_system_metrics.ts': ['metrics', `${seed}`] }),
  };
  const files = new Set<string>();
  const configured = Object.entries(example.groups).map(([name, group]) => {
    const scripts = (group.scripts ?? []).map((script) => {
      const { run, ...more } = typeof script === 'string' ? { run: script } : (script as { run: string });
      const [file = '', ...args] = run.split(' ');
      const stand = instruments[file];
      if (stand === undefined) files.add(file);
      const bundle = stand === undefined ? file.replace(/\.ts$/, '.mjs') : 'instrument.mjs';
      return { ...more, name: file, run: bundle, args: stand ?? args };
    });
    return [name, { ...group, scripts }] as const;
  });
  writeFileSync(
    join(folder, 'tasks.config.json'),
    JSON.stringify({ ...example, groups: Object.fromEntries(configured) }),
  );
  writeFileSync(
    join(folder, 'endpoints.json'),
    JSON.stringify({
      endpoints: { api: { url: endpoints.api?.url }, standby: { url: endpoints.standby?.url } },
      routes: { gateway: ['api', 'standby'], direct: ['api'] },
      breaker: { failures: 2, coolDownMinutes: 10, successes: 2, timeoutSeconds: 5 },
    }),
  );
  await build({
    entryPoints: [
      ...[...files].map((file) => join(repository, 'scripts', file)),
      join(import.meta.dirname, 'instrument.ts'),
    ],
    entryNames: '[name]',
    outdir: join(folder, 'scripts'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['systeminformation'],
  });
}

/** Writes down what the time until `realFrom` would have left: history, series, and the state. */
async function writeDown(outputs: string, { seed, realFrom }: Course): Promise<void> {
  const lines: object[] = [];
  const last = new Map<Group, { beat: number; run: object }>();
  const benchmarks: number[] = [];
  const metrics: number[] = [];
  const probes: number[] = [];
  for (let now = injected.start + period; now < realFrom; now += period) {
    if (isNight(now)) continue;
    let at = now + Math.round(20_000 * chance(seed, 'trigger', now));
    let ran = 0;
    for (const group of Object.keys(groups) as Group[]) {
      const beat = latestBeat(group, now);
      const before = last.get(group)?.beat ?? latestBeat(group, injected.start);
      if (beat <= before) continue;
      const durationMs = lengthAt(seed, group, beat);
      const run = describeRun(group, { beat, at, durationMs, missedBeats: (beat - before) / groups[group].every - 1 });
      const lane = 'main';
      lines.push({
        at: iso(at),
        type: 'run-start',
        group,
        lane,
        run: run.id,
        beat: iso(beat),
        reason: 'beat-due',
        lease: {},
      });
      at += durationMs;
      lines.push({ at: iso(at), type: 'run-end', group, lane, run });
      last.set(group, { beat, run });
      ran += 1;
      if (group === 'health_check') probes.push(at);
      if (group === 'performance_analysis') benchmarks.push(at);
      if (group === 'system_maintenance') metrics.push(at);
    }
    lines.push({
      at: iso(at),
      type: 'tick',
      tick: `t${now}`,
      outcome: 'done',
      durationMs: at - now,
      ran,
      failed: 0,
      skipped: 0,
    });
  }
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const history = join(outputs, 'history.jsonl');
  writeFileSync(history, readFileSync(history, 'utf8') + text);
  for (const at of benchmarks)
    await appendRecord(join(outputs, 'performance_benchmarks.jsonl'), at, benchmarkAt(seed, at));
  for (const at of metrics) await appendRecord(join(outputs, 'system_metrics.jsonl'), at, metricsAt(seed, at));
  for (const at of probes) {
    const calls = ['api', 'standby'].map((endpoint) => ({ endpoint, ms: probeMs(seed, endpoint, at), failure: null }));
    await appendRecords(join(outputs, 'endpoint_probes.jsonl'), at, calls);
  }

  const file = join(outputs, 'master_scheduler_state.json');
  const state = JSON.parse(readFileSync(file, 'utf8'));
  for (const [group, { beat, run }] of last) Object.assign(state.groups[group], { lastBeat: iso(beat), lastRun: run });
  writeFileSync(file, JSON.stringify(state, null, 2));
}

function describeRun(group: Group, one: { beat: number; at: number; durationMs: number; missedBeats: number }) {
  const { beat, at, durationMs, missedBeats } = one;
  const names = (example.groups[group].scripts ?? []).map(
    (script) => (typeof script === 'string' ? script : (script as { run: string }).run).split(' ')[0],
  );
  const longest = group === 'performance_analysis' ? 'save_performance_benchmark.ts' : names[0];
  const instants = { startedAt: iso(at), finishedAt: iso(at + durationMs) };
  const end = { outcome: 'succeeded', ...instants };
  const scripts = names.map((name) => ({
    name,
    ...end,
    durationMs: name === longest ? durationMs - 1000 * (names.length - 1) : 1000,
    exitCode: 0,
    signal: null,
    attempts: 1,
    outputFile: null,
  }));
  return { id: `${group}-${beat}`, beat: iso(beat), ...end, durationMs, missedBeats, scripts };
}

/** Whether a tick at an instant could find anything to do: a beat, or a group that is held back. */
function isDue(outputs: string, now: number): boolean {
  let state: { groups?: Record<string, { lastBeat?: string | null; firstSeenAt?: string | null }> };
  try {
    state = JSON.parse(readFileSync(join(outputs, 'master_scheduler_state.json'), 'utf8'));
  } catch {
    return true;
  }
  return (Object.keys(groups) as Group[]).some((group) => {
    const { lastBeat, firstSeenAt } = state.groups?.[group] ?? {};
    return latestBeat(group, now) > Date.parse(lastBeat ?? firstSeenAt ?? '');
  });
}

/** What a script of a tick printed. */
function lastOutput(outputs: string, said: string, script: string): string | undefined {
  if (!said.startsWith('{')) return undefined;
  const { groups: ran } = JSON.parse(said) as { groups: { scripts: { name: string; outputFile?: string | null }[] }[] };
  const found = ran.flatMap(({ scripts }) => scripts).find(({ name, outputFile }) => name === script && outputFile);
  return found?.outputFile == null ? undefined : readFileSync(join(outputs, found.outputFile), 'utf8').trim();
}

async function serve() {
  const endpoint = { isDown: false, url: '', close: () => void server.close() };
  const server = createServer((_, response) => response.writeHead(endpoint.isDown ? 503 : 200).end());
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  endpoint.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return endpoint;
}

/** A process that takes 12 MB more each time it is told to. */
function startLeaking(folder: string) {
  const file = join(folder, 'leak.mjs');
  const text = `const held = []; const grow = (mb) => { for (let i = 0; i < mb; i++) held.push(Buffer.alloc(1 << 20, 1)); console.log(held.length); };
grow(60);
process.stdin.on('data', () => grow(12)).on('end', () => process.exit());
`;
  writeFileSync(file, text);
  const child: ChildProcess = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'ignore'] });
  return {
    pid: child.pid ?? 0,
    async grow() {
      const grown = once(child.stdout as NodeJS.ReadableStream, 'data');
      child.stdin?.write('\n');
      await grown;
    },
    close: () => void child.kill('SIGKILL'),
  };
}
