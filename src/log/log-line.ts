import { neutralise } from './safe-text.ts';

export const logLevels = ['error', 'warn', 'info'] as const;
export type LogLevel = (typeof logLevels)[number];

/** A line of the central log, be it text or JSON; what is none of ours has its text alone. */
export interface LogLine {
  /** ISO 8601, UTC. */
  readonly time: string | null;
  readonly level: LogLevel | null;
  /** Null where rhythm speaks of itself. */
  readonly group: string | null;
  readonly script: string | null;
  readonly message: string;
}

/** What lines are asked for; all of it has to hold. */
export interface LogFilter {
  readonly group?: string | undefined;
  readonly script?: string | undefined;
  /** The least severe level that is shown. */
  readonly level?: LogLevel | undefined;
  /** ms */
  readonly since?: number | undefined;
}

const form = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (ERROR|WARN|INFO) +\[(.*?)\] (.*)$/s;

/** Reads a line that the log wrote, in either of its formats. Control characters of others' lines are made harmless. */
export function parseLogLine(text: string): LogLine {
  const [, time, level, source = '', message = ''] = form.exec(text) ?? [];
  if (time !== undefined) {
    const slash = source.indexOf('/');
    const group = slash === -1 ? source : source.slice(0, slash);
    const script = slash === -1 ? null : source.slice(slash + 1);
    return {
      time,
      level: level?.toLowerCase() as LogLevel,
      group: script === null && group === own ? null : neutralise(group),
      script: script === null ? null : neutralise(script),
      message: neutralise(message, longest),
    };
  }
  return parseJson(text) ?? { time: null, level: null, group: null, script: null, message: neutralise(text, longest) };
}

/** Under this name rhythm speaks of itself. */
const own = 'rhythm';
/** The log cuts lines itself; others' lines may be longer. */
const longest = 10_000;

function parseJson(text: string): LogLine | null {
  if (!text.startsWith('{')) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const line = value as Readonly<Record<string, unknown>>;
  const { time, level, message } = line;
  if (typeof time !== 'string' || Number.isNaN(Date.parse(time)) || typeof message !== 'string') return null;
  const known = logLevels.find((name) => name === level);
  if (known === undefined) return null;
  const textOf = (field: unknown) => (typeof field === 'string' ? neutralise(field) : null);
  return {
    time: neutralise(time),
    level: known,
    group: textOf(line.group),
    script: textOf(line.script),
    message: neutralise(message, longest),
  };
}

/** Whether a line is asked for. What is not ours has neither group nor level nor time, so no filter lets it through. */
export function matchesLine(line: LogLine, { group, script, level, since }: LogFilter): boolean {
  if (group !== undefined && (line.group ?? (line.level === null ? null : own)) !== group) return false;
  if (script !== undefined && line.script !== script) return false;
  if (level !== undefined && (line.level === null || logLevels.indexOf(line.level) > logLevels.indexOf(level))) {
    return false;
  }
  return since === undefined || (line.time !== null && Date.parse(line.time) >= since);
}

/** A line as the text format of the log has it. `paint` shows the level on a terminal that has colours. */
export function formatLogLine(line: LogLine, paint: (word: string, level: LogLevel) => string): string {
  if (line.level === null) return line.message;
  const group = line.group ?? own;
  const source = line.script === null ? group : `${group}/${line.script}`;
  const word = line.level.toUpperCase().padEnd(5);
  return `${line.time} ${paint(word, line.level)} [${source}] ${line.message}`;
}
