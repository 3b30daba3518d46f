import { constants } from 'node:os';

/** What tells a tick to stop: the signals of a terminal, a service manager, a shutdown. */
export interface Stop {
  readonly signal: AbortSignal;
  /** Aborted by a second signal: nothing is given time any more. */
  readonly hurry: AbortSignal;
  /** 128 + the signal's number, as shells count it; null where none came. */
  exitCode(): number | null;
  /** Signals have their default effect again. */
  ignore(): void;
}

const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Listens for signals that ask a tick to stop. On Windows only Ctrl-C and closing the console arrive. */
export function listenForStop(): Stop {
  const first = new AbortController();
  const second = new AbortController();
  let received: (typeof stopSignals)[number] | null = null;
  const listener = (name: NodeJS.Signals) => {
    if (received !== null) return second.abort();
    received = name as (typeof stopSignals)[number];
    first.abort();
  };
  for (const name of stopSignals) process.on(name, listener);
  return {
    signal: first.signal,
    hurry: second.signal,
    exitCode: () => (received === null ? null : 128 + constants.signals[received]),
    ignore: () => {
      for (const name of stopSignals) process.off(name, listener);
    },
  };
}
