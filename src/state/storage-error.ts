import { StorageError } from '../errors.ts';

/**
 * An error of the file system as a sentence for people: which file, what the system said, what to do. Errors that did
 * not come from the system are returned as they are.
 */
export function storageError(operation: 'read' | 'written' | 'locked', path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof StorageError || code === null) return error;
  const [reason, fix] = complaints.get(code) ?? [(error as Error).message, 'fix that and run rhythm again'];
  return new StorageError(`${path} can't be ${operation}: ${reason} (${code}); ${fix}.`, { cause: error });
}

const complaints: ReadonlyMap<string, readonly [reason: string, fix: string]> = new Map([
  ['ENOSPC', ['the disk is full', 'free some space there']],
  ['EDQUOT', ['the disk quota is used up', "free some of this user's space"]],
  ['EACCES', ['permission is denied', 'give this user access to the file and its folder']],
  ['EPERM', ['the system does not permit it', "check the file's owner and attributes"]],
  ['EROFS', ['its file system is read-only', 'mount it writable or choose another `outputs` folder']],
  ['EISDIR', ['a folder is in its place', 'move that folder away']],
  ['ENOTDIR', ['a file stands where its folder should be', 'move that file away']],
  ['EEXIST', ['something else is in its place', 'move that away']],
  ['ELOOP', ['its symbolic links lead in a circle', 'mend the links']],
  ['EIO', ['the disk reports an error', 'check the disk']],
  ['ENOLCK', ['its file system has no locks to give', 'choose an `outputs` folder on a local disk']],
  ['EMFILE', ['too many files are open', "raise this user's limit (ulimit -n)"]],
  ['ENFILE', ['too many files are open on this machine', 'close some programs']],
]);

/** The system's name for what went wrong; null for errors that did not come from it. */
export function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
