import { seconds } from '../log/seconds.ts';
import { readMonotonic } from '../monotonic.ts';
import { shorten } from '../report/table.ts';
import { usualScriptLength } from '../report/usual-durations.ts';
import { readNewest } from '../state/history.ts';
import type { TickEvent } from '../tick/event.ts';
import { formatEvent } from '../tick/event-logger.ts';
import type { OutputLine } from '../tick/session.ts';
import { type Outlet, openOutlet } from './streams.ts';

/** Shows the progress of a tick or a manual run to the user who started it. */
export interface Display {
  tell(event: TickEvent): void;
  /** A line of a script's output, as it appears. */
  showLine(line: OutputLine): void;
  /** Takes away what is not to stay. */
  close(): void;
}

/** So many lines of the history tell what is usual; to look further would keep people waiting. */
const linesThatTell = 20_000;
/** Columns of the bar. */
const barWidth = 10;

interface RunningScript {
  readonly name: string;
  /** By the monotonic clock, ms. */
  readonly since: number;
  /** ms; null where it has never succeeded. */
  readonly usual: number | null;
}

/**
 * Opens the display: lines for everybody, and on a terminal that can move its cursor a last line that says which script
 * runs, for how long, and how long it usually takes. With NO_COLOR or on a dumb terminal there are lines only.
 *
 * @param isLive whether the scripts' output is shown as it appears; their last lines are then not repeated
 */
export function openDisplay(
  outputs: string,
  { isLive }: { readonly isLive: boolean },
  terminal: Outlet = openOutlet(),
  environment: NodeJS.ProcessEnv = process.env,
): Display {
  const moves = terminal.isTTY && environment.TERM !== 'dumb' && !environment.NO_COLOR;
  const running = new Map<string, RunningScript>();
  let isDrawn = false;

  const print = (lines: readonly string[]) => {
    if (lines.length === 0) return;
    terminal.write(`${isDrawn ? clear : ''}${lines.map((line) => `${line}\n`).join('')}`);
    isDrawn = false;
    draw();
  };
  const draw = () => {
    if (!moves || (running.size === 0 && !isDrawn)) return;
    const text = [...running.values()].map((script) => describe(script, readMonotonic())).join('   ');
    // One column is left, for some terminals begin a new row as soon as the last one is filled.
    terminal.write(`${clear}${shorten(text, (terminal.columns || 80) - 1)}`);
    isDrawn = text !== '';
  };
  const timer = moves ? setInterval(draw, 1_000).unref() : undefined;

  return {
    tell(event) {
      if (event.kind === 'line') return;
      note(event, running, (group, script) => (moves ? usualOf(outputs, group, script) : null));
      const { group, script, text, lines = [] } = formatEvent(event);
      const source = group === undefined ? '' : `${group}${script === undefined ? '' : `/${script}`}  `;
      print([`${source}${text}`, ...(isLive ? [] : lines.map((line) => `    | ${line}`))]);
    },
    showLine({ group, script, text }) {
      // Scripts of several lanes speak at the same time.
      print([running.size > 1 ? `    ${group}/${script} | ${text}` : `    | ${text}`]);
    },
    close() {
      clearInterval(timer);
      running.clear();
      if (isDrawn) terminal.write(clear);
      isDrawn = false;
    },
  };
}

/** Back to the first column, and the row empty: control sequences that all terminals in use know. */
const clear = '\r\x1b[K';

function note(
  event: TickEvent,
  running: Map<string, RunningScript>,
  usual: (group: string, script: string) => number | null,
): void {
  if (event.kind === 'script-started') {
    const name = `${event.group}/${event.script}`;
    running.set(name, { name, since: readMonotonic(), usual: usual(event.group, event.script) });
  }
  if (event.kind === 'script-ended') running.delete(`${event.group}/${event.script}`);
  if (event.kind === 'script-retrying') running.delete(`${event.group}/${event.script}`);
}

/** `[####------] backup/dump.sh  12 s, usually 30 s` */
function describe({ name, since, usual }: RunningScript, now: number): string {
  const elapsed = now - since;
  const clock = seconds(Math.floor(elapsed / 1_000) * 1_000).replace('.0 s', ' s');
  if (usual === null) return `${name}  ${clock}`;
  const share = Math.min(1, elapsed / Math.max(usual, 1));
  const filled = Math.floor(share * barWidth);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}]`;
  return `${bar} ${name}  ${clock}, usually ${seconds(usual)}`;
}

function usualOf(outputs: string, group: string, script: string): number | null {
  try {
    return usualScriptLength(take(readNewest(outputs), linesThatTell), group, script);
  } catch {
    // What can't be read is no reason not to run: the run itself will tell of it.
    return null;
  }
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}
