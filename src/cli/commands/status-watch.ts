import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoadedConfig, loadConfig } from '../../config/load.ts';
import { RhythmError, UsageError } from '../../errors.ts';
import { renderStatus } from '../../report/status-text.ts';
import { shorten } from '../../report/table.ts';
import { type HistoryLine, historyPath } from '../../state/history.ts';
import { listenForStop } from '../signals.ts';
import { isTerminal, streamOf } from '../streams.ts';
import { painter } from '../terminal.ts';
import { neutraliseAll, openRecentHistory, surveyStatus } from './status-survey.ts';

/** Between two looks, ms. */
const lookEvery = 1_000;

/**
 * `rhythm status --watch`: redraws the status until it is stopped, and leaves the terminal as it was.
 * UsageError where there is no terminal to draw on.
 */
export async function watchStatus(
  workspace: string,
  flags: { readonly check?: boolean; readonly json?: boolean },
): Promise<number> {
  for (const [flag, isSet] of [
    ['--check', flags.check],
    ['--json', flags.json],
  ] as const) {
    if (isSet)
      throw new UsageError(`--watch does not go with ${flag}: run rhythm status ${flag} as often as you like.`);
  }
  if (!isTerminal() || process.env.TERM === 'dumb') {
    throw new UsageError(
      '--watch draws on a terminal, and this is none: run rhythm status as often as you like, or rhythm log -f.',
    );
  }
  const look = await makeLook(workspace);
  const stop = listenForStop();
  const screen = openScreen(streamOf('stdout'));
  try {
    while (!stop.signal.aborted) {
      const resized = new AbortController();
      const onResize = () => resized.abort();
      streamOf('stdout').once('resize', onResize);
      process.once('SIGCONT', onResize);
      screen.draw(await look(screen.width()));
      await sleep(lookEvery, undefined, { signal: AbortSignal.any([stop.signal, resized.signal]) }).catch(
        () => undefined,
      );
      streamOf('stdout').off('resize', onResize);
      process.off('SIGCONT', onResize);
    }
  } finally {
    screen.close();
    stop.ignore();
  }
  return stop.exitCode() ?? 0;
}

/** Makes what looks around and says what it sees. What did not change on disk is not read again. */
async function makeLook(workspace: string): Promise<(width: number) => Promise<string>> {
  const load = () => loadConfig(resolve(workspace), { cache: 'read' });
  let loaded = await load();
  let loadedAs = signatureOf(loaded.inputs);
  let recent: Iterable<HistoryLine> | null = null;
  let recentAs = '';

  return async (width) => {
    let trouble = '';
    try {
      const inputs = signatureOf(loaded.inputs);
      if (inputs !== loadedAs) {
        loadedAs = inputs;
        loaded = await reload(load, loaded, (message) => {
          trouble = message;
          // Until it is valid again, each refresh reads it.
          loadedAs = '';
        });
      }
      const { config } = loaded;
      const history = signatureOf([historyPath(config.outputs)]);
      if (recent === null || history !== recentAs) {
        recent = openRecentHistory(config.outputs, Date.now());
        recentAs = history;
      }
      const found = neutraliseAll(surveyStatus(config, recent, Date.now()));
      const board = renderStatus(found, { timezone: config.timezone, width, paint: painter() });
      return [...found.notices, trouble, board].filter((part) => part !== '').join('\n');
    } catch (error) {
      if (!(error instanceof RhythmError)) throw error;
      return neutraliseAll(error.message);
    }
  };
}

/** The configuration, re-read; the previous one if it is invalid now. */
async function reload(
  load: () => Promise<LoadedConfig>,
  before: LoadedConfig,
  onTrouble: (message: string) => void,
): Promise<LoadedConfig> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof RhythmError)) throw error;
    onTrouble(error.message.split('\n').map(neutraliseAll).join('\n'));
    return before;
  }
}

/** What changes when one of the files does. */
function signatureOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stats = statSync(file, { throwIfNoEntry: false });
      return stats === undefined ? '-' : `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
    })
    .join('; ');
}

interface Screen {
  width(): number;
  draw(text: string): void;
  close(): void;
}

// Control sequences of xterm, which all terminals in use know: the other screen, the cursor, clearing.
const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';

/** A screen of its own, so that what was on the terminal before is there again afterwards, also while it is suspended. */
function openScreen(terminal: NodeJS.WriteStream): Screen {
  const suspend = () => {
    terminal.write(leave);
    process.kill(process.pid, 'SIGSTOP');
  };
  const redraw = () => terminal.write(enter);
  process.on('SIGTSTP', suspend).on('SIGCONT', redraw);
  terminal.write(enter);
  return {
    width: () => terminal.columns || 80,
    draw(text) {
      const [columns, rows] = [terminal.columns || 80, terminal.rows || 24];
      const lines = text.split('\n').map((line) => shorten(line, columns));
      const hidden = lines.length - rows;
      if (hidden > 0)
        lines.splice(rows - 1, hidden + 1, shorten(`… ${hidden + 1} more lines: the window is too low`, columns));
      terminal.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`);
    },
    close() {
      process.off('SIGTSTP', suspend).off('SIGCONT', redraw);
      terminal.write(leave);
    },
  };
}
