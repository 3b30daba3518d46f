import { conclude } from '../conclude.ts';
import { performTick, type TickFlags } from '../tick.ts';

export { leave } from '../streams.ts';

/** A tick whose command line was taken apart already, to the exit code of this process. */
export function run(workspace: string, flags: TickFlags): Promise<void> {
  return conclude(
    () => performTick(workspace, flags),
    () => false,
  );
}
