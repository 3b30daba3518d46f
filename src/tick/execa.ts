// What is used of execa: bundled to one file, without the rest of it.
export { execa } from 'execa';
