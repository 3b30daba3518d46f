#!/usr/bin/env node
// Where a tick begins. Most find nothing to do, and to see that must cost next to nothing: so this file is bundled for
// itself, uses nothing but what Node has loaded already, and loads the program only when there is more to do.
import { findKept } from '../config/load.ts';
import { readMonotonic } from '../monotonic.ts';
import { type NextBeat, sayNothingDue } from '../report/idle.ts';
import { tickAtRest } from '../tick/rest.ts';
import { isAnyNew, keepParts, loadPart } from './part.ts';
import type { StatusFlags } from './status.ts';
import { leave, printLine } from './streams.ts';
import type { TickConfig, TickFlags } from './tick.ts';

/** What a command line that is taken apart here asks for. */
interface Asked {
  readonly command: 'tick' | 'status';
  readonly workspace: string;
  readonly flags: TickFlags & StatusFlags;
}

/** The part of the program that does it. */
interface Part {
  run(workspace: string, flags: Asked['flags'], found: TickConfig | null): Promise<void>;
  /** As `leave` of streams.ts, of which each part has its own. */
  leave(): void;
}

/** One that only reads, and so keeps nothing of itself. */
interface ReadingPart extends Part {
  rehearse(workspace: string): Promise<void>;
}

const switches: Readonly<Record<Asked['command'], ReadonlyMap<string, string>>> = {
  tick: new Map([
    ['--dry-run', 'dryRun'],
    ['--stamp', 'stamp'],
    ['--json', 'json'],
  ]),
  status: new Map([
    ['--check', 'check'],
    ['--json', 'json'],
  ]),
};

/** What is started most often needs no library to be taken apart; null for anything else, and in any doubt. */
function readPlainly(argv: readonly string[]): Asked | null {
  let command: Asked['command'] | null = null;
  let workspace = process.cwd();
  const flags: Record<string, true> = {};
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] as string;
    const folder = argv[index + 1];
    const flag = switches[command ?? 'tick'].get(word);
    if (command === null && (word === 'tick' || word === 'status')) command = word;
    else if (flag !== undefined && (command !== null || word === '--stamp')) flags[flag] = true;
    else if ((word === '-C' || word === '--workspace') && folder !== undefined && !folder.startsWith('-')) {
      workspace = folder;
      index++;
    } else return null;
  }
  if (command === 'status' && flags.stamp) return null;
  return { command: command ?? 'tick', workspace, flags };
}

const asked = readPlainly(process.argv.slice(2));
const isTick = asked?.command === 'tick' && !asked.flags.dryRun;
const looked = { readAt: Date.now(), clock: readMonotonic() };
const found = isTick ? findKept(asked.workspace) : null;
const mayRest = found !== null && !asked?.flags.json;
const idle = mayRest ? tickAtRest<NextBeat | null>(found, looked, asked?.flags.stamp === true) : null;
if (idle !== null) {
  printLine(sayNothingDue(idle.said, idle.now));
  leave();
} else if (asked !== null) {
  const { command, workspace, flags } = asked;
  const part = loadPart(flags.dryRun ? 'preview.cjs' : `${command}.cjs`) as Part;
  void part.run(workspace, flags, found && { ...found, ...looked }).then(async () => {
    // What only reads writes nothing anywhere, so a tick compiles it and keeps that.
    if (isTick && isAnyNew() && keepParts()) {
      for (const name of ['preview.cjs', 'status.cjs']) {
        try {
          await (loadPart(name) as ReadingPart).rehearse(workspace);
        } catch {
          // What it could not do it says when it is asked to.
        }
      }
      keepParts();
    }
    part.leave();
  });
} else {
  // Before the program is loaded, for Node looks for the map of a file when it loads the file.
  if (process.argv.includes('--verbose')) process.setSourceMapsEnabled(true);
  void import('./main.ts');
}
