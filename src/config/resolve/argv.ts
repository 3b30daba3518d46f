import { posix, win32 } from 'node:path';

/** Describes a machine, as values, so that a configuration can be resolved for any. */
export interface Platform {
  readonly platform: NodeJS.Platform;
  /** The Node that runs `.js` scripts. */
  readonly execPath: string;
  /** The file URL of tsx's loader, which runs `.ts` scripts. */
  readonly tsxLoader: string;
  /** The time zone where the configuration names none. */
  readonly systemTimezone: string;
  /** Windows: the command interpreter, `cmd.exe`. */
  readonly comSpec: string;
  /** The first line of a file, null if it can't be read. Used for `.sh` files only. */
  readonly readFirstLine: (file: string) => string | null;
}

/** Programs by extension, in lower case and with its dot. */
export type Interpreters = ReadonlyMap<string, readonly string[]>;

/** What to spawn: the program, its arguments, and what its environment needs beyond what the user wrote. */
export interface Invocation {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Windows: the arguments are quoted already and have to be passed on as they are. */
  readonly verbatim: boolean;
  /** A TypeScript file run through tsx, which may start from a bundle instead. */
  readonly bundles?: boolean;
}

/** The rules for paths of the platform. */
export function pathRulesOf(platform: Platform): typeof posix {
  return platform.platform === 'win32' ? win32 : posix;
}

/**
 * How a file is run: by the configuration's interpreter for its extension, else by the usual one, else directly.
 * `file` is absolute. On POSIX a `.sh` file runs by the program that its `#!` line names, since that extension is
 * used for sh as well as for bash, and the wrong one fails late or not at all; without such a line by `sh`, as
 * POSIX has it. Unlike with a direct start, no file needs to be executable.
 */
export function invokeFile(
  file: string,
  args: readonly string[],
  interpreters: Interpreters,
  platform: Platform,
): Invocation {
  const extension = pathRulesOf(platform).extname(file).toLowerCase();
  const windows = platform.platform === 'win32';
  const run = (...start: readonly string[]): Invocation => invoke([...start, file, ...args]);
  const custom = interpreters.get(extension);
  if (custom) return run(...custom);
  switch (extension) {
    case '.js':
    case '.mjs':
    case '.cjs':
      return run(platform.execPath);
    case '.ts':
    case '.mts':
    case '.cts':
      return {
        ...run(platform.execPath, '--import', platform.tsxLoader),
        // tsx trusts its cache of compiled code in the shared temporary folder, no matter who created it: any user of
        // the machine could create it first and plant code. Without the cache a start takes some 70 ms longer.
        env: { TSX_DISABLE_CACHE: '1' },
        bundles: true,
      };
    case '.py':
      return run(windows ? 'python' : 'python3');
    case '.ps1':
      return windows
        ? run('powershell.exe', '-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-File')
        : run('pwsh', '-NoProfile', '-NonInteractive', '-File');
    case '.sh':
      return windows ? run('bash') : run(...(readShebang(platform.readFirstLine(file)) ?? ['sh']));
    case '.rb':
      return run('ruby');
    case '.pl':
      return run('perl');
    case '.bat':
    case '.cmd':
      return windows ? invokeBatch(file, args, platform) : run();
    default:
      return run();
  }
}

/** How a line is given to the system's shell. */
export function invokeShell(line: string, platform: Platform): Invocation {
  return platform.platform === 'win32'
    ? { argv: [platform.comSpec, '/d', '/s', '/c', `"${line}"`], env: {}, verbatim: true }
    : invoke(['/bin/sh', '-c', line]);
}

/** A program and arguments that need nothing else. */
export function invoke(argv: readonly string[]): Invocation {
  return { argv, env: {}, verbatim: false };
}

/** The program of a `#!` line and, as Linux passes it, all that follows as one argument. */
function readShebang(line: string | null): string[] | null {
  const match = /^#![ \t]*(\S+)(?:[ \t]+(\S.*))?$/.exec((line ?? '').trimEnd());
  return match?.[1] ? [match[1], ...(match[2] ? [match[2]] : [])] : null;
}

/**
 * Batch files run in cmd.exe, which reads the line by rules of its own: each word is quoted for the program that will
 * split it, and then every character that means something to cmd.exe is escaped. The rules are those of cross-spawn
 * (lib/util/escape.js), after https://qntm.org/cmd, but for a double quote, which is doubled as Rust's std::process does
 * it: a batch file that passes on its arguments (`%*`) has them read once more, without the escapes, and after a single
 * one what was quoted would stand unquoted: an `&` in it would begin a command.
 */
function invokeBatch(file: string, args: readonly string[], platform: Platform): Invocation {
  const escapeMeta = (text: string): string => text.replace(/[()\][%!^"`<>&|;, *?]/g, '^$&');
  const quote = (text: string): string =>
    escapeMeta(`"${text.replace(/(\\*)"/g, '$1$1""').replace(/(\\*)$/, '$1$1')}"`);
  const line = [quote(file), ...args.map(quote)].join(' ');
  return { argv: [platform.comSpec, '/d', '/s', '/c', `"${line}"`], env: {}, verbatim: true };
}
