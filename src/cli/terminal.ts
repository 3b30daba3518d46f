import { styleText } from 'node:util';
import type { Paint } from '../report/plan.ts';

/** Prints a line on stdout. */
export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

const colours: Record<Parameters<Paint>[1], Parameters<typeof styleText>[0]> = {
  run: 'green',
  wait: 'gray',
  skip: 'yellow',
  expire: 'red',
  paused: 'blue',
  disabled: 'gray',
};

/** Colours for a terminal that has them, unless NO_COLOR (no-color.org) is set; plain words anywhere else. */
export function painter(): Paint {
  const { NO_COLOR } = process.env;
  if (!process.stdout.isTTY || (NO_COLOR !== undefined && NO_COLOR !== '')) return (word) => word;
  return (word, decision) => styleText(colours[decision], word);
}
