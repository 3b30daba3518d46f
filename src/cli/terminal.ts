import { styleText } from 'node:util';
import type { Paint } from '../report/plan-document.ts';
import { isTerminal, streamOf } from './streams.ts';

const colours: Record<Parameters<Paint>[1], Parameters<typeof styleText>[0]> = {
  run: 'green',
  wait: 'gray',
  skip: 'yellow',
  expire: 'red',
  paused: 'blue',
  disabled: 'gray',
};

/** Whether colours are to be shown: on a terminal, unless NO_COLOR (no-color.org) is set. */
export function hasColours(): boolean {
  const { NO_COLOR } = process.env;
  return isTerminal() && (NO_COLOR === undefined || NO_COLOR === '');
}

/** The columns of the terminal, 80 where it does not tell; infinite where the output goes elsewhere. */
export function terminalWidth(): number {
  if (!isTerminal()) return Number.POSITIVE_INFINITY;
  return streamOf('stdout').columns > 0 ? streamOf('stdout').columns : 80;
}

/** Colours for a terminal that has them, unless NO_COLOR (no-color.org) is set; plain words anywhere else. */
export function painter(): Paint {
  if (!hasColours()) return (word) => word;
  return (word, decision) => styleText(colours[decision], word);
}

/** Gives a text a colour or weight. */
export type Style = (format: Parameters<typeof styleText>[0], text: string) => string;

/** Styles where colours are to be shown; plain text anywhere else. */
export function terminalStyle(): Style {
  if (!hasColours()) return (_, text) => text;
  // Whether colours are wanted was asked above: asked again, older Node versions would look at another stream.
  return (format, text) => (text === '' ? '' : styleText(format, text, { validateStream: false }));
}
