import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { RhythmError, StorageError, UsageError } from '../errors.ts';
import type { Entry, SourceKind, SourceText } from './entry.ts';
import { decodeText } from './text/encoding.ts';
import { quoteWord } from './text/shell-words.ts';

/** Switching off what was imported, with a backup, and on again. Nothing here happens unless it was asked for. */

/** One thing to do: a command, or lines of a table to be put behind a mark and back. */
export type Step =
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | { readonly kind: 'comment' | 'uncomment'; readonly file: string; readonly lines: readonly string[] };

export interface Switch {
  readonly disable: readonly Step[];
  readonly restore: readonly Step[];
}

/** What stands before a crontab line that rhythm has taken over. */
const mark = '#rhythm# ';
/** The name of this user's table. */
const userTable = 'crontab -l';

/** What it takes to switch off the originals of entries, and on again. Pure but for who and where we are. */
export function planSwitch(
  kind: SourceKind,
  entries: readonly Entry[],
  texts: readonly SourceText[],
  system: boolean,
): Switch {
  const names = [...new Set(entries.map(({ origin }) => origin.name))];
  const command = (...argv: string[]): Step => ({ kind: 'command', argv });
  switch (kind) {
    case 'crontab': {
      const files = [...new Set(entries.map(({ origin }) => origin.file))];
      const stepsOf = (step: 'comment' | 'uncomment'): Step[] =>
        files.map((file) => {
          const rows = (texts.find(({ name }) => name === file)?.text ?? '').split('\n');
          const own = entries.filter(({ origin }) => origin.file === file);
          const lines = own.map(({ origin }) => (rows[(origin.line ?? 1) - 1] ?? '').replace(/\r$/, ''));
          return { kind: step, file, lines };
        });
      return { disable: stepsOf('comment'), restore: stepsOf('uncomment') };
    }
    case 'systemd': {
      const scopeOf = (name: string): string[] => {
        const file = entries.find(({ origin }) => origin.name === name)?.origin.file ?? '';
        return system || /^\/(etc|lib|usr\/lib|usr\/local\/lib|run)\/systemd\/system\//.test(file) ? [] : ['--user'];
      };
      return {
        disable: names.map((name) => command('systemctl', ...scopeOf(name), 'disable', '--now', name)),
        restore: names.map((name) => command('systemctl', ...scopeOf(name), 'enable', '--now', name)),
      };
    }
    case 'launchd': {
      const fileOf = (name: string) => resolve(entries.find(({ origin }) => origin.name === name)?.origin.file ?? '');
      const domainOf = (name: string) =>
        fileOf(name).startsWith('/Library/LaunchDaemons/') ? 'system' : `gui/${process.getuid?.() ?? 501}`;
      return {
        disable: names.flatMap((name) => [
          command('launchctl', 'bootout', `${domainOf(name)}/${name}`),
          command('launchctl', 'disable', `${domainOf(name)}/${name}`),
        ]),
        restore: names.flatMap((name) => [
          command('launchctl', 'enable', `${domainOf(name)}/${name}`),
          command('launchctl', 'bootstrap', domainOf(name), fileOf(name)),
        ]),
      };
    }
    case 'schtasks': {
      // What was off stays off when the others come back.
      const on = [...new Set(entries.filter(({ enabled }) => enabled).map(({ origin }) => origin.name))];
      return {
        disable: on.map((name) => command('schtasks', '/Change', '/TN', name, '/DISABLE')),
        restore: on.map((name) => command('schtasks', '/Change', '/TN', name, '/ENABLE')),
      };
    }
  }
}

/** Steps as they would be typed. */
export function renderSteps(steps: readonly Step[]): string[] {
  return steps.flatMap((step) => {
    if (step.kind === 'command') return [step.argv.map(quoteWord).join(' ')];
    const place = step.file === userTable ? 'in this user’s crontab (crontab -)' : `in ${step.file}`;
    const [from, to] = step.kind === 'comment' ? ['', mark] : [mark, ''];
    return step.lines.map((line) => `${place}: ${from}${line}  ->  ${to}${line}`);
  });
}

interface Manifest {
  readonly schemaVersion: 1;
  readonly kind: SourceKind;
  readonly at: string;
  readonly restore: readonly Step[];
  readonly restoredAt: string | null;
}

/**
 * Keeps a copy of all that was read below `folder`, then switches the originals off. Returns the backup's folder. Throws
 * a RhythmError that names it where a step fails: what was done until then can be restored from there.
 */
