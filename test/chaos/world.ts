import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../src/config/resolve/config-schema.ts';
import type { PlanDocument } from '../../src/report/plan-document.ts';
import type { State } from '../../src/state/state-schema.ts';
import { stateSchema } from '../../src/state/state-schema.ts';
import type { WrittenConfig } from '../oracle/oracle.ts';
import { account, latestOf } from './account.ts';
import type { Chaos } from './chaos.ts';
import { launch, sweepClock } from './launch.ts';
import { compare, type Entry, entryLine, type HistoryEntry, openExecutions, parseLedger } from './ledger.ts';
import { familyOf, kill, processesWith } from './processes.ts';
import { secret, work } from './work.ts';

/** A configuration, for rhythm as well as for the second reading of its schedules. */
export type Setup = ConfigInput & WrittenConfig;

export interface TickEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What it said that it did; null where it did not come to that. */
  readonly plan: PlanDocument | null;
  /** Between its start and its end, ms. */
  readonly took: number;
}

export interface TickOptions {
  /** The instant that its clock shows, ms, which goes on from there; the system's where it is missing. */
  readonly at?: number;
  /** What it is started by: a tracer and its arguments. */
  readonly under?: readonly string[];
  /** Others run at the same time: what they consume is accounted for with the next tick that runs alone. */
  readonly isInCrowd?: boolean;
  /** What happens to it while it runs. */
  readonly meanwhile?: (child: ChildProcess, ended: AbortSignal) => Promise<void>;
}

/** What is known of a workspace's records from the last look at them. */
interface Memory {
  readonly seen: State | null;
  /** How many lines the history had. */
  readonly lines: number;
  readonly isDamaged: boolean;
}

/** A workspace whose state, history and ledger are watched. */
export interface World {
  readonly folder: string;
  readonly outputs: string;
  readonly config: Setup;
  /** Names the step for whatever is found out. */
  step: string;
  /** Runs a tick, then accounts for what it consumed. */
  tick(options?: TickOptions): Promise<TickEnd>;
  /** Runs a tick that has to make good what came before: no lease, no litter, nobody held out. Then on, until quiet. */
  recover(at?: number): Promise<number | undefined>;
  /** Kills every process of every script, as a loss of power would, and notes which had not left their status. */
  killScripts(): Promise<void>;
  /** Pids of the scripts' processes. */
  scripts(): number[];
  /** Notes in the ledger that a tick is told to stop, or that it has stopped. */
  note(kind: 'signal' | 'over'): void;
  state(): State | null;
  ledger(): Entry[];
  history(): HistoryEntry[];
  /** Holds ledger, history and state against each other; all is at rest. `at`: the instant of the last tick, ms. */
  verify(at?: number): void;
  violate(what: string): void;
  /** Damages the state's file; nobody minds that it can't be read until a tick has mended it. */
  damage(change: (path: string) => void): void;
  memory(): Memory;
  /** Switches a group off in the configuration. */
  disable(group: string): void;
  /** The same workspace in a folder of its own. */
  copy(): World;
  close(): void;
}

/** None of the ticks here has as much to do, ms, however busy the machine. */
const patienceWithTick = 120_000;
/** How often it may take a tick until nothing is left to do. */
const patience = 40;
/** Between two ticks of a recovery, ms of their clocks. */
const breath = 10_000;

