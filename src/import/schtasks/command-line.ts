import { win32 } from 'node:path';
import type { ScriptDraft } from '../entry.ts';

/** Splits a command line as Windows programs do (CommandLineToArgvW): backslashes count only before a quote. */
export function splitCommandLine(text: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '\\') {
      let end = at;
      while (text.charAt(end) === '\\') end += 1;
      const count = end - at;
      const beforeQuote = text.charAt(end) === '"';
      word = (word ?? '') + '\\'.repeat(beforeQuote ? Math.floor(count / 2) : count);
      if (beforeQuote && count % 2 === 1) {
        word += '"';
        end += 1;
      }
      at = end - 1;
    } else if (character === '"') {
      if (quoted && text.charAt(at + 1) === '"') {
        word = `${word ?? ''}"`;
        at += 1;
      } else quoted = !quoted;
      word ??= '';
    } else if (!quoted && /\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? '') + character;
  }
  if (word !== null) words.push(word);
  return words;
}

const droppedSwitches = /^-(nop(rofile)?|noni(nteractive)?|nol(ogo)?)$/i;
const droppedValues = /^-(ep|ex(ec(utionpolicy)?)?|executionpolicy|w(indowstyle)?)$/i;

/** What an Exec action runs, its program and arguments apart. */
export function scriptOfAction(
  command: string,
  line: string,
  folder: string | null,
): { readonly script: ScriptDraft; readonly notes: readonly string[] } {
  const program = command.trim().replace(/^"(.*)"$/s, '$1');
  const cwd = folder === null || folder.trim() === '' ? null : folder.trim().replace(/^"(.*)"$/s, '$1');
  // Task Scheduler fills in %VARIABLES% wherever they stand; here only the system's shell does.
  if ([program, line, cwd ?? ''].some((text) => /%[\w() ]+%/.test(text))) {
    const quoted = /\s/.test(program) ? `"${program}"` : program;
    const run = `${quoted}${line.trim() === '' ? '' : ` ${line.trim()}`}`;
    return {
      script: { shell: cwd === null ? run : `cd /d "${cwd}" && ${run}` },
      notes: ['it stays a line for cmd.exe, which fills in its %VARIABLES%'],
    };
  }
  const place = cwd === null ? {} : { cwd };
  const name = win32
    .basename(program)
    .toLowerCase()
    .replace(/\.exe$/, '');
  const isBare = !/[\\/]/.test(program) || /\\(system32|sysnative|syswow64)\\/i.test(program);
  if (name === 'powershell' && isBare) {
    const found = readPowershell(splitCommandLine(line));
    if (found !== null) {
      return { script: { ...fileOf(found.file, found.args, cwd), ...place }, notes: found.notes };
    }
  }
  if (name === 'cmd' && isBare) {
    const [, rest] = /^\s*(?:\/[dsqaev](?::\w+)?\s+)*\/[cr]\s*([\s\S]*\S)\s*$/i.exec(line) ?? [];
    if (rest !== undefined) {
      // cmd.exe takes off the outer quotes; a line is given to it in quotes again.
      const inner = /^"([\s\S]*)"$/.exec(rest)?.[1];
      const shell = inner !== undefined && (!inner.includes('"') || /[&|<>]/.test(inner)) ? inner : rest;
      return { script: { shell, ...place }, notes: [] };
    }
  }
  const words = splitCommandLine(line);
  if (
    isBare &&
    ((name === 'python' && /\.pyw?$/i.test(words[0] ?? '')) || (name === 'node' && /\.[cm]?js$/i.test(words[0] ?? '')))
  ) {
    const [file = '', ...args] = words;
    if (/\.pyw$/i.test(file) === false && (win32.isAbsolute(file) || cwd !== null)) {
      return { script: { ...fileOf(file, args, cwd), ...place }, notes: [] };
    }
  }
  if (/\.(bat|cmd|ps1|py|rb|pl|[cm]?js|[cm]?ts)$/i.test(program) && (win32.isAbsolute(program) || cwd !== null)) {
    return { script: { ...fileOf(program, words, cwd), ...place }, notes: [] };
  }
  return { script: { command: program, ...(words.length === 0 ? {} : { args: words }), ...place }, notes: [] };
}

function fileOf(file: string, args: readonly string[], cwd: string | null): ScriptDraft {
  const run = win32.isAbsolute(file) || cwd === null ? file : win32.join(cwd, file);
  return args.length === 0 ? { run } : { run, args: [...args] };
}

/**
 * The file that PowerShell runs, and its arguments. Null where it runs something else, or is started in a way that
 * rhythm does not start it in. What rhythm says to PowerShell anyway is left out.
 */
function readPowershell(
  words: readonly string[],
): { readonly file: string; readonly args: readonly string[]; readonly notes: string[] } | null {
  const notes: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (/^-f(i(le?)?)?$/i.test(word)) {
      const file = words[at + 1];
      return file === undefined || !/\.ps1$/i.test(file) ? null : { file, args: words.slice(at + 2), notes };
    }
    if (droppedValues.test(word)) {
      const value = words[at + 1] ?? '';
      const isUsual = /^(bypass|unrestricted|remotesigned|hidden|normal|minimized)$/i.test(value);
      if (!isUsual) return null;
      if (!/^bypass$/i.test(value) && !/^-w/i.test(word)) notes.push(`-ExecutionPolicy ${value} became Bypass`);
      at += 1;
    } else if (/\.ps1$/i.test(word) && !word.startsWith('-')) {
      return { file: word.replace(/^&\s*/, ''), args: words.slice(at + 1), notes };
    } else if (!droppedSwitches.test(word)) return null;
  }
  return null;
}
