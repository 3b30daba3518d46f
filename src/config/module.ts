/** Loads a module. A file of its own in the bundle, for what is compiled by cli/part.ts can't import modules. */
export function importModule(address: string): Promise<Record<string, unknown>> {
  return import(address);
}
