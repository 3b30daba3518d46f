import { RhythmError, UsageError } from '../errors.ts';
import { readRecord, writeRecord } from './embedded-installation.ts';
import { writeLine } from './guard.ts';
import { call, demand } from './system-command.ts';
import { demandClock, type FoundEntry, type Order, type Printed, type Trigger } from './trigger.ts';

/** Debian's cron refuses a command of 1,000 bytes, and so long an assignment (MAX_COMMAND, MAX_ENVSTR in cron.h). */
const longestLine = 999;
const advice = 'install cron, or name another trigger with --trigger';

/** A marked block in the user's crontab. */
export const cron: Trigger = {
  name: 'cron',

  print(order): Printed {
    const text = writeBlock(order, false);
    return {
      where: `the crontab of ${order.account.user}`,
      files: [{ path: null, text, encoding: 'utf-8' }],
      commands: [['crontab', '-']],
    };
  },

  install(order) {
    const before = readTable();
    const after = putBlock(before, order);
    if (after !== before) writeTable(after);
    return [];
  },

  uninstall(id) {
    // Without a crontab, or without the right to have one, there is nothing to take out.
    const called = call('crontab', ['-l']);
    if (called?.status !== 0) return false;
    const before = called.stdout.toString('latin1');
    const after = takeBlock(before, id);
    if (after === before) return false;
    writeTable(after);
    return true;
  },

  find() {
    const table = call('crontab', ['-l']);
    if (table?.status !== 0) return [];
    return findEntries(table.stdout.toString('latin1'));
  },
};

/*
 * Tables are handled as Latin-1, one character a byte, so that what is not ours stays as it is, whatever its encoding.
 */

/** The user's table; null where there is none. */
function readTable(): string | null {
  const called = call('crontab', ['-l']);
  if (called === null) throw new RhythmError(`there is no program crontab here; ${advice}.`, 74);
  if (called.status === 0) return called.stdout.toString('latin1');
  // POSIX leaves the words to the system; all of those known say this, and exit with 1.
  if (/no crontab for/i.test(called.stderr) || (called.status === 1 && called.stderr === '')) return null;
  throw new RhythmError(
    `the crontab can't be read: ${called.stderr || `crontab ended with ${called.status}`}; ${advice}.`,
    74,
  );
}

function writeTable(text: string | null): void {
  if (text === null) {
    demand('crontab', ['-r'], 'take the block of rhythm out with crontab -e');
    return;
  }
  const given = call('crontab', ['-'], Buffer.from(text, 'latin1'));
  // Debian's takes no table that does not end with a newline, though it may have one that was put there otherwise.
  const isTaken = given?.status === 0 || (!text.endsWith('\n') && text !== '');
  const written = given?.status === 0 ? text : `${text}\n`;
  if (!isTaken || given?.status !== 0) {
    demand('crontab', ['-'], 'the crontab is as it was', Buffer.from(isTaken ? written : text, 'latin1'));
  }
  const now = readTable();
  if (now !== written && !(written === '' && now === null)) {
    throw new RhythmError(
      'the crontab is not what was just written; see what else changes it (crontab -l) and try again.',
      74,
    );
  }
}

/**
 * A block begins with what was before it: `none` where there was no table, `open` where its last line had no newline, so
 * that uninstall can give back just that.
 */
type Before = 'none' | 'open' | null;

