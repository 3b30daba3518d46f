import { conclude } from './conclude.ts';
import { tick } from './tick.ts';

/** A tick as triggers start it, for which no command line has to be taken apart; it ends this process's work. */
export function tickPlainly({ workspace, stamp }: { readonly workspace: string; readonly stamp: boolean }): void {
  void conclude(
    () => tick(workspace, { stamp }),
    () => false,
  );
}
