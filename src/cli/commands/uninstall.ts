import type { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { removeStamps } from '../../state/stamp.ts';
import { triggers, triggersOf } from '../../trigger/find-triggers.ts';
import { identifyWorkspace, realPath, type TriggerName, triggerNames } from '../../trigger/trigger.ts';
import type { Context } from '../context.ts';
import { printLine } from '../streams.ts';

interface UninstallFlags {
  readonly trigger?: TriggerName;
  readonly json?: boolean;
}

/** What `uninstall --json` prints. */
export interface UninstallDocument {
  readonly schemaVersion: 1;
  readonly workspace: string;
  readonly id: string;
  /** The triggers that were taken out; empty where there was none. */
  readonly uninstalled: readonly TriggerName[];
}

/** Declares `rhythm uninstall`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('uninstall')
    .description('take out what install registered for this workspace, and nothing else')
    .addOption(program.createOption('--trigger <name>', "which one (default: this system's)").choices(triggerNames))
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm uninstall
  rhythm -C /srv/old uninstall             of a workspace that is there no more`,
    )
    .action(async (flags: UninstallFlags) => {
      finish(await uninstall(workspace(), flags));
    });
}

/** `rhythm uninstall`: takes the trigger of a workspace out; the workspace need not be there any more. */
async function uninstall(workspace: string, flags: UninstallFlags): Promise<number> {
  const available = triggersOf(process.platform);
  if (flags.trigger !== undefined && !available.includes(triggers[flags.trigger])) {
    const names = available.map(({ name }) => name).join(' and ');
    throw new UsageError(`${flags.trigger} is not a trigger of this system, which has ${names}.`);
  }
  const asked = flags.trigger === undefined ? available : [triggers[flags.trigger]];
  const id = identifyWorkspace(workspace);
  const uninstalled: TriggerName[] = [];
  const outputs = new Set<string>();
  for (const trigger of asked) {
    const order = trigger.find().find((entry) => entry.id === id)?.order;
    if (!trigger.uninstall(id)) continue;
    uninstalled.push(trigger.name);
    if (order) outputs.add(order.outputs);
  }
  for (const folder of outputs) removeStamps(folder);
  const path = realPath(workspace);
  if (flags.json) {
    const document: UninstallDocument = { schemaVersion: 1, workspace: path, id, uninstalled };
    printLine(JSON.stringify(document, null, 2));
  } else if (uninstalled.length === 0) printLine(`No trigger is installed for ${path}.`);
  else
    printLine(
      `Uninstalled: ${uninstalled.join(' and ')} starts no more ticks in ${path}. A tick that runs now goes on.`,
    );
  return 0;
}
