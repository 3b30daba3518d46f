import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { latestOf } from './account.ts';
import type { Chaos } from './chaos.ts';
import { script } from './work.ts';
import { makeWorld, type Setup, type World } from './world.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;
/** The trigger's period. */
const period = 5 * minute;
/** What passes, in ms: a time of troubles, then one that lets every group come to rest. */
export interface Span {
  readonly start: number;
  readonly stormy: number;
  readonly calm: number;
}

/** Berlin's clocks leap forward on 2026-03-29, at 01:00 UTC. */
export const month: Span = { start: Date.parse('2026-03-14T00:00:20Z'), stormy: 30 * day, calm: 8 * day };
export const night: Span = { start: Date.parse('2026-03-28T20:00:20Z'), stormy: 7 * hour, calm: 4 * hour };

const config: Setup = {
  timezone: 'Europe/Berlin',
  killAfter: '1s',
  // A clock that is a year ahead for a while must not cost what is compared at the end.
  history: { keep: '5200w' },
  runs: { keep: '5200w' },
  groups: {
    often: { every: '90m', scripts: [script('one', 'main', 0.02), script('two', 'main', 0.02)] },
    quarterly: { every: '6h', offset: '7m', dependsOn: ['often'], scripts: [script('only', 'main', 0.01)] },
    nightly: {
      daily: '02:30',
      dependsOn: [{ group: 'often', when: 'finished' }],
      scripts: [script('only', 'main', 0.02)],
    },
    starry: { cron: '*/20 2 * * *', scripts: [script('only', 'main', 0.01)] },
    weekly: { cron: '0 9 * * 1', dependsOn: ['nightly'], priority: 'high', scripts: [script('only', 'main', 0.01)] },
    prompt: { every: '4h', offset: '3m', catchUp: 'none', lane: 'side', scripts: [script('only', 'side', 0.01)] },
    distant: {
      daily: ['06:15', '18:15'],
      timezone: 'America/New_York',
      catchUpWithin: '2h',
      scripts: [script('only', 'main', 0.01)],
    },
    each: { every: '8h', catchUp: 'every', lane: 'side', scripts: [script('only', 'side', 0.02)] },
    moody: {
      every: '3h',
      lane: 'side',
      retryAfter: ['5m', '15m'],
      scripts: [
        script('steady', 'side', 0.01),
        script('moody', 'side', 0.02, 'moody', { retries: 1, retryDelay: '0s' }),
      ],
    },
    sheltered: { every: '3h', lane: 'side', dependsOn: ['moody'], scripts: [script('only', 'side', 0.01)] },
  },
};

/**
 * Lets simulated time pass, a tick every five minutes where something can be due, with ticks killed, scripts failing,
 * triggers that stay away and clocks that are set forward and back; then calm days. Every beat is accounted for.
 */
export async function passDays(chaos: Chaos, { start, stormy: length, calm }: Span): Promise<void> {
  chaos.enter('days');
  const { random } = chaos;
  const world = makeWorld(chaos, config);
  const storm = join(world.folder, 'storm');
  const leap = { from: start + length * 0.4, until: start + length * 0.4 + Math.min(3 * hour, length / 10) };
  /** What the clock shows beyond the true time, ms. */
  let slip = 0;
  let isStormy = false;
  let wasCut = false;
  let shown = start;
  for (let now = start; now < start + length + calm; now += period) {
    const isCalm = now >= start + length;
    const before = shown;
    shown = now + (isCalm ? 0 : slip) + (now >= leap.from && now < leap.until ? year : 0);
    if (!isDue(world, before, shown)) continue;
    world.step = `${new Date(now).toISOString()}, the clock says ${new Date(shown).toISOString()}`;

    if (random.chance(0.1) || (isCalm && isStormy)) {
      isStormy = !isStormy && !isCalm;
      if (isStormy) writeFileSync(storm, '');
      else rmSync(storm, { force: true });
    }
    const isKill = !isCalm && random.chance(0.12);
    const delay = random.int(0, 500);
    const isAlone = random.chance(0.6);
    const { code, stderr } = await world.tick({
      at: shown,
      ...(isKill
        ? {
            meanwhile: async (child, ended) => {
              await sleep(delay, undefined, { signal: ended }).catch(() => undefined);
              child.kill('SIGKILL');
              if (!isAlone) await world.killScripts();
            },
          }
        : {}),
    });
    chaos.count(code === null ? 'ticks killed' : 'ticks');
    if (code !== null && code !== 0 && code !== 1) world.violate(`a tick ended with ${code}: ${stderr}`);
    const leases = Object.keys(world.state()?.leases ?? {});
    if (code !== null && leases.length > 0) world.violate(`leases are left: ${leases.join(', ')}`);
    if (wasCut && code !== null) chaos.count('recoveries by the next tick');
    wasCut = code === null;

    if (!isCalm && random.chance(0.02)) {
      const step = random.pick([-1, 1]) * random.pick([random.int(1, 30) * minute, random.int(1, 10) * hour]);
      slip = Math.abs(slip + step) > day ? 0 : slip + step;
      chaos.count(step < 0 ? 'clocks set back' : 'clocks set forward');
    }
    if (!isCalm && random.chance(0.02)) {
      // The calm is not to be slept through.
      now = Math.min(now + random.int(1, 12) * hour, start + length - period);
      chaos.count('outages of the trigger');
    }
  }
  chaos.count('simulated hours', Math.round((length + calm) / hour));
  world.step = 'after the calm';
  const end = (await world.recover(shown + period)) ?? shown;
  world.verify(end);
  for (const [group, { held, lastBeat }] of Object.entries(world.state()?.groups ?? {})) {
    // What it waits for may have no beat of its own before the end.
    const hadItsChance = (other: string) => (latestOf(other, end, config) ?? 0) > start + length + period;
    if (blockersIn(held).some(hadItsChance)) world.violate(`${group} is still held back`);
    if (lastBeat == null && (latestOf(group, end, config) ?? 0) > start) world.violate(`${group} never had a beat`);
  }
  world.close();
}

/** The groups that hold one back, by its entry. */
function blockersIn(held: unknown): readonly string[] {
  return (held as { blockedBy?: readonly string[] } | null | undefined)?.blockedBy ?? [];
}

/** Whether a tick at `now` could find anything to do; it does no harm where it does not. */
function isDue(world: World, before: number, now: number): boolean {
  const state = world.state();
  if (state === null || now < before || Object.keys(state.leases ?? {}).length > 0) return true;
  return Object.keys(config.groups).some((group) => {
    const { lastBeat, firstSeenAt, lastRun, retry } = state.groups?.[group] ?? {};
    const consumed = lastBeat ?? firstSeenAt;
    if (consumed == null || lastRun?.outcome === 'interrupted') return true;
    const latest = latestOf(group, now, config) ?? 0;
    if (latest > Date.parse(consumed)) return true;
    // Once, so that a clock that was set back is noticed.
    if ((latestOf(group, before, config) ?? 0) !== latest) return true;
    return retry?.at != null && Date.parse(retry.at) <= now;
  });
}
