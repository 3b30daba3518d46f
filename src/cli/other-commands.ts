/*
 * The commands that people type. They are bundled together: Node takes 0.4 ms for each file that it loads, and the
 * bundler would cut what 19 commands share into 50 files if each of them were loaded by itself.
 */
export * as cleanup from './commands/cleanup.ts';
export * as completion from './commands/completion.ts';
export * as config from './commands/config.ts';
export * as doctor from './commands/doctor.ts';
export * as explain from './commands/explain.ts';
export * as graph from './commands/graph.ts';
export * as history from './commands/history.ts';
export * as init from './commands/init.ts';
export * as install from './commands/install.ts';
export * as log from './commands/log.ts';
export * as pause from './commands/pause.ts';
export * as resume from './commands/resume.ts';
export * as run from './commands/run.ts';
export * as stop from './commands/stop.ts';
export * as uninstall from './commands/uninstall.ts';
export * as validate from './commands/validate.ts';
