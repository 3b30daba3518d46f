import { existsSync } from 'node:fs';
import { delimiter } from 'node:path';
import { cron } from './cron.ts';
import { launchd } from './launchd.ts';
import { schtasks } from './schtasks.ts';
import { systemd } from './systemd.ts';
import { type FoundEntry, identifyWorkspace, realPath, type Trigger, type TriggerName } from './trigger.ts';

/** All triggers there are. */
export const triggers: Readonly<Record<TriggerName, Trigger>> = { cron, systemd, launchd, schtasks };

/** A registered trigger, and what is wrong with it. */
export interface FoundTrigger {
  readonly trigger: TriggerName;
  /** Where its entry is, for people. */
  readonly where: string;
  /** The workspace that it names. */
  readonly workspace: string;
  /** ms; null where the entry can't be read any more. */
  readonly every: number | null;
  /** Node, and the program that it is given. */
  readonly command: readonly string[];
  /** The PATH at the time of the install. */
  readonly path: string;
  /** The outputs folder at that time, in which the guard looks; null where there is no guard. */
  readonly guards: string | null;
  /** What keeps it from working as it should, and the mend: sentences. */
  readonly problems: readonly string[];
}

/** The kinds of trigger that a platform can have, the usual one first. */
export function triggersOf(platform: NodeJS.Platform): readonly Trigger[] {
  if (platform === 'win32') return [schtasks];
  return platform === 'darwin' ? [launchd, cron] : [systemd, cron];
}

/**
 * The triggers registered for a workspace, and those whose workspace is gone: it may be this one, moved. Asks the
 * system's programs, changes nothing, and leaves out what can't be asked.
 */
export function findTriggers(workspace: string, platform: NodeJS.Platform = process.platform): FoundTrigger[] {
  const id = identifyWorkspace(workspace);
  const path = realPath(workspace);
  return triggersOf(platform).flatMap(({ name, find }) =>
    find()
      .filter((entry) => entry.id === id || (entry.order !== null && !existsSync(entry.order.workspace)))
      .map((entry) => describeFound(name, entry, path)),
  );
}

function describeFound(trigger: TriggerName, { where, order, isIntact, idle }: FoundEntry, here: string): FoundTrigger {
  if (order === null) {
    const problems = [`The entry in ${where} can't be read any more; rhythm install makes it anew.`];
    return { trigger, where, workspace: here, every: null, command: [], path: '', guards: null, problems };
  }
  const { workspace, node, program, every, path, guard, outputs } = order;
  const problems: string[] = [];
  const isElsewhere = !existsSync(workspace);
  if (isElsewhere) {
    problems.push(
      `It starts ticks in ${workspace}, which is there no more; if that was moved, run rhythm install where it is now, and rhythm uninstall -C ${JSON.stringify(workspace)}.`,
    );
  }
  if (!existsSync(node)) problems.push(`Its Node, ${node}, is there no more; run rhythm install again.`);
  if (!existsSync(program)) problems.push(`Its rhythm, ${program}, is there no more; run rhythm install again.`);
  // One that was never there is in the PATH of now as well.
  const now = new Set((process.env.PATH ?? '').split(delimiter));
  const gone = path.split(delimiter).filter((folder) => folder !== '' && !now.has(folder) && !existsSync(folder));
  if (gone.length > 0) {
    problems.push(
      `Folders of its PATH are there no more (${gone.join(', ')}); run rhythm install again if scripts miss a program.`,
    );
  }
  if (!isIntact) problems.push(`Its entry in ${where} was changed since rhythm made it; rhythm install makes it anew.`);
  if (idle !== null) problems.push(`It does not fire: ${idle}.`);
  return { trigger, where, workspace, every, command: [node, program], path, guards: guard ? outputs : null, problems };
}
