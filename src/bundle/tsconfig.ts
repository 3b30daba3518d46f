import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { hash, type Input } from './build.ts';

/**
 * The files that a tsconfig.json extends, directly or not, as inputs. Throws an Error for one that can't be found, whose
 * appearance would go unnoticed.
 */
export function listExtended(tsconfig: string, seen: ReadonlySet<string> = new Set()): Input[] {
  if (seen.has(tsconfig)) return [];
  const text = readFileSync(tsconfig, 'utf8');
  const [, value = ''] = /"extends"\s*:\s*("[^"]*"|\[[^\]]*\])/.exec(text) ?? [];
  return [...value.matchAll(/"([^"]*)"/g)].flatMap(([, name = '']) => {
    const path = findExtended(name, dirname(tsconfig));
    const input = { path, sha256: hash(readFileSync(path)) };
    return [input, ...listExtended(path, new Set([...seen, tsconfig]))];
  });
}

function findExtended(name: string, folder: string): string {
  const isFile = /^\.{1,2}([/\\]|$)/.test(name) || isAbsolute(name);
  const base = isFile ? join(isAbsolute(name) ? '' : folder, name) : name;
  const candidates = [base, `${base}.json`, join(base, 'tsconfig.json')];
  const find = isFile
    ? (path: string) => (existsSync(path) && path.endsWith('.json') ? path : null)
    : (path: string) => resolvePackageFile(path, folder);
  for (const candidate of candidates) {
    const path = find(candidate);
    if (path !== null) return path;
  }
  throw new Error(`${join(folder, 'tsconfig.json')} extends ${name}, which was not found`);
}

function resolvePackageFile(path: string, folder: string): string | null {
  try {
    const found = createRequire(join(folder, 'tsconfig.json')).resolve(path);
    return found.endsWith('.json') ? found : null;
  } catch {
    return null;
  }
}