export function makeWorld(chaos: Chaos, setup: Setup, template?: World): World {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-chaos-'));
  if (template !== undefined) cpSync(template.folder, folder, { recursive: true });
  let config = setup;
  configure(setup);
  writeFileSync(join(folder, 'work.sh'), work);
  const outputs = join(folder, 'outputs');
  const statePath = join(outputs, 'master_scheduler_state.json');
  const mark = `RHYTHM_WORKSPACE=${folder}\0`;
  const children = new Set<ChildProcess>();
  let isKept = false;
  let readers = 0;
  let reader: NodeJS.Timeout | undefined;
  let lastText = '';
  let { seen, lines, isDamaged } = template?.memory() ?? { seen: null, lines: 0, isDamaged: false };

  function configure(changed: Setup): void {
    config = changed;
    writeFileSync(join(folder, 'tasks.config.json'), JSON.stringify(config, null, 2));
  }

  function readText(path: string): string | null {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** Null where there is none yet; undefined, and told of, where it can't be read. */
  function readState(): State | null | undefined {
    const text = readText(statePath);
    if (text === null) {
      if (seen && !isDamaged) world.violate('the state file is gone');
      return null;
    }
    try {
      const state = stateSchema.parse(JSON.parse(text));
      isDamaged = false;
      return state;
    } catch (error) {
      if (!isDamaged) world.violate(`the state can't be read: ${(error as Error).message}: ${text.slice(0, 200)}`);
      return undefined;
    }
  }

  /** Whoever reads the state finds it whole, whatever moment it is. */
  function glance(): void {
    chaos.count('looks at the state meanwhile');
    const text = readText(statePath) ?? '';
    if (text === lastText) return;
    lastText = text;
    readState();
  }

  function watch(): () => void {
    if (readers++ === 0) reader = setInterval(glance, 3);
    return () => {
      if (--readers === 0) clearInterval(reader);
    };
  }

  function history(): HistoryEntry[] {
    const found = (readText(join(outputs, 'history.jsonl')) ?? '').split('\n');
    const torn = found.pop() !== '';
    if (torn) world.violate('the history ends within a line');
    return found.flatMap((line) => {
      try {
        return [JSON.parse(line) as HistoryEntry];
      } catch {
        world.violate(`a line of the history is damaged: ${line.slice(0, 100)}`);
        return [];
      }
    });
  }

  function observe(from: number, until: number): void {
    // Ticks may be at work: what the history gains after this look at the state belongs to the next one.
    const known = history().length;
    const state = readState();
    if (state == null) return;
    const all = history();
    // A history that was pruned is shorter than it was.
    const fresh = all.length >= lines ? all.slice(lines) : all;
    for (const group of Object.keys(config.groups)) {
      const before = seen?.groups?.[group];
      const after = state.groups?.[group];
      const mine = fresh.filter((line) => line.group === group);
      const result = account({ group, before, after, lines: mine, from, until }, config);
      if (result.kind === 'problem') world.violate(result.what);
      else if (result.kind !== 'still') chaos.count(nouns[result.kind]);
      if ('coalesced' in result && result.coalesced > 0) {
        chaos.count(result.kind === 'run' ? 'beats coalesced into them' : 'beats expired with them', result.coalesced);
      }
    }
    seen = state;
    lines = known;
  }

  const world: World = {
    folder,
    outputs,
    get config() {
      return config;
    },
    step: '',
    async tick({ at, under = [], isInCrowd = false, meanwhile } = {}) {
      const started = performance.now();
      const child = launch(folder, at, under);
      children.add(child);
      const ended = new AbortController();
      const output = [child.stdout, child.stderr].map(async (stream) => {
        let text = '';
        for await (const chunk of stream?.setEncoding('utf8') ?? []) text += chunk;
        return text;
      });
      const closed = once(child, 'close').finally(() => ended.abort());
      const unwatch = watch();
      const alarm = setTimeout(() => {
        world.violate(`a tick had not ended after ${patienceWithTick / 1000} s`);
        for (const pid of familyOf(child)) kill(pid);
      }, patienceWithTick);
      await meanwhile?.(child, ended.signal);
      const [code, signal] = await closed;
      clearTimeout(alarm);
      unwatch();
      children.delete(child);
      sweepClock(child.pid);
      const [stdout = '', stderr = ''] = await Promise.all(output);
      const took = performance.now() - started;
      const from = at ?? Date.now() - took;
      if (!isInCrowd) observe(from, from + took);
      if (code === 70) world.violate(`a tick called itself defective: ${stderr}`);
      return { code, signal, stdout, stderr, plan: stdout.startsWith('{') ? JSON.parse(stdout) : null, took };
    },
    async recover(at) {
      let now = at;
      for (let round = 1; round <= patience; round++) {
        const { code, plan, stderr } = await world.tick(now === undefined ? {} : { at: now });
        chaos.count('ticks that recovered');
        if ((code !== 0 && code !== 1) || plan === null) {
          world.violate(`a tick that nobody disturbed ended with ${code}: ${stderr}`);
          return now;
        }
        if (round === 1) checkRecovery(plan);
        const isBusy = plan.groups.some(({ decision }) => decision === 'run' || decision === 'expire');
        if (!isBusy) return now;
        if (now !== undefined) now += breath;
      }
      world.violate(`no rest after ${patience} ticks`);
      return now;
    },
    scripts: () => processesWith(mark),
    async killScripts() {
      // Looked for again until none is left: they fork.
      for (let found = world.scripts(); found.length > 0; found = world.scripts()) {
        for (const pid of found) kill(pid);
        await sleep(2);
      }
      noteCut();
    },
    note(kind) {
      appendFileSync(join(folder, 'ledger'), entryLine(kind));
      if (kind === 'signal') noteCut();
    },
    state: () => readState() ?? null,
    ledger: () => parseLedger(readText(join(folder, 'ledger')) ?? ''),
    history,
    verify(at) {
      const state = readState();
      if (state == null) return world.violate('there is no state');
      for (const problem of compare(world.ledger(), history(), state, config.groups)) world.violate(problem);
      for (const [group, { lastBeat, held }] of Object.entries(state.groups ?? {})) {
        const latest = at === undefined ? null : latestOf(group, at, config);
        const waitsForFirst = config.groups[group]?.every === undefined && lastBeat == null;
        if (latest === null || held != null || waitsForFirst) continue;
        const owes = lastBeat == null || Date.parse(lastBeat) < latest;
        if (owes && config.groups[group]?.enabled !== false) {
          world.violate(`${group} owes its beat ${new Date(latest).toISOString()}; its last one is ${lastBeat}`);
        }
      }
      const hides = config.redact !== undefined;
      for (const name of readdirSync(outputs, { recursive: true, encoding: 'utf8' })) {
        const path = join(outputs, name);
        if (/\.(tmp|redacted)$/.test(name)) world.violate(`litter: ${name}`);
        else if (hides && /\.(log|jsonl?|bak)/.test(name) && readText(path)?.includes(secret))
          world.violate(`a secret in ${name}`);
      }
    },
    violate(what) {
      const written = (readText(join(folder, 'ledger')) ?? '').split('\n').slice(0, -1);
      const runs: readonly string[] = what.match(/\d{8}T\d{6}-[0-9a-f]{8}/g) ?? [];
      const about = written.filter((line) => runs.some((run) => line.includes(run)));
      const excerpt = about.length > 0 ? about : written.slice(-12);
      chaos.violate(world.step, what, [...excerpt, `(workspace: ${folder})`]);
      isKept = true;
    },
    damage(change) {
      isDamaged = true;
      change(statePath);
    },
    memory: () => ({ seen, lines, isDamaged }),
    disable(group) {
      const settings = { ...config.groups[group], enabled: false };
      configure({ ...config, groups: { ...config.groups, [group]: settings } });
    },
    copy: () => makeWorld(chaos, config, world),
    close() {
      for (const child of children) child.kill('SIGKILL');
      for (const pid of world.scripts()) kill(pid);
      if (!isKept) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };

  function noteCut(): void {
    for (const { run, script, attempt } of openExecutions(world.ledger())) {
      if (hasStatus(outputs, run, script)) continue;
      appendFileSync(join(folder, 'ledger'), entryLine('cut', { run, script, attempt }));
    }
  }

  /** What the very next tick after trouble has to have put right. */
  function checkRecovery(plan: PlanDocument): void {
    const state = world.state();
    const left = Object.keys(state?.leases ?? {});
    if (left.length > 0) world.violate(`leases are left: ${left.join(', ')}`);
    const kept = plan.groups.filter(({ reason }) => reason === 'lane-held').map(({ group }) => group);
    if (kept.length > 0) world.violate(`held out of a free lane: ${kept.join(', ')}`);
    const cutOff = Object.entries(state?.groups ?? {}).filter(([, { lastRun }]) => lastRun?.outcome === 'interrupted');
    const waits = cutOff.filter(([name]) => {
      const found = plan.groups.find(({ group }) => group === name);
      return found?.decision !== 'skip' && found?.reason !== 'not-due';
    });
    if (waits.length > 0) world.violate(`not resumed: ${waits.map(([name]) => name).join(', ')}`);
  }

  mkdirSync(outputs, { recursive: true });
  return world;
}

const nouns = { run: 'beats run', expire: 'beats expired', reset: 'clocks reset' } as const;

/** Whether a script's status has reached the disk. */
function hasStatus(outputs: string, run: string, name: string): boolean {
  const files = readdirSync(join(outputs, 'runs'), { recursive: true, encoding: 'utf8' });
  const file = files.find((path) => path.includes(run) && path.endsWith(`-${name}.pid`));
  return file !== undefined && /^ended \d+ \d+\n/m.test(readFileSync(join(outputs, 'runs', file), 'utf8'));
}
