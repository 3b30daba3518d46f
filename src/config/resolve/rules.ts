import { parseDuration } from '../../schedule/duration.ts';

/** Rules for single texts and numbers of a configuration; schema.ts has the sentences about them. */

const day = 86_400_000;
/** Node's timers overflow beyond 2^31 - 1 ms (24.8 days) and then fire at once, so what is timed stays below. */
export const longestTimer = 24 * day;

/** Whether a text is a length of time within bounds, in ms. */
export function isDuration(text: string, least: number, most: number): boolean {
  const length = parseDuration(text);
  return length !== null && length >= least && length <= most;
}

/** Whether a text is fit for a program or a file: neither can be given a NUL character, which ends a text for the system. */
export function isText(text: string): boolean {
  return text.trim() !== '' && isArgument(text);
}

/** Whether a text can be given to a program as an argument. */
export function isArgument(text: string): boolean {
  return !text.includes('\0');
}

/** Names go into file names and onto the command line; the limit keeps a run's file name below the usual 255 bytes. */
const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,99}$/;
export const nameRule = 'a letter, then letters, digits, "_" or "-" (100 at most)';

/** Whether a group or a lane may be called so. */
export function isName(name: string): boolean {
  return namePattern.test(name);
}

/** Whether a script may be called so. */
export function isScriptName(name: string): boolean {
  return /^[^\s\p{Cc}]([^\p{Cc}]*[^\s\p{Cc}])?$/u.test(name) && name.length <= 100;
}

/** Whether an environment variable may be called so. */
export function isVariable(name: string): boolean {
  return /^[^=\0]+$/.test(name);
}

/** Whether a text, with or without its dot, is the extension of a file. */
export function isExtension(text: string): boolean {
  return /^\.?[^./\\\s]+$/.test(text);
}

export const scriptForms = 'a text such as "check.ts --fast", or an object with one of run, command and shell';
