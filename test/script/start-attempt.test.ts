import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { filesOf } from '../../src/script/evidence.ts';
import { identify } from '../../src/script/process.ts';
import { startAttempt } from '../../src/script/start-attempt.ts';
import { makeWorkbench } from './job.ts';

const isPosix = process.platform !== 'win32';

it.skipIf(!isPosix)('a script that is abandoned keeps running and does not keep its tick from exiting', async () => {
  const bench = makeWorkbench();
  onTestFinished(bench.remove);
  const source = pathToFileURL(new URL('../../src/script/start-attempt.ts', import.meta.url).pathname).href;
  const files = filesOf(bench.runFolder, 1, 'it');
  const program = bench.write(
    'tick.mjs',
    `import { openSync } from 'node:fs';
     import { startAttempt } from ${JSON.stringify(source)};
     const started = await startAttempt({
       ...${JSON.stringify({ number: 1, path: '/bin/sh', args: ['-c', 'sleep 60'], cwd: bench.folder, isVerbatim: false, files })},
       environment: process.env,
       descriptor: openSync(${JSON.stringify(files.log)}, 'a'),
     });
     console.log(started.leaderPid, started.pid);
     started.abandon();`,
  );
  const tick = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void tick.kill('SIGKILL'));
  const ended = once(tick, 'exit');
  const [line] = await once(tick.stdout, 'data');
  const [group = 0, pid = 0] = String(line).trim().split(' ').map(Number);
  onTestFinished(() => void process.kill(-group, 'SIGKILL'));
  expect(await ended).toEqual([0, null]);
  expect(identify(pid)).not.toBeNull();
});

it.skipIf(!isPosix)('a wrapper that can not start is an obstacle, and nothing is left on disk', async () => {
  const bench = makeWorkbench();
  onTestFinished(bench.remove);
  const attempt = { number: 1, path: '/bin/true', args: [], isVerbatim: false, environment: {}, descriptor: 2 };
  const files = filesOf(bench.runFolder, 1, 'it');
  expect(await startAttempt({ ...attempt, cwd: bench.path('missing'), files })).toEqual({ obstacle: 'ENOENT' });
  expect(readdirSync(bench.runFolder)).toEqual([]);
});
