/*
 * Stands in, in the bundle, for libraries that conf imports at its top and never uses here. It needs ajv, ajv-formats and
 * semver where it is given a schema or migrations: with them it takes 25 ms to load, without them 5. It needs env-paths
 * where it is given no folder: that asks for the user's home at once, and throws in a container whose user has none.
 */
export const Ajv2020 = undefined;
export default {};
