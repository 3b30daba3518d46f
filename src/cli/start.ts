#!/usr/bin/env node
// Where a tick begins. Most find nothing to do, and to see that must cost next to nothing: so this file is bundled for
// itself, uses nothing but what Node has loaded already, and loads the program only when there is more to do.
import { writeSync } from 'node:fs';
import { keepCompiled } from '../config/place.ts';
import { type NextBeat, sayNothingDue } from '../report/idle.ts';
import { tickAtRest } from '../tick/rest.ts';

/** What a plain tick is asked for; null for anything else. */
function readPlainTick(argv: readonly string[]): { workspace: string; stamp: boolean } | null {
  const asked = { workspace: process.cwd(), stamp: false };
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index];
    const folder = argv[index + 1];
    if (word === 'tick' && !argv.slice(0, index).includes('tick')) continue;
    if (word === '--stamp') asked.stamp = true;
    else if ((word === '-C' || word === '--workspace') && folder !== undefined && !folder.startsWith('-')) {
      asked.workspace = folder;
      index++;
    } else return null;
  }
  return asked;
}

/** Prints a line; what can't be written there is told on stderr, unless nobody reads it. */
function print(line: string): void {
  try {
    writeSync(1, `${line}\n`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') return;
    if (code === 'EAGAIN') return void process.stdout.write(`${line}\n`);
    process.stderr.write(`rhythm: what it prints can't be written (${message}).\n`);
    process.exitCode = 74;
  }
}

const asked = readPlainTick(process.argv.slice(2));
const idle = asked === null ? null : tickAtRest<NextBeat | null>(asked.workspace, asked.stamp);
if (idle !== null) print(sayNothingDue(idle.said, idle.now));
else if (asked !== null) {
  keepCompiled();
  void import('./plain.ts').then(({ tickPlainly }) => tickPlainly(asked));
} else {
  // Before the program is loaded, for Node looks for the map of a file when it loads the file.
  if (process.argv.includes('--verbose')) process.setSourceMapsEnabled(true);
  void import('./main.ts');
}
