import { readFileSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import type { FoundConfig } from '../config/load.ts';
import { keep, nameFor, readKept } from '../config/place.ts';
import { readMonotonic } from '../monotonic.ts';
import { keepCopy, writeDurably } from '../state/file.ts';
import { appendHistory } from '../state/history.ts';
import { lockPath, tryLock } from '../state/lock.ts';
import { copyPath, statePath } from '../state/path.ts';
import { isoOf } from '../state/schema.ts';
import { type Ground, listGround, removeNext, writeStamp } from '../state/stamp.ts';
import { makeTickId, readAwake } from './session.ts';

/** What ticks rest on until something can be due: with this configuration and this state there is nothing to do. */
interface Rest<Said> {
  readonly file: string;
  /** Stands for the checked configuration and all that it was made of. */
  readonly config: string;
  readonly outputs: string;
  readonly from: number;
  readonly until: number;
  /** The text of the state before and after its last tick. */
  readonly state: readonly [head: string, tail: string];
  readonly said: Said;
}

/**
 * Notes that there is nothing to do between two instants (ms), for the ticks in that time.
 *
 * @param keptId stands for the configuration as it is kept
 * @param text of the state file, by which that is so
 * @param said what an idle tick says of this rest
 */
export function noteRest<Said>(
  { file, outputs }: Config,
  keptId: string,
  text: string,
  { from, until }: { readonly from: number; readonly until: number },
  said: Said,
): void {
  const state = splitState(text);
  if (state === null) return;
  const rest: Rest<Said> = { file, config: keptId, outputs, from, until, state, said };
  keep(nameFor(file, 'rest'), JSON.stringify(rest));
}

/**
 * A whole tick, if there is nothing to do for sure: records it as any tick is recorded, and answers with what was said of
 * the rest when it was noted. Null, with nothing changed, wherever there is any doubt: a full tick is due then.
 *
 * @param readAt the wall clock before the configuration was found, ms
 * @param clock the monotonic clock at that moment, ms
 * @param stamp whether to tell the guard of the trigger as well, see state/stamp.ts
 */
export function tickAtRest<Said>(
  { file, kept }: FoundConfig,
  { readAt, clock }: Pick<Ground, 'readAt' | 'clock'>,
  stamp: boolean,
): { readonly now: number; readonly said: Said } | null {
  try {
    const noted = readKept(nameFor(file, 'rest'));
    if (noted === null) return null;
    const rest = JSON.parse(noted.text) as Rest<Said>;
    const now = Date.now();
    if (rest.file !== file || rest.config !== kept.id || now < rest.from || now >= rest.until) return null;
    const ground = stamp ? { inputs: listGround(file, kept.inputs), readAt, clock } : null;
    return recordIdleTick(rest, now, clock, ground) ? { now, said: rest.said } : null;
  } catch {
    // Whatever is wrong, the full tick comes upon it and says so.
    return null;
  }
}

function recordIdleTick(
  { outputs, until, state: [head, tail] }: Rest<unknown>,
  now: number,
  clock: number,
  ground: Ground | null,
): boolean {
  const path = statePath(outputs);
  const lock = tryLock(lockPath(outputs, 'state'));
  if (lock === null) return false;
  try {
    const state = splitState(readFileSync(path, 'utf8'));
    if (state === null || state[0] !== head || state[1] !== tail) return false;
    const tick = makeTickId(now);
    const outcome = 'nothing-due';
    const finishedAt = isoOf(Date.now());
    const durationMs = Math.round(readMonotonic() - clock);
    // Nothing is rebuilt from this line, so a loss of power may take it.
    const awakeMs = readAwake();
    const line = {
      at: finishedAt,
      type: 'tick',
      tick,
      outcome,
      durationMs,
      ran: 0,
      failed: 0,
      skipped: 0,
      awakeMs,
    } as const;
    appendHistory(outputs, [line]).leave();
    const lastTick = { id: tick, pid: process.pid, startedAt: isoOf(now), finishedAt, outcome };
    const text = `${head}${JSON.stringify(lastTick, null, 2).replaceAll('\n', '\n  ')}${tail}`;
    removeNext(outputs);
    writeDurably(path, text, { beforeReplacing: () => keepCopy(path, copyPath(outputs)) });
    if (ground !== null) writeStamp(outputs, until, ground);
    return true;
  } finally {
    lock.release();
  }
}

/** The text of a state before and after what it says of the last tick; null where that is not to be found. */
function splitState(text: string): [head: string, tail: string] | null {
  const opening = '\n  "lastTick": ';
  const start = text.indexOf(`${opening}{\n`) + opening.length;
  const end = text.indexOf('\n  }', start) + '\n  }'.length;
  if (start < opening.length || end < start) return null;
  return [text.slice(0, start), text.slice(end)];
}
