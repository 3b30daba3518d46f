import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';

/** A process of this machine. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** The program, and what it interprets: `node leak.mjs`. Never all arguments: they may hold secrets. */
  readonly name: string;
  readonly isZombie: boolean;
  /** The memory that it has in use, in bytes. */
  readonly memory: number;
  /** Ms since the epoch; exact to a second or so. */
  readonly startedAt: number;
}

/** The processes of this machine, those of the kernel left out. */
export async function readProcesses(): Promise<Process[]> {
  if (process.platform === 'linux') return readProcFolder();
  // It takes a quarter of a second to load, which Linux is spared.
  const { default: machine } = await import('systeminformation');
  const { list } = await machine.processes();
  return list.map((one) => ({
    pid: one.pid,
    parent: one.parentPid,
    name: describeProgram([one.command, ...one.params.split(' ')], one.name),
    isZombie: one.state === 'zombie',
    memory: one.memRss * 1024,
    startedAt: Date.parse(one.started),
  }));
}

/** Whether two looks saw the same process: ids are used again, and start times are not told to the second everywhere. */
export function isSame(a: Pick<Process, 'pid' | 'startedAt'>, b: Pick<Process, 'pid' | 'startedAt'>): boolean {
  return a.pid === b.pid && Math.abs(a.startedAt - b.startedAt) < 5000;
}

/** The variables that rhythm marked a process with; null where the system or its owner does not let us see them. */
export async function readMarks(pid: number): Promise<{ workspace: string | null; run: string | null } | null> {
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => null);
  if (text === null) return null;
  const variable = (name: string) =>
    text
      .split('\0')
      .findLast((entry) => entry.startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? null;
  return { workspace: variable('RHYTHM_WORKSPACE'), run: variable('RHYTHM_RUN_ID') };
}

const interpreters = /^(node|nodejs|python[\d.]*|ruby|perl|bash|sh|dash|zsh|pwsh|java|deno|bun)$/;

/** A short name for a command line, told from its first words. */
export function describeProgram(words: readonly string[], fallback: string): string {
  // A program that gave itself a title has it in the place of its first word, arguments and all.
  const isTitle = words.length === 1 && words[0]?.includes(' ');
  const program = basename((isTitle ? null : words[0]?.replace(/\.exe$/i, '')) || fallback);
  if (!interpreters.test(program)) return program;
  const isCode = words.some((word) => /^(-e|-p|-c|-pe|--eval|--print|-Command|-EncodedCommand)$/.test(word));
  const script = words.slice(1).find((word) => /[./]/.test(word) && !word.startsWith('-') && !word.includes('://'));
  return isCode || script === undefined ? program : `${program} ${basename(script)}`;
}

async function readProcFolder(): Promise<Process[]> {
  const boot = Number((await readFile('/proc/stat', 'utf8')).match(/^btime (\d+)$/m)?.[1]) * 1000;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      // A process may end between any two of these looks.
      const files = ['stat', 'status', 'cmdline'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8'));
      const [stat, status, words] = await Promise.all(files).catch(() => []);
      if (stat === undefined || status === undefined || words === undefined) return null;
      return parseProcess(stat, status, words.split('\0').filter(Boolean), boot);
    }),
  );
  return found.filter((one) => one !== null);
}

/**
 * Reads `/proc/<pid>/stat` and `status` (proc(5)); null for a thread of the kernel. `boot` is when the machine started,
 * in ms.
 */
export function parseProcess(stat: string, status: string, words: readonly string[], boot: number): Process | null {
  // The name stands in parentheses and may itself hold some.
  const end = stat.lastIndexOf(')');
  const fields = stat.slice(end + 2).split(' ');
  const kernelThread = 0x0020_0000;
  if ((Number(fields[6]) & kernelThread) !== 0) return null;
  return {
    pid: Number.parseInt(stat, 10),
    parent: Number(fields[1]),
    name: describeProgram(words, stat.slice(stat.indexOf('(') + 1, end)),
    isZombie: fields[0] === 'Z',
    memory: Number(status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1] ?? 0) * 1024,
    // Hundredths of a second since the machine started, on every architecture.
    startedAt: boot + Number(fields[19]) * 10,
  };
}
