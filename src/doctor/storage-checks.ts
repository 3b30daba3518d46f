import { accessSync, constants, existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { formatSize } from '../config/resolve/byte-size.ts';
import { formatLength } from '../report/quantities.ts';
import { identify } from '../script/process.ts';
import { historyPath } from '../state/history.ts';
import { describeHolder, isHeld, lockKind, lockPath } from '../state/lock.ts';
import { copyPath, statePath } from '../state/paths.ts';
import { codeOf } from '../state/storage-error.ts';
import { logPath } from '../tick/event-logger.ts';
import { lanePath } from '../tick/lane.ts';
import { inspectLease } from '../tick/recover-orphan.ts';
import { findRunning } from '../tick/running-ticks.ts';
import { quoteWord } from '../trigger/guard.ts';
import { type Check, complain, ok, type Site, warn, withoutStop } from './doctor.ts';

/** Below this, bytes, the records themselves are in danger. */
const leastSpace = 20 << 20;
/** So many files a day may be made, by rough guess. */
const leastFiles = 1_000;
/** A change of the state takes some milliseconds; who holds its lock so long, ms, hangs. */
const longHold = 60_000;

/** File systems whose locks and syncs are not to be relied on, by the magic numbers of statfs(2). */
const networkKinds: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x01021997, '9p'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x65735546, 'FUSE'],
]);

/** Where the records are: the folder, its disk, the state, the locks. */
export const storageChecks: readonly Check[] = [
  { name: 'state', look: lookAtState },
  { name: 'permissions', look: lookAtPermissions },
  { name: 'owner', look: lookAtOwner },
  { name: 'disk', look: lookAtDisk },
  { name: 'file system', look: lookAtFileSystem },
  { name: 'locks', look: lookAtLocks },
];

function lookAtState({ config, state, stateTrouble }: Site) {
  if (config === null) return [];
  if (state === null) return stateTrouble.map((trouble) => complain(withoutStop(trouble), null));
  if (stateTrouble.length > 0) return stateTrouble.map((trouble) => warn(withoutStop(trouble), 'rhythm tick'));
  return [ok(existsSync(statePath(config.outputs)) ? 'the state can be read' : 'there is no state yet')];
}

function lookAtPermissions({ config }: Site) {
  if (config === null) return [];
  const { outputs } = config;
  if (!existsSync(outputs)) {
    const parent = nearest(outputs);
    const trouble = refusal(parent, constants.W_OK | constants.X_OK);
    if (trouble === null) return [ok(`${outputs} will be made by the first tick`)];
    return [
      complain(
        `${outputs} can't be made, for ${parent} may not be written (${trouble})`,
        `sudo chown "$USER" ${quoteWord(parent)}`,
      ),
    ];
  }
  const folders = [outputs, join(outputs, 'locks'), join(outputs, 'runs')];
  const locks = list(join(outputs, 'locks')).filter((name) => name.endsWith('.lock'));
  const files = [statePath(outputs), copyPath(outputs), historyPath(outputs), logPath(outputs)];
  const wanted = [
    ...folders.map((path) => [path, constants.R_OK | constants.W_OK | constants.X_OK] as const),
    ...[...files, ...locks.map((name) => join(outputs, 'locks', name))].map(
      (path) => [path, constants.R_OK | constants.W_OK] as const,
    ),
  ];
  const refused = wanted.flatMap(([path, mode]) => {
    const trouble = existsSync(path) ? refusal(path, mode) : null;
    return trouble === null ? [] : [{ path, trouble }];
  });
  if (refused.length === 0) return [ok(`${outputs} may be written`)];
  return refused.map(({ path, trouble }) => {
    const mend =
      trouble === 'EROFS'
        ? 'mount it writable'
        : `sudo chown "$USER" ${quoteWord(path)} && chmod u+rwX ${quoteWord(path)}`;
    return complain(`${path} may not be read and written (${trouble})`, mend);
  });
}

