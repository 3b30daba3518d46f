import { resolve } from 'node:path';
import type { Config, Group } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { suggest } from '../config/problems.ts';
import { UsageError } from '../errors.ts';
import { formatInstant } from '../plan/because.ts';
import type { State } from '../state/schema.ts';
import { openStore } from '../state/store.ts';
import type { TickEvent } from '../tick/event.ts';
import { type PauseResult, pauseGroups, resumeGroups } from '../tick/pause.ts';
import { type Change, record } from '../tick/session.ts';
import { makeTeller } from '../tick/teller.ts';
import { readEnd } from './argument.ts';
import { printLine } from './streams.ts';

export interface PauseFlags {
  readonly until?: string;
  readonly reason?: string;
  readonly json?: boolean;
}

/** `rhythm pause [GROUP…]`: holds groups back, all of them where none is named. */
export async function pause(workspace: string, names: readonly string[], flags: PauseFlags): Promise<number> {
  const now = Date.now();
  const until = flags.until === undefined ? null : readEnd('--until', flags.until, now);
  const reason = flags.reason ?? null;
  return perform(workspace, names, flags, (state, groups) => pauseGroups(state, groups, now, { until, reason }), {
    tell: ({ group }) => ({
      kind: 'paused',
      group,
      until: until === null ? null : new Date(until).toISOString(),
      reason,
    }),
    say: ({ group, changed }, config) => {
      const end = until === null ? '' : ` until ${formatInstant(until, now, config.timezone)} (${config.timezone})`;
      return `${group} ${changed ? 'is paused' : 'was paused already, and stays so'}${end}.`;
    },
  });
}

/** `rhythm resume [GROUP…]`: lets groups go again, all that are paused where none is named. */
export async function resume(
  workspace: string,
  names: readonly string[],
  flags: Pick<PauseFlags, 'json'>,
): Promise<number> {
  const now = Date.now();
  return perform(workspace, names, flags, (state, groups) => resumeGroups(state, groups, now), {
    tell: ({ group, passedBeats }) => ({ kind: 'resumed', group, passedBeats }),
    say: ({ group, changed, passedBeats }) => {
      const beats = passedBeats === 1 ? '1 beat' : `${passedBeats} beats`;
      return changed
        ? `${group} goes on; ${beats} passed meanwhile and count as consumed.`
        : `${group} was not paused.`;
    },
  });
}

async function perform(
  workspace: string,
  names: readonly string[],
  { json }: { readonly json?: boolean },
  alter: (state: State, groups: readonly Group[]) => Change & { readonly results: readonly PauseResult[] },
  words: { tell: (result: PauseResult) => TickEvent; say: (result: PauseResult, config: Config) => string },
): Promise<number> {
  const { config } = await loadConfig(resolve(workspace), { cache: 'write' });
  const groups = names.length === 0 ? config.groups : names.map((name) => findGroup(config, name));
  const teller = makeTeller(config, process.env, () => undefined);
  try {
    const onNotice = (text: string) => teller.emit({ kind: 'notice', text });
    const store = await openStore({ outputs: config.outputs, onNotice });
    let results: readonly PauseResult[] = [];
    record({ config, store }, (state) => {
      const change = alter(state, groups);
      results = change.results;
      return change;
    });
    for (const result of results) if (result.changed) teller.emit(words.tell(result));
    await teller.flush();
    if (json) printLine(JSON.stringify({ schemaVersion: 1, groups: results }, null, 2));
    else for (const result of results) printLine(words.say(result, config));
    return 0;
  } finally {
    teller.close();
  }
}

/** The group of that name; a UsageError with the nearest one where there is none. */
export function findGroup(config: Config, name: string): Group {
  const group = config.groups.find((candidate) => candidate.name === name);
  if (group !== undefined) return group;
  const names = config.groups.map((candidate) => candidate.name);
  throw new UsageError(
    `there is no group ${JSON.stringify(name)}${suggest(name, names) || `; the groups are ${names.join(', ')}.`}`,
  );
}