interface Block {
  readonly id: string;
  readonly before: Before;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const begin = /^# BEGIN rhythm (\S+)(?: before:(none|open))?(?: .*)?$/gm;

function findBlocks(table: string): Block[] {
  return [...table.matchAll(begin)].map((match) => {
    const [, id = '', before] = match;
    const end = `\n# END rhythm ${id}`;
    const at = table.indexOf(end, match.index);
    const after = at === -1 ? '' : table.slice(at + end.length);
    if (at === -1 || !/^(\n|$)/.test(after)) {
      throw new UsageError(
        `the crontab has a line "# BEGIN rhythm ${id}" without its "# END rhythm ${id}"; mend it with crontab -e.`,
      );
    }
    const to = at + end.length + (after === '' ? 0 : 1);
    return { id, before: (before as Before) ?? null, from: match.index, to, text: table.slice(match.index, to) };
  });
}

/** The table with the block of an order in it: where that workspace's was, else at the end. */
export function putBlock(table: string | null, order: Order): string {
  const known = findBlocks(table ?? '').find(({ id }) => id === order.id);
  const head = (table ?? '').slice(0, known?.from ?? Number.POSITIVE_INFINITY);
  const isOpen = known === undefined && head !== '' && !head.endsWith('\n');
  const before = known?.before ?? (table === null ? 'none' : isOpen ? 'open' : null);
  const block = latin1(writeBlock(order, hasOtherShell(head), before));
  if (known !== undefined && table !== null) return table.slice(0, known.from) + block + table.slice(known.to);
  return `${head}${isOpen ? '\n' : ''}${block}`;
}

/** The table without a workspace's block, as it would be had there never been one; null: none is left. */
export function takeBlock(table: string | null, id: string): string | null {
  if (table === null) return null;
  const block = findBlocks(table).find((candidate) => candidate.id === id);
  if (block === undefined) return table;
  const head = table.slice(0, block.from);
  const tail = table.slice(block.to);
  if (block.before === null) return head + tail;
  if (block.before === 'none' && head + tail === '') return null;
  if (block.before === 'open' && tail === '') return head.slice(0, -1);
  // Another block of ours now stands next to what was there before: it is the one to remember it.
  const heir = findBlocks(tail)[0];
  const inherits = heir !== undefined && heir.before === null && (block.before === 'none' || heir.from === 0);
  if (!inherits) return head + tail;
  const name = `# BEGIN rhythm ${heir.id}`;
  return `${head}${tail.slice(0, heir.from)}${name} before:${block.before}${tail.slice(heir.from + name.length)}`;
}

export function findEntries(table: string): FoundEntry[] {
  let blocks: Block[];
  try {
    blocks = findBlocks(table);
  } catch {
    return [];
  }
  return blocks.map(({ id, text, from, before }) => {
    const order = readRecord(text);
    const isIntact = order !== null && latin1(writeBlock(order, hasOtherShell(table.slice(0, from)), before)) === text;
    return { where: 'the crontab', order, id, isIntact, idle: null };
  });
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** Whether the lines before ours make cron use a shell that may not understand plain sh. */
function hasOtherShell(head: string): boolean {
  const shell = [...head.matchAll(/^[ \t]*SHELL[ \t]*=[ \t]*["']?(.*?)["']?[ \t]*$/gm)].at(-1)?.[1];
  return shell !== undefined && !/(^|\/)(sh|dash|bash|ash|ksh)$/.test(shell);
}

function writeBlock(order: Order, otherShell: boolean, before: Before = null): string {
  const mark = before === null ? '' : ` before:${before}`;
  return [
    `# BEGIN rhythm ${order.id}${mark} (by rhythm install; rhythm uninstall takes it out)`,
    `# ${writeRecord(order)}`,
    ...writeEntry(order, otherShell),
    `# END rhythm ${order.id}`,
    '',
  ].join('\n');
}

/** What it prints is in the log anyway, so only errors are left to be mailed. */
const quietly = ' >/dev/null';

function writeEntry(order: Order, otherShell: boolean): string[] {
  const period = demandClock(order.every, 'cron');
  for (const text of [order.workspace, order.outputs, order.node, order.program, order.path]) {
    if (/[\n\r]/.test(text))
      throw new UsageError(`cron knows no line breaks in a command, and ${JSON.stringify(text)} has one.`);
  }
  const fields =
    'minutes' in period
      ? `${period.minutes === 1 ? '*' : `*/${period.minutes}`} * * * *`
      : `0 ${period.hours === 1 ? '*' : period.hours === 24 ? '0' : `*/${period.hours}`} * * *`;
  const write = (path: string) => {
    const line = writeLine(order, { before: `export PATH=${path}; `, after: quietly });
    return escapePercent(otherShell ? `/bin/sh -c ${quoteAll(line)}` : line);
  };
  const short = write(quoteAll(order.path));
  if (Buffer.byteLength(short) <= longestLine) return [`${fields} ${short}`];

  // An assignment of a line of its own, under a name that means nothing to the lines after it.
  const name = `RHYTHM_PATH_${order.id.replaceAll('-', '_')}`;
  const mark = order.path.includes('"') ? "'" : '"';
  const assignment = `${name}=${mark}${order.path}${mark}`;
  const command = write(`"$${name}"`);
  const isTooLong = [assignment, command].some((text) => Buffer.byteLength(text) > longestLine);
  if (!isTooLong && !order.path.includes(mark)) return [assignment, `${fields} ${command}`];
  const advise = order.guard ? ', or leave the guard out with --no-guard' : '';
  throw new UsageError(
    `cron takes no line of 1,000 characters, and this one needs ${Buffer.byteLength(short)}: shorten the PATH that rhythm install is called with (${Buffer.byteLength(order.path)})${advise}.`,
  );
}

function quoteAll(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * cron ends the command at a % (crontab(5)) and takes the backslash from before an escaped one. But it knows no escaped
 * backslash, so a % must not follow one: each stands outside of the quotes, all of ours being within single ones.
 */
function escapePercent(line: string): string {
  return line.replaceAll('%', "'\\%'");
}