/** As root everything may be written; but what root runs must be nobody else's, and what it writes may shut others out. */
function lookAtOwner({ config, workspace }: Site) {
  if (process.geteuid?.() !== 0 || config === null) return [];
  const owner = statSync(workspace).uid;
  if (owner === 0) return [];
  const text = `you are root, and ${workspace} belongs to user ${owner}: as root rhythm runs only scripts that are root's`;
  return [warn(text, `sudo -u '#${owner}' rhythm doctor`)];
}

function lookAtDisk({ config }: Site) {
  if (config === null) return [];
  const folder = nearest(config.outputs);
  const { bsize, bavail, files, ffree } = statfsSync(folder);
  const free = bsize * bavail;
  const space = `${formatSize(free)} are free for ${config.outputs}`;
  const mend = 'free some space, or keep less (runs.maxSize); rhythm cleanup';
  const findings = [
    free < leastSpace
      ? complain(space, mend)
      : free < config.keep.runsSize
        ? warn(`${space}, less than the ${formatSize(config.keep.runsSize)} that outputs may take (runs.maxSize)`, mend)
        : ok(space),
  ];
  // Some file systems (btrfs) count no inodes.
  if (files > 0 && ffree < leastFiles) {
    findings.push(complain(`only ${ffree} more files can be made there (inodes)`, 'remove some files; rhythm cleanup'));
  }
  return findings;
}

function lookAtFileSystem({ config }: Site) {
  if (config === null) return [];
  const kind = process.platform === 'linux' ? networkKinds.get(statfsSync(nearest(config.outputs)).type) : undefined;
  if (kind === undefined) return [];
  const text = `${config.outputs} is on ${kind}: its locks and syncs are not to be relied on`;
  return [warn(text, 'set `outputs` to a folder on a local disk')];
}

function lookAtLocks({ config, state, now }: Site) {
  if (config === null) return [];
  const { outputs } = config;
  const findings = [];
  // What throws here says how to get a lock.
  const kind = lockKind();
  if (kind === 'abstract-socket') {
    const text = 'locks are sockets here, which containers with networks of their own do not share';
    findings.push(warn(text, 'npm install fs-native-extensions, where there is a build for this system'));
  }
  const isAlive = ({ pid }: { pid: number }) => identify(pid) !== null;
  for (const name of ['state', 'history']) {
    const path = lockPath(outputs, name);
    const holder = describeHolder(path);
    if (holder === null || now - Date.parse(holder.since) < longHold || !isHeld(path, isAlive)) continue;
    const text = `process ${holder.pid} has held the ${name} for ${formatLength(now - Date.parse(holder.since))}`;
    findings.push(complain(text, `see what stops it: ps -fp ${holder.pid}`));
  }
  const running = state === null ? [] : findRunning(outputs, state);
  for (const { tick, pid, since, lanes } of running) {
    const what = lanes.map(({ lane, lease }) => `${lane}${lease === null ? '' : ` (${lease.group})`}`).join(', ');
    const length = since === null ? '' : ` for ${formatLength(Math.max(0, now - Date.parse(since)))}`;
    const late = lanes.some(({ lease }) => lease?.until != null && now > Date.parse(lease.until));
    const text = `tick ${tick ?? 'without a name'} (pid ${pid ?? 'unknown'}) has held ${what}${length}`;
    findings.push(late ? complain(`${text}, longer than its scripts may take`, 'rhythm stop --now') : ok(text));
  }
  for (const [lane, lease] of Object.entries(state?.leases ?? {})) {
    if (isHeld(lanePath(outputs, lane), isAlive)) continue;
    const runs = inspectLease(lease, lane, config) === 'ended' ? '' : '; its script runs still';
    findings.push(warn(`a tick died while it ran ${lease.group}${runs}; the next one settles that`, 'rhythm tick'));
  }
  return findings.some(({ level }) => level !== 'ok') || running.length > 0
    ? findings
    : [ok(`no lane is held (${kind} locks)`)];
}

/** The folder itself, or the nearest above it that there is. */
function nearest(folder: string): string {
  for (let at = folder; ; at = dirname(at)) if (existsSync(at) || dirname(at) === at) return at;
}

/** Why this user may not do so; null where they may. */
function refusal(path: string, mode: number): string | null {
  try {
    accessSync(path, mode);
    return null;
  } catch (error) {
    return codeOf(error) ?? 'refused';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
