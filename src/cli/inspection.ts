import type { Command } from 'commander';
import type { Context } from './program.ts';

/** Declares `graph`, `config`, `validate`. */
export function declareInspection(_program: Command, _context: Context): void {}
