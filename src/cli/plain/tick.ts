import { conclude } from '../conclude.ts';
import { performTick, type TickConfig, type TickFlags } from '../tick.ts';

export { leave } from '../streams.ts';

/**
 * A tick whose command line was taken apart already, to the exit code of this process.
 *
 * @param found what was kept of its configuration, if that was looked for
 */
export function run(workspace: string, flags: TickFlags, found: TickConfig | null): Promise<void> {
  return conclude(
    () => performTick(workspace, flags, found),
    () => false,
  );
}
