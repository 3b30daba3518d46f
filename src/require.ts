/** Put in by the bundler: the one that the bundle has anyway. */
declare const bundledRequire: NodeJS.Require | undefined;

/** For what is to be loaded only when it is needed, and at once: a library of CommonJS, native code, a module of Node. */
export const requireLater: NodeJS.Require =
  typeof bundledRequire === 'undefined'
    ? process.getBuiltinModule('node:module').createRequire(import.meta.url)
    : bundledRequire;
