import { statfsSync } from 'node:fs';

/** File systems whose files lie on another machine, by the numbers of Linux's statfs(2) and linux/magic.h. */
const networks = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x564c, 'NCP'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'CephFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x01021997, '9P'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x47504653, 'GPFS'],
]);

/**
 * The network file system that a folder lies on, where the system says so: on Linux by the type of the file system, on
 * Windows by a path of the form `\\server\share`. Null for a local one, an unknown one, and one that FUSE serves,
 * which may be either.
 */
export function findNetwork(folder: string): string | null {
  if (process.platform === 'win32') return /^[\\/]{2}[^\\/?.]/.test(folder) ? 'a share of another machine' : null;
  if (process.platform !== 'linux') return null;
  try {
    return networks.get(statfsSync(folder).type) ?? null;
  } catch {
    return null;
  }
}
