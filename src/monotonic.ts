/**
 * A clock that nobody sets and that stands still while the machine sleeps, ms, with fractions. Unlike `performance.now()`,
 * which counts from the start of the process, it can be compared between processes, and it loads nothing.
 */
export function readMonotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
