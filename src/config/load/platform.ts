import { pathToFileURL } from 'node:url';
import { requireLater } from '../../require.ts';
import { isTimeZone } from '../../schedule/zone.ts';
import type { Platform } from '../resolve/argv.ts';
import { readFirstLine } from './shebang.ts';

/** Describes this machine. */
export function describePlatform(): Platform {
  return {
    platform: process.platform,
    execPath: process.execPath,
    get tsxLoader() {
      return pathToFileURL(requireLater.resolve('tsx')).href;
    },
    get systemTimezone() {
      const name = new Intl.DateTimeFormat().resolvedOptions().timeZone;
      return name && isTimeZone(name) ? name : 'UTC';
    },
    comSpec: process.env.ComSpec ?? 'cmd.exe',
    readFirstLine,
  };
}
