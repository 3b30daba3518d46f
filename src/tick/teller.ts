import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { type Log, openLog } from '../log/log.ts';
import { secretsOf } from '../script/redact.ts';
import { narrate, type TickEvent } from './event.ts';

/** Tells the central log, and whoever watches, what happens. */
export interface Teller {
  /**
   * Never throws, for what happens has happened: what kept the log from being written is kept for the others to throw.
   */
  emit(event: TickEvent): void;
  /** Opens the central log, so that events are written as they happen. Throws a StorageError where that can't be. */
  open(): Promise<void>;
  /** Throws the StorageError of an event that could not be written. */
  check(): void;
  /** Writes what has been told and waits to be written, opening the log for it if need be; then as `check`. */
  flush(): Promise<void>;
  close(): void;
}

export function logPath(outputs: string): string {
  return join(outputs, 'master_scheduler.log');
}

/**
 * Makes a teller that opens the central log only when it is asked to: a tick with nothing to tell loads no log.
 *
 * @param watch is shown every event at once
 */
export function makeTeller(config: Config, environment: NodeJS.ProcessEnv, watch: (event: TickEvent) => void): Teller {
  const waiting: TickEvent[] = [];
  let log: Log | undefined;
  let failure: unknown;

  const write = (event: TickEvent, to: Log) => {
    const { level, text, lines = [], ...source } = narrate(event);
    const fields = config.log.format === 'json' ? { event } : {};
    try {
      to[level](source, text, fields);
      for (const line of lines) to[level](source, `| ${line}`);
    } catch (error) {
      failure ??= error;
    }
  };
  const check = () => {
    if (failure !== undefined) throw failure;
  };

  const open = async () => {
    if (log === undefined) {
      const [{ openLog }, { secretsOf }] = await Promise.all([import('../log/log.ts'), import('../script/redact.ts')]);
      const secrets = config.groups.flatMap(({ scripts }) =>
        scripts.flatMap(({ env }) => secretsOf(config.redact, environment, env)),
      );
      log = openLog({ ...config.log, file: logPath(config.outputs), secrets: [...new Set(secrets)] });
    }
    for (const event of waiting.splice(0)) write(event, log);
    check();
  };

  return {
    emit(event) {
      watch(event);
      if (log === undefined) waiting.push(event);
      else write(event, log);
    },
    open,
    check,
    flush: () => (waiting.length > 0 ? open() : Promise.resolve(check())),
    close: () => log?.close(),
  };
}