export function disableOriginals(
  folder: string,
  kind: SourceKind,
  plan: Switch,
  texts: readonly SourceText[],
  now: number,
): string {
  const at = new Date(now).toISOString();
  const place = join(folder, `${kind}-${at.replace(/[-:]/g, '').replace(/\.\d+/, '')}`);
  try {
    mkdirSync(place, { recursive: true, mode: 0o700 });
    for (const [index, { name, text }] of texts.entries()) {
      const safe = name.replace(/[^\w.@-]+/g, '_').slice(-80) || 'stdin';
      writeFileSync(join(place, `${index + 1}-${safe}`), text, { mode: 0o600 });
    }
    writeManifest(place, { schemaVersion: 1, kind, at, restore: plan.restore, restoredAt: null });
  } catch (cause) {
    throw new StorageError(
      `no backup can be written to ${place} (${(cause as Error).message}); nothing was switched off.`,
      { cause },
    );
  }
  for (const step of plan.disable) perform(step, `what was switched off until then comes back with --restore ${place}`);
  return place;
}

/** Finds the backup to restore: the one that is named, or the newest of that kind that was not restored yet. */
export function findBackup(
  folder: string,
  kind: SourceKind,
  named: string | null,
): { readonly place: string; readonly restore: readonly Step[] } {
  const places =
    named !== null
      ? [named]
      : existsSync(folder)
        ? readdirSync(folder)
            .filter((name) => name.startsWith(`${kind}-`))
            .sort()
            .reverse()
            .map((name) => join(folder, name))
        : [];
  for (const place of places) {
    const manifest = readManifest(place);
    if (manifest.kind !== kind) throw new UsageError(`${place} is a backup of ${manifest.kind}, not of ${kind}.`);
    if (named !== null || manifest.restoredAt === null) return { place, restore: manifest.restore };
  }
  throw new UsageError(
    `there is no backup of ${kind} below ${folder} that was not restored already; name one with --restore FOLDER.`,
  );
}

/** Switches on what a backup says was switched off. */
export function restoreOriginals(
  { place, restore }: { readonly place: string; readonly restore: readonly Step[] },
  now: number,
): void {
  for (const step of restore) perform(step, `do the rest by hand, or again with --restore ${place}`);
  writeManifest(place, { ...readManifest(place), restoredAt: new Date(now).toISOString() });
}

function writeManifest(place: string, manifest: Manifest): void {
  writeFileSync(join(place, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
}

function readManifest(place: string): Manifest {
  try {
    const manifest = JSON.parse(readFileSync(join(place, 'manifest.json'), 'utf8')) as Manifest;
    if (manifest.schemaVersion !== 1 || !Array.isArray(manifest.restore))
      throw new Error('it is no manifest of an import');
    return manifest;
  } catch (cause) {
    throw new UsageError(`${place} is no backup of an import (${(cause as Error).message}).`, { cause });
  }
}

function perform(step: Step, advice: string): void {
  if (step.kind !== 'command') {
    rewriteTable(step, advice);
    return;
  }
  const [program = '', ...args] = step.argv;
  const result = spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (result.error === undefined && result.status === 0) return;
  const said = result.error?.message ?? result.stderr.trim().split('\n')[0] ?? '';
  throw new RhythmError(`${renderSteps([step])[0]} failed (${said || `status ${result.status}`}); ${advice}.`, 74);
}

/** Lines that have changed since stay as they are. */
function rewriteTable({ kind, file, lines }: Extract<Step, { file: string }>, advice: string): void {
  const isUser = file === userTable;
  const current = isUser ? readUserTable() : readTable(file, advice);
  const left = [...lines];
  const rows = current.split('\n').map((row) => {
    const plain = row.replace(/\r$/, '');
    const bare = kind === 'comment' ? plain : plain.startsWith(mark) ? plain.slice(mark.length) : null;
    const index = bare === null ? -1 : left.indexOf(bare);
    if (bare === null || index === -1) return row;
    left.splice(index, 1);
    return kind === 'comment' ? `${mark}${row}` : row.slice(mark.length);
  });
  const text = rows.join('\n');
  if (text === current) return;
  if (isUser) {
    const result = spawnSync('crontab', ['-'], { input: text, encoding: 'utf8' });
    if (result.error !== undefined || result.status !== 0) {
      throw new RhythmError(`crontab - failed (${result.error?.message ?? result.stderr.trim()}); ${advice}.`, 74);
    }
    return;
  }
  try {
    const full = resolve(file);
    const temporary = `${full}.rhythm-${process.pid}`;
    writeFileSync(temporary, text);
    chmodSync(temporary, statSync(full).mode & 0o7777);
    renameSync(temporary, full);
  } catch (cause) {
    throw new StorageError(`${file} can't be written (${(cause as Error).message}); ${advice}.`, { cause });
  }
}

function readUserTable(): string {
  const result = spawnSync('crontab', ['-l'], { maxBuffer: 1 << 26 });
  return result.status === 0 ? decodeText(result.stdout).text : '';
}

function readTable(file: string, advice: string): string {
  try {
    return decodeText(readFileSync(file)).text;
  } catch (cause) {
    throw new StorageError(`${file} can't be read (${(cause as Error).message}); ${advice}.`, { cause });
  }
}
