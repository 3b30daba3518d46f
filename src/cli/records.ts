import type { Command } from 'commander';
import type { Context } from './program.ts';

/** Declares `explain`, `history`, `log`. */
export function declareRecords(_program: Command, _context: Context): void {}
