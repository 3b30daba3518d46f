import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { basename, dirname, extname } from 'node:path';
import Conf, { type Options } from 'conf';
import { StorageError } from '../errors.ts';
import { writeDurably } from './durable-file.ts';
import { type GroupState, type State, stateSchema, stateVersion } from './state-schema.ts';
import { storageError } from './storage-error.ts';

/** The content of a file is not a state; the message says why, as the end of a sentence. */
export class DamagedState extends Error {}

/** What conf's class has at run time: its types declare as private the methods that have to be replaced. */
interface OpenConf {
  readonly path: string;
  get store(): State;
  _write(state: State): void;
  _ensureDirectory(): void;
}
const OpenConf = Conf as unknown as new (options: Options<State>) => OpenConf;

/**
 * The state file, or a copy of it, as a store of conf's. conf's own write replaces a good file by a truncated one when the
 * disk is full, and never syncs the folder, so ours takes its place.
 */
export class StateFile extends OpenConf {
  declare private isOpen: boolean | undefined;

  constructor(path: string) {
    const extension = extname(path);
    super({
      cwd: dirname(path),
      configName: basename(path, extension),
      fileExtension: extension,
      accessPropertiesByDotNotation: false,
      deserialize: (text) => parseState(text, path),
    });
    this.isOpen = true;
  }

  /**
   * The state that the file has now; without any field where there is no file. Throws a DamagedState, or a StorageError
   * where the file can't be read or is of a newer version.
   */
  override get store(): State {
    // conf's constructor reads the file to add defaults; there are none.
    if (!this.isOpen) return {} as State;
    try {
      return super.store;
    } catch (error) {
      throw storageError('read', this.path, error);
    }
  }

  /**
   * Writes a state, wholly or not at all; parameters and errors as with `writeDurably`. It is called directly, because
   * conf's setter of `store` first reads and parses the whole file again, to preserve a key of its own.
   */
  override _write(state: State, beforeReplacing: () => void = () => undefined): void {
    writeDurably(this.path, serializeState(state), { beforeReplacing });
  }

  /** conf calls it on reading as well, which must create nothing. */
  override _ensureDirectory(): void {}
}

function parseState(text: string, path: string): State {
  // Bytes that are not UTF-8 have become U+FFFD, which a state may also contain.
  if (text.includes('\ufffd') && !isUtf8(readFileSync(path))) throw new DamagedState('it is not JSON');
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    throw new DamagedState(text === '' ? 'it is empty' : 'it is not JSON');
  }
  const version = typeof value === 'object' && value !== null && 'schemaVersion' in value ? value.schemaVersion : null;
  if (Number.isInteger(version) && Number(version) > stateVersion) {
    throw new StorageError(
      `${path} is of version ${version}, and this rhythm knows version ${stateVersion}; install a newer rhythm.`,
    );
  }
  const { error } = stateSchema.safeParse(value);
  if (error === undefined) return value as State;
  const fault = error.issues[0]?.path.join('.');
  throw new DamagedState(fault ? `its ${fault} is not what it has to be` : 'it is not a state');
}

/** By the state, or the group of a state, that the bytes were made from: these objects are replaced, never changed. */
const serialized = new WeakMap<State | GroupState, Buffer>();

/**
 * A state as its file has it: `JSON.stringify(state, null, 2)` and a newline. A group that has not changed is not serialized
 * again, because with many groups that would take most of the time of a write.
 */
export function serializeState(state: State): Buffer {
  return once(state, () => {
    const groups = Object.entries(state.groups ?? {});
    if (groups.length === 0) return Buffer.from(`${JSON.stringify(state, null, 2)}\n`);
    const [before, after] = JSON.stringify({ ...state, groups: {} }, null, 2).split('\n  "groups": {}');
    const parts = groups.flatMap(([name, group], index) => [
      Buffer.from(`${index === 0 ? '' : ','}\n    ${JSON.stringify(name)}: `),
      once(group, () => Buffer.from(JSON.stringify(group, null, 2).replaceAll('\n', '\n    '))),
    ]);
    return Buffer.concat([Buffer.from(`${before}\n  "groups": {`), ...parts, Buffer.from(`\n  }${after}\n`)]);
  });
}

function once(object: State | GroupState, serialize: () => Buffer): Buffer {
  const bytes = serialized.get(object) ?? serialize();
  serialized.set(object, bytes);
  return bytes;
}
