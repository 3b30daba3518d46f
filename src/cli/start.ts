#!/usr/bin/env node
// Where a tick begins. Most find nothing to do, and to see that must cost next to nothing: so this file is bundled for
// itself, uses nothing but what Node has loaded already, and loads the program only when there is more to do.
import { writeSync } from 'node:fs';
import { type NextBeat, sayNothingDue } from '../report/idle.ts';
import { tickAtRest } from '../tick/rest.ts';

/** The workspace of a plain tick; null for anything else that was asked for. */
function readPlainTick(argv: readonly string[]): string | null {
  const rest = argv[0] === 'tick' ? argv.slice(1) : argv;
  if (rest.length === 0) return process.cwd();
  const [flag = '', folder] = rest;
  return rest.length === 2 && folder !== undefined && ['-C', '--workspace'].includes(flag) ? folder : null;
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

const workspace = readPlainTick(process.argv.slice(2));
const idle = workspace === null ? null : tickAtRest<NextBeat | null>(workspace);
if (idle === null) void import('./main.ts');
else print(sayNothingDue(idle.said, idle.now));
