import { realpathSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { delimiter, sep } from 'node:path';
import type { Config } from '../config/config.ts';
import { identifyWorkspace, type Order, realPath } from './trigger.ts';

/** What people choose about a trigger. */
export interface Choice {
  /** ms; null: as often as the configuration says. */
  readonly every: number | null;
  readonly guard: boolean;
  readonly system: boolean;
}

/** How long systemd and launchd wait at least for a tick that they stop, ms. */
const leastToStop = 90_000;
/** What a tick needs beyond the time that its scripts are given to end, ms. */
const toRecord = 30_000;

/**
 * The order for a trigger of this workspace, on this machine, as things are now.
 *
 * @param program the program that runs, as it was called
 */
export function makeOrder(config: Config, program: string, { every, guard, system }: Choice): Order {
  const workspace = realPath(config.workspace);
  const killAfter = Math.max(0, ...config.groups.flatMap(({ scripts }) => scripts.map((script) => script.killAfter)));
  return {
    id: identifyWorkspace(workspace),
    workspace,
    outputs: rebase(config.outputs, config.workspace, workspace),
    node: findStable(process.execPath),
    program: realPath(program),
    path: tidyPath(process.env.PATH ?? ''),
    every: every ?? config.tickEvery,
    guard,
    system,
    stopWithin: Math.max(leastToStop, killAfter + toRecord),
    account: describeAccount(workspace),
  };
}

/** The outputs folder may not be there yet, so a link on the way to the workspace is resolved with that. */
function rebase(path: string, from: string, to: string): string {
  return path === from || path.startsWith(from + sep) ? to + path.slice(from.length) : path;
}

/**
 * A path of this Node that outlives its next update: package managers keep versions in folders of their own, and a link
 * to the newest where everybody looks. The path itself where no such link leads to it.
 */
export function findStable(
  node: string,
  links: readonly string[] = ['/usr/local/bin/node', '/opt/homebrew/bin/node', '/opt/local/bin/node', '/usr/bin/node'],
): string {
  const real = realPath(node);
  const leadsThere = (link: string) => {
    try {
      return realpathSync(link) === real;
    } catch {
      return false;
    }
  };
  return links.find(leadsThere) ?? node;
}

/** A PATH without what it has twice, and without the folders that npm puts before it for as long as npx runs. */
export function tidyPath(path: string, separator = delimiter): string {
  const isPassing = (folder: string) =>
    /[\\/]node-gyp-bin$/.test(folder) || (/[\\/]node_modules[\\/]\.bin$/.test(folder) && !isFolder(folder));
  const folders = path.split(separator).filter((folder) => folder !== '' && !isPassing(folder));
  return [...new Set(folders)].join(separator);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function describeAccount(workspace: string) {
  const uid = process.getuid?.() ?? null;
  const owner = uid === null ? null : (statSync(workspace, { throwIfNoEntry: false })?.uid ?? null);
  const { USERDOMAIN } = process.env;
  const name = nameUser();
  return {
    home: homedir(),
    user: process.platform === 'win32' && USERDOMAIN ? `${USERDOMAIN}\\${name}` : name,
    uid,
    owner,
  };
}

/** A user may have no name: in a container that runs under an id of its own. */
function nameUser(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? process.env.USERNAME ?? String(process.getuid?.() ?? 'user');
  }
}
