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

/** Makes a status and throws it away, so that what is kept of the program serves for that as well. */
export async function rehearse(workspace: string): Promise<void> {
  const { writeStatus } = await import('./status.ts');
  await writeStatus(workspace, {}).catch(() => undefined);
}
