/**
 * Expected failures, each with the exit code that the command ends with. Anything else that is thrown is a defect of
 * rhythm's own (exit 70). Messages are one sentence: what is wrong, where, and what to do.
 */
export class RhythmError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.exitCode = exitCode;
  }
}

/** Wrong usage of a command: exit 2. */
export class UsageError extends RhythmError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 2, options);
  }
}

/** The state, the history or the log can't be read or written: exit 74 (EX_IOERR of sysexits.h). */
export class StorageError extends RhythmError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 74, options);
  }
}
