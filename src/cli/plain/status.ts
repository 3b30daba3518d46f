import { conclude } from '../conclude.ts';
import { type StatusFlags, status, writeStatus } from '../status.ts';

export { leave } from '../streams.ts';

/** A status whose command line was taken apart already, to the exit code of this process. */
export function run(workspace: string, flags: StatusFlags): Promise<void> {
  return conclude(
    () => status(workspace, flags),
    () => false,
  );
}

/** Does all of it but print. */
export async function rehearse(workspace: string): Promise<void> {
  await writeStatus(workspace, {});
}
