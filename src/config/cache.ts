import { type Bundle, hashFile } from './bundle.ts';
import { keep, nameFor, readKept } from './place.ts';

/** Goes up whenever bundles are made differently, so that those of an older rhythm are not used. */
const format = 2;

interface Entry {
  readonly format: number;
  readonly file: string;
  readonly bundle: Bundle;
}

/**
 * The bundle that was kept for this configuration file, if each of its inputs still has the content that it was made of.
 * Null where there is none, where it is damaged, or where the cache can't be trusted. Writes nothing.
 */
export function readBundle(file: string): Bundle | null {
  const kept = readKept(nameFor(file, 'bundle'));
  if (kept === null) return null;
  const entry = JSON.parse(kept.text) as Entry;
  const isCurrent =
    entry.format === format &&
    entry.file === file &&
    entry.bundle.inputs.every(({ path, sha256 }) => hashFile(path) === sha256);
  return isCurrent ? entry.bundle : null;
}

/** Keeps a bundle for the next time. Where that is not possible nothing happens: a cache is only a saving. */
export function writeBundle(file: string, bundle: Bundle): void {
  keep(nameFor(file, 'bundle'), JSON.stringify({ format, file, bundle } satisfies Entry));
}
