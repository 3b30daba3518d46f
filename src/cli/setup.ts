import type { Command } from 'commander';
import type { Context } from './program.ts';

/** Declares `install`, `uninstall`. */
export function declareSetup(_program: Command, _context: Context): void {}
