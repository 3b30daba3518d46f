import type { Command } from 'commander';
import type { Context } from './program.ts';

/** Declares `status`. */
export function declareInsight(_program: Command, _context: Context): void {}
