/** What each command's declaration is given. */
export interface Context {
  /** The workspace folder, as it was given. */
  readonly workspace: () => string;
  /** Takes the exit code. */
  readonly finish: (code: number) => void;
}
