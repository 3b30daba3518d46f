import { join } from 'node:path';

/** Says that lines of the history could not be understood. */
export function describeSkipped(count: number, outputs: string): string {
  const what = count === 1 ? 'a line' : `${count} lines`;
  return `${what} of ${join(outputs, 'history.jsonl')} can't be understood and ${count === 1 ? 'is' : 'are'} passed over.`;
}
