import { setMaxListeners } from 'node:events';
import { existsSync, readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeDurably } from '../state/durable-file.ts';
import { lockPath } from '../state/lock.ts';

/** What a person asks of a tick that runs: to end after the scripts that run now, or at once, as by SIGTERM. */
export type StopKind = 'after-script' | 'now';

/** What a tick hears of those who ask it to stop. */
export interface Requests {
  /** Aborted by a request to stop at once, or with the signal given to `listenForRequests`. */
  readonly stop: AbortSignal;
  /** Whether no further script is to start. */
  isAsked(): boolean;
  /** Listens no more and removes the request. */
  close(): void;
}

/** Between two looks while scripts run, ms. */
const lookEvery = 500;
/** A request's name is built from the name of its tick, which comes from a file: it must name nothing elsewhere. */
const tickName = /^[A-Za-z0-9-]{1,80}$/;

/**
 * Listens for requests to a tick. They are files rather than signals, because Windows has no signals, a process may be
 * out of reach in another container, and "after this script" has no signal of its own. A request names its tick, so that
 * one whose tick has died stops no other.
 *
 * @param stop aborted when the tick has to stop at once for another reason
 */
export function listenForRequests(outputs: string, tick: string, stop: AbortSignal): Requests {
  const stopNow = new AbortController();
  const path = requestPath(outputs, tick);
  const look = () => {
    if (readRequest(path) === 'now') stopNow.abort();
  };
  const timer = setInterval(look, lookEvery).unref();
  const any = AbortSignal.any([stop, stopNow.signal]);
  // Each lane's script listens, and Node takes many listeners for a leak.
  setMaxListeners(0, any);
  return {
    stop: any,
    isAsked: () => readRequest(path) !== null,
    close() {
      clearInterval(timer);
      withdrawRequest(outputs, tick);
    },
  };
}

/** Asks a tick to stop. False where the tick has no name that a file could have. StorageError where that fails. */
export function requestStop(outputs: string, tick: string, kind: StopKind): boolean {
  if (!tickName.test(tick)) return false;
  writeDurably(requestPath(outputs, tick), `${kind}\n`);
  return true;
}

/** What a request asks for; null where there is none. */
function readRequest(path: string): StopKind | null {
  // The usual case, in which an error would cost more than the look.
  if (!existsSync(path)) return null;
  try {
    return readFileSync(path, 'utf8').trim() === 'now' ? 'now' : 'after-script';
  } catch {
    return null;
  }
}

/** Removes a request, if there is one. One that can't be removed does no harm: no other tick has its name. */
export function withdrawRequest(outputs: string, tick: string): void {
  try {
    // The usual case, in which an error would cost more than the look.
    if (tickName.test(tick) && existsSync(requestPath(outputs, tick))) unlinkSync(requestPath(outputs, tick));
  } catch {
    // A later cleanup finds it.
  }
}

/** The ticks that are asked to stop, dead ones among them. */
export function listRequests(outputs: string): string[] {
  try {
    return readdirSync(dirname(requestPath(outputs, 'x'))).flatMap((name) => /^stop-(.+)$/.exec(name)?.[1] ?? []);
  } catch {
    return [];
  }
}

/** The file of a request. */
export function requestPath(outputs: string, tick: string): string {
  return join(dirname(lockPath(outputs, 'state')), `stop-${tick}`);
}
