import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { nullIfAbsent, replaceFile } from './files.ts';

/**
 * Series of records as JSON lines, oldest first, each with the instant `at` (ISO 8601). A line that can't be read (torn
 * by a full disk, say) is passed over: one bad line must not cost the rest.
 */
export interface SeriesRecord {
  readonly [field: string]: unknown;
  /** Ms since the epoch. */
  readonly at: number;
}

const day = 86_400_000;

/** How long the scripts' own series are kept, in ms. */
const keep = 30 * day;

/** Reads a line; null where it is not an object with an instant `at`. */
export function parseRecord(line: string): SeriesRecord | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('at' in value) || typeof value.at !== 'string') return null;
    const at = Date.parse(value.at);
    return Number.isNaN(at) ? null : { ...value, at };
  } catch {
    return null;
  }
}

/** The readable records of a series, one at a time, so that memory stays flat; none where there is no such file. */
export async function* readSeries(file: string): AsyncGenerator<SeriesRecord> {
  for await (const line of lines(file)) {
    const record = parseRecord(line);
    if (record !== null) yield record;
  }
}

/** The newest records of a series, at most `count`, oldest first. */
export async function readNewest(file: string, count: number): Promise<SeriesRecord[]> {
  const newest: SeriesRecord[] = [];
  for await (const record of readSeries(file)) {
    newest.push(record);
    if (newest.length > count) newest.shift();
  }
  return newest;
}

/** The records of a series since an instant (ms since the epoch), oldest first. */
export async function readSince(file: string, since: number): Promise<SeriesRecord[]> {
  const records: SeriesRecord[] = [];
  for await (const record of readSeries(file)) if (record.at >= since) records.push(record);
  return records;
}

// Not node:readline: it also breaks lines at U+2028 and U+2029, which JSON text may hold as they are.
async function* lines(file: string): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of createReadStream(file, { encoding: 'utf8' })) {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      yield* parts;
    }
  } catch (error) {
    nullIfAbsent(error);
  }
  if (rest !== '') yield rest;
}

/** Appends one record: see `appendRecords`. */
export async function appendRecord(file: string, now: number, record: Readonly<Record<string, unknown>>) {
  await appendRecords(file, now, [record]);
}

/**
 * Appends records, stamped `now` (ms since the epoch), as whole lines, and forgets what is older than 30 days.
 * Throws the system's error. A series has one writer: what another appends during the daily rewrite would be lost.
 */
export async function appendRecords(file: string, now: number, records: readonly Readonly<Record<string, unknown>>[]) {
  await prune(file, now);
  const handle = await open(file, 'a+', 0o640);
  try {
    const { size } = await handle.stat();
    const last = size === 0 ? null : (await handle.read(Buffer.alloc(1), 0, 1, size - 1)).buffer.toString();
    // Where an earlier writer was cut off in mid-line, its rest ends here and does not spoil this line.
    const start = last === null || last === '\n' ? '' : '\n';
    const written = records.map((record) => `${JSON.stringify({ at: new Date(now).toISOString(), ...record })}\n`);
    await handle.appendFile(`${start}${written.join('')}`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Rewrites the series without what is too old, once the oldest line is a day past its time: so about once a day, not at
 * each append. Stamps more than a day ahead come from a wrong clock; kept, they would stop the pruning for good.
 */
async function prune(file: string, now: number): Promise<void> {
  const isKept = (record: SeriesRecord | null, slack: number) =>
    record !== null && record.at >= now - keep - slack && record.at <= now + day;
  const first = await lines(file).next();
  if (first.done || isKept(parseRecord(first.value), day)) return;
  const kept: string[] = [];
  for await (const line of lines(file)) if (isKept(parseRecord(line), 0)) kept.push(`${line}\n`);
  await replaceFile(file, kept.join(''));
}
