export type { ConfigOf as RhythmConfig, GroupOf as GroupConfig } from './config/define.ts';
export { defineConfig } from './config/define.ts';
export type { ScriptInput as ScriptConfig } from './config/resolve/config-schema.ts';
