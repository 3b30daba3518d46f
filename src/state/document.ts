import { basename, dirname, extname } from 'node:path';
import Conf, { type Options } from 'conf';
import { writeDurably } from './file.ts';
import type { State } from './schema.ts';

/** The state file, open for writing. */
export interface StateDocument {
  /**
   * Writes a state, wholly or not at all, as `writeDurably` does. StorageError where that fails.
   *
   * @param bytes what `encode` makes of it
   */
  replaceBy(bytes: Buffer, moments: Moments): void;
}

/** What runs while a state is written, as with `writeDurably`. */
export interface Moments {
  readonly beforeReplacing: () => void;
  readonly onReplaced?: (() => void) | undefined;
}

/** What the class really offers: it declares as private the methods that have to be replaced. */
interface OpenConf {
  readonly path: string;
  _write(): void;
  _ensureDirectory(): void;
}
const OpenConf = Conf as unknown as new (options: Options<State>) => OpenConf;

/**
 * conf's own write puts a truncated file in the place of a good one when the disk is full, and never syncs the folder;
 * here the durable, checked write takes its place.
 */
class HardenedConf extends OpenConf implements StateDocument {
  private bytes: Buffer = Buffer.alloc(0);
  private moments: Moments = { beforeReplacing: () => undefined };

  replaceBy(bytes: Buffer, moments: Moments): void {
    this.bytes = bytes;
    this.moments = moments;
    // Not by the setter of `store`: that reads the whole file first, for a key of conf's own that no state has.
    this._write();
  }

  override _write(): void {
    writeDurably(this.path, this.bytes, this.moments);
  }

  /** The write creates the folder; conf would do so on reading, too. */
  override _ensureDirectory(): void {}
}

/** Opens the state file for writing; what it has now, and what that is worth, is no business of conf's. */
export function openDocument(path: string): StateDocument {
  const extension = extname(path);
  return new HardenedConf({
    cwd: dirname(path),
    configName: basename(path, extension),
    fileExtension: extension,
    accessPropertiesByDotNotation: false,
    deserialize: () => ({}) as State,
  });
}

/** A state as its file has it: JSON, and a newline at its end. */
export function encode(state: State): Buffer {
  // A text with the newline would be one more copy of all of it.
  const text = JSON.stringify(state, null, 2);
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(text) + 1);
  bytes[bytes.write(text)] = 0x0a;
  return bytes;
}
