import type { Command } from 'commander';
import type { Context } from './program.ts';

/** Declares `doctor`, `stop`, `cleanup`, `init`, `completion`. */
export function declareUpkeep(_program: Command, _context: Context): void {}
