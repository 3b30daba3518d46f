import { createLogger, format } from 'winston';
import Transport from 'winston-transport';
import { isoOf } from '../state/state-schema.ts';
import { openRotatingFile, type RotatingFileOptions } from './rotation.ts';
import { neutralise, redactText, withoutEscapes } from './safe-text.ts';

export interface LogOptions extends RotatingFileOptions {
  readonly format: 'text' | 'json';
  /** Values that never appear in the log. */
  readonly secrets: readonly string[];
}

/** What an event is about: a script of a group, a group, or, where both are missing, rhythm itself. */
export interface Source {
  readonly group?: string | undefined;
  readonly script?: string | undefined;
}

/** What a JSON line says beyond its text; a text line leaves it out. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * The central log. Each call writes one line, and the line is in the kernel's hands when the call returns: neither
 * `process.exit` nor a kill loses it. Each throws a StorageError where the line could not be written whole.
 */
export interface Log {
  info(source: Source, text: string, fields?: Fields): void;
  warn(source: Source, text: string, fields?: Fields): void;
  error(source: Source, text: string, fields?: Fields): void;
  close(): void;
}

const levels = { error: 0, warn: 1, info: 2 };
type Level = keyof typeof levels;

interface Event extends Source {
  readonly time: string;
  readonly level: Level;
  readonly message: string;
  readonly fields: Fields;
}

/** Opens the central log, creating the file and its folder where they are missing; StorageError if that fails. */
export function openLog(options: LogOptions): Log {
  const file = openRotatingFile(options);
  const clean = (text: string): string => neutralise(redactText(withoutEscapes(text), options.secrets));
  const render = options.format === 'json' ? jsonLine : textLine;
  let failure: unknown = null;
  const logger = createLogger({
    levels,
    level: 'info',
    format: format.printf((info) => render(info as unknown as Event, clean)),
    // winston's own File transport loses lines when the process exits and while it rotates; this one is synchronous.
    transports: new Transport({
      log(info: Record<symbol, string>, next: () => void) {
        try {
          file.append(`${info[Symbol.for('message')]}\n`);
        } catch (error) {
          // Thrown by the call that logs: from here it would leave winston's streams stuck, and all later lines in them.
          failure = error;
        }
        next();
      },
    }),
  });

  function write(level: Level, { group, script }: Source, text: string, fields: Fields = {}): void {
    const event: Event = { time: isoOf(Date.now()), level, group, script, message: clean(text), fields };
    failure = null;
    logger.log(event as Event & { level: string });
    if (failure !== null) throw failure;
  }

  return {
    info: (source, text, fields) => write('info', source, text, fields),
    warn: (source, text, fields) => write('warn', source, text, fields),
    error: (source, text, fields) => write('error', source, text, fields),
    close: () => file.close(),
  };
}

/** `2026-11-22T16:00:00.123Z INFO  [group/script] text` */
function textLine({ time, level, group, script, message }: Event): string {
  const source = script === undefined ? (group ?? 'rhythm') : `${group ?? 'rhythm'}/${script}`;
  return `${time} ${level.toUpperCase().padEnd(5)} [${neutralise(source)}] ${message}`;
}

const ownNames = new Set(['time', 'level', 'group', 'script', 'message']);

/** One JSON object: the event's own five names first, then its fields; a field of one of those names is left out. */
function jsonLine({ time, level, group, script, message, fields }: Event, clean: (text: string) => string): string {
  const source = {
    group: group === undefined ? null : neutralise(group),
    script: script === undefined ? null : neutralise(script),
  };
  const own = JSON.stringify({ time, level, ...source, message });
  const named = Object.entries(fields).filter(([name]) => !ownNames.has(name));
  const further = JSON.stringify(Object.fromEntries(named), (_, value: unknown) => {
    if (typeof value === 'string') return clean(value);
    return typeof value === 'bigint' ? String(value) : value;
  });
  const line = further === '{}' ? own : `${own.slice(0, -1)},${further.slice(1)}`;
  // What JSON itself lets through in names.
  return line.replace(/[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
