import { createRequire } from 'node:module';

/** Loads what is not bundled, or only if it is needed, and synchronously: CommonJS libraries, native code. */
export const requireLater: NodeJS.Require = createRequire(import.meta.url);
