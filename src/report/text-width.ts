import type stringWidth from 'string-width';
import { requireLater } from '../require.ts';

let measure: typeof stringWidth | undefined;

/**
 * How many columns of a terminal a text takes: wide characters two, colours none. Plain text is counted here, for most is
 * plain, and what knows about all other makes a text segmenter when it is loaded, which doubles the time of a command.
 */
export function widthOf(text: string): number {
  const bare = text.includes('\x1b') ? text.replace(/\x1b\[[\d;]*m/g, '') : text;
  if (/^[\x20-\x7e]*$/.test(bare)) return bare.length;
  measure ??= (requireLater('string-width') as { default: typeof stringWidth }).default;
  return measure(text);
}
