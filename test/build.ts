import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The tests run the program as it is shipped, so it is built first. */
export default function setup(): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  execFileSync(process.execPath, ['esbuild.config.js'], { cwd: root, stdio: 'inherit' });
}
