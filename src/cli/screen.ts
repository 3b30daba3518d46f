import { styleText } from 'node:util';

/** How many columns stdout shows on one row: 80 where a terminal does not say, no limit where it is none. */
export function screenWidth(): number {
  if (!process.stdout.isTTY) return Number.POSITIVE_INFINITY;
  return process.stdout.columns > 0 ? process.stdout.columns : 80;
}

/** Gives a text a colour or weight. */
export type Style = (format: Parameters<typeof styleText>[0], text: string) => string;

/** Styles for a terminal that has them, unless NO_COLOR (no-color.org) is set; plain text anywhere else. */
export function screenStyle(): Style {
  const { NO_COLOR } = process.env;
  if (!process.stdout.isTTY || (NO_COLOR !== undefined && NO_COLOR !== '')) return (_, text) => text;
  // Whether colours are wanted was asked above: asked again, older Node versions would look at another stream.
  return (format, text) => (text === '' ? '' : styleText(format, text, { validateStream: false }));
}
