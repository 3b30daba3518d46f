import { spawnSync } from 'node:child_process';
import { RhythmError } from '../errors.ts';

/** How a program of the system's ended. */
export interface Called {
  readonly status: number | null;
  readonly stdout: Buffer;
  /** On one line. */
  readonly stderr: string;
}

/** So long may it take, ms: a manager that does not answer must not keep people waiting for ever. */
const patience = 60_000;

/** Calls a program found on PATH and waits for it; null where there is none of that name. Its words are not translated. */
export function call(program: string, args: readonly string[], input: string | Buffer = ''): Called | null {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    input,
    timeout: patience,
    windowsHide: true,
    maxBuffer: 1 << 26,
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (error !== undefined && 'code' in error && error.code === 'ENOENT') return null;
  const said =
    stderr
      ?.toString('utf8')
      .trim()
      .replace(/\s*\n\s*/g, '; ') ?? '';
  // A program that reads no input makes writing it fail, which says nothing.
  const failed = error !== undefined && status === null ? `${program}: ${error.message}` : said;
  return { status, stdout: stdout ?? Buffer.alloc(0), stderr: failed };
}

/** The same; a RhythmError (exit 74) with what it said where it is missing or fails, and what to do then. */
export function demand(program: string, args: readonly string[], advice: string, input: string | Buffer = ''): Called {
  const called = call(program, args, input);
  const line = [program, ...args].join(' ');
  if (called === null) throw new RhythmError(`there is no program ${program} here; ${advice}.`, 74);
  if (called.status !== 0) {
    const said = called.stderr === '' ? `it ended with ${called.status}` : called.stderr;
    throw new RhythmError(`\`${line}\` failed: ${said.replace(/\.$/, '')}; ${advice}.`, 74);
  }
  return called;
}
