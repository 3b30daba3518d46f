import { conclude } from '../conclude.ts';
import { previewTick, writePreview } from '../preview.ts';
import type { TickFlags } from '../tick.ts';

export { leave } from '../streams.ts';

/** A dry run whose command line was taken apart already, to the exit code of this process. */
export function run(workspace: string, flags: TickFlags): Promise<void> {
  return conclude(
    () => previewTick(workspace, flags),
    () => false,
  );
}

/** Does all of it but print. */
export async function rehearse(workspace: string): Promise<void> {
  await writePreview(workspace, {}, () => undefined);
}
