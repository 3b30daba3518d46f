import { mkdirSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { findCacheFile, findCacheFolder, isTrusted } from '../user-cache.ts';

/** Put in by the bundler: identifies this build. */
declare const rhythmBuild: string;

/**
 * Lets Node (22.8 and newer) store the compiled code of what is loaded from here on, in the user's cache folder if that
 * is there already and can be trusted. Best effort: without it commands only start slower.
 */
export function enableCompileCache(): void {
  const cache = findCacheFolder();
  if (!('enableCompileCache' in module) || cache === null || typeof rhythmBuild === 'undefined') return;
  const name = `code-${rhythmBuild}`;
  const folder = join(cache, name);
  try {
    // Node would create it with the mode that the umask leaves, and what is in it is executed.
    if (!isTrusted(cache)) return;
    if (findCacheFile(name) === null) mkdirSync(folder, { mode: 0o700 });
    if (isTrusted(folder)) (module.enableCompileCache as (folder: string) => unknown)(folder);
  } catch {
    // The folder can't be created, say.
  }
}
