import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What a script is called, what `--help` prints above the part that all scripts share, and the flags it knows. */
export interface Program {
  readonly name: string;
  readonly help: string;
  readonly flags?: readonly string[];
}

/** What a script is given. `now` (ms since the epoch) is read once and rules everything that the script decides. */
export interface Invocation {
  readonly workspace: string;
  readonly outputs: string;
  readonly now: number;
  readonly flags: ReadonlySet<string>;
}

const sharedHelp = `
Files are kept in the folder $RHYTHM_OUTPUTS, which rhythm sets. Run by hand without
it, the script uses the folder outputs/ under the current one, and creates it.
Exit codes: 0 fine; 1 somebody should look; 2 wrong usage.
`;

/**
 * Runs a script's body between its command line and its exit code: 0, or 1 where the body answers `look` or throws, or
 * 2 for an argument that it does not know. The exit code is set, not forced, so that what was printed gets out whole.
 */
export async function perform(
  program: Program,
  body: (invocation: Invocation) => Promise<'fine' | 'look'>,
): Promise<void> {
  const known = [...(program.flags ?? []), 'help'];
  let flags: ReadonlySet<string>;
  try {
    const options = Object.fromEntries(known.map((flag) => [flag, { type: 'boolean' } as const]));
    flags = new Set(Object.keys(parseArgs({ options }).values));
  } catch (error) {
    console.error(`${program.name}: ${messageOf(error)}; run it with --help to see what it takes.`);
    process.exitCode = 2;
    return;
  }
  if (flags.has('help')) {
    console.log(`${program.help.trim()}\n${sharedHelp.trimEnd()}`);
    return;
  }
  // `||`: an empty variable is as good as none, and would otherwise scatter files over the current folder.
  const outputs = resolve(process.env.RHYTHM_OUTPUTS || 'outputs');
  const workspace = resolve(process.env.RHYTHM_WORKSPACE || '.');
  try {
    await mkdir(outputs, { recursive: true, mode: 0o750 });
    if ((await body({ workspace, outputs, now: Date.now(), flags })) === 'look') process.exitCode = 1;
  } catch (error) {
    process.exitCode = 1;
    if (error instanceof Complaint) return void console.error(`${program.name}: ${error.message}`);
    const ofSystem = error instanceof Error && 'code' in error;
    // What the system refuses has a cause outside; anything else is a defect, and its stack leads to it.
    console.error(
      ofSystem
        ? `${program.name}: can't work in ${outputs} (${error.message}); check that it is a writable folder with room.`
        : error,
    );
  }
}

/** What a person has to mend, in a sentence: what is wrong, where, and what to do. */
export class Complaint extends Error {}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
