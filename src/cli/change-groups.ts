import { resolve } from 'node:path';
import type { Config, Group } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import type { State } from '../state/state-schema.ts';
import { openStore } from '../state/store.ts';
import type { TickEvent } from '../tick/event.ts';
import { makeEventLogger } from '../tick/event-logger.ts';
import type { PauseResult } from '../tick/pause-groups.ts';
import { type Change, record } from '../tick/session.ts';
import { findGroup } from './find-group.ts';
import { printLine } from './streams.ts';

interface ChangeWords {
  readonly toEvent: (result: PauseResult) => TickEvent;
  readonly describe: (result: PauseResult, config: Config) => string;
}

/** Pauses or resumes groups (default: all), records and logs it, and prints the outcome. */
export async function changeGroups(
  workspace: string,
  names: readonly string[],
  { json }: { readonly json?: boolean },
  alter: (state: State, groups: readonly Group[]) => Change & { readonly results: readonly PauseResult[] },
  { toEvent, describe }: ChangeWords,
): Promise<number> {
  const { config } = await loadConfig(resolve(workspace), { cache: 'write' });
  const groups = names.length === 0 ? config.groups : names.map((name) => findGroup(config, name));
  const logger = makeEventLogger(config, process.env, () => undefined);
  try {
    const onNotice = (text: string) => logger.emit({ kind: 'notice', text });
    const store = await openStore({ outputs: config.outputs, onNotice });
    let results: readonly PauseResult[] = [];
    record({ config, store }, (state) => {
      const change = alter(state, groups);
      results = change.results;
      return change;
    });
    for (const result of results) if (result.changed) logger.emit(toEvent(result));
    await logger.flush();
    if (json) printLine(JSON.stringify({ schemaVersion: 1, groups: results }, null, 2));
    else for (const result of results) printLine(describe(result, config));
    return 0;
  } finally {
    logger.close();
  }
}
