import type { Platform } from './argv.ts';
import type { Config } from './config.ts';
import { type Checks, type Entry, fillIn, type GroupFrame } from './defaults.ts';
import { salvage } from './issues.ts';
import { checkLaneNames, checkNames, checkReferences, type Reference } from './names.ts';
import type { Problem } from './problems.ts';
import { areNamesPlain, isPlainConfig, isPlainGroup, isPlainScript } from './recognition.ts';
import { configFrame, groupFrame, scriptObject } from './schema.ts';

/**
 * Checks what the user wrote and fills in the defaults: a configuration, or every problem at once, in the order of the
 * configuration. Pure: `place` says where it was written, `platform` what the machine is like. Never throws for any
 * JSON value.
 */
export function resolveConfig(
  input: unknown,
  place: { readonly workspace: string; readonly file: string },
  platform: Platform,
): { readonly config: Config } | { readonly problems: readonly Problem[] } {
  return fillIn(input, place, platform, checks);
}

/** Checks by the schema, which has a word for each problem. */
export const schemaChecks: Checks = {
  config: (value, report) => salvage(configFrame, value, [], report),
  group: ({ value, path }, report) => salvage(groupFrame, value, path, report),
  script: (value, path, report) => salvage(scriptObject, value, path, report),
  names(entries, groups, frames, report) {
    checkNames(entries, report);
    checkLaneNames(groups, entries, report);
    checkReferences(entries, listReferences(entries, frames), report);
  },
};

const checks: Checks = {
  config: (value, report) => (isPlainConfig(value) ? value : schemaChecks.config(value, report)),
  group: (entry, report) => (isPlainGroup(entry.value) ? entry.value : schemaChecks.group(entry, report)),
  script: (value, path, report) => (isPlainScript(value) ? value : schemaChecks.script(value, path, report)),
  names(entries, groups, frames, report) {
    if (!areNamesPlain(entries, groups)) schemaChecks.names(entries, groups, frames, report);
  },
};

function listReferences(entries: readonly Entry[], frames: readonly GroupFrame[]): Map<string, Reference[]> {
  const references = new Map<string, Reference[]>();
  for (const [place, { name, path }] of entries.entries()) {
    const { dependsOn = [], after = [] } = frames[place] ?? {};
    const named = dependsOn.flatMap((dependency, index): Reference[] => {
      // An element with a problem was reported and is undefined here.
      if (dependency === undefined) return [];
      const at = [...path, 'dependsOn', index];
      return typeof dependency === 'string' ? [[dependency, at]] : [[dependency.group, [...at, 'group']]];
    });
    const earlier = after.flatMap((other, index): Reference[] =>
      other === undefined ? [] : [[other, [...path, 'after', index]]],
    );
    references.set(name, [...named, ...earlier]);
  }
  return references;
}
