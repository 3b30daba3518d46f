import { constants } from 'node:os';

/** What tells a tick to stop: the signals of a terminal, a service manager, a shutdown. */
export interface Stop {
  readonly signal: AbortSignal;
  /** 128 + the signal's number, as shells count it; null where none came. */
  exitCode(): number | null;
  /** Signals have their default effect again. */
  ignore(): void;
}

const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Listens for signals that ask a tick to stop. On Windows only Ctrl-C and closing the console arrive. */
export function listenForStop(): Stop {
  const controller = new AbortController();
  let received: (typeof stopSignals)[number] | null = null;
  const listener = (name: NodeJS.Signals) => {
    received ??= name as (typeof stopSignals)[number];
    controller.abort();
  };
  for (const name of stopSignals) process.on(name, listener);
  return {
    signal: controller.signal,
    exitCode: () => (received === null ? null : 128 + constants.signals[received]),
    ignore: () => {
      for (const name of stopSignals) process.off(name, listener);
    },
  };
}
