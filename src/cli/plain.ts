import { conclude } from './conclude.ts';
import type { Asked } from './start.ts';

/** Runs a command whose command line was taken apart already, to the exit code of this process. */
export function runPlainly({ command, workspace, flags }: Asked): Promise<void> {
  return conclude(
    async () => {
      if (command === 'status') return (await import('./status.ts')).status(workspace, flags);
      return (await import('./tick.ts')).tick(workspace, flags);
    },
    () => false,
  );
}
