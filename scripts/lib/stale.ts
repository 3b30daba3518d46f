import type { Process } from './processes.ts';

/** What is left of runs that are over, and of programs that nobody waits for. */
export interface Stale {
  /** They carry the marks of a run of this workspace that is not in progress any more. */
  readonly orphans: readonly (Process & { readonly run: string })[];
  /** They have ended, and whoever started them has not taken note. Each takes a process id, and nothing else. */
  readonly zombies: readonly Process[];
}

/**
 * Finds what is stale.
 *
 * @param marksOf what rhythm marked a process with; null where that can't be seen, and then it is not ours to judge
 * @param running the ids of the runs that are in progress, and of the one that asks
 */
export function findStale(
  processes: readonly Process[],
  marksOf: (process: Process) => { workspace: string | null; run: string | null } | null,
  workspace: string,
  running: ReadonlySet<string>,
): Stale {
  const orphans = processes.flatMap((process) => {
    const marks = process.isZombie ? null : marksOf(process);
    if (marks?.workspace !== workspace || marks.run === null || marks.run === '') return [];
    return running.has(marks.run) ? [] : [{ ...process, run: marks.run }];
  });
  return { orphans, zombies: processes.filter(({ isZombie }) => isZombie) };
}

/** So many zombies are worth a look: they eat up the system's process ids. */
export const manyZombies = 1000;
