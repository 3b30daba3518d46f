import type { Command } from 'commander';
import type { Context } from './program.ts';

/** Declares `import`. */
export function declareConsolidation(_program: Command, _context: Context): void {}
