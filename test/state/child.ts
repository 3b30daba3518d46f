// A program of its own for the tests that need real processes: it does what its first argument says.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { awaitLock, lockKind, tryLock, waitLock } from '../../src/state/lock.ts';

const [task, path = '', ...rest] = process.argv.slice(2);

/** The test ends the wait by closing stdin. */
async function told(): Promise<void> {
  process.stdin.resume();
  await once(process.stdin, 'end');
}

async function store(outputs: string) {
  const { openStore } = await import('../../src/state/store.ts');
  return openStore({ outputs, onNotice: (notice) => console.log(notice) });
}

switch (task) {
  case 'lock': {
    const lock = tryLock(path, { tick: rest[0] });
    console.log(lock === null ? 'busy' : 'held', lockKind());
    await told();
    lock?.release();
    break;
  }
  case 'await': {
    const lock = await awaitLock(path, Number(rest[0]));
    console.log(lock === null ? 'busy' : 'held');
    lock?.release();
    break;
  }
  case 'wait': {
    console.log(waitLock(path, Number(rest[0])) === null ? 'busy' : 'held');
    break;
  }
  case 'lock-and-spawn': {
    const lock = tryLock(path);
    const child = spawn('sleep', ['60'], { stdio: 'ignore', detached: true });
    console.log(lock === null ? 'busy' : 'held', child.pid);
    await told();
    break;
  }
  case 'append': {
    const { appendHistory } = await import('../../src/state/history.ts');
    for (let number = 0; number < Number(rest[1]); number++) {
      const counts = { ran: 0, failed: 0, skipped: 0, number };
      // From so far in the future that no pruning removes them.
      const at = '9999-01-01T00:00:00.000Z';
      const line = { at, type: 'tick', tick: String(rest[0]), outcome: 'idle', durationMs: 0, ...counts } as const;
      appendHistory(path, [line], { durable: false });
    }
    break;
  }
  case 'count': {
    const { updateState } = await store(path);
    updateState((state) => ({ ...state, count: Number(state.count ?? 0) + 1 }));
    break;
  }
  case 'count-for-ever': {
    const { updateState } = await store(path);
    for (;;) {
      const { count } = updateState((state) => ({
        ...state,
        count: Number(state.count ?? 0) + 1,
        filling: 'x'.repeat(200_000),
      }));
      process.stdout.write(`${count}\n`);
    }
  }
  default:
    throw new Error(`unknown task ${task}`);
}
