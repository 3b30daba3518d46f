import { expect, it } from 'vitest';
import { asksNothing } from '../../src/config/bundle.ts';

it.each([
  ['export default { groups: { a: { every: "10m", description: "asks the process // Date" } } };', true],
  ['var a = { b: `Date`, c: 5 * 12 }; // process.env\nexport { a };', true],
  ['var constructor = { globalThis_: 1 }; export { constructor };', true],
  ['export default { a: process.env.X };', false],
  ['export default { a: new Date() };', false],
  ['export default { a: `${Date.now()}` };', false],
  ['export default { a: Math.random() };', false],
  ['import fs from "node:fs"; export default {};', false],
  ['export default await fetch("x");', false],
  ['export default { a: /"/.test(process.env.X) + "" };', false],
  ['export default { a: (() => {}).constructor("return 1")() };', false],
  ['export default { a: this };', false],
  ['export default { a: __rhythm_dirname };', false],
])('of the configuration %s the values may be cached: %s', (code, expected) => {
  expect(asksNothing(code)).toBe(expected);
});
