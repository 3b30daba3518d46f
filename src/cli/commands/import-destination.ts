import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { StorageError, UsageError } from '../../errors.ts';
import { nameOrigin, type Reading } from '../../import/entry.ts';
import type { Grouping } from '../../import/grouping/group-entries.ts';

const configNames = /^tasks\.config\.m?[tj]s$/;

interface There {
  readonly text: string;
  readonly names: readonly string[];
  readonly timezone: string | null;
}

/** The file that is to be merged into, which has to be valid before anything is added. */
export async function readThere(out: string): Promise<There> {
  const text = readFileSync(out, 'utf8');
  if (!configNames.test(basename(out))) {
    return {
      text,
      names: [...text.matchAll(/^ {4}'?([A-Za-z][\w-]*)'?: \{$/gm)].map(([, name = '']) => name),
      timezone: null,
    };
  }
  const { config } = await loadConfig(dirname(out), { cache: 'read' });
  return { text, names: config.groups.map(({ name }) => name), timezone: config.timezone };
}

/** What was written is read again as any configuration is, so that nothing invalid leaves this program. */
export async function loadText(text: string): Promise<Config> {
  const folder = mkdtempSync(join(tmpdir(), 'rhythm-import-'));
  try {
    writeFileSync(join(folder, 'tasks.config.ts'), text, { mode: 0o600 });
    return (await loadConfig(folder, { cache: 'off' })).config;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the file at once and whole; where a merged one turns out invalid, the old one comes back. */
export async function writeOut(out: string, text: string, before: string | null): Promise<void> {
  const put = (content: string) => {
    try {
      mkdirSync(dirname(out), { recursive: true });
      const temporary = `${out}.${process.pid}.tmp`;
      writeFileSync(temporary, content);
      renameSync(temporary, out);
    } catch (cause) {
      throw new StorageError(`${out} can't be written (${(cause as Error).message}).`, { cause });
    }
  };
  put(text);
  if (!configNames.test(basename(out)) || before === null) return;
  try {
    await loadConfig(dirname(out), { cache: 'off' });
  } catch (error) {
    put(before);
    throw error;
  }
}

/** Why nothing would be switched off without `--dry-run`; null where it would be. */
export async function foretellRefusal(
  out: string,
  isNew: boolean,
  enables: boolean,
  grouping: Grouping,
  reading: Reading,
): Promise<string | null> {
  if (isNew) return enables ? null : `the groups of ${basename(out)} would be written with enabled: false.`;
  try {
    await refuseDisabled(out, grouping, reading);
    return null;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

/** Nothing is switched off that nothing stands in for. */
export async function refuseDisabled(out: string, grouping: Grouping, { entries }: Reading): Promise<void> {
  const text = readFileSync(out, 'utf8');
  const { config } = await loadConfig(dirname(out), { cache: 'off' });
  const wanted = new Set(entries.filter(({ enabled }) => enabled).map(({ id }) => id));
  const planned = new Map(
    grouping.groups.flatMap(({ name, members }) => members.map(({ entry }) => [entry.id, name] as const)),
  );
  const off = new Set<string>();
  const stale = entries.filter(({ id, digest }) => !text.includes(`[${id}.${digest}]`));
  if (stale.length > 0) {
    throw new UsageError(
      `nothing was switched off, for ${basename(out)} does not have these as they now are: ${stale.map(({ origin }) => nameOrigin(origin)).join(', ')}; take them over by hand, with the brackets of their comments as rhythm import prints them.`,
    );
  }
  for (const id of wanted) {
    const at = text.indexOf(`[${id}.`);
    const above = [...text.slice(0, Math.max(0, at)).matchAll(/^ {4}'?([A-Za-z][\w-]*)'?: \{$/gm)].at(-1)?.[1];
    const name = above ?? planned.get(id) ?? '';
    if (config.groups.find((group) => group.name === name)?.enabled !== true) off.add(name);
  }
  if (off.size === 0) return;
  throw new UsageError(
    `nothing was switched off, for in ${basename(out)} these groups are not enabled and nothing would run in its place: ${[...off].join(', ')}; enable them there, then run this again.`,
  );
}
